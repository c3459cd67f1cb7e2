-- What a person had repaired: entries that say so, and what a repair found of other batches.
-- `revision` was always 0: the revision of the fact that caused an entry is `cause_revision`.

ALTER TABLE ledger DROP COLUMN revision;

ALTER TABLE ledger ADD COLUMN repair LowCardinality(String);

ALTER TABLE batches ADD COLUMN amended_batch_ids Array(String);

ALTER TABLE batches ADD COLUMN amended_rows Array(Int64);

ALTER TABLE batches ADD COLUMN amended_minor Array(Int64);

ALTER TABLE batches ADD COLUMN voided_offsets Array(Int64);

CREATE OR REPLACE VIEW v_ledger AS
SELECT * FROM ledger FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW v_batches AS SELECT * FROM batches FINAL;
