-- Churn risk, windows of activity, alerts, what people answered, how deliveries stand. None of it
-- is money booked; a figure that is not known is null.

CREATE TABLE churn
(
    customer_id          String,
    version              UInt64 COMMENT 'log_epoch, then record_version: the highest is the latest',
    record_version       Int64,
    log_epoch            UInt64,
    log_partition        UInt16,
    log_offset           Int64,
    as_of                DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    logged_at            DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    risk_ppm             Nullable(Int64) COMMENT 'no purchase within the horizon, parts per million',
    before_ppm           Nullable(Int64),
    week_ago_ppm         Nullable(Int64),
    explained_ppm        Nullable(Int64) COMMENT 'share of the rise that facts of a day explain',
    cause_kind           LowCardinality(String),
    cause_id             String,
    high                 Bool,
    value_minor          Nullable(Int64) COMMENT 'margin expected within the horizon',
    currency             LowCardinality(String),
    method               LowCardinality(String),
    model                LowCardinality(String),
    horizon_days         Int64,
    queue                LowCardinality(String),
    team                 LowCardinality(String),
    channel              LowCardinality(String),
    contact_id           String,
    contact_at           Nullable(DateTime64(3, 'UTC')),
    reason_signals       Array(LowCardinality(String)) COMMENT 'the strongest first',
    reason_logits_milli  Array(Int64),
    reason_at            Array(DateTime64(3, 'UTC')),
    reason_facts         Array(String),
    reason_labels        Array(LowCardinality(String))
)
ENGINE = ${REPLACING}(version)
ORDER BY customer_id;

CREATE VIEW v_churn AS SELECT * FROM churn FINAL;

CREATE TABLE windows
(
    size                LowCardinality(String) COMMENT '5m, 1h or 1d',
    starts_at           DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    ends_at             DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    queue               LowCardinality(String),
    channel             LowCardinality(String),
    team                LowCardinality(String),
    currency            LowCardinality(String),
    version             UInt64 COMMENT 'log_epoch, then log_offset: the highest is the latest',
    log_epoch           UInt64,
    log_partition       UInt16,
    log_offset          Int64,
    revision            Int64,
    closed              Bool,
    as_of               Nullable(DateTime64(3, 'UTC')),
    rpc_minor           Nullable(Int64),
    rpc_low_minor       Nullable(Int64),
    rpc_high_minor      Nullable(Int64),
    chains              Int64,
    handled             Int64,
    abandoned           Int64,
    waited              Int64,
    wait_ms             Int64,
    handle_ms           Int64,
    resolved            Int64,
    unresolved          Int64,
    reopened            Int64,
    csat_good           Int64,
    csat_bad            Int64,
    offers_missed       Int64,
    in_contact          Int64,
    high_risk           Int64,
    credit_minor        Int64,
    credit_minor2       Int128 COMMENT 'sum of the squares of what each chain earned',
    booked_minor        Int64,
    refund_minor        Int64,
    net_minor           Int64,
    unattributed_minor  Int64,
    cost_minor          Int64
)
ENGINE = ${REPLACING}(version)
ORDER BY (size, starts_at, queue, channel, team, currency);

CREATE VIEW v_windows AS SELECT * FROM windows FINAL;

CREATE TABLE alerts
(
    alert_id       String,
    revision       Int64,
    version        UInt64 COMMENT 'log_epoch, then log_offset: the highest is the latest',
    log_epoch      UInt64,
    log_partition  UInt16,
    log_offset     Int64,
    state          LowCardinality(String),
    rule           LowCardinality(String),
    kind           LowCardinality(String),
    severity       LowCardinality(String),
    subject_kind   LowCardinality(String),
    subject        String,
    raised_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    logged_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    headline       String,
    figure_names   Array(LowCardinality(String)),
    figure_values  Array(Nullable(Int64)),
    figure_units   Array(LowCardinality(String)),
    figure_lows    Array(Nullable(Int64)),
    figure_highs   Array(Nullable(Int64)),
    reasons        Array(String),
    contacts       Array(String),
    source         String COMMENT 'topic-partition-offset of the record that decided',
    link           String,
    routes         Array(LowCardinality(String)),
    quiet_until    Nullable(DateTime64(3, 'UTC')) COMMENT 'not to be delivered before',
    value_minor    Nullable(Int64),
    currency       LowCardinality(String),
    person         String COMMENT 'who answered',
    note           String
)
ENGINE = ${REPLACING}(version)
ORDER BY (alert_id, revision);

CREATE VIEW v_alerts AS SELECT *, revision = max(revision) OVER (PARTITION BY alert_id) AS is_latest FROM alerts FINAL;

CREATE TABLE alert_actions
(
    log_epoch      UInt64,
    log_partition  UInt16,
    log_offset     Int64,
    alert_id       String,
    rule           LowCardinality(String),
    subject_kind   LowCardinality(String),
    subject        String,
    action         LowCardinality(String),
    person         String,
    at             DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    until          Nullable(DateTime64(3, 'UTC')),
    note           String
)
ENGINE = ${REPLACING}()
ORDER BY (log_epoch, log_partition, log_offset);

CREATE VIEW v_alert_actions AS SELECT * FROM alert_actions FINAL;

CREATE TABLE deliveries
(
    alert_id       String,
    route          LowCardinality(String),
    version        UInt64 COMMENT 'log_epoch, then log_offset: the highest is the latest',
    log_epoch      UInt64,
    log_partition  UInt16,
    log_offset     Int64,
    revision       Int64,
    outcome        LowCardinality(String),
    attempts       Int64,
    first_at       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    last_at        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    detail         String
)
ENGINE = ${REPLACING}(version)
ORDER BY (alert_id, route);

CREATE VIEW v_deliveries AS SELECT * FROM deliveries FINAL;
