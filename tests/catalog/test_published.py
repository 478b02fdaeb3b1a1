"""Published periods, from tables of every shape: described ones, short lists, and the published tables themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.table import MaskedColumn, Table

from spotcat.catalog.published import Published, Source, published_period, read_periods, read_source
from spotcat.status import InputError

DESCRIPTIONS = Path(__file__).parents[2] / "catalogs" / "literature"
SOURCE = Source("Somebody 2020", "2020X", "A table", "KIC", "id", "P")


@pytest.mark.parametrize("suffix", ["csv", "fits", "ecsv", "vot"])
def test_tables_are_read_by_their_description(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table.{suffix}"
    number = MaskedColumn([1, 2, 3, 4], mask=[False, False, False, True])
    period = MaskedColumn([2.5, 1.0, -9.0, 4.0], mask=[False, True, False, False])
    table = Table({"id": number, "P": period})
    table.write(path, format={"vot": "votable", "ecsv": "ascii.ecsv"}.get(suffix))
    assert read_periods(path, SOURCE) == {"kic1": Published(2.5, "Somebody 2020")}
    with pytest.raises(InputError, match=rf"table\.{suffix}: no column 'Q'"):
        read_periods(path, Source("", "", "", "KIC", "id", "Q"))


def test_a_list_needs_no_description(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("name,period,reference\nKIC 7,3.5,Somebody 2020\nKIC 8,,nobody\nKIC 9,4,\n")
    periods = read_periods(path)
    assert periods == {"kic7": Published(3.5, "Somebody 2020"), "kic9": Published(4.0, "")}
    assert published_period(periods, "kic 7") == 3.5
    assert published_period(periods, "KIC 8") is None
    path.write_text("name,period\nKIC 7,3.5\n")
    assert read_periods(path) == {"kic7": Published(3.5, "")}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,prot\na,1\n", "no column 'period'; did you mean 'prot'"),
        ("name,period\na,x\n", "a star 'a' with the period .* cannot be read"),
        ("", "no column 'name'"),
        ("name,period\n\xff", "cannot be read as a table"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=rf"t\.csv: {words}"):
        read_periods(path)
    for name in ("none.csv", "none.fits"):
        with pytest.raises(InputError, match=f"{name}: cannot be read"):
            read_periods(tmp_path / name)


@pytest.mark.parametrize("path", sorted(DESCRIPTIONS.glob("*.toml")), ids=lambda path: path.stem)
def test_descriptions_are_whole(path: Path) -> None:
    source = read_source(path)
    assert source.catalog in ("KIC", "EPIC", "TIC")
    assert len(source.bibcode) == 19


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "file", "star", "period"),
    [
        ("santos2019", "santos_2019_catalog.fit", "KIC 2157356", 13.6),
        ("mcquillan2014", "McQuillan2014_Table1_Periodic.csv", "KIC 10002792", 1.165),
        ("rebull2016", "Rebull2016_Pleiades_K2.fits", "EPIC 211015853", 2.757),
    ],
)
def test_published_tables_have_their_stars(real_data: Path, name: str, file: str, star: str, period: float) -> None:
    periods = read_periods(real_data / "catalogs" / file, read_source(DESCRIPTIONS / f"{name}.toml"))
    assert len(periods) > 500
    assert published_period(periods, star) == pytest.approx(period, rel=0.02)
