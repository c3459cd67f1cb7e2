"""Markup that cannot be broken by data.

Law: every string that reaches the page went through `text`, unless it is `Html` already; and
only this module makes `Html` from a string it did not escape itself. So a queue that is named
`<img onerror=…>` is shown, not run.
"""

from collections.abc import Iterable
from html import escape

VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "path", "circle", "rect", "line"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


NOTHING = Html("")


def text(value: object) -> Html:
    """Return `value` as markup: itself if it is markup, escaped if not, nothing for None."""
    if isinstance(value, Html):
        return value
    return NOTHING if value is None else Html(escape(str(value), quote=True))


def join(parts: Iterable[object], between: str = "") -> Html:
    """Return the parts one after the other, each escaped unless it is markup."""
    return Html(text(between).join(text(part) for part in parts))


def el(tag: str, *children: object, **attributes: object) -> Html:
    """Return one element. `cls` is class, `data_x` is data-x; None and False leave it out."""
    shown = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in VOID:
        return Html(f"<{tag}{shown}/>")
    return Html(f"<{tag}{shown}>{''.join(text(child) for child in children)}</{tag}>")


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = "class" if name == "cls" else name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{escape(str(value), quote=True)}"'
