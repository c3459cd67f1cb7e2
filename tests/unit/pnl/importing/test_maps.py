"""A map is understood whole, or refused with one sentence that names its key."""

from pathlib import Path

import pytest

from pnl.importing import ImportProblem, example, load_map

GOOD = """
topic = "costs"
[constants]
currency = "GBP"
kind = "overhead"
[columns]
event_id = "id"
occurred_at = "when"
amount_minor = "pence"
"""


def refused(folder: Path, text: str) -> str:
    """Return the sentence a map is refused with, without the folder."""
    path = folder / "map.toml"
    path.write_text(text)
    with pytest.raises(ImportProblem) as caught:
        load_map(path)
    assert "\n" not in caught.value.message
    return caught.value.message.replace(f"{folder}/", "")


def test_a_good_map_is_read(tmp_path: Path) -> None:
    """It says which column gives a field."""
    (tmp_path / "map.toml").write_text(GOOD)
    assert load_map(tmp_path / "map.toml").columns["amount_minor"] == "pence"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("topic", "topics"), "map.toml: the map: Object contains unknown field `topics`"),
        (('"costs"', '"cost"'), "map.toml: topic: Invalid enum value 'cost'"),
        (('"costs"', "3"), "map.toml: topic: Expected `str`, got `int`"),
        (("event_id", "event"), "map.toml: columns.event: costs have no such field"),
        (("occurred_at", "ocurred_at"), "did you mean occurred_at?"),
        (('id = "id"', "id = 5"), "map.toml: columns.event_id: must be a text"),
        (('kind = "overhead"', "kind = 1.5"), "map.toml: constants.kind: not a text"),
        (("[columns]", '[columns]\nkind = "k"'), "kind stands both in [constants] and in"),
        (('event_id = "id"', ""), "nothing gives event_id: name its column in [columns]"),
        (('currency = "GBP"', ""), "nothing gives currency: name its column in [columns]"),
        (("[columns]", "[columns"), "map.toml: not a TOML file: "),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    """What is wrong and where, in one sentence."""
    assert says in refused(tmp_path, GOOD.replace(*change, 1))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[prefixes]\namount_minor = "x"', "prefixes.amount_minor: the field is not a text"),
        ('[prefixes]\nqueue = "x"', "prefixes.queue: the field has no column"),
        ('[values.queue]\na = "b"', "values.queue: the field has no column"),
        ("[values.event_id]\na = 1.5", "values.event_id.a: not a text or whole number"),
        ("[values]\nevent_id = 1", 'values.event_id: must be a table of "cell" = value'),
        ('[times]\ntimezone = "Mars/Base"', "times.timezone: no time zone is called 'Mars/Base'"),
        ('[times]\nzone = "UTC"', "map.toml: times: Object contains unknown field `zone`"),
        ('[durations]\nunit = "h"', "map.toml: durations.unit: Invalid enum value 'h'"),
        ('[amounts]\nunit = "pounds"', "map.toml: amounts.unit: Invalid enum value 'pounds'"),
        ("[line]\ncolumns = 3", "line.columns: must be a table"),
        ('[line]\nline_id = "1"', "line.line_id: costs have no such field"),
    ],
)
def test_a_wrong_section_is_named(tmp_path: Path, more: str, says: str) -> None:
    """What is wrong and where, in one sentence."""
    assert says in refused(tmp_path, f"{GOOD}\n{more}\n")


@pytest.mark.parametrize(
    ("first", "says"),
    [
        ('delimiter = "||"', "delimiter: must be one character, not '||'"),
        ('encoding = "latin-99"', "encoding: no encoding is called 'latin-99'"),
        ('encoding = "utf-16"', "encoding: 'utf-16' does not contain ASCII"),
    ],
)
def test_a_table_that_cannot_be_cut_is_refused(tmp_path: Path, first: str, says: str) -> None:
    """Delimiter and encoding are checked before a file is opened."""
    assert says in refused(tmp_path, f"{first}\n{GOOD}")


def test_an_order_line_needs_all_its_parts(tmp_path: Path) -> None:
    """A [line] without a product class is refused where it stands."""
    text = GOOD.replace('"costs"', '"orders"').replace('"overhead"', '"sale"')
    text = text.replace('amount_minor = "pence"', 'order_id = "id"')
    message = refused(tmp_path, text + '[line]\nline_id = "1"\ncolumns.amount_minor = "pence"\n')
    assert "nothing gives line.product_class: name its column in [line.columns]" in message


def test_a_map_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The path is in the sentence."""
    with pytest.raises(ImportProblem, match=r"none\.toml: cannot read the map: No such file"):
        load_map(tmp_path / "none.toml")


def test_an_example_that_is_not_there_is_named() -> None:
    """An incomplete checkout says so."""
    with pytest.raises(ImportProblem, match=r"nothing\.csv: the example file is missing"):
        example("nothing.csv")


def test_the_example_map_shows_every_key() -> None:
    """No key of a map is missing in the documented one."""
    text = example("online_retail.toml").read_text("utf-8")
    keys = "topic delimiter encoding absent constants columns prefixes values times durations "
    keys += "amounts line format timezone ambiguous missing unit decimal negate"
    assert [key for key in keys.split() if f"{key} = " not in text and f"[{key}" not in text] == []
