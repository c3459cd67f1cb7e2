"""Whom to tell, of what, how often: `alerts.toml`, beside `pnl.toml`.

Law: nothing is ignored and nothing secret is shown. An unknown key is an error that names file,
line and key; the address and the secret of a route are in no error, no log and no answer. Without
the file every rule holds and nobody is sent anything: alerts are seen on the page.

A rule of the file whose name a default rule has is that rule, changed where the file says so; any
other is one more. Thresholds belong to a kind, so rules of one kind may not differ in them.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from pnl.errors import UserError
from pnl.settings_alert_keys import LASTING, WRITTEN, AlertFile, RuleSection, minutes_of
from pnl.settings_lines import line_of
from processors.alert_rules import (
    DEFAULTS,
    KINDS,
    LISTED_ONLY,
    NARROWED,
    ON_CHANGE,
    THRESHOLDS,
    AlertRule,
    AlertRules,
    Dimension,
    Quiet,
)
from processors.conditions import DAY_MS, HOUR_MS, MINUTE_MS, Thresholds
from sinks.delivery.routes import Route

FILE: Final = "alerts.toml"
_SECRET: Final = frozenset({"url", "secret"})


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """Whom to tell of what; `file` is None where there is none.

    A variable that holds an address or a secret is looked up when a route is used: whoever only
    reads reports need not know it.
    """

    file: Path | None = None
    _rules: AlertRules = field(default=DEFAULTS)
    _routes: Callable[[], tuple[Route, ...]] = field(default=tuple, repr=False)

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """The routes. UserError names a variable that is not set."""
        return self._routes()

    def rules(self) -> AlertRules:
        """Return the rules, with their thresholds."""
        return self._rules

    def route(self, name: str) -> Route:
        """Return a route. UserError, with the names there are, if there is none of this name."""
        for each in self.routes:
            if each.name == name:
                return each
        known = ", ".join(each.name for each in self.routes) or f"none; {FILE} has no [routes.NAME]"
        raise UserError(f"There is no route {name!r}; there are {known}.")


def alerts_file(data: Path, current: Path) -> Path | None:
    """Return the `alerts.toml` that counts: the data folder's, else the current one's."""
    for folder in (data, current):
        if (file := folder / FILE).is_file():
            return file
    return None


def load_alerts(
    data: Path,
    timezone: str,
    current: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> AlertSettings:
    """Read the rules and routes for a data folder; UserError names file, line and key at fault.

    `timezone` is that of quiet hours where the file names none: the one of `[reporting]`.
    """
    file = alerts_file(data, Path() if current is None else current)
    if file is None:
        return AlertSettings()
    text = _read(file)
    try:
        said = AlertFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{file} is not TOML: {error}.") from None
    except ValidationError as error:
        raise UserError(_sentence(file, text, error.errors()[0])) from None
    given = os.environ if environ is None else environ
    making = _Making(file, text, said, timezone, given)
    return AlertSettings(file=file, _rules=making.rules(), _routes=making.routes)


class _Making:
    """Makes rules and routes of what a file says; a contradiction is named where it stands."""

    def __init__(
        self, file: Path, text: str, said: AlertFile, timezone: str, given: Mapping[str, str]
    ) -> None:
        self._file, self._text, self._said, self._given = file, text, said, given
        self._zone = said.defaults.timezone or timezone

    def routes(self) -> tuple[Route, ...]:
        """Return the routes, with what variables hold of them."""
        return tuple(
            Route(
                name=name,
                kind=section.kind,
                url=self._held(name, "url", section.url, section.url_env),
                secret=self._held(name, "secret", section.secret, section.secret_env),
                hosts=self._said.delivery.hosts,
                states=section.states,
                ttl_hours=section.ttl_hours,
                timeout_s=section.timeout_seconds,
                places=(
                    ("url", self._set_at(name, "url_env" if section.url_env else "url")),
                    (
                        "secret",
                        self._set_at(name, "secret_env" if section.secret_env else "secret"),
                    ),
                ),
            )
            for name, section in self._said.routes.items()
        )

    def _set_at(self, route: str, key: str) -> str:
        return _place(self._file, self._text, ("routes", route, key))

    def _held(self, route: str, key: str, value: SecretStr | None, variable: str | None) -> str:
        if variable is None:
            return value.get_secret_value() if value else ""
        if not self._given.get(variable):
            path = ("routes", route, f"{key}_env")
            raise self._wrong(path, f"names the variable {variable}, which is not set")
        return self._given[variable]

    def rules(self) -> AlertRules:
        """Return the rules of the file and the default ones it leaves as they are."""
        made = {rule.name: self._everywhere(rule) for rule in DEFAULTS.rules}
        self._check_routes(("defaults",), self._said.defaults.routes)
        seen: set[str] = set()
        for at, section in enumerate(self._said.rules):
            path = ("rules", str(at))
            if section.name in seen:
                raise self._wrong((*path, "name"), f"is {section.name!r} for the second time")
            seen.add(section.name)
            self._check_routes(path, section.routes or ())
            rule = self._rule(path, section, made.get(section.name))
            self._check_thresholds(path, section, rule)
            self._check_only(path, section, rule)
            self._check_lasting(path, section, rule)
            made[rule.name] = rule
            if not section.enabled:
                del made[rule.name]
        return AlertRules(rules=tuple(made.values()), thresholds=self._thresholds(made))

    def _everywhere(self, rule: AlertRule) -> AlertRule:
        """Return a rule with what `[defaults]` says; what is only listed is not sent by default."""
        routes = () if rule.kind in LISTED_ONLY else self._said.defaults.routes
        return replace(rule, routes=routes, quiet=self._quiet(self._said.defaults.quiet))

    def _quiet(self, hours: str) -> Quiet | None:
        if not hours:
            return None
        start, end = minutes_of(hours)
        return Quiet(start_minute=start, end_minute=end, zone=self._zone)

    def _rule(
        self, path: tuple[str, ...], section: RuleSection, known: AlertRule | None
    ) -> AlertRule:
        if known is not None and section.kind not in (None, known.kind):
            text = f"is {section.kind!r}, but the rule of that name is of kind {known.kind!r}"
            raise self._wrong((*path, "kind"), text)
        if known is None:
            known = self._new(path, section)
        changed: dict[str, Any] = {
            "severity": section.severity,
            "routes": section.routes,
            "value_min_minor": section.value_min_minor,
            "cooldown_ms": _times(section.cooldown_hours, HOUR_MS),
            "expire_ms": _times(section.expire_days, DAY_MS),
            "for_ms": _times(section.hold_minutes, MINUTE_MS),
            "clear_after_ms": _times(section.clear_after_minutes, MINUTE_MS),
            "breaks_quiet": section.breaks_quiet,
            "only": _only(section) or None,
        }
        rule = replace(known, **{key: each for key, each in changed.items() if each is not None})
        return rule if section.quiet is None else replace(rule, quiet=self._quiet(section.quiet))

    def _new(self, path: tuple[str, ...], section: RuleSection) -> AlertRule:
        """Return a rule of a name no default one has: it is as the default one of its kind."""
        if section.kind is None:
            names = ", ".join(rule.name for rule in DEFAULTS.rules)
            text = f"is {section.name!r}, a rule of your own, which needs a kind; rules are {names}"
            raise self._wrong((*path, "name"), text)
        return self._everywhere(replace(DEFAULTS.of(section.kind)[0], name=section.name))

    def _check_routes(self, path: tuple[str, ...], names: tuple[str, ...]) -> None:
        for name in names:
            if name not in self._said.routes:
                there = ", ".join(self._said.routes) or "none"
                text = f"names {name!r}, but there is no [routes.{name}]; there are {there}"
                raise self._wrong((*path, "routes"), text)

    def _check_thresholds(
        self, path: tuple[str, ...], section: RuleSection, rule: AlertRule
    ) -> None:
        for name in section.thresholds():
            if name not in THRESHOLDS[rule.kind]:
                key = WRITTEN.get(name, name)
                of_kind = [WRITTEN.get(each, each) for each in THRESHOLDS[rule.kind]]
                text = (
                    f"is no threshold of kind {rule.kind!r}; it has {', '.join(of_kind) or 'none'}"
                )
                raise self._wrong((*path, key), text)

    def _check_only(self, path: tuple[str, ...], section: RuleSection, rule: AlertRule) -> None:
        """Refuse to narrow a rule by what its conditions do not have: it would never be told."""
        known = NARROWED[rule.kind]
        for name, _ in _only(section):
            if name not in known:
                keys = ", ".join(f"{each}s" for each in known) or "nothing"
                text = f"cannot narrow kind {rule.kind!r}; it can be narrowed by {keys}"
                raise self._wrong((*path, f"{name}s"), text)

    def _check_lasting(self, path: tuple[str, ...], section: RuleSection, rule: AlertRule) -> None:
        """Refuse to wait for what is told only when it changes: nothing would end the wait."""
        for name in LASTING:
            if rule.kind in ON_CHANGE and getattr(section, name) is not None:
                kinds = ", ".join(kind for kind in KINDS if kind not in ON_CHANGE)
                text = (
                    f"cannot be used with kind {rule.kind!r}, which is told only when it changes;"
                    f" it can be used with {kinds}"
                )
                raise self._wrong((*path, name), text)

    def _thresholds(self, made: Mapping[str, AlertRule]) -> Thresholds:
        """Return the thresholds of all kinds; rules of one kind must agree."""
        said = self._said.thresholds.model_dump(exclude_none=True)
        by: dict[str, str] = {}
        for at, section in enumerate(self._said.rules):
            if section.name not in made:
                continue
            for name, value in section.thresholds().items():
                if said.setdefault(name, value) != value:
                    text = (
                        f"differs from that of {by[name]!r}; a threshold belongs to the kind:"
                        " narrow a rule by queues or value_min_minor instead"
                    )
                    raise self._wrong(("rules", str(at), WRITTEN.get(name, name)), text)
                by.setdefault(name, section.name)
        found = msgspec.structs.replace(Thresholds(), **said)
        if found.clear_ppm > found.high_ppm:
            at = next(
                i for i, each in enumerate(self._said.rules) if each.clear_ppm or each.high_ppm
            )
            text = (
                f"is {found.clear_ppm}, above high_ppm, {found.high_ppm}: it would never be clear"
            )
            raise self._wrong(("rules", str(at), "clear_ppm"), text)
        return found

    def _wrong(self, path: tuple[str, ...], why: str) -> UserError:
        return UserError(f"{_place(self._file, self._text, path)} {why}.")


def _times(value: int | None, unit: int) -> int | None:
    return None if value is None else value * unit


def _only(section: RuleSection) -> tuple[tuple[Dimension, tuple[str, ...]], ...]:
    """Return the segments a rule is about; none are named: all."""
    named: tuple[tuple[Dimension, tuple[str, ...] | None], ...] = (
        ("queue", section.queues),
        ("channel", section.channels),
        ("team", section.teams),
    )
    return tuple((name, values) for name, values in named if values)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8 text.") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from None


def _place(file: Path, text: str, path: tuple[str, ...]) -> str:
    """Return where a person has to look: file, line, table and key."""
    whole = len(path) == 1 or (path[0] == "routes" and len(path) == 2)
    table, key = (path, "") if whole else (path[:-1], path[-1])
    if path[0] == "rules":
        head, key = "[[rules]]", ".".join(path[2:])
    else:
        head = f"[{'.'.join(table)}]"
    return f"{file}, line {line_of(text, path)}: {head} {key}".rstrip()


def _sentence(file: Path, text: str, error: ErrorDetails) -> str:
    path = tuple(str(part) for part in error["loc"] if part != "[key]")
    return f"{_place(file, text, path)} {_why(error, path)}."


def _why(error: ErrorDetails, path: tuple[str, ...]) -> str:
    kind, context, given = error["type"], error.get("ctx", {}), error["input"]
    if kind == "extra_forbidden":
        return "is no setting"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("model_type", "model_attributes_type", "dict_type", "tuple_type"):
        return "is a value where a table or a list belongs, or the other way round"
    if path[-1] in _SECRET:
        return "must be a string"
    if kind == "literal_error":
        return f"is {given!r}, but must be {context['expected']}"
    if kind == "string_pattern_mismatch":
        return f"is {path[-1]!r}, but a name holds lower-case letters, digits, '-' and '_' alone"
    must = error["msg"].removeprefix("Input should ").split(", unable")[0]
    return f"is {given!r}, but must {must}"
