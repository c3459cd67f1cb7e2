"""C2 and C7: paid time nobody used, and what is left of payroll."""

from hypothesis import given
from hypothesis import strategies as st

from processors.periods import AgentTime, Work, absorption_lines, idle_lines, sums
from processors.policy import DAY_MS, HOUR_MS, Policy

RULES = Policy(
    loaded_per_hour_minor=3600,
    loaded_per_hour_minor_by_queue={"gold": 7200},
    loaded_per_hour_minor_by_agent={"a2": 1800},
)
DAYS = ((0, DAY_MS), (DAY_MS, 2 * DAY_MS))


def hours(start: float, end: float) -> tuple[int, int]:
    """Return a stretch given in hours."""
    return round(start * HOUR_MS), round(end * HOUR_MS)


def time_of(
    shifts: list[tuple[int, int]],
    work: list[tuple[int, int]],
    agent_id: str = "a1",
    queue: str = "",
) -> AgentTime:
    """Build an agent's time; all work is of queue q and team t."""
    return AgentTime(
        agent_id,
        [(shift, queue) for shift in shifts],
        [Work(each, "q", "t") for each in work],
    )


def test_two_chats_at_once_leave_the_rest_of_the_shift_idle() -> None:
    """Eight hours of shift, chats 9-11 and 10-12: three hours of work, five idle."""
    (line,) = idle_lines(
        time_of([hours(8, 16)], [hours(9, 11), hours(10, 12)]), DAYS, lambda _: RULES
    )
    assert line.amount_minor == -5 * 3600
    assert (line.line, line.basis, line.queue, line.team, line.agent_id) == (
        "C2", "standard", "q", "t", "a1",
    )  # fmt: skip


def test_work_outside_the_shift_pays_no_idle_time_back() -> None:
    """A contact that ran over the end of the shift counts up to its end."""
    (line,) = idle_lines(time_of([hours(8, 16)], [hours(15, 20)]), DAYS, lambda _: RULES)
    assert line.amount_minor == -7 * 3600


def test_a_shift_over_midnight_is_cut_there() -> None:
    """22-6 stands with two hours on the first day and six on the second."""
    lines = idle_lines(time_of([hours(22, 30)], []), DAYS, lambda _: RULES)
    assert [(each.effective_at, each.amount_minor) for each in lines] == [
        (0, -2 * 3600),
        (DAY_MS, -6 * 3600),
    ]


def test_shifts_that_overlap_pay_once() -> None:
    """Basic pay and a premium for the same hours are one shift."""
    (line,) = idle_lines(time_of([hours(8, 16), hours(12, 16)], []), DAYS, lambda _: RULES)
    assert line.amount_minor == -8 * 3600


def test_the_rate_is_that_of_agent_then_queue_then_all() -> None:
    """RUL-C1, with the queue that the shift names."""
    gold = idle_lines(time_of([hours(0, 1)], [], queue="gold"), DAYS, lambda _: RULES)
    own = idle_lines(time_of([hours(0, 1)], [], "a2", "gold"), DAYS, lambda _: RULES)
    assert (sum(sums(gold).values()), sum(sums(own).values())) == (-7200, -1800)


def test_the_rate_is_that_of_the_day() -> None:
    """A rate that changes from the second day on leaves the first."""
    dear = Policy(loaded_per_hour_minor=36000)
    lines = idle_lines(
        time_of([hours(23, 25)], []), DAYS, lambda at: RULES if at < DAY_MS else dear
    )
    assert [each.amount_minor for each in lines] == [-3600, -36000]


def test_a_day_without_idle_time_has_no_line() -> None:
    """Nothing is booked as zero."""
    assert idle_lines(time_of([hours(8, 9)], [hours(8, 9)]), DAYS, lambda _: RULES) == ()


STRETCHES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda x: hours(min(x), max(x))),
    max_size=6,
)


@given(STRETCHES, STRETCHES)
def test_idle_time_is_what_counting_hour_by_hour_finds(
    shifts: list[tuple[int, int]], work: list[tuple[int, int]]
) -> None:
    """Paid hours without work, within the days of the period; each hour once (KPI-OCC)."""
    paid = {hour for start, end in shifts for hour in range(start // HOUR_MS, end // HOUR_MS)}
    busy = {hour for start, end in work for hour in range(start // HOUR_MS, end // HOUR_MS)}
    idle = {hour for hour in paid - busy if hour < 48}
    lines = idle_lines(time_of(shifts, work), DAYS, lambda _: RULES)
    assert -sum(line.amount_minor for line in lines) == 3600 * len(idle)


@given(*[st.dictionaries(st.sampled_from(["GBP", "EUR"]), st.integers(0, 10**9))] * 3)
def test_cost_reconciles_to_payroll(
    payroll: dict[str, int], handling: dict[str, int], idle: dict[str, int]
) -> None:
    """C1 + C2 + C7 = -payroll in each currency with payroll; the others have no C7."""
    c1 = {currency: -amount for currency, amount in handling.items()}
    c2 = {currency: -amount for currency, amount in idle.items()}
    c7 = sums(absorption_lines(payroll, c1, c2, 0))
    assert c7.keys() <= payroll.keys()
    for currency, paid in payroll.items():
        booked = c1.get(currency, 0) + c2.get(currency, 0) + c7.get(currency, 0)
        assert booked == -paid
