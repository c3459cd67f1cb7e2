-- A part that a merge replaced stays in memory until it is cleaned away: up to five minutes, by then
-- thousands, and more than a hundred at once take a thread each, which stays. So: soon, and by one thread.

ALTER TABLE ledger MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE attributions MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE contacts MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE orders MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE batches MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE batch_sources MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE dead_letters MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE rollup_hourly MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE progress MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE costs MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE periods MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE rates MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE rollup_monthly MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE rollup_months MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE churn MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE windows MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE alerts MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE alert_actions MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE deliveries MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE rollup_contacts MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE rollup_orders MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
ALTER TABLE rollup_editions MODIFY SETTING cleanup_delay_period = 10, max_cleanup_delay_period = 10, concurrent_part_removal_threshold = 10000;
