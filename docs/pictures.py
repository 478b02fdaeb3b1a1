"""The pictures and the table of the documentation, from a finished run of the demo.

    python docs/pictures.py [RUN] [--out FOLDER]

Run it from the root of the repository, after `make demo`.  The pages are pictured by Debian's chromium.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from spotcat.catalog.published import published_period, read_periods
from spotcat.catalog.query import open_catalog
from spotcat.report.html import file_name
from spotcat.report.star_page import show

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "report"))

from browser import CHROMIUM, browser

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "catalogs" / "literature" / "demo_periods.csv"
STAR = "EPIC 211117077"
STAR_WIDTH, STAR_PAGE_WIDTH, SURVEY_WIDTH = 1100, 1000, 1100
"""Widths of the pictures [px]."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, default=Path("runs/demo"), help="folder of the run")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where to")
    parser.add_argument("--star", default=STAR, help="the star that is shown")
    options = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("docs/pictures.py: no chromium; install Debian's package of that name")
    pages = options.run / "report"
    if not (pages / "index.html").is_file():
        sys.exit(f"docs/pictures.py: {pages} has no pages; run `make demo` first")
    images = options.out / "images"
    images.mkdir(parents=True, exist_ok=True)
    open_catalog(options.run / "catalog.zarr").write(options.out / "demo_catalog.csv")
    star_picture(options.run, options.star, images / "star.png")
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as tab:
        for page, width, name in (
            ("index.html", SURVEY_WIDTH, "survey.png"),
            (f"stars/{file_name(options.star)}.html", STAR_PAGE_WIDTH, "star_page.png"),
        ):
            tab.open((pages / page).resolve())
            save(Image.open(io.BytesIO(tab.picture(width))), images / name)


def star_picture(run: Path, star: str, out: Path) -> None:
    """The figure of one star, as `spotcat show` draws it."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = show(
            run / "catalog.zarr", star, Path(folder) / "star.png", published_period(read_periods(PUBLISHED), star)
        )
        picture = Image.open(drawn).convert("RGB")
        height = round(picture.height * STAR_WIDTH / picture.width)
        save(picture.resize((STAR_WIDTH, height), Image.Resampling.LANCZOS), out)


def save(picture: Image.Image, out: Path) -> None:
    """Write a picture small: 256 colours are enough for all of these."""
    picture.convert("RGB").quantize(256).save(out, optimize=True)
    print(f"{out}: {picture.width} x {picture.height}, {out.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
