"""What is said of risk, windows, alerts and deliveries arrives in its columns, exactly."""

from typing import Any

import msgspec

from processors.signal_records import (
    AlertAction,
    AlertFigure,
    AlertRecord,
    ChurnReason,
    ChurnRecord,
    DeliveryRecord,
    WindowRecord,
    delivery_key,
    window_key,
)
from sinks.store import Store
from streams import topics
from tests.support.facts import BASE
from tests.support.results import put
from tests.support.store import store as store
from tests.support.stored import copy, memory_log
from tests.unit.sinks.test_rows import moment

ALERT = AlertRecord(
    alert_id="a1",
    revision=1,
    state="raised",
    rule="risk",
    kind="churn_customer",
    severity="warning",
    subject_kind="customer",
    subject="c1",
    raised_at=BASE,
    logged_at=BASE + 5,
    headline="c1 may leave",
    figures=(
        AlertFigure(name="risk", value=700_000, unit="ppm", low=600_000, high=None),
        AlertFigure(name="value", value=None, unit="minor"),
    ),
    reasons=("unresolved",),
    contacts=("k1", "k2"),
    source="pnl.churn.v1-0-7",
    link="/customer/c1",
    routes=("mail",),
    quiet_until=BASE + 9,
    value_minor=None,
    currency="EUR",
    by="ann",
    note="seen",
)
WINDOW = WindowRecord(
    size="5m",
    start=BASE,
    end=BASE + 300_000,
    queue="q",
    channel="voice",
    team="t",
    currency="EUR",
    handled=-3,
    credit_minor=-5,
    credit_minor2=str(10**30),
    rpc_minor=None,
    closed=True,
    revision=2,
)


def stored(store: Store, view: str, *records: tuple[str, msgspec.Struct]) -> list[dict[str, Any]]:
    """Return the rows of a view after records went through the sink."""
    log = memory_log(1)
    for topic, record in records:
        put(log, topic, record)
    copy(log, store)
    return store.query(f"SELECT * FROM {view}")


def test_of_a_customers_risk_the_latest_is_seen(store: Store) -> None:
    """Null stays null, reasons become arrays in step, an older version hides no newer."""
    reason = ChurnReason(signal="bad_csat", logit_milli=400, at=BASE, fact="r1", label="learnt")
    newer = ChurnRecord(
        customer_id="c1",
        version=2,
        as_of=BASE,
        logged_at=BASE + 1,
        risk_ppm=650_000,
        reasons=(reason,),
        high=True,
        method="bgnbd",
        contact_at=BASE - 1,
    )
    older = msgspec.structs.replace(newer, version=1, risk_ppm=None, reasons=(), high=False)
    (row,) = stored(store, "v_churn", (topics.CHURN, newer), (topics.CHURN, older))
    assert (row["risk_ppm"], row["before_ppm"], row["high"]) == (650_000, None, True)
    assert (row["reason_signals"], row["reason_logits_milli"]) == (["bad_csat"], [400])
    assert (row["as_of"], row["contact_at"]) == (moment(BASE), moment(BASE - 1))


def test_a_corrected_window_takes_the_place_of_the_former(store: Store) -> None:
    """Sums may be negative, squares exceed 64 bits, and revenue per contact may be unknown."""
    first = msgspec.structs.replace(WINDOW, revision=1, closed=False, handled=9)
    (row,) = stored(store, "v_windows", (topics.WINDOWS, first), (topics.WINDOWS, WINDOW))
    assert (row["revision"], row["handled"], row["credit_minor"]) == (2, -3, -5)
    assert (row["credit_minor2"], row["rpc_minor"], row["closed"]) == (10**30, None, True)
    assert (row["starts_at"], row["ends_at"]) == (moment(BASE), moment(BASE + 300_000))


def test_an_alert_keeps_every_state_and_says_which_holds(store: Store) -> None:
    """Figures stand in arrays in step; what is not known is null in them too."""
    cleared = msgspec.structs.replace(ALERT, revision=2, state="cleared", quiet_until=None)
    rows = stored(store, "v_alerts", (topics.ALERTS, ALERT), (topics.ALERTS, cleared))
    first, last = sorted(rows, key=lambda row: int(row["revision"]))
    assert [(row["state"], bool(row["is_latest"])) for row in (first, last)] == [
        ("raised", False),
        ("cleared", True),
    ]
    assert first["figure_values"] == [700_000, None]
    assert (first["figure_lows"], first["figure_highs"]) == ([600_000, None], [None, None])
    assert (first["quiet_until"], last["quiet_until"]) == (moment(BASE + 9), None)
    assert (first["person"], first["contacts"]) == ("ann", ["k1", "k2"])


def test_an_answer_is_stored(store: Store) -> None:
    """Each answer is a row of its own, with who gave it."""
    action = AlertAction(
        alert_id="a1",
        rule="risk",
        subject_kind="customer",
        subject="c1",
        action="snooze",
        by="ann",
        at=BASE,
        until=BASE + 7,
    )
    (row,) = stored(store, "v_alert_actions", (topics.ALERT_ACTIONS, action))
    assert (row["action"], row["person"], row["until"]) == ("snooze", "ann", moment(BASE + 7))


def test_of_a_delivery_the_latest_is_seen(store: Store) -> None:
    """A delivery that succeeded at last hides its attempts."""
    tried = DeliveryRecord(
        alert_id="a1",
        revision=1,
        route="mail",
        outcome="retrying",
        attempts=1,
        first_at=BASE,
        last_at=BASE,
    )
    done = msgspec.structs.replace(tried, outcome="delivered", attempts=2, last_at=BASE + 60)
    rows = stored(store, "v_deliveries", (topics.DELIVERIES, tried), (topics.DELIVERIES, done))
    assert [(row["outcome"], row["attempts"]) for row in rows] == [("delivered", 2)]


def test_keys_hold_what_makes_a_thing_itself() -> None:
    """A window is its size, start and segment; a delivery its alert and route."""
    assert window_key(WINDOW) == f"5m\0{BASE}\0q\0voice\0t\0EUR".encode()
    assert delivery_key("a1", "mail") == b"a1\0mail"
