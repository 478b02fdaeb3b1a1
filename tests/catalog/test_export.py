from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from catalog_samples import columns

from spotcat.catalog.export import FORMATS, export, export_file, format_of
from spotcat.catalog.schema import COLUMNS
from spotcat.catalog.selection import Catalog
from spotcat.catalog.store import Held
from spotcat.catalog.words import explained
from spotcat.status import InputError, RunError

IDS = list(range(20))
TEXT = [form for form in FORMATS if form not in ("fits", "parquet")]
FLOATS = [column.name for column in COLUMNS if column.dtype in ("f4", "f8")]


def _text(rows: Catalog, form: str) -> str:
    stream = io.StringIO()
    export(rows, form, stream)
    return stream.getvalue()


def _holding(catalog: Catalog, **values: np.ndarray) -> Catalog:
    """A catalog of given values for some of the columns of another."""
    return Catalog({name: Held(catalog.columns[name], array) for name, array in values.items()}, catalog.attrs)


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def test_csv_gives_back_every_value(catalog: Catalog) -> None:
    text = _text(catalog.query(""), "csv")
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


def test_json_gives_back_every_value_and_null_for_missing_ones(catalog: Catalog) -> None:
    read = json.loads(_text(catalog.query(""), "json"), parse_constant=_refuse)
    assert [list(row) for row in read] == [[column.name for column in COLUMNS]] * len(IDS)
    for name, values in columns(IDS).items():
        found = [row[name] for row in read]
        if name in FLOATS:
            stored = values.astype(catalog[name].dtype)
            assert [one is None for one in found] == np.isnan(stored).tolist()
            np.testing.assert_array_equal(np.array(found, dtype=stored.dtype), stored)
        else:
            assert found == values.tolist()


def test_single_precision_shows_no_digits_it_does_not_have(catalog: Catalog) -> None:
    (row,) = json.loads(_text(catalog.star("KIC 0", ["mag"]), "json"))
    assert str(np.float32(row["mag"])) == str(row["mag"])


def test_infinity_is_null_in_json_and_inf_in_csv(catalog: Catalog) -> None:
    rows = _holding(catalog, prot=np.array([np.inf]))
    assert json.loads(_text(rows, "json"), parse_constant=_refuse) == [{"prot": None}]
    assert _text(rows, "csv") == "prot\ninf\n"


def test_text_with_commas_and_breaks_survives(catalog: Catalog) -> None:
    rows = _holding(catalog, reason=np.array(['two\nlines, "quoted"'], object), name=np.array(["KIC 0"], object))
    assert list(csv.reader(io.StringIO(_text(rows, "csv"))))[1] == ['two\nlines, "quoted"', "KIC 0"]
    assert json.loads(_text(rows, "json"))[0]["reason"] == 'two\nlines, "quoted"'
    assert len(_text(rows, "table").splitlines()) == 4


def test_a_table_is_aligned_and_marks_missing_values(catalog: Catalog) -> None:
    lines = _text(catalog.query("star_id < 3", ["name", "prot", "n_points"]), "table").splitlines()
    assert lines[0].split() == ["name", "prot", "n_points"]
    assert lines[1].split() == ["d"]
    assert lines[-1] == "3 stars"
    assert lines[4].split() == ["KIC", "2", "-", "102"]
    assert float(lines[2].split()[2]) == pytest.approx(columns([0])["prot"][0], rel=1e-5)
    assert {len(line) for line in (lines[0], *lines[2:5])} == {len(lines[0])}


@pytest.mark.parametrize(("form", "expected"), [("csv", "name\n"), ("json", []), ("table", "name\n\n0 stars\n")])
def test_no_stars_are_no_rows(catalog: Catalog, form: str, expected: object) -> None:
    text = _text(catalog.query("star_id < 0", ["name"]), form)
    assert (json.loads(text) if form == "json" else text) == expected


def test_one_star_is_not_plural_and_arrays_stay_out(catalog: Catalog) -> None:
    lines = _text(catalog.star("KIC 3"), "table").splitlines()
    assert lines[-1] == "1 star"
    assert "gp_period" not in lines[0]


def test_an_unknown_format_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="unknown format 'jsn'; did you mean 'json'"):
        export(catalog, "jsn", io.StringIO())


@pytest.mark.parametrize("form", TEXT)
def test_a_file_holds_the_same_text(catalog: Catalog, tmp_path: Path, form: str) -> None:
    rows = catalog.query("prot > 5")
    (tmp_path / "out").write_text("old")
    export_file(rows, form, tmp_path / "out")
    assert (tmp_path / "out").read_text() == _text(rows, form)
    assert not list(tmp_path.glob("*.partial"))


def test_a_file_that_cannot_be_written_is_named(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"file/out\.csv: cannot be written"):
        export_file(catalog, "csv", tmp_path / "file" / "out.csv")


def _described(catalog: Catalog, found: dict[str, tuple[str, str, str]]) -> None:
    """Every column of a catalog is there with its unit, UCD and description."""
    assert list(found) == catalog.names
    for name, column in catalog.columns.items():
        if column.dims == ("star",):
            assert explained(column).startswith(column.description)
            assert found[name] == (column.unit, column.ucd, explained(column)), name


def _same_values(catalog: Catalog, name: str, values: np.ndarray) -> None:
    expected = catalog.column(name)
    if expected.dtype.kind == "f":
        np.testing.assert_array_equal(np.ma.filled(values, np.nan).astype(expected.dtype), expected, err_msg=name)
    else:
        assert np.ma.filled(values, "" if expected.dtype == object else 0).tolist() == expected.tolist(), name


@pytest.mark.parametrize(
    ("suffix", "options"),
    [("fits", {}), ("ecsv", {}), ("vot", {"format": "votable"}), ("parquet", {"format": "parquet.votable"})],
)
@pytest.mark.filterwarnings("ignore:No table..len")
def test_astropy_reads_every_format_with_units_and_words(
    catalog: Catalog, tmp_path: Path, suffix: str, options: dict[str, str]
) -> None:
    path = tmp_path / f"stars.{suffix}"
    catalog.write(path)
    table = Table.read(path, **options)
    header = fits.getheader(path, 1) if suffix == "fits" else {}
    found = {}
    for number, name in enumerate(table.colnames, start=1):
        column = table[name]
        unit = column.unit.to_string("vounit") if column.unit else ""
        # XML may break lines.
        found[name] = (unit, column.meta["ucd"], " ".join(column.description.split()))
        if suffix == "fits":
            assert header[f"TUCD{number}"] == column.meta["ucd"]
            assert header[f"TCOMM{number}"] == column.description
        _same_values(catalog, name, column)
    _described(catalog, found)


def test_a_table_of_astropy_converts_units(catalog: Catalog) -> None:
    table = catalog.query("status == 0").to_astropy()
    assert table["prot"].quantity[0].to_value("h") == pytest.approx(24 * table["prot"][0])
    assert table.meta["survey"] == "sample"
    assert table["flags"].meta["flag_meanings"].split()[0] == "not_detected"


def test_pandas_reads_parquet_csv_and_the_catalog_itself(catalog: Catalog, tmp_path: Path) -> None:
    catalog.write(tmp_path / "stars.parquet")
    catalog.write(tmp_path / "stars.csv")
    direct = catalog.to_pandas()
    assert direct.attrs["columns"]["prot"]["units"] == "d"
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "stars.parquet"), direct, check_like=False)
    read = pd.read_csv(tmp_path / "stars.csv", float_precision="round_trip")
    assert read.columns.tolist() == catalog.names
    np.testing.assert_array_equal(read["prot"], direct["prot"])


def test_parquet_has_the_layout_that_hats_imports(catalog: Catalog, tmp_path: Path) -> None:
    """Flat columns, positions in double precision without gaps, no index of pandas, and metadata for people."""
    catalog.query("isfinite(ra)").write(tmp_path / "stars.parquet")
    file = pq.ParquetFile(tmp_path / "stars.parquet")
    schema = file.schema_arrow
    assert schema.names == catalog.names
    assert not any(pa.types.is_nested(field.type) for field in schema)
    assert schema.field("ra").type == schema.field("dec").type == pa.float64()
    assert schema.field("star_id").type == pa.int64()
    assert b"pandas" not in schema.metadata
    words = {name: schema.field(name).metadata for name in schema.names}
    _described(
        catalog, {k: tuple(v[key].decode() for key in (b"unit", b"ucd", b"description")) for k, v in words.items()}
    )
    assert json.loads(schema.metadata[b"spotcat"])["survey"] == "sample"
    table = file.read(["ra", "dec", "star_id"])
    assert table["ra"].null_count == table["dec"].null_count == 0
    assert np.isfinite(table["ra"].to_numpy()).all()
    assert table["star_id"].to_pylist() == sorted(table["star_id"].to_pylist())


@pytest.mark.parametrize("form", ["fits", "parquet", "votable", "ecsv", "csv", "json"])
def test_equal_rows_have_equal_bytes_and_no_rows_are_a_file(catalog: Catalog, tmp_path: Path, form: str) -> None:
    for name, expression in (("a", "prot > 5"), ("b", "prot > 5"), ("none", "star_id < 0")):
        export_file(catalog.query(expression), form, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "none").read_bytes()


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", "csv"),
        ("a.FITS", "fits"),
        ("a.vot", "votable"),
        ("a.xml", "votable"),
        ("a", "table"),
        ("a.txt", "table"),
        ("a.pq", "parquet"),
    ],
)
def test_a_suffix_stands_for_a_format(name: str, form: str) -> None:
    assert format_of(Path(name)) == form


@pytest.mark.parametrize("name", ["a.x", "a.xlsx", "a.csv.gz", "a.table"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match=r"no format ends in '\w+'; known: \.csv, \.ecsv, .*\.vot"):
        format_of(Path(name))


@pytest.mark.parametrize("form", ["fits", "parquet"])
def test_binary_formats_need_a_file(catalog: Catalog, form: str) -> None:
    with pytest.raises(InputError, match=f"{form} is not text; name a file with --out"):
        export(catalog, form, io.StringIO())
