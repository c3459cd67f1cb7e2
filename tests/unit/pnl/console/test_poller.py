"""One poller for all pages: asked once, kept while the books stand still, kept when they fail."""

from typing import cast

from pnl.console.address import Address, read_address
from pnl.console.markup import el
from pnl.console.poller import Poller
from pnl.console.settings import ConsoleSettings
from pnl.console.view import Asked, View
from pnl.reports.alerts import OpenAlerts
from pnl.reports.api import ReportsApi
from pnl.reports.evidence import Freshness
from pnl.reports.model import BadRequest
from streams.clock import ManualClock


class Standing:
    """Books that stand where a test puts them."""

    def __init__(self) -> None:
        self.mark = 1
        self.broken = False
        self.gone = False

    def version(self) -> tuple[int, ...]:
        """Return where they stand."""
        if self.gone:
            raise OSError("there are no books")
        return (self.mark,)

    def freshness(self) -> Freshness:
        """Return that nothing is behind."""
        return Freshness(
            as_of=1_291_931_818_842,
            logged_at_max=0,
            behind_records=0,
            behind_seconds=0.0,
            partitions=(),
        )

    def open_alerts(self) -> OpenAlerts:
        """Return that none is open."""
        return OpenAlerts()

    def dimensions(self) -> dict[str, tuple[str, ...]]:
        """Return one queue."""
        return {"queue": ("billing",), "currency": ("GBP",)}


class Case:
    """A poller over standing books, and a page that counts how often it was made."""

    def __init__(self, rest: float = 0) -> None:
        self.books, self.made = Standing(), 0
        self.poller = Poller(
            cast("ReportsApi", self.books),
            {"live": self._page},
            ConsoleSettings(),
            ManualClock(),
            rest,
        )
        self.address = read_address("live", "/", [])

    def _page(self, asked: Asked) -> View:
        if asked.address.get("queue") == "none-such":
            raise BadRequest("There is no such queue.")
        if self.books.broken:
            raise OSError("the store is away")
        self.made += 1
        return View(title="Live", blocks={"p-x": el("p", self.books.mark, id="p-x")})

    def shown(self, address: Address | None = None) -> str:
        """Return what a page at an address shows."""
        snapshot = self.poller.snapshot(address or self.address)
        assert snapshot is not None
        return "".join(snapshot.view.blocks.values())


async def test_the_same_question_is_answered_once() -> None:
    """Two who ask the same of the same books share one answer."""
    case = Case()
    first = await case.poller.answer(case.address)
    assert await case.poller.answer(read_address("live", "/", [])) is first
    assert case.made == 1


async def test_an_answer_is_made_anew_only_when_the_books_changed() -> None:
    """A tick over standing books makes nothing; over changed ones it makes a later version."""
    case = Case()
    first = await case.poller.answer(case.address)
    await case.poller.refresh({case.address})
    assert case.made == 1
    case.books.mark = 2
    await case.poller.refresh({case.address})
    second = case.poller.snapshot(case.address)
    assert second is not None
    assert second.version == first.version + 1
    assert case.shown() == '<p id="p-x">2</p>'


async def test_what_nobody_shows_is_forgotten() -> None:
    """An answer is kept only while a page shows it."""
    case = Case()
    await case.poller.answer(case.address)
    await case.poller.refresh(set())
    assert case.poller.snapshot(case.address) is None


async def test_what_was_forgotten_comes_back_under_another_version() -> None:
    """A page that was hidden, or opened between two ticks, is sent what changed meanwhile."""
    case = Case()
    first = await case.poller.answer(case.address)
    await case.poller.refresh(set())
    case.books.mark = 2
    await case.poller.refresh({case.address})
    again = case.poller.snapshot(case.address)
    assert again is not None
    assert again.version > first.version


async def test_what_a_person_changed_is_not_rested_on() -> None:
    """Who answered an alert sees it without waiting for as long as slow answers are left alone."""
    case = Case(rest=1e9)
    await case.poller.answer(case.address)
    case.books.mark = 2
    await case.poller.refresh({case.address})
    assert case.shown() == '<p id="p-x">1</p>'
    case.poller.hurry(case.address.item)
    await case.poller.refresh({case.address})
    assert case.shown() == '<p id="p-x">2</p>'


async def test_a_store_that_fails_leaves_the_last_figures_and_says_since_when() -> None:
    """The page keeps what it has, with a notice; when the store is back the notice goes."""
    case = Case()
    await case.poller.answer(case.address)
    case.books.mark, case.books.broken = 2, True
    await case.poller.refresh({case.address})
    assert case.shown() == '<p id="p-x">1</p>'
    assert "Not updated since" in case.poller.aged(case.address)["p-notice"]
    case.books.broken = False
    await case.poller.answer(case.address)
    assert case.shown() == '<p id="p-x">2</p>'
    assert "Not updated" not in case.poller.aged(case.address)["p-notice"]


async def test_books_that_cannot_be_read_at_all_are_said_too() -> None:
    """When not even their mark can be read, every open page keeps its figures and says so."""
    case = Case()
    await case.poller.answer(case.address)
    case.books.gone = True
    await case.poller.refresh({case.address})
    assert "Not updated since" in case.poller.aged(case.address)["p-notice"]
    case.books.gone = False
    await case.poller.refresh({case.address})
    assert "Not updated" not in case.poller.aged(case.address)["p-notice"]


async def test_a_question_that_cannot_be_is_answered_with_the_reason() -> None:
    """The sentence of a refusal is the page, not an error page."""
    case = Case()
    address = read_address("live", "/", [("queue", "none-such")])
    await case.poller.answer(address)
    assert "There is no such queue." in case.shown(address)
