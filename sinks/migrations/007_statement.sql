-- What the whole statement needs: estimates with their variance, what became of a contact's case,
-- its legs and offers, costs as they were sent, closed periods. Rows of before have the defaults;
-- a rebuild from the log fills in what the log holds.

ALTER TABLE ledger ADD COLUMN variance_minor2 Int64 CODEC(ZSTD(1));

ALTER TABLE contacts ADD COLUMN csat Nullable(Int64);

ALTER TABLE contacts ADD COLUMN nps Nullable(Int64);

ALTER TABLE contacts ADD COLUMN ces Nullable(Int64);

ALTER TABLE contacts ADD COLUMN resolved_at Nullable(DateTime64(3, 'UTC'));

ALTER TABLE contacts ADD COLUMN resolutions UInt32;

ALTER TABLE contacts ADD COLUMN reopened Bool;

ALTER TABLE contacts ADD COLUMN escalated Bool;

ALTER TABLE contacts ADD COLUMN experiment_id String;

ALTER TABLE contacts ADD COLUMN experiment_arm LowCardinality(String);

ALTER TABLE contacts ADD COLUMN offer_classes Array(LowCardinality(String));

ALTER TABLE contacts ADD COLUMN offers_eligible Array(Bool);

ALTER TABLE contacts ADD COLUMN offers_offered Array(Bool);

ALTER TABLE contacts ADD COLUMN offers_accepted Array(Bool);

ALTER TABLE contacts ADD COLUMN leg_ids Array(String);

ALTER TABLE contacts ADD COLUMN leg_agents Array(LowCardinality(String));

ALTER TABLE contacts ADD COLUMN leg_queues Array(LowCardinality(String));

ALTER TABLE contacts ADD COLUMN leg_started_at Array(DateTime64(3, 'UTC'));

ALTER TABLE contacts ADD COLUMN leg_connected_at Array(Nullable(DateTime64(3, 'UTC')));

ALTER TABLE contacts ADD COLUMN leg_ended_at Array(DateTime64(3, 'UTC'));

ALTER TABLE contacts ADD COLUMN leg_talk_ms Array(Int64);

ALTER TABLE contacts ADD COLUMN leg_hold_ms Array(Int64);

ALTER TABLE contacts ADD COLUMN leg_wrap_ms Array(Int64);

ALTER TABLE orders ADD COLUMN contact_id String COMMENT 'sold in, as the fact says';

ALTER TABLE orders ADD COLUMN agent_id LowCardinality(String);

ALTER TABLE orders ADD COLUMN referred_by String;

CREATE TABLE costs
(
    event_id        String,
    customer_id     String COMMENT 'the key: a customer, contact or agent, else the event itself',
    version         UInt64 COMMENT 'log_epoch, then record_version: the highest is the latest',
    record_version  Int64,
    log_epoch       UInt64,
    log_partition   UInt16,
    log_offset      Int64,
    kind            LowCardinality(String),
    occurred_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    currency        LowCardinality(String),
    amount_minor    Int64 COMMENT 'as sent: spent is positive',
    agent_id        LowCardinality(String),
    queue           LowCardinality(String),
    channel         LowCardinality(String),
    contact_id      String,
    period_start    Nullable(DateTime64(3, 'UTC')) COMMENT 'of a local date its first instant',
    period_end      Nullable(DateTime64(3, 'UTC')),
    withdrawn       Bool
)
ENGINE = ${REPLACING}(version)
ORDER BY (event_id, customer_id);

CREATE TABLE periods
(
    event_id        String,
    period          String,
    version         UInt64 COMMENT 'log_epoch, then revision: the highest is the latest',
    revision        Int64,
    log_epoch       UInt64,
    log_partition   UInt16,
    log_offset      Int64,
    closed_at       DateTime64(3, 'UTC') COMMENT 'when the log took the closing',
    cut_partitions  Array(UInt16) COMMENT 'of the ledger',
    cut_offsets     Array(Int64) COMMENT 'entries before it were reported',
    withdrawn       Bool
)
ENGINE = ${REPLACING}(version)
ORDER BY (period, event_id);

CREATE OR REPLACE VIEW v_ledger AS
SELECT * FROM ledger FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW v_contacts AS SELECT * FROM contacts FINAL WHERE NOT withdrawn;

CREATE OR REPLACE VIEW v_orders AS SELECT * FROM orders FINAL WHERE NOT withdrawn;

CREATE VIEW v_costs AS SELECT * FROM costs FINAL WHERE NOT withdrawn;

CREATE VIEW v_periods AS SELECT * FROM periods FINAL WHERE NOT withdrawn;
