"""The published contracts say what the code says."""

import json
from pathlib import Path

import pytest

from pnl import contracts
from streams import grammar, topics
from streams.contracts import RESERVED_DISPOSITION_CODES
from streams.facts import NOT_HANDLED, SELF_SERVICE
from streams.invalid import REASONS

PUBLISHED = Path(__file__).parents[3] / "docs" / "contracts"


def test_published_schemas_are_those_of_the_code() -> None:
    """docs/contracts has not drifted: if this fails, run the command that it prints."""
    assert contracts.check(PUBLISHED) == []


def test_drift_is_seen(tmp_path: Path) -> None:
    """A schema that was changed, removed or left over is named, with what to do."""
    written = contracts.write(tmp_path)
    assert contracts.check(tmp_path) == []
    written[0].write_text("{}")
    written[1].unlink()
    (tmp_path / "old.schema.json").write_text("{}")
    found = contracts.check(tmp_path)
    assert len(found) == 3
    assert all("run python -m pnl.contracts" in sentence for sentence in found)


@pytest.mark.parametrize("topic", topics.TOPICS)
def test_every_topic_has_a_schema(topic: str) -> None:
    """Each is JSON Schema 2020-12 and describes its fields."""
    schema = json.loads((PUBLISHED / f"{topic}.schema.json").read_text("utf-8"))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "properties" in schema or "$ref" in schema


def test_the_readme_states_every_reason_word_and_bound() -> None:
    """What a source is told in prose has every code and number of the code."""
    text = (PUBLISHED / "README.md").read_text("utf-8")
    for code, meaning in REASONS.items():
        assert f"| `{code}` | {meaning} |" in text
    for word, meaning in RESERVED_DISPOSITION_CODES.items():
        assert f"| `{word}` | {meaning} |" in text
    for topic in topics.TOPICS:
        assert f"({topic}.schema.json)" in text
    for bound in (grammar.ID_CHARS_MAX, grammar.TEXT_CHARS_MAX, grammar.DEPTH_MAX):
        assert f" {bound} " in text
    for bound in (grammar.LINES_MAX, grammar.OFFERS_MAX, grammar.TIME_CHARS_MAX):
        assert f" {bound:,} " in text


def test_reserved_words_are_those_the_processors_know() -> None:
    """The contract's one table and the facts' constants hold the same words."""
    assert {*NOT_HANDLED, SELF_SERVICE} == RESERVED_DISPOSITION_CODES.keys()
