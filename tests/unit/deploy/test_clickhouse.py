"""The store's configuration, as far as the engine can judge it without users and a server."""

import re
from xml.etree import ElementTree

import pytest

from sinks.store import Store
from tests.support.store import store as store
from tests.unit.deploy.files import clickhouse

USERS = clickhouse("users.d/pnl.xml")
SERVER = clickhouse("config.d/pnl.xml")
OUTSIDE = ("FILE", "URL", "S3", "REMOTE", "SOURCES", "ALL", "*.*", "GRANT OPTION")
LOOKING = ("GRANT SELECT ON system.parts", "GRANT SELECT ON system.tables")
"""Monthly sums count only while the ledger's parts are those they were made of."""
DISKS = "GRANT SELECT ON system.disks"
"""The sink tells how full the store's disks are."""


def part(root: ElementTree.Element, name: str) -> ElementTree.Element:
    """Return a section that must be there."""
    found = root.find(name)
    assert found is not None
    return found


def grants(user: str) -> list[str]:
    """Return what a user is granted."""
    return [each.text or "" for each in part(USERS, f"users/{user}/grants")]


def names(user: str) -> dict[str, str]:
    """Return the settings of a user's profile."""
    profile = part(USERS, f"users/{user}/profile").text
    return {each.tag: each.text or "" for each in part(USERS, f"profiles/{profile}")}


PEOPLE = [user.tag for user in part(USERS, "users") if "remove" not in user.attrib]


def test_nobody_logs_in_who_is_not_listed() -> None:
    """The default user is gone, and users come from files alone."""
    assert part(USERS, "users/default").attrib == {"remove": "remove"}
    assert [each.tag for each in part(SERVER, "user_directories")] == ["users_xml"]
    assert PEOPLE == ["schema", "sink", "auditor", "report"]


@pytest.mark.parametrize("user", PEOPLE)
def test_nobody_reads_files_or_other_hosts(user: str) -> None:
    """All that is granted lies in our database, but for a look at its parts and disks."""
    looking = {*LOOKING, DISKS} if user == "sink" else LOOKING
    for grant in grants(user):
        assert " ON pnl." in grant or grant in looking
        assert not any(word in grant for word in OUTSIDE)


def test_the_sink_writes_every_table_but_the_record_of_migrations(store: Store) -> None:
    """A table that is new in the migrations needs a grant."""
    tables = store.query(
        "SELECT name FROM system.tables WHERE database = 'pnl' AND engine != 'View'"
    )
    inserts = {grant.partition(" ON pnl.")[2] for grant in grants("sink") if "INSERT" in grant}
    assert {row["name"] for row in tables} - inserts == {"schema_versions"}
    assert inserts <= {row["name"] for row in tables}


@pytest.mark.parametrize("user", ["auditor", "report"])
def test_who_reads_cannot_write(user: str) -> None:
    """Twice over: nothing but reading is granted, and the session is read-only."""
    assert grants(user) == ["GRANT SHOW, SELECT ON pnl.*", *LOOKING]
    assert names(user)["readonly"] == "1"


def test_the_engine_understands_every_grant(store: Store) -> None:
    """They cannot be run without users, but they are parsed."""
    for user in PEOPLE:
        for grant in grants(user):
            assert store.query(f"EXPLAIN AST {grant} TO {user}")


def test_the_engine_knows_every_setting_of_a_profile(store: Store) -> None:
    """Each name exists and each value is one that it takes."""
    for user in PEOPLE:
        for name, value in names(user).items():
            assert store.query(f"SELECT 1 AS taken SETTINGS {name} = '{value}'")


def test_the_engine_knows_every_setting_of_the_server(store: Store) -> None:
    """Those that are a plain number, and those of tables; sections are the server's own."""
    known = {
        table: {row["name"] for row in store.query(f"SELECT name FROM system.{table}")}
        for table in ("server_settings", "merge_tree_settings")
    }
    numbers = {each.tag for each in SERVER if re.fullmatch(r"\d+(\.\d+)?", each.text or "")}
    assert numbers - known["server_settings"] == set()
    assert "max_server_memory_usage_to_ram_ratio" in numbers
    of_tables = {each.tag: each.text for each in part(SERVER, "merge_tree")}
    assert set(of_tables) - known["merge_tree_settings"] == set()
    assert of_tables == {"fsync_after_insert": "1", "fsync_part_directory": "1"}


def test_every_view_can_be_read_by_who_may_only_read(store: Store) -> None:
    """A view's own settings do not count as a change, which a read-only user may not make."""
    views = store.query(
        "SELECT name FROM system.tables WHERE database = 'pnl' AND engine = 'View' ORDER BY name"
    )
    assert len(views) >= 8
    for view in views:
        assert store.query(f"SELECT count() AS rows FROM {view['name']} SETTINGS readonly = 1")
