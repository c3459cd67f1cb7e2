"""What a page says when its path names something that is not in the books."""

from pnl.console.markup import Html, el
from pnl.console.parts import card, empty
from pnl.console.view import View


def missing(kind: str, item: str, frame: dict[str, Html]) -> View:
    """Return a page that says so, with the way back."""
    action = el("a", "Show all contacts", href="/contacts?period=all")
    sentence = f"There is no {kind} {item[:200]} in the books: not yet read, or under another id."
    body = card("p-missing", f"No such {kind}", empty(sentence, action))
    return View(title=f"No such {kind}", blocks={"p-missing": body}, frame=frame, missing=True)
