"""A catalog against published periods: counted by hand, and on the published tables where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spotcat.check.literature import Source, agreement, in_words, read_periods, read_source
from spotcat.status import Flag, InputError

DESCRIPTIONS = Path(__file__).parents[2] / "catalogs" / "literature"
SOURCE = Source("Somebody 2020", "2020X", "A table", "KIC", "id", "P")


def test_every_star_is_counted_once_and_unflagged_ones_that_differ_are_listed() -> None:
    found = {
        "name": np.array(["KIC 1", "KIC 2", "KIC 3", "KIC 4", "KIC 5", "KIC 6", "KIC 7"]),
        "prot": np.array([10.2, 10.8, 5.1, 20.4, 33.0, 10.0, 10.0]),
        "rotating": np.array([1, 1, 1, 1, 1, 0, 1]),
        "flags": np.array([0, 0, Flag.ALIAS_POSSIBLE, 0, Flag.FEW_CYCLES, 0, 0]),
    }
    got = agreement(found, {f"KIC {number}": 10.0 for number in range(1, 7)})
    assert (got.n_common, got.n_rotating) == (6, 5)
    assert (got.close, got.near, got.half, got.double) == (0.2, 0.4, 0.2, 0.2)
    # Half the period is flagged as possible; 33 d is flagged, but not as an alias.
    assert [outlier.name for outlier in got.outliers] == ["KIC 2", "KIC 4", "KIC 5"]
    words = in_words(SOURCE, got)
    assert "Somebody 2020 (2020X): 6 common stars, 5 called rotators" in words
    assert "fewer than three rotations" in words


def test_tables_are_read_by_their_description(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("id,P\n1,2.5\n2,\n3,-9\n,4\n")
    assert read_periods(path, SOURCE) == {"KIC 1": 2.5}
    with pytest.raises(InputError, match=r"table\.csv: no column 'Q'"):
        read_periods(path, Source("", "", "", "KIC", "id", "Q"))
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_periods(tmp_path / "none.csv", SOURCE)


@pytest.mark.parametrize("path", sorted(DESCRIPTIONS.glob("*.toml")), ids=lambda path: path.stem)
def test_descriptions_are_whole(path: Path) -> None:
    source = read_source(path)
    assert source.catalog in ("KIC", "EPIC", "TIC")
    assert len(source.bibcode) == 19


@pytest.mark.real
@pytest.mark.parametrize(
    "name, file, star, period",
    [
        ("santos2019", "santos_2019_catalog.fit", "KIC 2157356", 13.6),
        ("mcquillan2014", "McQuillan2014_Table1_Periodic.csv", "KIC 10002792", 1.165),
        ("rebull2016", "Rebull2016_Pleiades_K2.fits", "EPIC 211015853", 2.757),
    ],
)
def test_published_tables_have_their_stars(real_data: Path, name: str, file: str, star: str, period: float) -> None:
    periods = read_periods(real_data / "catalogs" / file, read_source(DESCRIPTIONS / f"{name}.toml"))
    assert len(periods) > 500
    assert periods[star] == pytest.approx(period, rel=0.02)
