"""`alerts.toml`: what it may say, and what is said when it cannot be used."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pnl.errors import UserError
from pnl.settings_alerts import AlertSettings, load_alerts
from processors.alert_rules import DEFAULTS, Quiet

EXAMPLE = Path(__file__).parents[3] / "examples" / "alerts.toml"
HOUR = 3_600_000
ROUTE = '[routes.ops]\nkind = "webhook"\nurl = "https://hooks.example.org/x"\n'


def read(folder: Path, toml: str, variables: Mapping[str, str] | None = None) -> AlertSettings:
    """Load what a file says."""
    (folder / "alerts.toml").write_text(toml, "utf-8")
    return load_alerts(folder, "Europe/London", folder, variables or {})


def refused(folder: Path, toml: str, variables: Mapping[str, str] | None = None) -> str:
    """Return what is said of a file that cannot be used, without its folder."""
    with pytest.raises(UserError) as error:
        read(folder, toml, variables).route("ops")
    return str(error.value).replace(f"{folder}/", "")


def test_without_a_file_all_rules_hold_and_nobody_is_sent_anything(tmp_path: Path) -> None:
    """Alerts are seen on the page and by `pnl alerts list`."""
    settings = load_alerts(tmp_path, "UTC", tmp_path, {})
    assert (settings.file, settings.routes, settings.rules()) == (None, (), DEFAULTS)


def test_the_example_is_the_defaults_with_routes(tmp_path: Path) -> None:
    """What it says of each rule is what holds without it, but for routes and quiet hours."""
    variables = {"OPS_ALERTS_SECRET": "whsec_c2VjcmV0", "FLOOR_ALERTS_URL": "mailtos://a:b@c"}
    settings = read(tmp_path, EXAMPLE.read_text("utf-8"), variables)
    rules = settings.rules()
    assert rules.thresholds == DEFAULTS.thresholds
    plain = {r.name: replace(r, routes=(), quiet=None) for r in rules.rules}
    del plain["churn-key-accounts"]
    assert plain == {rule.name: rule for rule in DEFAULTS.rules}
    assert {r.name: r.routes for r in rules.rules if r.routes != ("ops",)} == {
        "fading": (),
        "churn-key-accounts": ("ops", "floor"),
    }
    own = rules.get("churn-key-accounts")
    assert own is not None
    assert own.quiet == Quiet(start_minute=22 * 60, end_minute=7 * 60, zone="Europe/London")
    assert (own.only, own.value_min_minor, own.breaks_quiet) == (
        (("queue", ("retention",)),),
        500_000,
        True,
    )
    assert [(r.name, r.url, r.secret) for r in settings.routes] == [
        ("ops", "https://hooks.example.org/alerts", "whsec_c2VjcmV0"),
        ("floor", "mailtos://a:b@c", ""),
    ]
    assert settings.routes[0].hosts == ("hooks.example.org", "10.20.30.40")


def test_a_rule_says_what_it_changes_and_no_more(tmp_path: Path) -> None:
    """A default rule keeps what the file leaves out; one can be turned off."""
    toml = (
        '[[rules]]\nname = "overload"\ncooldown_hours = 1\n[[rules]]\nname = "data-late"\n'
        'late_minutes = 5\n[[rules]]\nname = "fading"\nenabled = false\n'
    )
    rules = read(tmp_path, toml).rules()
    known = DEFAULTS.get("overload")
    assert known is not None
    assert rules.get("overload") == replace(known, cooldown_ms=HOUR)
    assert rules.thresholds.late_ms == 5 * 60_000
    assert rules.get("fading") is None
    assert rules.version != DEFAULTS.version


def test_quiet_hours_are_those_of_the_reporting_zone_unless_told(tmp_path: Path) -> None:
    """A rule may have none where the others have some."""
    toml = '[defaults]\nquiet = "22:00-07:30"\n[[rules]]\nname = "overload"\nquiet = ""\n'
    rules = read(tmp_path, toml).rules()
    overload, pressure = rules.get("overload"), rules.get("pressure")
    assert overload is not None
    assert pressure is not None
    assert overload.quiet is None
    assert pressure.quiet == Quiet(start_minute=1320, end_minute=450, zone="Europe/London")


def test_the_data_folder_goes_before_the_current_one(tmp_path: Path) -> None:
    """As with pnl.toml, one file counts."""
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "alerts.toml").write_text(ROUTE, "utf-8")
    assert load_alerts(data, "UTC", tmp_path, {}).file == tmp_path / "alerts.toml"
    (data / "alerts.toml").write_text("", "utf-8")
    settings = load_alerts(data, "UTC", tmp_path, {})
    assert (settings.file, settings.routes) == (data / "alerts.toml", ())


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither by what is read nor by what is said of a wrong one."""
    settings = read(tmp_path, ROUTE + 'secret = "whsec_hidden"\n')
    assert "hidden" not in repr(settings)
    assert "hooks.example.org" not in repr(settings)
    assert "12345" not in refused(tmp_path, '[routes.ops]\nkind = "webhook"\nurl = 12345\n')


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("x = 1", "1: [x] is no setting."),
        (
            '[[rules]]\nname = "overload"\n\ncoldown_hours = 1',
            "4: [[rules]] coldown_hours is no setting.",
        ),
        (
            '[[rules]]\nname = "overload"\n[[rules]]\nname = "pressure"\ncooldown_hours = -1',
            ("5: [[rules]] cooldown_hours is -1, but must be greater than or equal to 0."),
        ),
        (
            '[defaults]\nquiet = "22-7 o"',
            ("2: [defaults] quiet '22-7 o' is no span of hours such as 22:00-07:00."),
        ),
        (
            '[defaults]\nroutes = ["opps"]\n' + ROUTE,
            ("2: [defaults] routes names 'opps', but there is no [routes.opps]; there are ops."),
        ),
        (
            '[[rules]]\nname = "mine"',
            (
                "2: [[rules]] name is 'mine', a rule of your own, which needs a kind;"
                " rules are churn-customer, churn-segment, revenue-drop, pressure, overload,"
                " unattributed-share, missed-opportunity, data-late, reconciliation-failure,"
                " fading."
            ),
        ),
        (
            '[[rules]]\nname = "overload"\nkind = "pressure"',
            ("3: [[rules]] kind is 'pressure', but the rule of that name is of kind 'overload'."),
        ),
        (
            '[[rules]]\nname = "overload"\nrise_ppm = 5',
            (
                "3: [[rules]] rise_ppm is no threshold of kind 'overload'; it has"
                " wait_factor_milli, resolution_drop_ppm."
            ),
        ),
        (
            (
                '[[rules]]\nname = "data-late"\nlate_minutes = 5\n'
                '[[rules]]\nname = "b"\nkind = "data_late"\nlate_minutes = 6'
            ),
            (
                "7: [[rules]] late_minutes differs from that of 'data-late'; a"
                " threshold belongs to the kind: narrow a rule by queues or value_min_minor"
                " instead."
            ),
        ),
        (
            '[[rules]]\nname = "churn-customer"\nclear_ppm = 700000',
            ("3: [[rules]] clear_ppm is 700000, above high_ppm, 600000: it would never be clear."),
        ),
        (
            '[[rules]]\nname = "overload"\nteams = ["north"]',
            "3: [[rules]] teams cannot narrow kind 'overload'; it can be narrowed by queues.",
        ),
        (
            '[[rules]]\nname = "overload"\n[[rules]]\nname = "overload"',
            "4: [[rules]] name is 'overload' for the second time.",
        ),
        (
            '[routes.ops]\nkind = "webhook"\nurl_env = "PNL_URL"',
            ("3: [routes.ops] url_env must not begin with PNL_: those are settings of pnl.toml."),
        ),
        (
            '[routes.ops]\nkind = "webhook"\nurl_env = "NOT_SET"',
            ("3: [routes.ops] url_env names the variable NOT_SET, which is not set."),
        ),
        (
            '[routes.ops]\nkind = "webhook"',
            ("1: [routes.ops] needs either url or url_env, the name of a variable that holds it."),
        ),
        (
            '[routes.ops]\nkind = "telex"\nurl = "x"',
            ("2: [routes.ops] kind is 'telex', but must be 'webhook' or 'apprise'."),
        ),
        ("[routes", "alerts.toml is not TOML: Expected ']' at the end of a table declaration"),
    ],
)
def test_an_error_names_file_line_and_key(tmp_path: Path, toml: str, said: str) -> None:
    """Somebody who mistyped knows where to look and what there is."""
    assert refused(tmp_path, toml).removeprefix("alerts.toml, line ").startswith(said)


@pytest.mark.parametrize("key", ["hold_minutes", "clear_after_minutes"])
@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ("churn-customer", "churn_customer"),
        ("fading", "fading"),
        ("data-late", "data_late"),
        ("reconciliation-failure", "reconciliation_failure"),
    ],
)
def test_no_rule_waits_for_what_is_told_only_when_it_changes(
    tmp_path: Path, key: str, rule: str, kind: str
) -> None:
    """It would stay open for ever, or never be told; not even 0 is taken. Windows may wait."""
    said = refused(tmp_path, f'[[rules]]\nname = "{rule}"\n{key} = 0')
    assert said == (
        f"alerts.toml, line 3: [[rules]] {key} cannot be used with kind '{kind}', which is told"
        " only when it changes; it can be used with churn_segment, revenue_drop, pressure,"
        " overload, unattributed_share, missed_opportunity."
    )
    rules = read(tmp_path, f'[[rules]]\nname = "pressure"\n{key} = 60').rules()
    known = rules.get("pressure")
    assert known is not None
    assert HOUR in (known.for_ms, known.clear_after_ms)


def test_who_only_reads_need_not_know_the_secrets(tmp_path: Path) -> None:
    """A variable that is not set is an error for whoever sends, not for a report."""
    settings = read(tmp_path, '[routes.ops]\nkind = "webhook"\nurl_env = "NOT_SET"')
    assert settings.rules() == DEFAULTS
    with pytest.raises(UserError, match="NOT_SET, which is not set"):
        _ = settings.routes


def test_an_unknown_route_is_named_with_those_there_are(tmp_path: Path) -> None:
    """`pnl alerts test` asks for one by name."""
    settings = read(tmp_path, ROUTE)
    assert settings.route("ops").kind == "webhook"
    with pytest.raises(UserError, match="There is no route 'x'; there are ops"):
        settings.route("x")
