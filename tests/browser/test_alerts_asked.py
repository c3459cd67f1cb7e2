"""What programs ask about alerts, and who may answer one: our page, and nobody else's."""

import pytest
from aiohttp import ClientSession

from tests.browser.alerted import HOSTILE
from tests.browser.conftest import Served

SEGMENT = "bbbb000000000002"


async def test_programs_read_alerts(served: Served) -> None:
    """The API lists them and explains one; an unknown one is not found."""
    async with ClientSession() as session:
        async with session.get(served.address + "/api/alerts?severity=critical") as answer:
            assert (await answer.json())["total"] == 2
        async with session.get(served.address + f"/api/alerts/{SEGMENT}") as answer:
            found = await answer.json()
            assert found["figures"][0]["unit"] == "milli"
            assert found["clears"].startswith("It clears after 2 windows")
        async with session.get(served.address + "/api/alerts/none") as answer:
            assert answer.status == 404
        async with session.get(served.address + "/api/alerts?subject=queue%3Dnone") as answer:
            assert (await answer.json())["total"] == 0
        async with session.get(served.address + "/alerts/none") as answer:
            assert answer.status == 404
            assert "There is no alert none" in await answer.text()
        async with session.get(served.address + "/api/alerts?state=mad") as answer:
            assert answer.status == 400


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, '{"doing":"ack","by":"x"}', 403),
        ({"Origin": "http://evil.example"}, '{"doing":"ack","by":"x"}', 421),
        ({"Origin": "null"}, '{"doing":"ack","by":"x"}', 421),
        ({"Origin": "own", "x-pnl-answer": ""}, '{"doing":"ack","by":"x"}', 403),
        ({"Origin": "own", "content-type": "text/plain"}, '{"doing":"ack","by":"x"}', 403),
        ({"Origin": "own"}, '{"doing":"ack","by":""}', 400),
        ({"Origin": "own"}, '{"doing":"close","by":"x"}', 400),
        ({"Origin": "own"}, '{"doing":"snooze","by":"x","span":"ever"}', 400),
        ({"Origin": "own"}, '{"doing":"ack","by":"' + "x" * 5_000 + '"}', 400),
        ({"Origin": "own"}, "[", 400),
    ],
)
async def test_an_answer_comes_from_our_page_alone(
    served: Served, headers: dict[str, str], body: str, status: int
) -> None:
    """No other site's form or script can answer, and nonsense is refused; nothing is written."""
    sent = {"content-type": "application/json", "x-pnl-answer": "1"} | headers
    if sent.get("Origin") == "own":
        sent["Origin"] = served.address
    url = f"{served.address}/alerts/{HOSTILE}/answer"
    async with (
        ClientSession() as session,
        session.post(url, headers=sent, data=body) as answer,
    ):
        assert answer.status == status
    async with (
        ClientSession() as session,
        session.get(f"{served.address}/api/alerts/{HOSTILE}") as answer,
    ):
        assert [each["action"] for each in (await answer.json())["answers"]] == []
