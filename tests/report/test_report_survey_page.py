"""The survey page: what is in its files, and how it behaves in a browser."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

pytest.importorskip("websocket")
from browser import CHROMIUM, Page, browser

from spotcat.catalog.escapes import as_line
from spotcat.catalog.finalise import finalise
from spotcat.catalog.query import open_catalog
from spotcat.catalog.writer import write_part
from spotcat.report.html import file_name
from spotcat.report.summary import TABLE
from spotcat.report.survey_page import report
from spotcat.status import Flag, InputError, LifetimeFlag, Status, Verdict

PICTURES = Path(__file__).parents[2] / "docs" / "pictures.py"
N_STARS = 50_000
NASTY = "</script><b>&'\""


@pytest.fixture(scope="module")
def small(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a real run of three stars and a failure."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "known.csv").write_text("name,period,reference\nsim-00000,4.0,Somebody 2020\nKIC 1,3,nobody\n")
    return report(run, folder / "report", folder / "known.csv", ["sim-00000", "short"])


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of many made-up stars, one with a name that is HTML."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(7)
    number = np.arange(N_STARS)
    names = np.array([f"TIC {n}" for n in number], dtype=object)
    names[3] = NASTY
    prot = rng.lognormal(2, 0.7, N_STARS)
    prot[::10] = np.nan
    columns = {
        "star_id": number,
        "name": names,
        "status": np.where(np.isnan(prot), Status.FEW_POINTS, Status.OK),
        "reason": np.where(np.isnan(prot), Status.FEW_POINTS.words, ""),
        "prot": prot,
        "verdict": np.where(np.isnan(prot), 0, np.where(number % 3 == 0, Verdict.NO_ROTATION_SEEN, Verdict.ROTATOR)),
        "rvar": rng.lognormal(-4, 0.5, N_STARS),
        "spot_lifetime": np.where(number % 2 == 0, np.nan, 3 * prot),
        "spot_lifetime_lower": 2 * prot,
        "lifetime_flag": np.where(number % 2 == 0, int(LifetimeFlag.LOWER_LIMIT), int(LifetimeFlag.MEASURED)),
        "flags": np.where(number % 7 == 0, int(Flag.FEW_CYCLES | Flag.PRIOR_EDGE), 0),
        "mission": np.full(N_STARS, "TESS"),
    }
    write_part(folder / "part", columns, {})
    finalise([folder / "part"], folder / "catalog.zarr", {"survey": "many <stars>"})
    return report(folder / "catalog.zarr", folder / "report")


def _data(page: Path) -> dict[str, list]:
    text = (page.parent / "data.js").read_text()
    return dict(json.loads(text.removeprefix("window.SPOTCAT=").removesuffix(";\n")))


def test_the_files_hold_what_the_catalog_holds(small: Path, run: Path) -> None:
    catalog = open_catalog(run / "catalog.zarr")
    data = _data(small)
    assert [column["name"] for column in data["columns"]] == list(TABLE)
    for name, values in zip(TABLE, data["values"], strict=True):
        expected = catalog.column(name)
        if name == "spot_lifetime":
            flag = catalog.column("lifetime_flag")
            for code, end in ((1, "lower"), (2, "upper")):
                expected = np.where(flag == code, catalog.column(f"spot_lifetime_{end}"), expected)
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(np.array(values, float), expected, rtol=1e-4)
        else:
            assert values == expected.tolist()
    text = small.read_text()
    (reason,) = catalog.query("status != 0").column("reason")
    for words in ("4 stars", "not measurable", escape(reason), "Somebody 2020", "parts_hash", "[survey]"):
        assert words in text, words
    assert 'src="figures/literature.png"' in text
    for link in re.findall(r'(?:src|href)="([^"#]+)"', text):
        assert link.startswith("data:") or (small.parent / link).is_file(), link


def test_nothing_points_outside(small: Path, large: Path) -> None:
    for path in [*small.parent.rglob("*.html"), *large.parent.glob("*.*")]:
        assert not re.search(rb"https?://", path.read_bytes().replace(b"http://www.w3.org", b"")), path


def test_a_star_that_was_not_fitted_has_a_page_that_says_why(small: Path, run: Path) -> None:
    page = (small.parent / "stars" / "short.html").read_text()
    (reason,) = open_catalog(run / "catalog.zarr").star("short").column("reason")
    assert reason and escape(reason) in page
    assert "<img" not in page
    fitted = (small.parent / "stars" / "sim-00000.html").read_text()
    assert 'src="sim-00000.png"' in fitted
    assert (small.parent / "stars" / "sim-00000.png").stat().st_size > 50_000


def test_a_page_replaces_a_page_and_nothing_else(run: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="notes: holds something else than a report"):
        report(run / "catalog.zarr", tmp_path / "notes", stars=[])
    first = report(run / "catalog.zarr", tmp_path / "page", stars=[])
    content = {path.name: path.read_bytes() for path in first.parent.rglob("*") if path.is_file()}
    (first.parent / "left.txt").write_text("old")
    assert report(run / "catalog.zarr", tmp_path / "page", stars=[]) == first
    assert {path.name: path.read_bytes() for path in first.parent.rglob("*") if path.is_file()} == content
    with pytest.raises(InputError, match="no star 'KIC 9'"):
        report(run / "catalog.zarr", tmp_path / "page", stars=["KIC 9"])
    assert first.exists()


def test_without_the_run_folder_stars_have_no_pages(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "catalog.zarr", tmp_path / "catalog.zarr")
    page = report(tmp_path / "catalog.zarr", tmp_path / "page")
    assert _data(page)["pages"] == {}
    assert "&quot;n_period&quot;: 48" in page.read_text()  # the recipe is in the catalog itself
    assert not (page.parent / "stars").exists()


def test_pictures_and_table_come_from_a_run(run: Path, tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("no Chromium")
    (tmp_path / "demo").mkdir()
    for name in ("catalog.zarr", "lightcurves.zarr", "recipe.toml"):
        (tmp_path / "demo" / name).symlink_to(run / name)
    command = [sys.executable, PICTURES, tmp_path / "demo", "--out", tmp_path / "docs", "--star", "sim-00001"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "run `make demo` first" in done.stderr
    report(run / "catalog.zarr", tmp_path / "demo" / "report", stars=["sim-00001"])
    subprocess.run(command, check=True, capture_output=True)
    with (tmp_path / "docs" / "demo_catalog.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 4
    for name, width in (("survey", 1100), ("star_page", 1000), ("star", 1100)):
        picture = matplotlib.image.imread(tmp_path / "docs" / "images" / f"{name}.png")
        assert picture.shape[1] == width and picture.shape[0] > 1000
        # Drawn from top to bottom: no half of the page is empty.
        assert all(half.std() > 0.05 for half in (picture[: len(picture) // 2], picture[len(picture) // 2 :]))


def test_names_become_file_names_that_differ() -> None:
    names = ["KIC 7", "KIC-7", "a/b", "a:b", "../x", "ä", "", ".", "x" * 240, "x" * 241, "é" * 240, "\udce9"]
    files = [file_name(name) for name in names]
    assert files[0] == "KIC-7"
    assert len({*files[2:]}) == len(files[2:])
    assert all(re.fullmatch(r"[A-Za-z0-9_.+-]+", file) and not file.startswith(".") for file in files)
    assert max(map(len, files)) < 100


ODD = ["twin", "twin", "Field A", "field a", "Field-A", NASTY, "x" * 240, "β\x07\u202e\n", "$", "/../", "", "KIC 7"]


def test_every_star_has_a_page_whatever_its_name(tmp_path: Path) -> None:
    """Names that are the same, that differ in case alone, that are long, or HTML: one page each, with its name."""
    given = {
        "star_id": np.arange(len(ODD)),
        "name": np.array(ODD, object),
        "status": np.full(len(ODD), Status.FEW_POINTS),
        "reason": np.array([f"why {name}" for name in ODD], object),
    }
    write_part(tmp_path / "part", given, {})
    finalise([tmp_path / "part"], tmp_path / "catalog.zarr", {"survey": "<\x07>"})
    page = report(tmp_path / "catalog.zarr", tmp_path / "page", stars=[str(star_id) for star_id in range(len(ODD))])
    data, shown = _data(page), [as_line(name) for name in ODD]
    assert data["values"][0] == shown
    links = [data["pages"][str(row)] for row in range(len(ODD))]
    assert len({link.casefold() for link in links}) == len(ODD)
    for name, link in zip(shown, links, strict=True):
        text = (page.parent / link).read_text(encoding="utf-8")
        assert unescape(re.search("<h1>(.*?)</h1>", text)[1]) == name
        assert f"<p>{escape(f'why {name}')}</p>" in text
    assert "<h1>&lt;\\x07&gt;</h1>" in page.read_text(encoding="utf-8")


def test_the_script_is_short() -> None:
    script = Path(__file__).parents[2] / "pipeline/spotcat/report/assets/report.js"
    assert len(script.read_text().splitlines()) < 200


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium")
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def clean(tab: Page) -> Iterator[Page]:
    """The tab, in which nothing may go wrong and from which nothing may be asked but files."""
    tab.problems.clear()
    tab.requests.clear()
    yield tab
    assert tab.problems == []
    assert {address.split(":")[0] for address in tab.requests} <= {"file", "data"}


def _rows(page: Page) -> list[list[str]]:
    script = (
        "[...document.querySelectorAll('#stars tbody tr:not(.spacer)')].map(r => [...r.cells].map(c => c.innerText))"
    )
    return list(page.value(script))


def _filter(page: Page, column: str, text: str) -> None:
    page.value(
        f"(() => {{ const i = document.querySelector('input[aria-label=\"filter {column}\"]');"
        f"i.value = {json.dumps(text)}; i.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
    )


def _count(page: Page) -> str:
    return str(page.value("document.getElementById('count').textContent"))


def test_a_star_opens_from_the_table(clean: Page, small: Path) -> None:
    clean.open(small)
    assert sorted(row[0] for row in _rows(clean)) == ["short", "sim-00000", "sim-00001", "sim-00002"]
    clean.value("document.querySelector('#stars tbody a[href*=\"sim-00000\"]').click()")
    while clean.value("document.readyState") != "complete" or "stars/" not in clean.value("location.href"):
        pass
    assert clean.value("document.querySelector('h1').textContent") == "sim-00000"
    assert clean.value("document.querySelector('img').naturalWidth") == 1450
    clean.value("document.querySelector('nav a').click()")


def test_candidates_and_limits_are_marked_in_the_table(clean: Page, large: Path) -> None:
    clean.open(large)
    prot, life = TABLE.index("prot"), TABLE.index("spot_lifetime")
    verdict, flag = TABLE.index("verdict"), TABLE.index("lifetime_flag")
    rows = _rows(clean)
    assert {row[verdict] for row in rows} == {"not measurable", "rotator", "no rotation seen"}
    for row in rows:
        assert row[prot].endswith(" ?") == (row[verdict] == "no rotation seen")
        assert row[life].startswith("> ") == (row[flag] == "lower limit" and row[prot] != "")


def test_the_table_filters_sorts_and_searches(clean: Page, large: Path) -> None:
    clean.open(large)
    data = _data(large)
    prot = np.array(data["values"][TABLE.index("prot")], float)
    flags = np.array(data["values"][TABLE.index("flags")])
    assert _count(clean) == "50,000 of 50,000 stars"
    for text, kept in {
        ">5": prot > 5,
        "<= 3": prot <= 3,
        "5..10": (prot >= 5) & (prot <= 10),
        "..2": prot <= 2,
        "-": np.isnan(prot),
        "x": np.ones(len(prot), bool),
    }.items():
        _filter(clean, "prot", text)
        assert _count(clean).split()[0].replace(",", "") == str(np.count_nonzero(kept)), text
    assert clean.value("document.querySelector('input[aria-label=\"filter prot\"]').ariaInvalid") == "true"
    _filter(clean, "prot", "")
    _filter(clean, "flags", "few cycles")
    assert _count(clean).split()[0] == f"{np.count_nonzero(flags):,}"
    _filter(clean, "flags", "")
    for down in (False, True):
        clean.value("document.querySelector('th[data-column=\"1\"] button').click()")
        values = np.sort(prot[np.isfinite(prot)])[:: -1 if down else 1]
        assert [float(row[1].removesuffix(" ?")) for row in _rows(clean)][:5] == values[:5].tolist()
    assert clean.value("document.querySelector('th[data-column=\"1\"]').ariaSort") == "descending"


def test_a_name_is_text_whatever_it_holds(clean: Page, large: Path) -> None:
    clean.open(large)
    assert _rows(clean)[3][0] == NASTY
    assert clean.value("document.querySelector('h1').textContent") == "many <stars>"


def test_many_rows_are_drawn_few_at_a_time(clean: Page, large: Path) -> None:
    clean.open(large)
    script = "document.querySelectorAll('#stars tbody tr').length"
    assert 10 < clean.value(script) < 100
    for place, name in ((25_000, "TIC 25000"), (N_STARS - 1, f"TIC {N_STARS - 1}")):
        clean.value(f"document.getElementById('view').scrollTop = {30 * place}")
        clean.settle()
        assert clean.value(script) < 100
        assert name in [row[0] for row in _rows(clean)]


def test_the_keyboard_does_it_all(clean: Page, large: Path) -> None:
    """Search with /, reach a heading with Tab and sort with Enter, clear, scroll with Page Down."""
    clean.open(large)
    clean.press("/")
    clean.write("tic 4999")
    assert _count(clean) == "15 of 50,000 stars"  # 4999 to 44999, and 49990 to 49999
    focused = "document.activeElement.ariaLabel || document.activeElement.textContent"
    seen = []
    while "prot" not in seen:
        clean.press("Tab")
        seen.append(clean.value(focused))
        assert len(seen) < 20
    assert seen[:2] == ["Clear", "table of stars"]
    clean.press("Enter")
    assert clean.value("document.querySelector('th[data-column=\"1\"]').ariaSort") == "ascending"
    clean.value("document.getElementById('clear').focus()")
    clean.press("Enter")
    assert _count(clean) == "50,000 of 50,000 stars"
    clean.press("Tab")
    clean.press("PageDown")
    clean.value("new Promise(done => setTimeout(() => done(1), 400))")
    assert clean.value("document.getElementById('view').scrollTop") > 100
