"""What an agent could be helped with: where the agent surely differs from the others.

Law (G-AGENT): nothing is said of an agent with fewer than 30 cases, every figure is drawn to the
mean of all (DEF-POOL), and only one whose interval leaves that mean out is a hint. Agents are
never put in order, least of all by what they sell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from processors.measures import CASES_MIN, Figure, agents_shares
from processors.money import PPM
from processors.pooling import pooled, share_units


@dataclass(frozen=True, slots=True)
class Skill:
    """A share that says something of work: whether more of it is good, and what to say if not."""

    name: str
    more_is_good: bool
    hint: str


@dataclass(frozen=True, slots=True)
class Coached:
    """An agent's figures by skill, and what they hint at."""

    agent_id: str
    figures: Mapping[str, Figure]
    hints: tuple[str, ...]


def coached(
    skills: Sequence[Skill], counts: Mapping[str, Mapping[str, tuple[int, int]]]
) -> tuple[Coached, ...]:
    """Return the agents in the order of their ids. `counts`: agent -> skill -> (part, whole)."""
    agents = sorted(counts)
    by_skill: dict[str, tuple[Figure, ...]] = {}
    means: dict[str, int] = {}
    for skill in skills:
        row = [counts[agent].get(skill.name, (0, 0)) for agent in agents]
        by_skill[skill.name] = agents_shares(row)
        pool = pooled(share_units([each for each in row if each[1] >= CASES_MIN]))
        if pool is not None:
            means[skill.name] = round(pool.mean * PPM)
    found: list[Coached] = []
    for place, agent in enumerate(agents):
        figures = {skill.name: by_skill[skill.name][place] for skill in skills}
        hints = tuple(
            skill.hint
            for skill in skills
            if skill.name in means and _surely_worse(figures[skill.name], means[skill.name], skill)
        )
        found.append(Coached(agent, figures, hints))
    return tuple(found)


def _surely_worse(figure: Figure, mean_ppm: int, skill: Skill) -> bool:
    if figure.low is None or figure.high is None:
        return False
    return figure.high < mean_ppm if skill.more_is_good else figure.low > mean_ppm
