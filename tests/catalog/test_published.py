"""Published periods, from tables of every shape: described ones, short lists, and the published tables themselves."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from astropy.table import MaskedColumn, Table

from spotcat.catalog.published import Published, Source, known_sources, published_period, read_periods, read_source
from spotcat.status import InputError

ROOT = Path(__file__).parents[2]
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


@pytest.mark.parametrize("name", known_sources())
def test_descriptions_are_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And are found wherever one works."""
    monkeypatch.chdir(tmp_path)
    source = read_source(name)
    assert source.catalog in ("KIC", "EPIC", "TIC")
    assert len(source.bibcode) == 19
    assert f"`{name}`" in (ROOT / "catalogs" / "README.md").read_text(encoding="utf-8")


def test_a_table_may_be_described_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys = {"reference": "R", "bibcode": "B", "title": "T", "catalog": "TIC", "number": "n", "period": "P"}
    Path("own.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in keys.items()))
    assert read_source("own.toml") == read_source(tmp_path / "own.toml") == Source(*keys.values())
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        read_source("none.toml")


@pytest.mark.parametrize("name", ["rebul2016", "../literature/rebull2016", "", "catalogs/literature/rebull2016"])
def test_an_unknown_table_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match=r"no table .* is described, give a \.toml file that does; .*rebull2016"):
        read_source(name)


def test_the_package_carries_the_descriptions() -> None:
    """Each is matched by a pattern of the package's data, so that a wheel holds it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    package = ROOT / "pipeline" / "spotcat"
    carried = {
        path for pattern in project["tool"]["setuptools"]["package-data"]["spotcat"] for path in package.glob(pattern)
    }
    assert len(known_sources()) >= 5
    data = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert data <= carried


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
    periods = read_periods(real_data / "catalogs" / file, read_source(name))
    assert len(periods) > 500
    assert published_period(periods, star) == pytest.approx(period, rel=0.02)
