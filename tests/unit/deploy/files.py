"""The deployment files as the tests read them."""

from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import yaml

ROOT: Final = Path(__file__).parents[3]
DEPLOY: Final = ROOT / "deploy"
ONE_SHOT: Final = "no"


def compose() -> dict[str, Any]:
    """Return docker-compose.yml, its anchors merged."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return found


def services() -> dict[str, dict[str, Any]]:
    """Return the services by name."""
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def ours() -> dict[str, dict[str, Any]]:
    """Return the services that run this program."""
    return {name: each for name, each in services().items() if each["image"].startswith("contact-")}


def is_one_shot(service: dict[str, Any]) -> bool:
    """Say whether a service is meant to end."""
    return bool(service["restart"] == ONE_SHOT)


def networks(service: dict[str, Any]) -> set[str]:
    """Return the networks that a service is in."""
    return set(service["networks"])


def clickhouse(name: str) -> ElementTree.Element:
    """Return one of ClickHouse's files; raises where it is not well-formed."""
    return ElementTree.parse(DEPLOY / "clickhouse" / name).getroot()
