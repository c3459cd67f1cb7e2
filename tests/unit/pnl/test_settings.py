"""Settings: which source wins, and what is said when one cannot be used."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pnl.errors import UserError
from pnl.settings_load import Loaded, load
from processors.policy import DAY_MS, ChannelRate, Policy, Tariff, book_of
from streams.kafka_settings import OURS

EVERY_NAME = """
[reporting]
timezone = "Europe/London"
currency = "GBP"
[attribution]
model = "linear"
lookback_days = 20
lookback_days_by_class = { upgrade = 60 }
[refunds]
unlinked = "orphan"
[rates]
loaded_per_hour_minor = 3100
by_queue = { billing = 2800 }
by_agent = { a7 = 4100 }
[margin]
default_ppm = 410000
by_class = { upgrade = 700000 }
[tariffs.paid]
kind = "per_minute"
per_hour_minor = 6000
minimum_ms = 60000
increment_ms = 1000
[tariffs.once]
kind = "per_event"
amount_minor = 500
[channels.voice]
per_contact_minor = 12
per_minute_minor = 3
[referral]
theta_ppm = 250000
theta_error_ppm = 60000
cap_minor = 5000
[log]
kind = "sqlite"
durability = "normal"
[server]
port = 8181
"""


def read(folder: Path, toml: str = "", variables: Mapping[str, str] | None = None) -> Loaded:
    """Load settings as if the folder were both the data folder and the current one."""
    if toml:
        (folder / "pnl.toml").write_text(toml, "utf-8")
    return load(folder, folder, variables or {})


def test_without_files_the_defaults_make_the_default_policy(tmp_path: Path) -> None:
    """An empty folder means the policy that processors have by default."""
    loaded = read(tmp_path)
    assert loaded.settings.policy() == Policy()
    assert loaded.files == ()


def test_every_name_of_the_contract_reaches_the_policy(tmp_path: Path) -> None:
    """Days become milliseconds; sections become the rules they stand for."""
    loaded = read(tmp_path, EVERY_NAME)
    assert loaded.settings.policy() == Policy(
        model="linear",
        lookback_ms=20 * DAY_MS,
        lookback_ms_by_class={"upgrade": 60 * DAY_MS},
        unlinked="orphan",
        loaded_per_hour_minor=3100,
        loaded_per_hour_minor_by_queue={"billing": 2800},
        loaded_per_hour_minor_by_agent={"a7": 4100},
        margin_ppm=410_000,
        margin_ppm_by_class={"upgrade": 700_000},
        tariffs={
            "paid": Tariff(
                kind="per_minute", per_hour_minor=6000, minimum_ms=60_000, increment_ms=1000
            ),
            "once": Tariff(kind="per_event", amount_minor=500),
        },
        channels={"voice": ChannelRate(per_contact_minor=12, per_minute_minor=3)},
        referral_theta_ppm=250_000,
        referral_theta_error_ppm=60_000,
        referral_cap_minor=5_000,
    )
    assert loaded.settings.log.durability == "normal"
    assert loaded.settings.server.port == 8181


def test_variables_beat_env_file_beats_toml(tmp_path: Path) -> None:
    """Each key comes from the strongest source that has it."""
    (tmp_path / ".env").write_text(
        "PNL_ATTRIBUTION__MODEL=first\nPNL_SERVER__PORT=8282\nANOTHER_PROGRAMS=1\n", "utf-8"
    )
    settings = read(
        tmp_path,
        '[attribution]\nmodel = "linear"\nlookback_days = 9\n[server]\nport = 8181\n',
        {"PNL_SERVER__PORT": "8383", "PNL_RATES__BY_QUEUE": '{"Sales EU": 3}'},
    ).settings
    assert settings.attribution.model == "first"
    assert settings.attribution.lookback_days == 9
    assert settings.server.port == 8383
    assert settings.rates.by_queue == {"Sales EU": 3}


def test_the_data_folders_file_hides_the_current_folders(tmp_path: Path) -> None:
    """One pnl.toml counts, the data folder's first, and the loader says which (RUL-CONFIG)."""
    data, current = tmp_path / "data", tmp_path / "current"
    data.mkdir()
    current.mkdir()
    (current / "pnl.toml").write_text("[server]\nport = 1111\n", "utf-8")
    loaded = load(data, current, {})
    assert (loaded.settings.server.port, loaded.files) == (1111, (current / "pnl.toml",))
    (data / "pnl.toml").write_text("[attribution]\nlookback_days = 5\n", "utf-8")
    loaded = load(data, current, {})
    assert (loaded.settings.server.port, loaded.files) == (8080, (data / "pnl.toml",))


BAD_FILES = {
    '[attribution]\nmodel = "lasst"': (
        "pnl.toml: [attribution] model is 'lasst', but must be 'last', 'first', 'linear', "
        "'position' or 'time_decay'."
    ),
    '[attribution]\nmodle = "last"': "[attribution] modle is no setting; did you mean model.",
    '[atribution]\nmodel = "last"': "[atribution] is no setting; did you mean attribution.",
    "[attribution]\nlookback_days = 0": (
        "[attribution] lookback_days is 0, but must be greater than or equal to 1."
    ),
    "[attribution]\nlookback_days = true": (
        "[attribution] lookback_days is true or false where a number belongs."
    ),
    "[attribution]\nlookback_days = 1.5": (
        "[attribution] lookback_days is 1.5, but must be a valid integer, got a number with a "
        "fractional part."
    ),
    "[attribution]\nlookback_days = 500": (
        "[attribution] cannot be used: lookback_days 500 is longer than horizon_days 400."
    ),
    "[attribution]\nlookback_days_by_class = { upgrad = 3 }": (
        "[attribution.lookback_days_by_class] upgrad is 'upgrad', but must be 'product', "
        "'upgrade', 'maintenance' or 'support'."
    ),
    '[refunds]\nunlinked = "newest"': (
        "[refunds] unlinked is 'newest', but must be 'newest_first' or 'orphan'."
    ),
    "[rates]\nloaded_per_hour_minor = -1": (
        "[rates] loaded_per_hour_minor is -1, but must be greater than or equal to 0."
    ),
    '[rates]\nby_queue = { b = "x" }': ("[rates.by_queue] b is 'x', but must be a valid integer."),
    "[rates]\nby_queue = 3": "[rates] by_queue must be a section of keys, not a value.",
    "rates = 3": "[rates] must be a section of keys, not a value.",
    "[margin]\ndefault_ppm = 1000001": (
        "[margin] default_ppm is 1000001, but must be less than or equal to 1000000."
    ),
    "[tariffs.paid]\nper_hour_minor = 3": (
        "[tariffs] paid needs a kind: 'per_minute', 'per_event', 'flat' or 'per_term'."
    ),
    '[tariffs.paid]\nkind = "hourly"': (
        "[tariffs] paid needs a kind: 'per_minute', 'per_event', 'flat' or 'per_term'."
    ),
    '[tariffs.paid]\nkind = "flat"\nper_hour_minor = 3': (
        "[tariffs.paid] amount_minor is missing."
    ),
    '[tariffs.paid]\nkind = "flat"\namount_minor = 1\nper_hour_minor = 3': (
        "[tariffs.paid] per_hour_minor is no setting; did you mean amount_minor."
    ),
    "[channels.voice]\nper_minut = 3": (
        "[channels.voice] per_minut is no setting; did you mean per_minute_minor."
    ),
    '[reporting]\ntimezone = "Europe/Lodon"': (
        "[reporting] timezone cannot be used: 'Europe/Lodon' is no time zone; use a name such as "
        "Europe/London or UTC."
    ),
    '[reporting]\ncurrency = "XXQ"': (
        "[reporting] currency cannot be used: 'XXQ' is no ISO 4217 currency code such as GBP."
    ),
    "[referral]\ntheta_ppm = 3": (
        "[referral] cannot be used: theta_ppm needs cap_minor beside it: what one referral may be "
        "worth."
    ),
    '[server]\npublic_url = "pnl.example.com"': (
        "[server] public_url cannot be used: 'pnl.example.com' is no address such as"
        " https://pnl.example.com."
    ),
    '[server]\npublic_url = "https://eve@pnl.example.com"': (
        "[server] public_url cannot be used: an address that people are sent has no user, no query"
        " and no fragment."
    ),
    "[server]\nport = 99999": ("[server] port is 99999, but must be less than or equal to 65535."),
    '[log]\nkind = "pulsar"': "[log] kind is 'pulsar', but must be 'sqlite' or 'kafka'.",
    '[log]\nkind = "kafka"': (
        '[log] cannot be used: kind is "kafka", so [log.client] needs "bootstrap.servers" = '
        '"HOST:PORT".'
    ),
    '[log.client]\n"isolation.level" = "read_uncommitted"': (
        "[log.client] isolation.level is not yours to set: reading uncommitted records would book "
        "what never happened."
    ),
    "[log.client]\ngroup.id = 3": (
        "[log.client] group.id is not yours to set: the group is the worker's."
    ),
    '[log.client]\nsasl.password = ["hunter2"]': "[log.client] sasl.password must be a string.",
    '[log]\nslot = "a b"': (
        "[log] slot is 'a b', but may hold letters, digits, '.', '_' and '-' alone."
    ),
    "[store]\ndsn = 2": "[store] dsn must be a string.",
    "x =": "pnl.toml is not TOML: Invalid value (at end of document).",
}


@pytest.mark.parametrize("toml", BAD_FILES)
def test_a_bad_file_is_one_sentence_that_names_the_key(toml: str, tmp_path: Path) -> None:
    """File, section and key are named, and what would be right."""
    with pytest.raises(UserError) as caught:
        read(tmp_path, toml)
    assert str(caught.value).startswith(str(tmp_path / "pnl.toml"))
    assert str(caught.value).endswith(BAD_FILES[toml])


BAD_VARIABLES = {
    ("PNL_ATRIBUTION__MODEL", "last"): (
        "PNL_ATRIBUTION__MODEL is no setting; did you mean PNL_ATTRIBUTION."
    ),
    ("PNL_NOTHING_LIKE_IT", "1"): "PNL_NOTHING_LIKE_IT is no setting.",
    ("PNL_ATTRIBUTION__MODLE", "last"): (
        "PNL_ATTRIBUTION__MODLE is no setting; did you mean model."
    ),
    ("PNL_ATTRIBUTION__LOOKBACK_DAYS", "soon"): (
        "PNL_ATTRIBUTION__LOOKBACK_DAYS is 'soon', but must be a valid integer."
    ),
    ("PNL_RATES__BY_QUEUE", "{x"): 'PNL_RATES__BY_QUEUE is not JSON; write {"name": value}.',
    ("PNL_RATES", "3000"): "PNL_RATES must be a section of keys, not a value.",
}


@pytest.mark.parametrize("variable", BAD_VARIABLES)
def test_a_bad_variable_is_named(variable: tuple[str, str], tmp_path: Path) -> None:
    """A variable that cannot be used is named, in the environment and in .env alike."""
    name, value = variable
    with pytest.raises(UserError) as caught:
        read(tmp_path, "", {name: value})
    assert str(caught.value) == BAD_VARIABLES[variable]
    (tmp_path / ".env").write_text(f"{name}={value}\n", "utf-8")
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{tmp_path / '.env'}: {BAD_VARIABLES[variable]}"


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    """`PNL_…_FILE` names the file that holds the value; the value is never part of what is told."""
    (tmp_path / "dsn").write_text("http://sink:word@store:8123\n")
    loaded = load(tmp_path, tmp_path, environ={"PNL_STORE__DSN_FILE": str(tmp_path / "dsn")})
    assert loaded.settings.store.dsn is not None
    assert loaded.settings.store.dsn.get_secret_value() == "http://sink:word@store:8123"
    assert "sink:word" not in f"{loaded}"


def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """No file, or a value beside it: one sentence that names the variable."""
    gone = {"PNL_STORE__DSN_FILE": str(tmp_path / "gone")}
    with pytest.raises(UserError, match=r"^PNL_STORE__DSN_FILE names .*gone, which cannot be read"):
        load(tmp_path, tmp_path, environ=gone)
    both = gone | {"PNL_STORE__DSN": "http://store:8123"}
    with pytest.raises(UserError, match="both set; keep one of them"):
        load(tmp_path, tmp_path, environ=both)


KAFKA = '[log]\nkind = "kafka"\n[log.client]\nbootstrap.servers = "one:9092"\n'


def test_properties_reach_the_client_library_however_they_are_written(tmp_path: Path) -> None:
    """Dotted, quoted, as variables or as JSON: the same names; a variable goes first."""
    toml = KAFKA + '"client.rack" = "a"\nsocket.keepalive.enable = true\nlinger.ms = 7\n'
    variables = {
        "PNL_LOG__CLIENT__BOOTSTRAP__SERVERS": "two:9092",
        "PNL_LOG__CLIENT__SASL__PASSWORD": '{"looks": like json',
    }
    assert read(tmp_path, toml, variables).settings.log.properties() == {
        "bootstrap.servers": "two:9092",
        "client.rack": "a",
        "socket.keepalive.enable": "true",
        "linger.ms": "7",
        "sasl.password": '{"looks": like json',
    }
    variables = {"PNL_LOG__CLIENT": '{"bootstrap.servers": "three:9092"}'}
    assert read(tmp_path, toml, variables).settings.log.revealed("bootstrap.servers") == (
        "three:9092"
    )


@pytest.mark.parametrize("name", sorted(OURS))
def test_what_exactly_once_rests_on_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    """A property of ours is named, with why nobody else may set it."""
    with pytest.raises(UserError) as caught:
        read(tmp_path, f'{KAFKA}"{name}" = "hunter2"')
    assert str(caught.value).endswith(f"[log.client] {name} is not yours to set: {OURS[name]}.")


READABLE = KAFKA + (
    'security.protocol = "SASL_PLAINTEXT"\nsasl.mechanism = "PLAIN"\nsasl.password = "hunter2"\n'
)


def test_a_password_does_not_travel_in_the_clear_unasked(tmp_path: Path) -> None:
    """SASL PLAIN without TLS needs a word of the person who runs it."""
    with pytest.raises(UserError, match="would travel in the clear") as caught:
        read(tmp_path, READABLE)
    assert "hunter2" not in str(caught.value)
    allowed = READABLE.replace("[log]", "[log]\nplaintext_password = true")
    assert read(tmp_path, allowed).settings.log.revealed("sasl.password") == "hunter2"
    for safe in ("SASL_SSL", "ssl"):
        read(tmp_path, READABLE.replace("SASL_PLAINTEXT", safe))
    read(tmp_path, READABLE.replace('"PLAIN"', '"SCRAM-SHA-512"'))


def test_secrets_are_in_no_text_of_the_settings(tmp_path: Path) -> None:
    """Whatever prints settings prints stars for properties and DSN."""
    toml = READABLE.replace("SASL_PLAINTEXT", "SASL_SSL") + '[store]\ndsn = "http://a:hunter2@b"\n'
    loaded = read(tmp_path, toml)
    for text in (repr(loaded), str(loaded.settings), loaded.settings.model_dump_json()):
        assert "hunter2" not in text


def test_names_that_are_no_settings_are_let_through(tmp_path: Path) -> None:
    """The data folder and the failpoints of tests share our prefix."""
    assert read(tmp_path, "", {"PNL_DATA": "x", "PNL_FAILPOINTS": "a:1:kill"}).variables == ()


def test_equal_rules_have_equal_versions(tmp_path: Path) -> None:
    """Only what decides an amount changes the policy's version."""
    first = read(tmp_path, "[server]\nport = 1234\n").settings.policy().version
    other = read(tmp_path, "[rates]\nloaded_per_hour_minor = 1\n").settings.policy().version
    assert first == Policy().version != other


CHANGED = """
[rates]
loaded_per_hour_minor = 3000
by_queue = { billing = 2800 }
[tariffs.paid]
kind = "per_minute"
per_hour_minor = 6000
[[changes]]
from = "2026-04-01"
rates = { loaded_per_hour_minor = 3200, by_queue = { sales = 3300 } }
[changes.tariffs.paid]
kind = "flat"
amount_minor = 300
[[changes]]
from = 2026-11-01
attribution.model = "linear"
"""
FIRST_OF_APRIL_MS = 1_774_998_000_000
"""Midnight in London, an hour before that in UTC."""


def test_a_change_lays_the_keys_it_names_over_what_stood_before(tmp_path: Path) -> None:
    """What it does not name stays; a tariff is replaced as a whole; days are local."""
    book = read(tmp_path, CHANGED).settings.policies
    before, after = book.at(FIRST_OF_APRIL_MS - 1), book.at(FIRST_OF_APRIL_MS)
    assert (before.loaded_per_hour_minor, after.loaded_per_hour_minor) == (3000, 3200)
    assert after.loaded_per_hour_minor_by_queue == {"billing": 2800, "sales": 3300}
    assert after.tariffs == {"paid": Tariff(kind="flat", amount_minor=300)}
    assert book.newest == replace(after, model="linear")
    assert len(book.versions) == 3


def test_a_change_that_changes_nothing_leaves_the_version(tmp_path: Path) -> None:
    """Books are of equal version when they say the same of all dates."""
    toml = '[[changes]]\nfrom = "2026-04-01"\nrates.loaded_per_hour_minor = 3000\n'
    assert read(tmp_path, toml).settings.policies == book_of(Policy())
    assert read(tmp_path, toml).settings.policies.version == Policy().version


def test_changes_may_come_from_a_variable(tmp_path: Path) -> None:
    """As JSON, like every table."""
    given = {"PNL_CHANGES": '[{"from": "2026-04-01", "margin": {"default_ppm": 1}}]'}
    book = read(tmp_path, "", given).settings.policies
    assert [book.at(since).margin_ppm for since, _ in book.versions] == [400_000, 1]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            "attribution.horizon_days = 3",
            "line 5: [[changes]] attribution.horizon_days is the same",
        ),
        ('reporting.currency = "EUR"', "line 5: [[changes]] reporting is the same at all dates"),
        ("[changes.log]", "line 5: [[changes]] log is the same at all dates: it cannot be in a"),
        ("rates.by_queue.b = -1", "line 5: [[changes]] rates.by_queue.b is -1, but must be"),
        ("rats.by_queue.b = 1", "line 5: [[changes]] rats is no setting; did you mean rates"),
        ("attribution.lookback_days = 401", "[[changes]] from 2026-04-02: lookback_days 401 is lo"),
        ('[[changes]]\nfrom = "2026-04-02"', "[[changes]] from 2026-04-02 stands after the one"),
        ('tariffs.a.kind = "flat"', "line 5: [[changes]] tariffs.a.amount_minor is missing"),
    ],
)
def test_what_a_change_cannot_be_is_said_with_its_line(
    tmp_path: Path, change: str, sentence: str
) -> None:
    """A key that has no date, a typing mistake, a value out of bounds, an order of dates."""
    toml = '[[changes]]\nfrom = "2026-04-01"\n[[changes]]\nfrom = "2026-04-02"\n' + change
    with pytest.raises(UserError) as refused:
        read(tmp_path, toml)
    assert sentence in str(refused.value)
