-- The only way to read: a table alone may hold a row twice until its parts are merged.

CREATE VIEW v_ledger AS
SELECT * FROM ledger FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE VIEW v_attributions AS SELECT * FROM attributions FINAL WHERE NOT withdrawn;

CREATE VIEW v_contacts AS SELECT * FROM contacts FINAL WHERE NOT withdrawn;

CREATE VIEW v_orders AS SELECT * FROM orders FINAL WHERE NOT withdrawn;

CREATE VIEW v_batches AS SELECT * FROM batches FINAL;

CREATE VIEW v_batch_sources AS SELECT * FROM batch_sources FINAL;

CREATE VIEW v_dead_letters AS SELECT * FROM dead_letters FINAL;

CREATE VIEW v_rollup_hourly AS SELECT * FROM rollup_hourly FINAL;
