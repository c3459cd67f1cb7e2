"""The published contracts: a JSON Schema for every topic, written from the code and kept equal.

    python -m pnl.contracts docs/contracts

writes them. Inputs come from the pydantic models, outputs from the structs that are written.
"""

import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic.json_schema import GenerateJsonSchema

from pnl.auditor.notices import AuditRecord
from processors import results, signal_records
from streams import topics
from streams.contracts import CONTRACTS
from streams.dead_letters import DeadLetter

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_OUTPUTS: Final[Mapping[str, type[msgspec.Struct]]] = {
    topics.LEDGER: results.LedgerRecord,
    topics.ATTRIBUTIONS: results.AttributionRecord,
    topics.CONTACT_FACTS: results.ContactRecord,
    topics.ORDER_FACTS: results.OrderRecord,
    topics.COST_FACTS: results.CostRecord,
    topics.PERIOD_FACTS: results.PeriodRecord,
    topics.DEAD_LETTERS: DeadLetter,
    topics.BATCHES: results.BatchRecord,
    topics.RATES: results.RateRecord,
    topics.AUDIT: AuditRecord,
    topics.CHURN: signal_records.ChurnRecord,
    topics.ACTIVITY: signal_records.ActivityRecord,
    topics.WINDOWS: signal_records.WindowRecord,
    topics.ALERTS: signal_records.AlertRecord,
    topics.ALERT_ACTIONS: signal_records.AlertAction,
    topics.DELIVERIES: signal_records.DeliveryRecord,
}


class _Untitled(GenerateJsonSchema):
    """Pydantic's schema without a title per field that only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002
        return False


def schemas() -> dict[str, str]:
    """Return file name -> text of every contract's JSON Schema (2020-12)."""
    found = {
        topic: model.model_json_schema(schema_generator=_Untitled)
        for topic, model in CONTRACTS.items()
    }
    found |= {topic: _output(struct) for topic, struct in _OUTPUTS.items()}
    assert found.keys() == topics.TOPICS.keys()
    return {f"{topic}.schema.json": _text(topic, schema) for topic, schema in found.items()}


def write(folder: Path) -> list[Path]:
    """Write every schema into the folder and return the files, in order of topic."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in schemas()]


def check(folder: Path) -> list[str]:
    """Return, per schema that is missing, different or left over, a sentence; empty if none."""
    expected = schemas()
    found = {path.name: path.read_text("utf-8") for path in folder.glob("*.schema.json")}
    return [
        f"{folder / name} is not what the code says: run python -m pnl.contracts {folder}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]


def _output(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return a struct's schema; the places of those that are written as arrays get their names."""
    (root,), definitions = msgspec.json.schema_components([struct])
    for name, definition in definitions.items():
        definition["description"] = inspect.cleandoc(definition["description"])
        if "prefixItems" in definition:
            fields = getattr(results, name).__struct_fields__
            definition["prefixItems"] = [
                {"title": field} | place
                for field, place in zip(fields, definition["prefixItems"], strict=True)
            ]
    return {**root, "$defs": definitions}


def _text(topic: str, schema: Mapping[str, Any]) -> str:
    head = {"$schema": _DIALECT, "$id": f"{topic}.schema.json"}
    return json.dumps(head | dict(schema), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
