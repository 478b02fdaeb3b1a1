"""Codes and flags as words, wherever a table goes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import parse, parse_single_table
from astropy.table import Table

from spotcat.catalog.export import export
from spotcat.catalog.finalise import finalise
from spotcat.catalog.query import open_catalog
from spotcat.catalog.schema import COLUMNS
from spotcat.catalog.selection import Catalog
from spotcat.catalog.words import explained, has_words, in_words, with_words
from spotcat.catalog.writer import write_part
from spotcat.status import Flag, LifetimeFlag, Status, Verdict

BY_NAME = {column.name: column for column in COLUMNS}
CODED = ["verdict", "rotating", "lifetime_flag", "kappa_flag", "inc_flag", "status", "flags"]
ABOUT = {
    "survey": "told",
    "spotcat_version": "1.2.3",
    "authors": ["Ada L.", "Brahé"],
    "licence": "CC-BY-4.0",
    "date": "2026-11-28",
    "recipe": {"survey": {"name": "told", "seed": 1}, "clean": {"quality": "hard"}},
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A star of each verdict."""
    folder = tmp_path_factory.mktemp("told")
    n = len(Verdict)
    columns = {
        "star_id": np.arange(n),
        "name": np.array([f"star {number}" for number in range(n)], object),
        "prot": np.arange(n) + 0.5,
        "verdict": np.array(list(Verdict), np.int8),
        "status": np.array([Status.FEW_POINTS] + [Status.OK] * (n - 1), np.int8),
        "lifetime_flag": np.full(n, LifetimeFlag.LOWER_LIMIT, np.int8),
        "flags": np.array([0, 0, int(Flag.NOT_DETECTED | Flag.ALIAS_POSSIBLE)] + [256] * (n - 3), np.int32),
    }
    columns["prot"][0] = np.nan
    write_part(folder / "part", columns, {})
    finalise([folder / "part"], folder / "catalog.zarr", ABOUT)
    return open_catalog(folder / "catalog.zarr")


def _text(rows: Catalog, form: str) -> str:
    stream = io.StringIO()
    export(rows, form, stream)
    return stream.getvalue()


def test_the_columns_of_codes_have_words_and_no_others() -> None:
    assert [name for name in BY_NAME if has_words(BY_NAME[name])] == CODED


def test_codes_and_flags_in_words() -> None:
    assert in_words(BY_NAME["verdict"], np.array([1, 6, 1], np.int8)).tolist() == [
        "rotator",
        "no_rotation_seen",
        "rotator",
    ]
    assert in_words(BY_NAME["flags"], np.array([0, 5], np.int32)).tolist() == ["none", "not_detected|alias_possible"]
    assert in_words(BY_NAME["flags"], np.zeros(0, np.int32)).tolist() == []
    # A catalog that a later spotcat of this schema wrote may have more.
    assert in_words(BY_NAME["verdict"], np.array([99], np.int8)).tolist() == ["99"]
    assert in_words(BY_NAME["flags"], np.array([1 | 1 << 30], np.int32)).tolist() == ["not_detected|1073741824"]


def test_a_printed_table_has_words_and_marks_candidates(told: Catalog) -> None:
    lines = _text(told.select(["prot", "verdict", "flags"]), "table").splitlines()
    assert [line.split() for line in lines[2:-1]] == [
        ["-", "not_measurable", "none"],
        ["1.5", "rotator", "none"],
        ["2.5?", "probable", "not_detected|alias_possible"],
        ["3.5", "periodic_undecided", "strictly_periodic"],
        ["4.5", "periodic_not_spots", "strictly_periodic"],
        ["5.5?", "eclipsing", "strictly_periodic"],
        ["6.5?", "no_rotation_seen", "strictly_periodic"],
    ]
    assert "?" not in _text(told.select(["name", "prot"]), "table")


def test_words_replace_codes_where_asked(told: Catalog) -> None:
    worded = with_words(told)
    assert worded.names == told.names
    assert not [name for name in worded.names if has_words(worded.columns[name])]
    read = list(csv.DictReader(io.StringIO(_text(worded, "csv"))))
    assert [row["verdict"] for row in read] == [code.name.lower() for code in Verdict]
    assert {row["lifetime_flag"] for row in read} == {"lower_limit"}
    assert json.loads(_text(worded, "json"))[2]["flags"] == "not_detected|alias_possible"
    assert worded.column("prot") is not None and worded.attrs == told.attrs


def test_csv_without_words_is_read_by_pandas_without_options(told: Catalog, tmp_path: Path) -> None:
    told.write(tmp_path / "stars.csv")
    frame = pd.read_csv(tmp_path / "stars.csv")
    assert frame.columns.tolist() == told.names
    assert frame["verdict"].tolist() == list(Verdict)


@pytest.mark.parametrize("suffix", ["fits", "vot", "parquet", "ecsv"])
def test_every_format_of_the_field_has_the_words_of_every_code(told: Catalog, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"stars.{suffix}"
    told.write(path)
    about = path.read_text("latin-1")
    if suffix == "parquet":
        about = " ".join(field.metadata[b"description"].decode() for field in pq.read_schema(path))
    for word in ("no_rotation_seen", "degenerate_with_shear", "alias_possible", "few_points"):
        assert word in about


@pytest.mark.filterwarnings("ignore:No table..len")
@pytest.mark.parametrize("suffix", ["fits", "vot", "parquet", "ecsv"])
def test_every_format_of_the_field_takes_words_in_place_of_codes(told: Catalog, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"stars.{suffix}"
    with_words(told).write(path)
    kind = {"vot": "votable", "parquet": "parquet.votable"}.get(suffix)
    read = Table.read(path, format=kind)
    assert [str(word) for word in read["verdict"]] == [code.name.lower() for code in Verdict]
    assert str(read["flags"][2]) == "not_detected|alias_possible"


def test_readers_find_the_words_where_each_format_has_them(told: Catalog, tmp_path: Path) -> None:
    for suffix in ("fits", "vot", "parquet"):
        told.write(tmp_path / f"stars.{suffix}")
    field = parse_single_table(tmp_path / "stars.vot").get_field_by_id("verdict")
    assert field.values.options == [(code.name.lower(), str(code.value)) for code in Verdict]
    header = fits.getheader(tmp_path / "stars.fits", 1)
    number = told.names.index("flags") + 1
    assert header[f"TCOMM{number}"] == explained(BY_NAME["flags"])
    assert "4 alias_possible" in header[f"TCOMM{number}"]
    about = pq.read_schema(tmp_path / "stars.parquet").field("verdict").metadata
    assert json.loads(about[b"flag_values"]) == list(Verdict)
    assert json.loads(about[b"flag_meanings"]).split() == [code.name.lower() for code in Verdict]


def test_who_made_it_and_how_goes_with_it(told: Catalog, tmp_path: Path) -> None:
    for suffix in ("fits", "vot", "parquet", "ecsv"):
        told.write(tmp_path / f"stars.{suffix}")
    header = fits.getheader(tmp_path / "stars.fits", 1)
    assert header["CREATOR"] == "spotcat 1.2.3"
    assert header["AUTHOR"] == "Ada L., Brah\\xe9"
    assert header["LICENSE"] == "CC-BY-4.0"
    assert header["DATE"] == "2026-11-28"
    history = "".join(header["HISTORY"])
    assert '"quality": "hard"' in history.replace("\n", "")
    infos = {info.name: info.value for info in parse_infos(tmp_path / "stars.vot")}
    assert infos["licence"] == "CC-BY-4.0"
    assert json.loads(infos["recipe"]) == ABOUT["recipe"]
    stored = json.loads(pq.read_schema(tmp_path / "stars.parquet").metadata[b"spotcat"])
    assert ABOUT.items() <= stored.items()
    assert ABOUT.items() <= Table.read(tmp_path / "stars.ecsv").meta.items()


def parse_infos(path: Path) -> list[object]:
    return list(parse(path).resources[0].infos)


def test_a_catalog_that_says_nothing_of_itself_has_no_such_cards(told: Catalog, tmp_path: Path) -> None:
    Catalog({name: told._sources[name] for name in told.names}, {"authors": []}).write(tmp_path / "stars.fits")
    assert not {"CREATOR", "AUTHOR", "LICENSE", "DATE"} & set(fits.getheader(tmp_path / "stars.fits", 1))
