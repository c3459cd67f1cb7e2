"""A gap after a takeover is believed when it shows twice."""

from streams.first_records import FirstRecords


def test_what_comes_at_its_place_is_taken() -> None:
    """And so is all that follows, whatever its offset."""
    first = FirstRecords()
    assert [first.judge("p", 5, offset) for offset in (5, 6, 9)] == ["take"] * 3


def test_records_that_were_passed_over_are_sought_and_taken() -> None:
    """What came too early is dropped: it comes again, after them."""
    first = FirstRecords()
    assert [first.judge("p", 5, offset) for offset in (8, 9)] == ["seek", "drop"]
    assert [first.judge("p", 5, offset) for offset in (5, 6, 8, 9)] == ["take"] * 4


def test_a_gap_that_shows_again_is_one() -> None:
    """Between the place and the first record lies nothing."""
    first = FirstRecords()
    assert [first.judge("p", 5, offset) for offset in (8, 9)] == ["seek", "drop"]
    assert [first.judge("p", 5, offset) for offset in (8, 9)] == ["take", "take"]


def test_another_term_begins_anew() -> None:
    """Each takeover seeks, and each may go wrong."""
    first = FirstRecords()
    first.begin(1)
    assert first.judge("p", 5, 5) == "take"
    first.begin(1)
    assert first.judge("p", 6, 9) == "take"
    first.begin(2)
    assert first.judge("p", 10, 12) == "seek"
