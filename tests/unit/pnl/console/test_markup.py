"""Markup is made from text, never the other way round."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from pnl.console.markup import Html, el, join, text


class Reader(HTMLParser):
    """Reads back which elements and which text a browser would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element with its attributes."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.said += data


PLAIN = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=60)


@given(PLAIN, PLAIN)
def test_no_text_becomes_an_element(name: str, value: str) -> None:
    """Whatever stands in a cell or an attribute, a browser reads it back as it was."""
    reader = Reader()
    reader.feed(el("td", name, title=value))
    reader.close()
    assert reader.elements == [("td", {"title": value})]
    assert reader.said == name


def test_markup_is_kept_and_its_sum_with_text_is_not_trusted() -> None:
    """What was escaped once is not escaped again; plain concatenation loses the trust."""
    bold = el("b", "1 < 2")
    assert el("p", bold) == "<p><b>1 &lt; 2</b></p>"
    assert text(bold + "<i>") == "&lt;b&gt;1 &amp;lt; 2&lt;/b&gt;&lt;i&gt;"
    assert isinstance(join([bold, "<i>"]), Html)


def test_absent_values_leave_no_trace() -> None:
    """None is nothing, and an attribute that is None or False is not there."""
    assert el("a", None, href=None, hidden=False, data_live=True) == "<a data-live></a>"
