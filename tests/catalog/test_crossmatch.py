"""Keys of other people's tables: every way that a number or a name is written, and every way that one is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked

from spotcat.catalog.schema import COLUMNS
from spotcat.catalog.selection import Catalog
from spotcat.catalog.store import Held
from spotcat.status import InputError

TABLE, HUGE = 4_000_000_123_456_789, 4_070_962_724_135_935_489
STARS = {
    "star_id": np.array([1_000_000_757_076, 2_000_211_015_853, 3_000_061_000_031, TABLE, HUGE]),
    "name": np.array(["KIC 757076", "EPIC 211015853", "TIC 61000031", "β Pic", "1234"], object),
    "mission": np.array(["Kepler", "K2", "TESS", "table", "table"], object),
    "mission_id": np.array([757_076, 211_015_853, 61_000_031, -1, -1]),
    "ra": np.array([290.0, 56.0, 10.0, 87.0, np.nan]),
    "dec": np.array([40.0, 24.0, -60.0, -51.0, np.nan]),
}


def _catalog(**columns: Any) -> Catalog:
    about = {column.name: column for column in COLUMNS}
    return Catalog({name: Held(about[name], np.array(values)) for name, values in (STARS | columns).items()}, {})


def _rows(table: Any, on: str, catalog: Catalog | None = None) -> list[tuple[int, int]]:
    """Row of the catalog and of the table of each match."""
    found = (catalog or _catalog()).crossmatch(table, on=on, columns=["star_id"])
    return list(zip(np.searchsorted(STARS["star_id"], found.column("star_id")), found.column("match_row"), strict=True))


@pytest.mark.parametrize(
    "ids",
    [
        np.array([3_000_061_000_031, 5, TABLE]),
        np.array([3_000_061_000_031, np.nan, TABLE]),
        [3_000_061_000_031, None, TABLE],
        ["3000061000031", "", f"{TABLE}"],
        ["3000061000031.0", "nan", f" {TABLE}.0"],
        np.array(["3000061000031", "x", f"{TABLE}"]),
        np.array([b"3000061000031", b"\xff", f"{TABLE}".encode()]),
        pd.Series([3_000_061_000_031, None, TABLE], dtype="Int64"),
        pd.Series([3_000_061_000_031, None, TABLE]),
        pa.chunked_array([[3_000_061_000_031, None, TABLE]]),
        np.ma.array([3_000_061_000_031, 1_000_000_757_076, TABLE], mask=[0, 1, 0]),
        MaskedColumn([3_000_061_000_031, 1_000_000_757_076, TABLE], mask=[0, 1, 0]),
        Masked(np.array([3_000_061_000_031, 1_000_000_757_076, TABLE]), mask=[False, True, False]),
    ],
    ids=lambda ids: f"{type(ids).__name__} {getattr(ids, 'dtype', '')}",
)
def test_star_ids_survive_every_type(ids: Any) -> None:
    assert _rows({"star_id": ids}, "star_id") == [(2, 0), (3, 2)]


@pytest.mark.parametrize(
    "ids",
    [
        np.array([float(HUGE)]),
        np.array([2.0**53]),
        pd.Series([HUGE, None], dtype=object).astype(float),
        np.array([3_000_061_000_031], dtype=np.float32),
        pd.Series([3_000_061_000_031], dtype="Float32"),
        pa.chunked_array([pa.array([3e12], pa.float32())]),
    ],
    ids=lambda ids: f"{type(ids).__name__} {getattr(ids, 'dtype', '')}",
)
@pytest.mark.parametrize("on", ["star_id", "tic", "x"])
def test_numbers_that_were_rounded_are_refused(ids: Any, on: str) -> None:
    with pytest.raises(InputError, match=f"column '{on}' holds .* as a floating-point number, which is rounded"):
        _rows({on: ids}, on)
    assert _rows({on: [HUGE]}, "x" if on == "x" else on) == ([] if on == "tic" else [(4, 0)])


@pytest.mark.parametrize(
    ("on", "number", "row"),
    [
        *((on, 61_000_031, 2) for on in ("tic", "TIC", "ticid", "TIC_ID", "tic_number", "Tic No")),
        *((on, 757_076, 0) for on in ("kic", "KIC", "kepid", "KeplerID", "kic_id")),
        *((on, 211_015_853, 1) for on in ("epic", "EPIC", "epic_id", "EPIC_NUMBER")),
        ("target", 61_000_031, 2),
        ("id", 757_076, 0),
        ("statistic", 211_015_853, 1),
    ],
)
def test_bare_mission_numbers_are_matched_however_they_are_written(on: str, number: int, row: int) -> None:
    name = STARS["name"][row]
    kinds: list[Any] = [
        np.array([number]),
        np.array([float(number)]),
        pd.Series([number, None]),
        np.array([f"{number}"]),
        np.array([f"{number}.0"]),
        np.array([f"{number:012d}".encode()]),
        [name.replace(" ", "")],
        [name.replace(" ", " 000")],
        [name.replace(" ", "-").lower()],
    ]
    for values in kinds:
        assert _rows({on: values}, on) == [(row, 0)], values


def test_a_number_of_another_catalog_is_no_match() -> None:
    assert _rows({"kic": [61_000_031, 757_076]}, "kic") == [(0, 1)]
    assert _rows({"tic": ["KIC 757076", "TIC 757076", "757076"]}, "tic") == [(0, 0)]
    assert _rows({"tic": [3_000_061_000_031, 1234]}, "tic") == []
    assert _rows({"star_id": [61_000_031]}, "star_id") == []
    assert _rows({"name": ["1234", 1234, "4"]}, "name") == [(4, 0)]


def test_numbers_that_may_be_two_stars_are_refused() -> None:
    same = _catalog(mission_id=[757_076, 61_000_031, 61_000_031, -1, -1], name=["a", "b", "c", "d", "e"])
    with pytest.raises(
        InputError, match="'id' may be EPIC of 1 stars and TIC of 1 stars; call the column star_id, kic"
    ):
        _rows({"id": [61_000_031]}, "id", same)
    assert _rows({"epic": [61_000_031]}, "epic", same) == [(1, 0)]
    mixed = [757_076, 61_000_031]
    with pytest.raises(InputError, match="may be KIC of 1 stars and TIC of 1 stars"):
        _rows({"id": mixed}, "id")
    # A survey whose star ids are the mission's own numbers is not ambiguous.
    own = _catalog(star_id=[757_076, 211_015_853, 61_000_031, 7, 8])
    found = own.crossmatch({"id": [61_000_031, 7]}, on="id", columns=["name"])
    assert found.column("name").tolist() == ["TIC 61000031", "β Pic"]


def test_a_name_of_two_stars_is_refused_where_it_is_asked_for() -> None:
    twins = _catalog(name=["twin", "Twin", "TIC 61000031", "β Pic", "1234"])
    with pytest.raises(InputError, match="several stars are called 'twin'; match them by star id"):
        _rows({"name": ["twin"]}, "name", twins)
    assert _rows({"name": ["β  pic"]}, "name", twins) == [(3, 0)]


def test_a_selection_needs_no_mission_columns() -> None:
    few = _catalog().select(["star_id", "name"])
    assert _rows({"tic": [61_000_031.0]}, "tic", few) == [(2, 0)]


NOTHING: list[Callable[[], Any]] = [
    lambda: [None, None],
    lambda: np.array([np.nan, np.inf]),
    lambda: np.ma.masked_all(2, int),
    lambda: MaskedColumn(["TIC 61000031", "β Pic"], mask=[True, True]),
    lambda: MaskedColumn([b"TIC 61000031", b"1234"], mask=[True, True]),
    lambda: pd.Series([pd.NA, pd.NaT], dtype=object),
    lambda: pd.Series([None, None], dtype="string"),
    lambda: pd.Series(pd.Categorical([None, None])),
    lambda: pa.chunked_array([pa.array([None, None], pa.string())]),
    lambda: ["", "  "],
    lambda: ["no such star", "—"],
    lambda: [b"\xff\xfe", b""],
    lambda: [[1, 2], {"a": 1}],
    lambda: [True, False],
    lambda: [61_000_031.5, 1e300 * 0 + 0.5],
    lambda: [1 + 2j, np.complex128(61_000_031)],
    lambda: [-1, 0],
]


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("on", ["name", "star_id", "kic"])
def test_a_key_that_says_nothing_has_no_match(nothing: Callable[[], Any], on: str) -> None:
    assert _rows({on: nothing()}, on) == []


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        (np.ma.array([10.0, 10.0], mask=[0, 1]), np.ma.array([-60.0, -60.0], mask=[0, 0])),
        (MaskedColumn([10.0, 10.0], unit="deg"), MaskedColumn([-60.0, -60.0], unit="deg", mask=[False, True])),
        (Masked([10.0, 10.0] * u.deg, mask=[False, True]), [-3600.0, -3600.0] * u.arcmin),
        ([10.0, None], [-60.0, -60.0]),
        (["10", ""], ["-60.0", "x"]),
        ([b"10", b"10:00:00"], [-60, -60]),
        (pd.Series([10.0, None], dtype="Float64"), pd.Series([-60.0, -60.0])),
        (pa.chunked_array([[10.0, None]]), pa.chunked_array([[-60.0, -60.0]])),
        ([10.0, -999.0], [-60.0, -999.0]),
        ([10.0, np.inf], [-60.0, np.nan]),
    ],
)
def test_a_position_that_is_missing_has_no_match(ra: Any, dec: Any) -> None:
    columns = {"ra": ra, "dec": dec}
    tables = [columns, QTable(columns) if isinstance(ra, Masked) else None]
    tables += [Table(columns)] if isinstance(ra, MaskedColumn) else []
    for table in filter(None, tables):
        found = _catalog().crossmatch(table, columns=["name"])
        assert found.column("name").tolist() == ["TIC 61000031"]
        assert found.column("match_row").tolist() == [0]


def test_positions_written_as_hours_are_refused() -> None:
    with pytest.raises(InputError, match="column 'ra' holds no numbers; give degrees"):
        _catalog().crossmatch({"ra": ["00:40:00", ""], "dec": ["-60:00:00", ""]})


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"a": [1.5], "TIC": [61_000_031]}),
        np.array([(1.5, 61_000_031)], dtype=[("a", float), ("TIC", np.int64)]),
        pd.DataFrame({"a": [1.5], "TIC": ["TIC 61000031"]}),
        Table({"a": [1.5], "TIC": [61_000_031]}),
    ],
    ids=["arrow", "fields", "pandas", "astropy"],
)
def test_every_kind_of_table_has_columns(table: Any) -> None:
    assert _rows(table, "TIC") == [(2, 0)]
    with pytest.raises(InputError, match="no column 'b'; known: a, TIC"):
        _rows(table, "b")
