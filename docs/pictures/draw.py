"""Draw the pictures with Chromium: `make pictures`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from docs.pictures.pages import build_pages

FOLDER = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH = 1000
HEIGHTS = {"report": 560, "trial": 880}
"""The part of each page from its top that is in the picture, in CSS pixels."""
SCALE = 2
COLOURS = 128
LARGEST = 250_000
"""Most bytes of a picture: the README loads both."""
_LIMIT_SECONDS = 120


def main() -> None:
    """Draw all pictures; exits with a message if there is no browser."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"no browser on PATH: install one of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory(prefix="ctsync-pictures-") as made:
        for name, page in build_pages(Path(made)).items():
            source, target = Path(made) / f"{name}.html", FOLDER / f"{name}.png"
            source.write_text(page, encoding="utf-8")
            options = (f"--window-size={WIDTH},{HEIGHTS[name]}", f"--user-data-dir={made}/profile")
            _shoot(browser, source, target, options)
            _reduce(target)
            size = target.stat().st_size
            sys.stdout.write(f"wrote {target.name}: {size:,} bytes\n")
            if size > LARGEST:
                sys.exit(f"{target.name} has more than {LARGEST:,} bytes: lower its height")


def _shoot(browser: str, source: Path, target: Path, options: Sequence[str]) -> None:
    command = (
        browser,
        "--headless",
        "--no-sandbox",  # a container has no user namespaces; the page is our own file
        "--disable-gpu",
        "--hide-scrollbars",
        f"--force-device-scale-factor={SCALE}",
        *options,
        f"--screenshot={target}",
        source.as_uri(),
    )
    subprocess.run(command, check=True, capture_output=True, timeout=_LIMIT_SECONDS)


def _reduce(picture: Path) -> None:
    """Write a picture with few colours, which takes a third of the bytes."""
    with Image.open(picture) as image:
        # MAXCOVERAGE keeps colours that few pixels have, such as the line of today
        few = image.convert("RGB").quantize(
            COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
    few.save(picture, optimize=True)


if __name__ == "__main__":
    main()
