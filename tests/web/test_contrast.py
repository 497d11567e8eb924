"""The colours of the style sheet: every text has the contrast that WCAG 2 AA asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ctsync.web.asset_files import asset_files

LEAST = 4.5
PAIRS = [
    *((text, ground) for text in ("ink", "soft", "link") for ground in ("paper", "card", "hover")),
    ("accent", "card"),
    ("critical", "on-critical"),
    ("notable", "on-notable"),
    ("routine", "on-routine"),
    ("administrative", "on-administrative"),
    ("good", "on-good"),
]


def palettes() -> Iterator[Mapping[str, str]]:
    """Yield the colours by name: light, dark."""
    style = asset_files()["style.css"]
    blocks = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    named = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]+);", block)) for block in blocks]
    yield named[0]
    yield named[0] | named[1]


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_text_has_enough_contrast_in_both_schemes() -> None:
    measured = {
        (scheme, *pair): contrast(colours[pair[0]], colours[pair[1]])
        for scheme, colours in zip(("light", "dark"), palettes(), strict=True)
        for pair in PAIRS
    }
    worst = min(measured, key=lambda pair: measured[pair])
    print(f"contrast: {len(measured)} pairs, the least is {measured[worst]:.1f} ({worst})")
    assert measured[worst] >= LEAST


def test_contrast_is_measured_as_wcag_does() -> None:
    assert round(contrast("#000", "#ffffff"), 1) == 21.0
    assert round(contrast("#777777", "#fff"), 2) == 4.48
