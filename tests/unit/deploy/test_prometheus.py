"""What is watched: a name for each service, at its port."""

import yaml

from tests.unit.deploy.files import DEPLOY, is_one_shot, ours

CONFIG = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))


def test_every_process_of_ours_is_watched_at_its_port() -> None:
    """A job for each service that goes on, at each of its addresses, and who watches."""
    addresses = {}
    for job in CONFIG["scrape_configs"]:
        assert set(job) <= {"job_name", "static_configs", "dns_sd_configs"}
        if "static_configs" in job:
            addresses[job["job_name"]] = job["static_configs"][0]["targets"]
        else:
            found = job["dns_sd_configs"][0]
            assert found["type"] == "A"
            addresses[job["job_name"]] = [f"{name}:{found['port']}" for name in found["names"]]
    running = {name for name, each in ours().items() if not is_one_shot(each)}
    assert addresses == {name: [f"{name}:8080"] for name in running} | {
        "prometheus": ["localhost:9090"],
        "alertmanager": ["alertmanager:9093"],
    }
    told = CONFIG["alerting"]["alertmanagers"]
    assert told == [{"static_configs": [{"targets": addresses["alertmanager"]}]}]
