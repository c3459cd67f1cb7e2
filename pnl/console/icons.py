"""The page's few icons, drawn here: an icon font prints its names until it has come."""

from typing import Final

from pnl.console.markup import Html

_SHAPES: Final = {
    "brand": '<rect x="1" y="1" width="20" height="20" rx="5" fill="var(--ink)"/>'
    '<path d="M6.5 9.5v5M11 6.5v5M15.5 10v4.5" stroke="var(--surface)" stroke-width="2.4"/>',
    "live": '<path d="M2.5 14.5 7 8.5l3 3 3.2-5 1.8 2.5"/><circle cx="14" cy="13" r="2.7"/>'
    '<path d="m16 15 2 2.2"/>',
    "statement": '<path d="M4.5 2.8h11v14.4l-2-1.2-1.8 1.2-1.7-1.2-1.8 1.2-1.7-1.2-2 1.2z"/>'
    '<path d="M7.3 6.8h5.4M7.3 9.8h5.4M7.3 12.6h3"/>',
    "reports": '<path d="M3.2 3.2h13.6v13.6H3.2zM3.2 7.6h13.6M8 7.6v9.2M8 12.2h8.8"/>',
    "contacts": '<path d="M3 3.5h10.5v7.5H6.4L3 14z"/>'
    '<path d="M16.2 6.8H17.5v10L14.4 14H8.2v-.4"/>',
    "churn": '<path d="M2.5 5.5 8 11l3-3 6.2 6.2"/><path d="M12.6 14.5h4.7V9.8"/>',
    "health": '<path d="m10 2.2 2 1.5 2.5-.1.7 2.4 2 1.5-.9 2.3.9 2.4-2 1.5-.7 2.4-2.5-.1'
    '-2 1.5-2-1.5-2.5.1-.7-2.4-2-1.5.9-2.4-.9-2.3 2-1.5.7-2.4 2.5.1z"/>'
    '<path d="m7 10 2.2 2.2L13.2 8"/>',
    "alerts": '<path d="M5 14.2V9a5 5 0 0 1 10 0v5.2l1.4 1.6H3.6zM8.4 17.6h3.2"/>',
    "crit": '<circle cx="10" cy="10" r="7.2"/><path d="M10 6v5M10 13v1"/>',
    "down": '<path d="m5.5 8 4.5 4.5L14.5 8"/>',
    "filter": '<path d="M3 6h14M5.5 10h9M8 14h4"/>',
    "close": '<path d="m5.5 5.5 9 9m0-9-9 9"/>',
    "download": '<path d="M10 3v9m-3.6-3.4L10 12.2l3.6-3.6M4 16.5h12"/>',
    "theme": '<path d="M10 3a7 7 0 1 0 7 7 5.5 5.5 0 0 1-7-7z"/>',
    "warn": '<path d="M10 3.2 18 16.8H2zM10 8.2v4.2M10 14.2v1"/>',
    "info": '<circle cx="10" cy="10" r="7.2"/><path d="M10 9v5M10 6v1"/>',
    "check": '<circle cx="10" cy="10" r="7.2"/><path d="m6.8 10.2 2.2 2.2 4.2-4.6"/>',
    "first": '<path d="M6 5v10M14 5l-5 5 5 5"/>',
    "next": '<path d="m7.5 5 5 5-5 5"/>',
}


def icon(name: str) -> Html:
    """Return an icon that assistive technology passes over. KeyError if there is none."""
    side = 22 if name == "brand" else 20
    return Html(
        f'<svg class="p-icon" viewBox="0 0 {side} {side}" aria-hidden="true" focusable="false">'
        f"{_SHAPES[name]}</svg>"
    )
