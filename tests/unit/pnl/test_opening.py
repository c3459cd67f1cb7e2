"""What the settings open: which log, in which slot, which store."""

import socket
from pathlib import Path

import pytest

from pnl.datafolder import DataFolder
from pnl.errors import UserError
from pnl.opening import is_shared, kafka_settings, server_dsn, store_dsn
from pnl.settings import Settings
from pnl.settings_load import load

KAFKA = '[log]\nkind = "kafka"\n[log.client]\nbootstrap.servers = "one:9092"\n'
SERVER = '[store]\ndsn = "http://sink:hunter2@store:8123"\n'
EMBEDDED = '[store]\ndsn = "chdb:///tmp/store"\n'


def settings(folder: Path, toml: str) -> Settings:
    """Return the settings that a file makes."""
    (folder / "pnl.toml").write_text(toml, "utf-8")
    return load(folder, folder, {}).settings


def test_a_slot_is_that_given_or_set_or_the_hosts(tmp_path: Path) -> None:
    """It is the same after a restart, and another one on another machine."""
    plain = settings(tmp_path, KAFKA)
    assert kafka_settings(plain).slot == socket.gethostname()
    named = settings(tmp_path, KAFKA.replace("[log.client]", 'slot = "mine"\n[log.client]'))
    assert kafka_settings(named).slot == "mine"
    assert kafka_settings(named, slot="mine-3").slot == "mine-3"


def test_settings_reach_the_log(tmp_path: Path) -> None:
    """Properties, prefix, epoch and timeout."""
    toml = KAFKA.replace(
        "[log.client]", 'prefix = "a."\ntransaction_timeout_ms = 9000\n[log.client]'
    )
    found = kafka_settings(settings(tmp_path, toml), epoch=3)
    assert (found.prefix, found.epoch) == ("a.", 3)
    assert found.client == {"bootstrap.servers": "one:9092"}
    assert found.transactional("journeys")["transaction.timeout.ms"] == 9000


def test_a_log_on_kafka_needs_a_store_with_a_name(tmp_path: Path) -> None:
    """There is no default: nobody could tell whose store it is."""
    folder = DataFolder(tmp_path)
    with pytest.raises(UserError, match="dsn is missing"):
        store_dsn(folder, settings(tmp_path, KAFKA))
    assert store_dsn(folder, settings(tmp_path, "")).startswith("chdb://")
    assert server_dsn(folder, settings(tmp_path, KAFKA + SERVER)).endswith("@store:8123")


def test_workers_need_a_store_that_several_can_open(tmp_path: Path) -> None:
    """An embedded store is for one process; then nothing is shared."""
    both = settings(tmp_path, KAFKA + EMBEDDED)
    with pytest.raises(UserError, match="`pnl run` does all in one process"):
        server_dsn(DataFolder(tmp_path), both)
    assert not is_shared(both)
    assert is_shared(settings(tmp_path, KAFKA + SERVER))
    assert not is_shared(settings(tmp_path, SERVER))
