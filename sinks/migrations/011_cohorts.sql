-- Sums of contacts and of order facts, for reports over years: of contacts by the quarter of an hour
-- in which they ended, and by month in a few facets of their dimensions; of order facts by the quarter
-- of an hour in which they occurred. They count while the parts of their table stand as they stood.

CREATE TABLE rollup_contacts
(
    source        UUID COMMENT 'the table it was made from: a rebuilt one is another',
    last_block    UInt64 COMMENT 'of that table: its newest block',
    blocks        UInt64 COMMENT 'and how many blocks there were',
    as_of         Int64 COMMENT 'the time at which contacts were mature or not, ms',
    facet         LowCardinality(String) COMMENT 'time, or which dimensions it has; the others are empty',
    month         UInt32 COMMENT 'YYYYMM of ended_at in UTC',
    slot_at       DateTime64(3, 'UTC') COMMENT 'of facet time: the quarter of an hour, else 1970',
    currency      LowCardinality(String) COMMENT 'of the amounts; counts stand where it is empty',
    queue         LowCardinality(String),
    team          LowCardinality(String),
    agent_id      LowCardinality(String),
    channel       LowCardinality(String),
    reason        LowCardinality(String),
    kind          LowCardinality(String),
    n             UInt64,
    handled_n     UInt64,
    abandoned_n   UInt64,
    unidentified_n UInt64,
    matured_n     UInt64 COMMENT 'handled ones that were mature',
    young_n       UInt64 COMMENT 'those that were not, handled or not',
    offering_n    UInt64,
    unoffered     UInt64,
    declined      UInt64,
    credit_sum    Int128,
    fee_sum       Int128,
    cost_sum      Int128,
    square_sum    Int128 COMMENT 'of the credit of handled ones'
)
ENGINE = ${REPLACING}()
PARTITION BY (source, last_block, blocks, as_of)
ORDER BY (source, last_block, blocks, as_of, facet, month, slot_at, currency, queue, team, agent_id, channel, reason, kind);

CREATE VIEW v_rollup_contacts AS
SELECT * FROM rollup_contacts FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE TABLE rollup_orders
(
    source        UUID,
    last_block    UInt64,
    blocks        UInt64,
    as_of         Int64 COMMENT 'always 0: what orders come to does not hang on it',
    slot_at       DateTime64(3, 'UTC') COMMENT 'the quarter of an hour of occurred_at',
    currency      LowCardinality(String),
    kind          LowCardinality(String),
    amount_minor  Int128
)
ENGINE = ${REPLACING}()
PARTITION BY (source, last_block, blocks, as_of)
ORDER BY (source, last_block, blocks, as_of, slot_at, currency, kind);

CREATE VIEW v_rollup_orders AS
SELECT * FROM rollup_orders FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE TABLE rollup_editions
(
    about       LowCardinality(String) COMMENT 'contacts or orders',
    source      UUID,
    last_block  UInt64,
    blocks      UInt64,
    as_of       Int64,
    made_at     DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ${REPLACING}(made_at)
ORDER BY (about, source);

CREATE VIEW v_rollup_editions AS SELECT * FROM rollup_editions FINAL;
