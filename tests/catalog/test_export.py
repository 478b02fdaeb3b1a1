from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from catalog_samples import columns

from spotcat.catalog.export import FORMATS, export, export_file
from spotcat.catalog.query import query, star
from spotcat.catalog.schema import COLUMNS
from spotcat.status import InputError, RunError

IDS = list(range(20))
FLOATS = [column.name for column in COLUMNS if column.dtype in ("f4", "f8")]


def _text(rows: xr.Dataset, form: str) -> str:
    stream = io.StringIO()
    export(rows, form, stream)
    return stream.getvalue()


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def test_csv_gives_back_every_value(catalog: xr.Dataset) -> None:
    text = _text(query(catalog, ""), "csv")
    assert text.splitlines()[0] == ",".join(column.name for column in COLUMNS)
    read = list(csv.DictReader(io.StringIO(text)))
    for name, values in columns(IDS).items():
        found = [row[name] for row in read]
        if name in FLOATS:
            stored = values.astype(catalog[name].dtype)
            back = np.array([float(one) if one else np.nan for one in found]).astype(stored.dtype)
            np.testing.assert_array_equal(back, stored)
        else:
            assert found == [str(value) for value in values.tolist()]


def test_json_gives_back_every_value_and_null_for_missing_ones(catalog: xr.Dataset) -> None:
    read = json.loads(_text(query(catalog, ""), "json"), parse_constant=_refuse)
    assert [list(row) for row in read] == [[column.name for column in COLUMNS]] * len(IDS)
    for name, values in columns(IDS).items():
        found = [row[name] for row in read]
        if name in FLOATS:
            stored = values.astype(catalog[name].dtype)
            assert [one is None for one in found] == np.isnan(stored).tolist()
            np.testing.assert_array_equal(np.array(found, dtype=stored.dtype), stored)
        else:
            assert found == values.tolist()


def test_single_precision_shows_no_digits_it_does_not_have(catalog: xr.Dataset) -> None:
    (row,) = json.loads(_text(star(catalog, "KIC 0", ["mag"]), "json"))
    assert str(np.float32(row["mag"])) == str(row["mag"])


def test_infinity_is_null_in_json_and_inf_in_csv(catalog: xr.Dataset) -> None:
    rows = query(catalog, "star_id == 0", ["prot"])
    rows["prot"][0] = np.inf
    assert json.loads(_text(rows, "json"), parse_constant=_refuse) == [{"prot": None}]
    assert _text(rows, "csv") == "prot\ninf\n"


def test_text_with_commas_and_breaks_survives(catalog: xr.Dataset) -> None:
    rows = query(catalog, "star_id == 0", ["reason", "name"])
    rows["reason"][0] = 'two\nlines, "quoted"'
    assert list(csv.reader(io.StringIO(_text(rows, "csv"))))[1] == ['two\nlines, "quoted"', "KIC 0"]
    assert json.loads(_text(rows, "json"))[0]["reason"] == 'two\nlines, "quoted"'
    assert len(_text(rows, "table").splitlines()) == 4


def test_a_table_is_aligned_and_marks_missing_values(catalog: xr.Dataset) -> None:
    lines = _text(query(catalog, "star_id < 3", ["name", "prot", "n_points"]), "table").splitlines()
    assert lines[0].split() == ["name", "prot", "n_points"]
    assert lines[1].split() == ["d"]
    assert lines[-1] == "3 stars"
    assert lines[4].split() == ["KIC", "2", "-", "102"]
    assert float(lines[2].split()[2]) == pytest.approx(columns([0])["prot"][0], rel=1e-5)
    assert {len(line) for line in (lines[0], *lines[2:5])} == {len(lines[0])}


@pytest.mark.parametrize(("form", "expected"), [("csv", "name\n"), ("json", []), ("table", "name\n\n0 stars\n")])
def test_no_stars_are_no_rows(catalog: xr.Dataset, form: str, expected: object) -> None:
    text = _text(query(catalog, "star_id < 0", ["name"]), form)
    assert (json.loads(text) if form == "json" else text) == expected


def test_one_star_is_not_plural_and_arrays_stay_out(catalog: xr.Dataset) -> None:
    lines = _text(star(catalog, "KIC 3"), "table").splitlines()
    assert lines[-1] == "1 star"
    assert "gp_period" not in lines[0]


def test_an_unknown_format_is_refused(catalog: xr.Dataset) -> None:
    with pytest.raises(InputError, match="unknown format 'jsn'; did you mean 'json'"):
        export(catalog, "jsn", io.StringIO())


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_holds_the_same_text(catalog: xr.Dataset, tmp_path: Path, form: str) -> None:
    rows = query(catalog, "prot > 5")
    (tmp_path / "out").write_text("old")
    export_file(rows, form, tmp_path / "out")
    assert (tmp_path / "out").read_text() == _text(rows, form)
    assert not list(tmp_path.glob("*.partial"))


def test_a_file_that_cannot_be_written_is_named(catalog: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"file/out\.csv: cannot be written"):
        export_file(catalog, "csv", tmp_path / "file" / "out.csv")
