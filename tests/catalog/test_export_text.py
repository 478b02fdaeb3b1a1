"""Any text through every export: a name is whatever a file was called."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table
from astropy.table import Table
from catalog_samples import columns

from spotcat.catalog.escapes import as_ascii, as_line, as_text, shortened
from spotcat.catalog.export import export
from spotcat.catalog.finalise import finalise
from spotcat.catalog.query import open_catalog
from spotcat.catalog.selection import Catalog
from spotcat.catalog.writer import write_part

NAMES = [
    "β Pic",
    "星\u3000😀",
    "a\x07b\x1b[31m\x7f\x85",
    "nul\x00",
    "two\nlines\r\tand a tab",
    "\"quoted\", 'with' commas; and\\x07",
    "<&>]]>",
    "$\\frac{1}{0}$",
    "x" * 240,
    "\u202eright to left\u200b",
    "no\ufffechar",
    "undecodable \udce9",
    "=1+1",
    "",
    "NaN",
    "KIC 7",
]
PLAIN = "nothing but ASCII"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A catalog of stars with odd names, each also the reason of its star, in a survey with an odd name."""
    folder = tmp_path_factory.mktemp("odd")
    given = columns(range(len(NAMES)))
    given["name"] = given["reason"] = np.array(NAMES, object)
    write_part(folder / "part", given, {})
    attrs = {"survey": "Ω\x07<&>", "input_hash": "as a column", "code": None, "spots": {"a": ["b"]}, "ready": True}
    finalise([folder / "part"], folder / "catalog.zarr", attrs)
    return open_catalog(folder / "catalog.zarr")


def _stored(catalog: Catalog) -> list[str]:
    names = catalog.column("name").tolist()
    assert names == [name.replace("\udce9", "\\udce9") for name in NAMES]
    return [str(name) for name in names]


def _names_of(path: Path) -> list[str]:
    """The names in a file, as its readers in the field have them."""
    match path.suffix:
        case ".csv":
            assert pd.read_csv(path, keep_default_na=False)["name"].tolist()[:9]
            with path.open(newline="", encoding="utf-8") as stream:
                return [row["name"] for row in csv.DictReader(stream)]
        case ".json":
            return [row["name"] for row in json.loads(path.read_bytes())]
        case ".parquet":
            return list(pq.read_table(path)["name"].to_pylist())
        case ".vot":
            return [str(name) for name in parse_single_table(path).array["name"]]
        case ".ecsv":
            return [str(name) for name in np.ma.filled(Table.read(path)["name"], "")]
    return [name.decode("ascii") for name in fits.getdata(path, 1)["name"].astype("S")]


@pytest.mark.parametrize(
    ("suffix", "written"),
    [("json", str), ("parquet", str), ("csv", as_text), ("ecsv", as_text), ("vot", as_text), ("fits", as_ascii)],
)
def test_every_name_comes_back_or_is_escaped(odd: Catalog, tmp_path: Path, suffix: str, written: Any) -> None:
    path = tmp_path / f"stars.{suffix}"
    odd.write(path)
    assert _names_of(path) == [written(name) for name in _stored(odd)]


def test_fits_says_that_it_escapes_and_only_then(odd: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "stars.fits"
    odd.write(path)
    with fits.open(path) as file:
        file.verify("exception")
        assert "escaped, Greek beta as \\u03b2" in str(file[1].header["COMMENT"])
    odd.query("name == 'KIC 7'").write(path)
    assert "escaped" not in str(fits.getheader(path, 1)["COMMENT"])


def test_the_printed_table_is_one_visible_line_a_star(odd: Catalog) -> None:
    stream = io.StringIO()
    export(odd.select(["name"]), "table", stream)
    lines = stream.getvalue().splitlines()
    assert len(lines) == len(NAMES) + 3
    assert all(line.isprintable() for line in lines)
    assert {"a\\x07b\\x1b[31m\\x7f", "nul\\x00", "\\u202eright to left\\u200b"} <= set(lines)
    assert repr(odd).splitlines()[0].startswith("Ω\\x07<&>: 16 stars")


PRINTING = """
import sys
from spotcat.catalog.export import export
from spotcat.catalog.query import open_catalog
sys.stdout.reconfigure(errors="backslashreplace")
rows = open_catalog(sys.argv[1]).select(["name", "reason", "prot"])
for form in ("table", "csv", "votable"):
    export(rows, form, sys.stdout)
for suffix in ("csv", "ecsv", "vot", "fits", "parquet", "json"):
    rows.write(f"{sys.argv[2]}/stars.{suffix}")
"""


def test_a_locale_of_ascii_changes_no_file(odd: Catalog, tmp_path: Path) -> None:
    folder = odd._sources["name"].array.store_path.store._store.root
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", PRINTING, folder, tmp_path]
    done = subprocess.run(command, env=os.environ | locale, capture_output=True, check=True)
    rows, printed = odd.select(["name", "reason", "prot"]), b""
    for form in ("table", "csv", "votable"):
        stream = io.StringIO()
        export(rows, form, stream)
        printed += stream.getvalue().encode(*(("ascii", "backslashreplace") if form == "table" else ("utf-8",)))
    assert done.stdout == printed
    for suffix in ("csv", "ecsv", "vot", "fits", "parquet", "json"):
        rows.write(tmp_path / f"here.{suffix}")
        assert (tmp_path / f"here.{suffix}").read_bytes() == (tmp_path / f"stars.{suffix}").read_bytes(), suffix


@pytest.mark.parametrize("text", NAMES[:12])
def test_what_is_escaped_can_be_read_and_what_is_plain_is_left(text: str) -> None:
    assert as_text(PLAIN) == as_ascii(PLAIN) == as_line(PLAIN) == PLAIN
    assert as_ascii(text).isascii() and as_ascii(text).isprintable()
    assert as_line(text).isprintable()
    as_text(text).encode("utf-8")
    if "\\" not in text:
        assert as_ascii(text).encode("ascii").decode("unicode_escape") == text


def test_a_long_text_keeps_its_ends() -> None:
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghijk", 10) == "abcdef…ijk"
    assert len(shortened("x" * 240, 32)) == 32


def _votable_of_parquet(path: Path, out: Path) -> Path:
    out.write_bytes(pq.read_schema(path).metadata[b"IVOA.VOTable-Parquet.content"])
    return out


@pytest.fixture(params=["odd", "sample", "few", "none"])
def any_rows(request: pytest.FixtureRequest, odd: Catalog, catalog: Catalog) -> Catalog:
    """Every kind of rows that are exported: odd names, a catalog, what searches add, none."""
    found = catalog.cone(8, 8, 90, ["name", "ra", "sigma_k", "lifetime_flag", "input_hash"])
    return {"odd": odd, "sample": catalog, "few": found, "none": catalog.query("prot < 0")}[request.param]


@pytest.mark.skipif(shutil.which("stilts") is None, reason="no stilts (Debian: apt-get install stilts)")
def test_votlint_finds_nothing(any_rows: Catalog, tmp_path: Path) -> None:
    any_rows.write(tmp_path / "stars.vot")
    any_rows.write(tmp_path / "stars.parquet")
    for path in (tmp_path / "stars.vot", _votable_of_parquet(tmp_path / "stars.parquet", tmp_path / "header.vot")):
        done = subprocess.run(["stilts", "votlint", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout


@pytest.mark.skipif(shutil.which("fitsverify") is None, reason="no fitsverify (Debian: apt-get install fitsverify)")
def test_fitsverify_finds_nothing(any_rows: Catalog, tmp_path: Path) -> None:
    any_rows.write(tmp_path / "stars.fits")
    done = subprocess.run(["fitsverify", tmp_path / "stars.fits"], capture_output=True, text=True, check=False)
    assert "0 warning(s) and 0 error(s)" in done.stdout, done.stdout
    assert done.returncode == 0


def test_an_attribute_may_be_called_like_a_column(odd: Catalog, tmp_path: Path) -> None:
    """Without votlint: every identifier of a VOTable is given once."""
    odd.write(tmp_path / "stars.vot")
    table = parse_single_table(tmp_path / "stars.vot")
    assert table.get_field_by_id("input_hash").name == "input_hash"
    text = (tmp_path / "stars.vot").read_text(encoding="utf-8")
    found = [part.split('"')[0] for part in text.split(' ID="')[1:]]
    assert len(found) == len(set(found)) == len(odd.names)
    assert '<INFO name="input_hash" value="as a column"/>' in text
