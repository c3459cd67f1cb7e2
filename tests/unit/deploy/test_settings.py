"""The settings that every container of ours is given."""

import shutil
from pathlib import Path

import pytest

from pnl.settings_load import Loaded, load
from tests.unit.deploy.files import DEPLOY, ours, services

NAMES = sorted(ours())


def given(name: str, folder: Path) -> Loaded:
    """Load the settings as a container finds them: the file, its variables, its secrets."""
    shutil.copyfile(DEPLOY / "pnl.toml", folder / "pnl.toml")
    (folder / "secret").write_text("http://user:word@clickhouse:8123")
    variables = {name: str(folder / "secret") for name in ours()[name].get("environment", {})}
    return load(folder / "no-data", folder, environ=variables)


@pytest.mark.parametrize("name", NAMES)
def test_every_process_is_given_settings_that_it_takes(name: str, tmp_path: Path) -> None:
    """Kafka is the log; who has a secret has a store, and only who needs one."""
    settings = given(name, tmp_path).settings
    assert settings.log.kind == "kafka"
    assert (settings.store.dsn is not None) == ("store-" in str(ours()[name].get("secrets")))


def test_all_brokers_are_named(tmp_path: Path) -> None:
    """A client that knows one broker cannot start while that one is down."""
    log = given("journeys", tmp_path).settings.log
    brokers = [f"{name}:9092" for name in services() if name.startswith("kafka-")]
    assert log.revealed("bootstrap.servers") == ",".join(brokers)
    assert log.replication == len(brokers)


def test_every_process_answers_where_it_is_asked(tmp_path: Path) -> None:
    """The health check and Prometheus ask at one port, from another container."""
    settings = given("console", tmp_path).settings
    for place in (settings.worker, settings.server):
        assert (place.host, place.port) == ("0.0.0.0", 8080)
    assert settings.server.allowed_hosts == ("console",)


def test_a_process_stops_before_it_is_killed(tmp_path: Path) -> None:
    """Docker's patience is longer than what a worker takes to finish its batch."""
    patience = int(ours()["journeys"]["stop_grace_period"].removesuffix("s"))
    assert patience > 2 * given("journeys", tmp_path).settings.worker.stop_seconds
