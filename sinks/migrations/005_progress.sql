-- How far the store has come in each output. Offsets alone do not tell how many rows there must
-- be: on Kafka every transaction takes offsets that hold no record.

CREATE TABLE progress
(
    topic          LowCardinality(String),
    log_epoch      UInt64,
    log_partition  UInt16,
    next_offset    Int64 COMMENT 'all before it is stored and summed up',
    records        Int64 COMMENT 'how many records of it became rows',
    last_offset    Int64 COMMENT 'the offset of the last of them, -1: none'
)
ENGINE = ${REPLACING}(next_offset)
ORDER BY (topic, log_epoch, log_partition);

CREATE VIEW v_progress AS SELECT * FROM progress FINAL;

-- The ledger only grows: of two sums of an hour the one over more entries is the later, whoever
-- worked it out. A counter of each process could let an older sum win.

DROP TABLE rollup_hourly SYNC;

CREATE TABLE rollup_hourly
(
    hour           DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    line           LowCardinality(String),
    basis          LowCardinality(String),
    currency       LowCardinality(String),
    queue          LowCardinality(String),
    team           LowCardinality(String),
    agent_id       LowCardinality(String),
    channel        LowCardinality(String),
    reason         LowCardinality(String),
    kind           LowCardinality(String),
    product_class  LowCardinality(String),
    amount_minor   Int128,
    entries        UInt64 COMMENT 'how many entries: the sum over the most is the latest'
)
ENGINE = ${REPLACING}(entries)
ORDER BY (hour, line, basis, currency, queue, team, agent_id, channel, reason, kind, product_class);

CREATE OR REPLACE VIEW v_rollup_hourly AS SELECT * FROM rollup_hourly FINAL;
