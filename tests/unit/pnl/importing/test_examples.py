"""The small examples: what a newcomer imports first comes out right."""

from pnl.importing import facts_of, load_map, read
from pnl.importing.examples import example
from processors.policy import Policy
from tests.support.drive import run


def test_the_small_orders_and_contacts_meet() -> None:
    """The second order of anna is split over the two calls of her ticket, by handle time."""
    facts = []
    for topic in ("orders", "contacts"):
        rules = load_map(example(f"{topic}_small.toml"))
        reading = read(topic, example(f"{topic}_small.csv"), rules=rules)
        facts += [(fact.customer_id or "", fact) for fact in facts_of(topic, reading)]
    assert len(facts) == 16
    credited = run(facts, Policy()).attributions["anna", "1005"].credits
    assert [(credit.contact_id, credit.credit_minor) for credit in credited] == [
        ("C-1", 3064),
        ("C-4", 3431),
    ]
