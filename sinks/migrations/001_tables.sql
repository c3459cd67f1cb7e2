-- Every row is its own identity: the log coordinates it was read from (epoch, partition, offset
-- and, in the ledger, the position in the record). Content never changes under an identity, so a
-- repeated insert is harmless and no deduplication token is needed (a token can lose rows).

CREATE TABLE ledger
(
    line            LowCardinality(String),
    effective_at    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    log_epoch       UInt64 CODEC(ZSTD(1)),
    log_partition   UInt16 CODEC(ZSTD(1)),
    log_offset      Int64 CODEC(Delta, ZSTD(1)),
    log_position    UInt32 CODEC(ZSTD(1)),
    month           UInt32 CODEC(ZSTD(1)) COMMENT 'YYYYMM of effective_at in UTC',
    batch_id        String CODEC(ZSTD(1)),
    customer_id     String CODEC(ZSTD(1)),
    booked_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    cause_fact      LowCardinality(String),
    cause_id        String CODEC(ZSTD(1)),
    cause_revision  Int64 CODEC(ZSTD(1)),
    src_topic       LowCardinality(String),
    src_partition   UInt16 CODEC(ZSTD(1)),
    src_offset      Int64 CODEC(Delta, ZSTD(1)),
    policy          LowCardinality(String),
    revision        Int64 CODEC(ZSTD(1)),
    basis           LowCardinality(String),
    amount_minor    Int64 CODEC(ZSTD(1)),
    currency        LowCardinality(String),
    order_id        String CODEC(ZSTD(1)),
    contact_id      String CODEC(ZSTD(1)),
    leg_id          String CODEC(ZSTD(1)),
    case_id         String CODEC(ZSTD(1)),
    product_class   LowCardinality(String),
    queue           LowCardinality(String),
    team            LowCardinality(String),
    agent_id        LowCardinality(String),
    channel         LowCardinality(String),
    reason          LowCardinality(String),
    kind            LowCardinality(String),
    tariff          LowCardinality(String),
    model           LowCardinality(String),
    note            LowCardinality(String),
    term_start      Nullable(Int32) COMMENT 'first local day of the term, days since 1970-01-01',
    term_end        Nullable(Int32) COMMENT 'the day after its last',
    cut             Nullable(Int32) COMMENT 'only days from here on belong to the entry',
    spread_minor    Int64 CODEC(ZSTD(1)),
    change          LowCardinality(String),
    INDEX by_order order_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_contact contact_id TYPE bloom_filter(0.01) GRANULARITY 4,
    CONSTRAINT month_of_effective_at CHECK month = toYear(effective_at) * 100 + toMonth(effective_at)
)
ENGINE = ${REPLACING}()
PARTITION BY month
ORDER BY (line, effective_at, log_epoch, log_partition, log_offset, log_position);

CREATE TABLE attributions
(
    order_id            String,
    customer_id         String,
    version             UInt64 COMMENT 'log_epoch, then revision: the highest is the latest',
    revision            Int64,
    log_epoch           UInt64,
    log_partition       UInt16,
    log_offset          Int64,
    currency            LowCardinality(String),
    occurred_at         DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    gross_minor         Int64,
    net_minor           Int64,
    unattributed_minor  Int64,
    model               LowCardinality(String),
    sold_in             String COMMENT 'contact_id of the chain it was sold in, else empty',
    sold_unknown        Bool,
    changed             Array(LowCardinality(String)),
    withdrawn           Bool,
    credit_contact_ids  Array(String) COMMENT 'empty text: the centre',
    credit_case_ids     Array(String),
    credit_classes      Array(LowCardinality(String)),
    credit_lines        Array(LowCardinality(String)),
    credits_minor       Array(Int64),
    credit_weights      Array(Int64),
    classes             Array(LowCardinality(String)),
    class_gross_minor   Array(Int64),
    class_net_minor     Array(Int64),
    class_lookback_ms   Array(Int64),
    path_contact_ids    Array(String),
    path_case_ids       Array(String),
    path_ended_at       Array(DateTime64(3, 'UTC')),
    path_handle_ms      Array(Int64)
)
ENGINE = ${REPLACING}(version)
ORDER BY (order_id, customer_id);

CREATE TABLE contacts
(
    contact_id        String,
    customer_id       String,
    version           UInt64 COMMENT 'log_epoch, then record_version: the highest is the latest',
    record_version    Int64,
    log_epoch         UInt64,
    log_partition     UInt16,
    log_offset        Int64,
    started_at        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    ended_at          DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    matures_at        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    identified        Bool,
    handled           Bool,
    abandoned         Bool,
    outcome           LowCardinality(String),
    legs              Int64,
    channel           LowCardinality(String),
    direction         LowCardinality(String),
    kind              LowCardinality(String),
    queue             LowCardinality(String),
    talk_ms           Int64,
    hold_ms           Int64,
    wrap_ms           Int64,
    wait_ms           Int64,
    cost_currency     LowCardinality(String),
    cost_minor        Int64,
    fee_minor         Int64,
    case_id           String,
    team              LowCardinality(String),
    agent_id          LowCardinality(String),
    reason            LowCardinality(String),
    tier              LowCardinality(String),
    disposition_code  LowCardinality(String),
    credit_currencies Array(LowCardinality(String)),
    credits_minor     Array(Int64),
    withdrawn         Bool
)
ENGINE = ${REPLACING}(version)
ORDER BY (contact_id, customer_id);

CREATE TABLE orders
(
    order_id          String,
    customer_id       String,
    version           UInt64 COMMENT 'log_epoch, then record_version: the highest is the latest',
    record_version    Int64,
    log_epoch         UInt64,
    log_partition     UInt16,
    log_offset        Int64,
    kind              LowCardinality(String),
    occurred_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    currency          LowCardinality(String),
    net_effect_minor  Int64,
    identified        Bool,
    refund_of         String,
    linked_to         Array(String),
    orphan            Bool,
    withdrawn         Bool
)
ENGINE = ${REPLACING}(version)
ORDER BY (order_id, customer_id);

CREATE TABLE batches
(
    log_epoch       UInt64,
    log_partition   UInt16,
    log_offset      Int64,
    batch_id        String,
    out_rows        Int64,
    out_sum_minor   Int64,
    event_time_max  Nullable(DateTime64(3, 'UTC')),
    logged_at_max   DateTime64(3, 'UTC'),
    code_version    LowCardinality(String),
    policy          LowCardinality(String)
)
ENGINE = ${REPLACING}()
ORDER BY (log_epoch, log_partition, log_offset);

CREATE TABLE batch_sources
(
    log_epoch         UInt64,
    log_partition     UInt16,
    log_offset        Int64,
    log_position      UInt32,
    batch_id          String,
    src_topic         LowCardinality(String),
    src_partition     UInt16,
    start_offset      Int64,
    end_offset        Int64,
    applied           Int64,
    duplicate         Int64,
    late              Int64,
    dead              Int64,
    exception_dispositions Array(LowCardinality(String)),
    exception_starts  Array(Int64),
    exception_ends    Array(Int64)
)
ENGINE = ${REPLACING}()
ORDER BY (log_epoch, log_partition, log_offset, log_position);

CREATE TABLE dead_letters
(
    log_epoch      UInt64,
    log_partition  UInt16,
    log_offset     Int64,
    src_topic      LowCardinality(String),
    src_epoch      UInt64,
    src_partition  UInt16,
    src_offset     Int64,
    logged_at      DateTime64(3, 'UTC'),
    reason         LowCardinality(String),
    detail         String,
    key_base64     String,
    value_size     Int64,
    value_sha256   String,
    value_base64   String CODEC(ZSTD(1)),
    code_version   LowCardinality(String)
)
ENGINE = ${REPLACING}()
ORDER BY (log_epoch, log_partition, log_offset);

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
    entries        UInt64,
    generation     UInt64 COMMENT 'counts recomputations: the highest is the latest'
)
ENGINE = ${REPLACING}(generation)
ORDER BY (hour, line, basis, currency, queue, team, agent_id, channel, reason, kind, product_class);
