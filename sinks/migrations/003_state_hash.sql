-- What a batch left of the partition's state: compared with the state that a restore gives.

ALTER TABLE batches ADD COLUMN state_hash Nullable(Int64);

CREATE OR REPLACE VIEW v_batches AS SELECT * FROM batches FINAL;
