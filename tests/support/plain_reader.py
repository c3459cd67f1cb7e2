"""The contract read in the plainest way: the standard library's JSON, then the pydantic models.

It shares with the codec the contract's numbers (bounds, currencies) and nothing that reads.
"""

import json
from typing import Any, Final, NoReturn

from pydantic import BaseModel

from streams import contracts, facts, grammar

_FACTS: Final[dict[type[BaseModel], Any]] = {
    contracts.Contact: facts.Contact,
    contracts.Fee: facts.Fee,
    contracts.Offer: facts.Offer,
    contracts.Experiment: facts.Experiment,
    contracts.Resolution: facts.Resolution,
    contracts.Order: facts.Order,
    contracts.OrderLine: facts.OrderLine,
    contracts.Cost: facts.Cost,
    contracts.Period: facts.Period,
    contracts.PeriodLine: facts.PeriodLine,
    contracts.CutPlace: facts.CutPlace,
}


def read_plainly(topic: str, value: bytes) -> facts.Fact:
    """Read a value of an input topic; ValueError, pydantic's too, if the contract refuses it."""
    if len(value) > grammar.VALUE_BYTES_MAX:
        raise ValueError("too large")
    text = value.decode("utf-8")
    try:
        tree = json.loads(text, parse_constant=_no_constant, parse_int=_whole)
    except RecursionError:
        raise ValueError("too deep") from None
    if _depth(tree) > grammar.DEPTH_MAX:
        raise ValueError("too deep")
    json.dumps(tree, ensure_ascii=False).encode("utf-8")  # lone surrogates have no UTF-8
    fact: facts.Fact = to_fact(contracts.CONTRACTS[topic].model_validate(tree))
    return fact


def to_fact(value: Any) -> Any:
    """Turn a model into the fact of the same fields, lists into tuples."""
    if isinstance(value, list):
        return tuple(to_fact(item) for item in value)
    if not isinstance(value, BaseModel):
        return value
    kind = _FACTS[type(value)]
    assert set(kind.__struct_fields__) == set(type(value).model_fields)
    return kind(**{name: to_fact(getattr(value, name)) for name in kind.__struct_fields__})


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _whole(digits: str) -> int:
    return int(digits) if len(digits) <= 100 else 10**100


def _depth(tree: Any) -> int:
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, dict | list):
            deepest = max(deepest, depth)
            children = node.values() if isinstance(node, dict) else node
            waiting += [(child, depth + 1) for child in children]
    return deepest
