-- A partition that is filled again from the log's start has new marks, which count from then on
-- although they are behind the old ones: else a second stop would begin from the start once more.

DROP TABLE progress SYNC;

CREATE TABLE progress
(
    topic          LowCardinality(String),
    log_epoch      UInt64,
    log_partition  UInt16,
    fill           UInt16 COMMENT 'how often the partition was filled again from the start',
    next_offset    Int64 COMMENT 'all before it is stored and summed up',
    records        Int64 COMMENT 'how many records of it became rows',
    last_offset    Int64 COMMENT 'the offset of the last of them, -1: none',
    version        UInt64 COMMENT 'fill, then next_offset: the highest is the latest'
)
ENGINE = ${REPLACING}(version)
ORDER BY (topic, log_epoch, log_partition);

CREATE OR REPLACE VIEW v_progress AS SELECT * FROM progress FINAL;
