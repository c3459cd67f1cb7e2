"""D1 and D2 on their way into the books: estimated while open, trued up once matured."""

from collections.abc import Iterator

import pytest

from pnl.reports.restatement import RESTATEMENT
from pnl.reports.sheet import Asking
from processors.policy import Policy
from processors.referral import Referring
from sinks.store import Store
from streams.facts import Millis, PeriodLine
from tests.support.books import at
from tests.support.company import Company
from tests.support.facts import contact, order
from tests.support.store import store as store

PERIOD = "2024-04"
MATURE = "2025-06-15"
"""End of April + 30 + 365 days, and some."""


class Lifting:
    """What the estimators say; `amount_minor` None: they cannot tell."""

    def __init__(self) -> None:
        self.amount_minor: int | None = -1000
        self.asked = 0
        self.referring: Referring | None = None

    def lines(
        self,
        store: Store,
        policy: Policy,
        as_of: Millis,
        start_at: Millis,
        end_at: Millis,
        referring: Referring | None,
    ) -> dict[str, tuple[PeriodLine, ...]]:
        """Return D1 of one day, with a standard error of 300."""
        del store, policy, as_of, end_at
        self.referring = referring
        self.asked += 1
        if self.amount_minor is None:
            return {}
        line = PeriodLine(
            line="D1", basis="estimated", amount_minor=self.amount_minor, currency="GBP",
            effective_at=start_at, queue="billing", variance_minor2=90_000,
        )  # fmt: skip
        return {"D1": (line,)}


@pytest.fixture
def lifting(monkeypatch: pytest.MonkeyPatch) -> Lifting:
    """Put estimators in the place of the real ones."""
    said = Lifting()
    monkeypatch.setattr("pnl.periods.estimates.estimated_lines", said.lines)
    return said


@pytest.fixture
def company(store: Store) -> Iterator[Company]:
    """Return a company of which April is over."""
    founded = Company(store, Policy())
    founded.at(at("2024-06-01"))
    founded.send(
        contact("c1", at("2024-04-10"), customer_id="ann"),
        contact("c2", at("2024-05-31"), customer_id="bob"),
    )
    founded.settle()
    yield founded
    founded.sink.close()


def estimated(company: Company) -> None:
    """Let the job estimate, and book that."""
    company.job.estimate(company.cut())
    company.settle()


def d1(company: Company) -> tuple[int, int, int] | None:
    """Return April's retention credit with its interval."""
    value = company.reports.statement(company.scope(PERIOD)).estimate("D1").value
    return None if value is None else (value.amount_minor, value.low_minor, value.high_minor)


def test_an_estimate_stands_in_the_statement_with_its_interval(
    company: Company, lifting: Lifting
) -> None:
    """One line of -10.00 with a standard error of 3.00; the booked result knows nothing of it."""
    before = company.reports.statement(company.scope(PERIOD)).total("booked_result")
    estimated(company)
    assert d1(company) == (-1000, -1588, -412)
    assert company.reports.statement(company.scope(PERIOD)).total("booked_result") == before
    assert lifting.asked == 1  # May is not over in event time


def test_what_cannot_be_told_is_not_booked(company: Company, lifting: Lifting) -> None:
    """And what was booked goes when nobody can tell any more."""
    estimated(company)
    lifting.amount_minor = None
    company.job = company.new_job()
    estimated(company)
    assert d1(company) is None


def test_an_open_month_is_estimated_anew_on_another_day_only(
    company: Company, lifting: Lifting
) -> None:
    """Event time decides, so a busy day costs one estimate."""
    estimated(company)
    lifting.amount_minor = -2000
    estimated(company)
    assert d1(company) == (-1000, -1588, -412)
    company.at(at("2024-06-02"))
    company.send(contact("c3", at("2024-06-01 12:00"), customer_id="bob"))
    estimated(company)
    assert d1(company) == (-2000, -2588, -1412)


def test_a_closed_month_is_trued_up_once_when_it_has_matured(
    company: Company, lifting: Lifting
) -> None:
    """Reported stays; the difference is maturity, and comes once (DEF-TRUEUP)."""
    company.close(PERIOD)
    assert d1(company) == (-1000, -1588, -412)
    for day, said, known in (("2025-05-20", -1500, -1000), (MATURE, -1700, -1700),
                             ("2025-08-01", -1900, -1700)):  # fmt: skip
        company.at(at(day))
        company.send(contact(day, at(day), customer_id="bob"))
        lifting.amount_minor = said
        estimated(company)
        found = d1(company)
        assert found is not None
        assert found[0] == known
    sheet = RESTATEMENT.asked(
        Asking(store=company.store, policy=Policy(), as_of=None, scope=company.scope(PERIOD))
    )
    names = [column.name for column in sheet.columns]
    (row,) = [dict(zip(names, row, strict=True)) for row in sheet.rows if row[0] == "D1"]
    assert row["reported_minor"] == -1000
    assert (row["restated_minor"], row["restated_minor_low"]) == (-1700, -2288)
    assert row["difference_minor"] == row["maturity_minor"] == -700
    assert sheet.total is not None
    assert sheet.total[names.index("difference_minor")] == 0


def test_a_month_that_closes_by_itself_is_estimated_before(store: Store, lifting: Lifting) -> None:
    """So its estimate was reported; new facts on the way do not hold the closing up."""
    company = Company(store, Policy())
    company.at(at("2024-04-01"))
    company.live(contact(f"c{day}", at(f"2024-04-{day:02}"), customer_id="k") for day in (5, 9))
    company.live([contact("m", at("2024-05-02"), customer_id="bob")])
    assert company.job.close_due(company.settle()) == ()
    lifting.amount_minor = -5
    assert company.job.close_due(company.settle()) == (PERIOD,)
    company.settle()
    reported = company.reports.statement(company.scope(PERIOD), view="reported").estimate("D1")
    assert reported.value is not None
    assert reported.value.amount_minor == -1000
    company.sink.close()


def test_a_referral_is_in_the_statement_of_its_month_once_its_share_is_told(store: Store) -> None:
    """[referral] from facts to the ledger: 10 % of 40 % of what the new customer brought."""
    rules = Policy(
        referral_theta_ppm=100_000, referral_theta_error_ppm=20_000, referral_cap_minor=100_000
    )
    founded = Company(store, rules)
    founded.at(at("2024-06-01"))
    founded.send(
        contact("c1", at("2024-04-09"), customer_id="bob", queue="care"),
        order("o1", at("2024-04-01"), 4_000, customer_id="bob"),
        order("o2", at("2024-04-20"), 6_000, customer_id="ann", referred_by="bob"),
        order("o3", at("2024-05-20"), 5_000, customer_id="ann"),
        contact("c2", at("2024-05-31"), customer_id="bob", queue="care"),
    )
    founded.settle()
    estimated(founded)
    value = founded.reports.statement(founded.scope(PERIOD)).estimate("D2").value
    assert value is not None
    assert value.amount_minor == 11_000 * 40 // 100 // 10
    assert value.low_minor < value.amount_minor < value.high_minor
    founded.sink.close()


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (Policy(), None),
        (
            Policy(referral_theta_ppm=250_000, referral_theta_error_ppm=1, referral_cap_minor=500),
            Referring(theta_ppm=250_000, theta_error_ppm=1, cap_minor=500),
        ),
    ],
)
def test_referrals_are_credited_by_the_share_that_was_told(
    store: Store, lifting: Lifting, rules: Policy, told: Referring | None
) -> None:
    """DEF-REF: while nobody has told it, it is not known, and nothing is assumed."""
    founded = Company(store, rules)
    founded.at(at("2024-06-01"))
    founded.send(contact("c1", at("2024-04-10"), customer_id="ann"))
    founded.send(contact("c2", at("2024-05-31"), customer_id="bob"))
    founded.settle()
    estimated(founded)
    assert lifting.asked > 0
    assert lifting.referring == told
    founded.sink.close()
