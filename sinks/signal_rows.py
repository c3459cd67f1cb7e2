"""Rows of what is said of risk, windows and alerts: no money is booked here."""

from typing import Final

import msgspec

from processors.signal_records import (
    AlertAction,
    AlertFigure,
    AlertRecord,
    ChurnReason,
    ChurnRecord,
    DeliveryRecord,
    Sums,
    WindowRecord,
)
from sinks.targets import (
    PLACE,
    Target,
    each_of,
    maybe_time,
    plain,
    source_of,
    time_of,
    versioned,
)
from streams import topics

_CHURN: Final = Target(
    table="churn",
    columns=PLACE
    | versioned("version")
    | {"record_version": "version"}
    | {name: time_of(name) for name in ("as_of", "logged_at")}
    | {"contact_at": maybe_time("contact_at")}
    | plain(
        ChurnRecord,
        *("customer_id", "risk_ppm", "before_ppm", "week_ago_ppm", "explained_ppm", "cause_kind"),
        *("cause_id", "high", "value_minor", "currency", "method", "model", "horizon_days"),
        *("queue", "team", "channel", "contact_id"),
    )
    | {
        "reason_signals": each_of("reasons", ChurnReason, "signal"),
        "reason_logits_milli": each_of("reasons", ChurnReason, "logit_milli"),
        "reason_at": f"arrayMap(x -> {time_of('x.at')}, reasons)",
        "reason_facts": each_of("reasons", ChurnReason, "fact"),
        "reason_labels": each_of("reasons", ChurnReason, "label"),
    },
)

_WINDOWS: Final = Target(
    table="windows",
    columns=PLACE
    | versioned("log_offset")
    | {"starts_at": time_of("start"), "ends_at": time_of("end"), "as_of": maybe_time("as_of")}
    | plain(
        WindowRecord,
        *("size", "queue", "channel", "team", "currency", "revision", "closed"),
        *("rpc_minor", "rpc_low_minor", "rpc_high_minor"),
        *(f.name for f in msgspec.structs.fields(Sums)),
    )
    | {"credit_minor2": "toInt128(if(credit_minor2 = '', '0', credit_minor2))"},
)

_ALERTS: Final = Target(
    table="alerts",
    columns=PLACE
    | versioned("log_offset")
    | {name: time_of(name) for name in ("raised_at", "logged_at")}
    | {"quiet_until": maybe_time("quiet_until"), "person": "by"}
    | plain(
        AlertRecord,
        *("alert_id", "revision", "state", "rule", "kind", "severity", "subject_kind", "subject"),
        *("headline", "reasons", "contacts", "source", "link", "routes"),
        *("value_minor", "currency", "note"),
    )
    | {
        "figure_names": each_of("figures", AlertFigure, "name"),
        "figure_values": each_of("figures", AlertFigure, "value"),
        "figure_units": each_of("figures", AlertFigure, "unit"),
        "figure_lows": each_of("figures", AlertFigure, "low"),
        "figure_highs": each_of("figures", AlertFigure, "high"),
    },
)

_ALERT_ACTIONS: Final = Target(
    table="alert_actions",
    columns=PLACE
    | {"at": time_of("at"), "until": maybe_time("until"), "person": "by"}
    | plain(
        AlertAction,
        *("alert_id", "rule", "subject_kind", "subject", "action", "note"),
    ),
)

_DELIVERIES: Final = Target(
    table="deliveries",
    columns=PLACE
    | versioned("log_offset")
    | {name: time_of(name) for name in ("first_at", "last_at")}
    | plain(
        DeliveryRecord,
        *("alert_id", "route", "revision", "outcome", "attempts", "detail"),
    ),
)

SIGNAL_SOURCES: Final = (
    source_of(topics.CHURN, ChurnRecord, _CHURN),
    source_of(topics.WINDOWS, WindowRecord, _WINDOWS),
    source_of(topics.ALERTS, AlertRecord, _ALERTS),
    source_of(topics.ALERT_ACTIONS, AlertAction, _ALERT_ACTIONS),
    source_of(topics.DELIVERIES, DeliveryRecord, _DELIVERIES),
)
