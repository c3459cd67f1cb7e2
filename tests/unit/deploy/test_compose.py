"""What must stay true of docker-compose.yml, whoever edits it; its syntax is linted."""

import hashlib
import re
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.unit.deploy.files import (
    DEPLOY,
    ROOT,
    compose,
    is_one_shot,
    networks,
    ours,
    services,
)

SECRETS = "${CONTACT_PNL_SECRETS"
SERVICES = sorted(services())


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """Return a folder of passwords, just made."""
    folder = tmp_path / "secrets"
    subprocess.run([DEPLOY / "write-secrets", folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_can_do_as_little_as_possible(name: str) -> None:
    """No root, nothing written to the image, no capability, bounded memory, processes and logs."""
    service = services()[name]
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["logging"]["options"]["max-size"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_a_version(name: str) -> None:
    """`latest` is another program tomorrow."""
    tag = services()[name]["image"].partition(":")[2]
    assert re.fullmatch(r"v?\d+(\.\d+)+", tag)


@pytest.mark.parametrize("name", SERVICES)
def test_what_ends_by_itself_is_not_started_again(name: str) -> None:
    """A process that goes on is watched and restarted; a command runs once."""
    service = services()[name]
    if is_one_shot(service):
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_starts_before_what_it_needs_is_ready(name: str) -> None:
    """A command is waited for until it succeeded, a server until it is healthy."""
    for needed, how in services()[name].get("depends_on", {}).items():
        ends = is_one_shot(services()[needed])
        assert how["condition"] == f"service_{'completed_successfully' if ends else 'healthy'}"


def test_only_the_page_can_be_reached_and_only_from_this_machine() -> None:
    """One port, on the loopback; only the page and who sends alerts are in a network out."""
    ports = {name: each["ports"] for name, each in services().items() if "ports" in each}
    assert ports == {"console": ["127.0.0.1:${CONTACT_PNL_PORT:-8080}:8080"]}
    outside = [name for name, each in compose()["networks"].items() if not each.get("internal")]
    assert outside == ["page", "outside"]
    for network, only in (("page", "console"), ("outside", "alerts")):
        assert [name for name, each in services().items() if network in networks(each)] == [only]


def test_prometheus_reaches_what_it_watches_and_nothing_else() -> None:
    """It is in one network, and in that are our processes and no store or log."""
    assert networks(services()["prometheus"]) == {"watch"}
    assert networks(services()["alertmanager"]) == {"watch"}
    watched = {name for name, each in services().items() if "watch" in networks(each)}
    assert watched - {"prometheus", "alertmanager"} == {
        name for name, each in ours().items() if not is_one_shot(each)
    }


def test_no_password_has_a_default() -> None:
    """Secrets are files of a folder that must be named; without it, a sentence and no start."""
    given = compose()["secrets"]
    assert all(each["file"].startswith(SECRETS) for each in given.values())
    assert ":?make passwords with deploy/write-secrets" in given["clickhouse-passwords"]["file"]
    for service in services().values():
        for name in service.get("environment", {}):
            assert name.endswith("_FILE") or name == "PNL_DATA" or not name.startswith("PNL_")
            assert not any(word in name for word in ("PASSWORD", "SECRET", "TOKEN"))


def test_each_process_has_a_store_user_of_its_own() -> None:
    """A process gets the one secret that it needs, and nobody but the store gets the hashes."""
    users = {
        "schema": "schema",
        "sink": "sink",
        "periods": "auditor",
        "auditor": "auditor",
        "console": "report",
        "fit": "report",
    }
    for name, service in ours().items():
        wanted = {"pnl": "report", **users}.get(name)
        assert service.get("secrets", []) == ([f"store-{wanted}"] if wanted else [])
        environment: dict[str, Any] = service.get("environment", {})
        assert environment.get("PNL_STORE__DSN_FILE") == (
            f"/run/secrets/store-{wanted}" if wanted else None
        )


def test_what_is_mounted_is_there() -> None:
    """Every configuration file is in the repository."""
    for each in compose()["configs"].values():
        assert (ROOT / each["file"]).is_file()


def test_workers_can_be_more_than_one() -> None:
    """Neither name is given by hand: two in one slot would end each other."""
    assert not [name for name, each in ours().items() if {"hostname", "container_name"} & set(each)]


def test_brokers_differ_in_their_names_alone() -> None:
    """Three brokers with the same settings, each with its own number, address and data."""
    brokers = {name: each for name, each in services().items() if name.startswith("kafka-")}
    assert len(brokers) == 3
    for name, broker in brokers.items():
        number = int(name[-1])
        own = {
            "KAFKA_NODE_ID": number,
            "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{name}:9092",
        }
        assert broker["environment"] == compose()["x-kafka-settings"] | own
        assert broker["hostname"] == name
        assert broker["volumes"] == [f"{name}:/var/lib/kafka/data"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("DEFAULT_REPLICATION_FACTOR", 3),
        ("MIN_INSYNC_REPLICAS", 2),
        ("OFFSETS_TOPIC_REPLICATION_FACTOR", 3),
        ("TRANSACTION_STATE_LOG_REPLICATION_FACTOR", 3),
        ("TRANSACTION_STATE_LOG_MIN_ISR", 2),
        ("UNCLEAN_LEADER_ELECTION_ENABLE", "false"),
        ("AUTO_CREATE_TOPICS_ENABLE", "false"),
        ("TRANSACTION_PARTITION_VERIFICATION_ENABLE", "true"),
    ],
)
def test_the_brokers_keep_what_the_promises_rest_on(setting: str, value: object) -> None:
    """Copies, no leader that lags behind, no topic that nobody created."""
    assert compose()["x-kafka-settings"][f"KAFKA_{setting}"] == value


def test_passwords_are_made_once_and_differ(secrets: Path) -> None:
    """Each user's DSN fits the hash that the store knows; a second run writes nothing over."""
    users = ElementTree.parse(secrets / "clickhouse-passwords.xml").getroot()[0]
    words = set()
    for user in users:
        dsn = (secrets / f"store-{user.tag}").read_text()
        word = dsn.removeprefix(f"http://{user.tag}:").removesuffix("@clickhouse:8123")
        assert len(word) == 48
        assert user.findtext("password_sha256_hex") == hashlib.sha256(word.encode()).hexdigest()
        words.add(word)
    assert len(words) == 4
    again = subprocess.run([DEPLOY / "write-secrets", secrets], check=False, capture_output=True)
    assert again.returncode == 1
    assert b"never written over" in again.stderr


def test_passwords_are_for_their_owner_and_the_containers(secrets: Path) -> None:
    """Nobody else can enter the folder; the containers' users read the files by their mounts."""
    assert secrets.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o444}
    assert {path.name for path in secrets.iterdir()} == {
        Path(each["file"]).name for each in compose()["secrets"].values()
    }


def test_the_churn_model_is_written_by_one_and_read_by_two() -> None:
    """Journeys and the page see what `pnl fit churn` kept; nobody else may write it."""
    mounts = {
        name: [mount for mount in each.get("volumes", []) if mount.startswith("models:")]
        for name, each in services().items()
    }
    assert {name: found for name, found in mounts.items() if found} == {
        "journeys": ["models:/var/lib/pnl:ro"],
        "console": ["models:/var/lib/pnl:ro"],
        "fit": ["models:/var/lib/pnl"],
    }
    for name in ("journeys", "console", "fit"):
        assert services()[name]["environment"]["PNL_DATA"] == "/var/lib/pnl"
