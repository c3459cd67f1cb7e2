"""Who may talk to the page: nobody but itself, under the names it has."""

import asyncio
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, WSServerHandshakeError

from tests.browser.conftest import Served


async def test_a_foreign_name_is_refused(served: Served) -> None:
    """A name that was pointed at the loopback from outside gets no figure."""
    async with (
        ClientSession() as session,
        session.get(served.address, headers={"Host": "evil.example"}) as answer,
    ):
        assert answer.status == 421
        assert "allowed_hosts" in await answer.text()


async def test_a_foreign_page_cannot_open_the_socket(served: Served) -> None:
    """A script of another site is turned away from the page's socket, its own is let in."""
    socket = (
        served.address.replace("http", "ws") + "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    )
    async with ClientSession() as session:
        with pytest.raises(WSServerHandshakeError):
            await session.ws_connect(socket, headers={"Origin": "http://evil.example"})
        own = await session.ws_connect(socket, headers={"Origin": served.address})
        await own.close()


async def test_every_answer_carries_the_policy(served: Served) -> None:
    """No script, style, image or connection may come from or go to another host."""
    async with ClientSession() as session, session.get(served.address + "/healthz") as answer:
        assert answer.status == 200
        policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "http" not in policy


async def test_metrics_are_served(served: Served) -> None:
    """Prometheus finds its metrics beside the page."""
    async with ClientSession() as session, session.get(served.address + "/metrics") as answer:
        assert answer.status == 200
        assert "# HELP" in await answer.text()


async def test_many_ask_the_same_and_all_are_answered(served: Served) -> None:
    """Twenty readers of one address get one answer each, the same."""
    async with ClientSession() as session:

        async def ask() -> str:
            async with session.get(served.address + "/api/statement?period=2024-03") as answer:
                return await answer.text()

        answers = await asyncio.gather(*(ask() for _ in range(20)))
    assert len(set(answers)) == 1
    assert urlsplit(served.address).hostname == "127.0.0.1"
