-- Monthly sums of the ledger in a few facets of its dimensions, for reports over years. A sum is made
-- of a whole month as the ledger's parts stood (last_block, blocks); it counts while they stand so.

CREATE TABLE rollup_monthly
(
    month          UInt32,
    ledger         UUID COMMENT 'the table it was made from: a rebuilt ledger is another one',
    last_block     UInt64 COMMENT 'of the ledger month it was made from: its newest block',
    blocks         UInt64 COMMENT 'and how many blocks there were',
    facet            LowCardinality(String) COMMENT 'which dimensions it has, the others are empty',
    line           LowCardinality(String),
    currency       LowCardinality(String),
    queue          LowCardinality(String),
    team           LowCardinality(String),
    agent_id       LowCardinality(String),
    channel        LowCardinality(String),
    reason         LowCardinality(String),
    kind           LowCardinality(String),
    product_class  LowCardinality(String),
    amount_minor   Int128
)
ENGINE = ${REPLACING}()
PARTITION BY (month, ledger, last_block)
ORDER BY (facet, month, ledger, last_block, blocks, line, currency, queue, team, agent_id, channel, reason, kind, product_class);

CREATE VIEW v_rollup_monthly AS
SELECT * FROM rollup_monthly FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE TABLE rollup_months
(
    month       UInt32,
    ledger      UUID,
    last_block  UInt64,
    blocks      UInt64,
    made_at     DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ${REPLACING}(made_at)
ORDER BY (ledger, month);

CREATE VIEW v_rollup_months AS SELECT * FROM rollup_months FINAL;
