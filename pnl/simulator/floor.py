"""Who is at work, who takes a contact, and how long it waits.

Agents work in turns of equal length that cover the opening hours. A contact goes to one of a few
agents picked at random among those on duty for its queue, to the one who is free first: so it
waits when all are busy, and more so when the floor is thinly staffed. A chat holds half an agent.
"""

from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from pnl.simulator.centre import CHAT, EMAIL, QUEUES, Agent
from streams.facts import Millis

HOUR_MS: Final = 3_600_000
OPEN_HOUR: Final = 8
CLOSE_HOUR: Final = 20
_PICKED: Final = 3


class Shift(NamedTuple):
    """One agent's turn."""

    agent: Agent
    start: Millis
    end: Millis


class Floor:
    """The agents on duty on one day after another."""

    def __init__(self, agents: Sequence[Agent], shift_hours: int, rng: Random) -> None:
        self._agents = agents
        self._rng = rng
        self._next = 0
        self._opened: Millis = 0
        span = CLOSE_HOUR - OPEN_HOUR
        turns = -(-span // shift_hours)
        # Turns overlap where they do not divide the day: more hands around noon.
        step = (span - shift_hours) / (turns - 1) if turns > 1 else 0
        self.turns: Final = tuple(
            (OPEN_HOUR + round(turn * step), OPEN_HOUR + round(turn * step) + shift_hours)
            for turn in range(turns)
        )
        self._on_duty: list[list[list[Agent]]] = []
        self._free_at: dict[str, Millis] = {}

    def open(self, midnight: Millis, headcount: int) -> list[Shift]:
        """Begin a day with so many agents in each turn; return the shifts, which cost money."""
        shifts: list[Shift] = []
        for start, end in self.turns:
            for _ in range(headcount):
                agent = self._agents[self._next]
                self._next = (self._next + 1) % len(self._agents)
                shifts.append(Shift(agent, midnight + start * HOUR_MS, midnight + end * HOUR_MS))
        self._opened = midnight
        self._free_at = {shift.agent.agent_id: shift.start for shift in shifts}
        self._on_duty = [
            _by_queue([s.agent for s in shifts if s.start <= midnight + hour * HOUR_MS < s.end])
            for hour in range(OPEN_HOUR, CLOSE_HOUR)
        ]
        return shifts

    def offer(self, at: Millis, queue: int) -> tuple[Agent, Millis]:
        """Return who would take a contact that arrives now, and when that agent is free."""
        hour = (at - self._opened) // HOUR_MS - OPEN_HOUR
        agents = self._on_duty[min(max(hour, 0), CLOSE_HOUR - OPEN_HOUR - 1)][queue]
        count = len(agents)
        if count <= _PICKED:
            picked = agents
        else:
            draw = self._rng.random
            picked = [agents[int(draw() * count)] for _ in range(_PICKED)]
        free_at = self._free_at
        best = min(picked, key=lambda agent: free_at[agent.agent_id])
        return best, max(at, free_at[best.agent_id])

    def occupy(self, agent: Agent, start: Millis, end: Millis, channel: int) -> None:
        """Keep an agent busy until the wrap-up is done; mail is worked between the calls."""
        if channel == EMAIL:
            return
        until = start + (end - start) // 2 if channel == CHAT else end
        if until > self._free_at[agent.agent_id]:
            self._free_at[agent.agent_id] = until


def _by_queue(agents: list[Agent]) -> list[list[Agent]]:
    assert agents
    return [
        [agent for agent in agents if queue in agent.queues] or agents
        for queue in range(len(QUEUES))
    ]
