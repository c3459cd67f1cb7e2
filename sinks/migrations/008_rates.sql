-- What currencies were worth, day by day, as a person imported it: reports convert by it.

CREATE TABLE rates
(
    day             Int32 COMMENT 'local day, days since 1970-01-01',
    base            LowCardinality(String),
    quote           LowCardinality(String),
    version         UInt64 COMMENT 'log_epoch, then log_offset: the highest is the latest',
    log_epoch       UInt64,
    log_partition   UInt16,
    log_offset      Int64,
    rate_e10        Int64 COMMENT 'one base in quote, times 10^10'
)
ENGINE = ${REPLACING}(version)
ORDER BY (base, quote, day);

CREATE VIEW v_rates AS SELECT * FROM rates FINAL;
