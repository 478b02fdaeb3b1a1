"""Cones and matches against every separation there is, and the index against a scan."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, angular_separation
from astropy.table import QTable, Table

from spotcat.catalog.finalise import finalise
from spotcat.catalog.query import open_catalog
from spotcat.catalog.selection import Catalog
from spotcat.catalog.sky import separation
from spotcat.catalog.writer import write_part
from spotcat.status import InputError

N_STARS = 66_000


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Stars all over the sky and crowded at the poles and at right ascension 0; some without a position."""
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, N_STARS), np.rad2deg(np.arcsin(rng.uniform(-1, 1, N_STARS)))
    dec[:500], dec[500:1000] = 90 - rng.exponential(0.3, 500), -90 + rng.exponential(0.3, 500)
    ra[1000:2000], dec[1000:2000] = rng.normal(0, 0.3, 1000) % 360, rng.normal(0, 0.3, 1000)
    dec[2000], dec[2001] = 90.0, -90.0
    ra[3000:3100] = np.nan
    star_id = rng.permutation(N_STARS) + 10
    names = np.array([f"TIC {number}" for number in star_id])
    given = {"star_id": star_id, "name": names, "status": np.zeros(N_STARS, int), "ra": ra, "dec": dec}
    folder = tmp_path_factory.mktemp("sky")
    write_part(folder / "part", given, {})
    finalise([folder / "part"], folder / "catalog.zarr", {})
    return open_catalog(folder / "catalog.zarr")


CONES = [
    *((10.0, 20.0, 3.0), (0.0, 0.0, 0.5), (359.9, 0.1, 0.5), (0.1, -0.3, 0.3), (123.0, 89.9, 0.4), (300.0, -89.7, 0.6)),
    *((0.0, 90.0, 0.2), (77.0, -90.0, 0.2), (200.0, 88.0, 5.0), (10.0, 10.0, 180.0), (5.0, 45.0, 0.0)),
    *((50.0, 0.25, 0.01), (359.999, 60.0, 20.0), (-10.0, 5.0, 4.0), (370.0, 5.0, 4.0)),
]


@pytest.mark.parametrize("cone", CONES)
def test_a_cone_holds_the_stars_that_a_scan_finds(sky: Catalog, cone: tuple[float, float, float]) -> None:
    ra, dec, radius = cone
    every = np.rad2deg(
        angular_separation(*np.deg2rad([sky.column("ra"), sky.column("dec")]), np.deg2rad(ra), np.deg2rad(dec))
    )
    expected = np.flatnonzero(every <= radius)
    found = sky.cone(ra, dec, radius, ["star_id"])
    assert found.column("star_id").tolist() == sky.column("star_id")[expected].tolist()
    np.testing.assert_allclose(found.column("separation"), every[expected], atol=1e-9)
    scanned = sky.query("", ["star_id", "ra", "dec"]).cone(ra, dec, radius, ["star_id"])
    np.testing.assert_array_equal(scanned.column("star_id"), found.column("star_id"))


def test_a_cone_takes_quantities_and_describes_its_column(sky: Catalog) -> None:
    plain = sky.cone(10, 20, 3)
    assert len(plain) > 10
    found = sky.cone(10 * u.deg, 20 * u.deg, 180 * u.arcmin)
    assert found.column("star_id").tolist() == plain.column("star_id").tolist()
    assert found.columns["separation"].unit == "deg"
    assert found.names == [*sky.names, "separation"]


@pytest.mark.parametrize(
    ("cone", "message"),
    [
        ((10, 91, 1), "no position: ra 10, dec 91"),
        ((np.nan, 9, 1), "no position"),
        ((10, 9, -1), "no radius of a cone: -1"),
        (("x", 9, 1), "not an angle in degrees: 'x'"),
    ],
)
def test_what_is_no_cone_is_refused(sky: Catalog, cone: tuple[float, float, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sky.cone(*cone)


def test_separations_are_those_of_astropy_near_and_far() -> None:
    rng = np.random.default_rng(8)
    ra, dec = rng.uniform(0, 360, 100), rng.uniform(-90, 90, 100)
    for ra0, dec0 in ((ra + 1e-9, dec), (ra + 180, -dec), (0.0, 90.0)):
        expected = angular_separation(*(np.deg2rad(angle) for angle in (ra, dec, ra0, dec0)))
        np.testing.assert_allclose(separation(ra, dec, ra0, dec0), np.rad2deg(expected), rtol=1e-9, atol=1e-13)


def test_names_and_ids_are_found_in_every_chunk(sky: Catalog) -> None:
    star_id = sky.column("star_id")
    for row in (0, 1, 65_535, 65_536, N_STARS - 1):
        for name in (f"tic{star_id[row]}", str(star_id[row])):
            assert sky.star(name, ["star_id"]).column("star_id").tolist() == [star_id[row]]
    for unknown in ("TIC 1", "3", "99999999999"):
        with pytest.raises(InputError, match="no star"):
            sky.star(unknown)


@pytest.fixture(scope="module")
def elsewhere(sky: Catalog) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of stars that are also in another table, and where it has them."""
    rng = np.random.default_rng(1)
    rows = rng.choice(np.flatnonzero(np.isfinite(sky.column("ra"))), 300, replace=False)
    away = 0.5 / 3600 * rng.standard_normal((2, 300)) / 3
    dec = np.clip(sky.column("dec")[rows] + away[0], -90, 90)
    return rows, sky.column("ra")[rows] + away[1] / np.maximum(np.cos(np.deg2rad(dec)), 1e-6), dec


@pytest.mark.parametrize("kind", ["dict", "pandas", "astropy", "quantity"])
def test_a_match_is_the_nearest_star_as_astropy_has_it(
    sky: Catalog, elsewhere: tuple[np.ndarray, np.ndarray, np.ndarray], kind: str
) -> None:
    _, ra, dec = elsewhere
    ra, dec = np.append(ra, [np.nan, 12.0]), np.append(dec, [3.0, 13.000001])
    table = {
        "dict": lambda: {"ra": ra, "dec": dec},
        "pandas": lambda: pd.DataFrame({"ra": ra, "dec": dec}),
        "astropy": lambda: Table([ra * u.deg, dec * u.deg], names=("ra", "dec")),
        "quantity": lambda: QTable({"ra": ra * u.deg, "dec": (dec * u.deg).to(u.arcmin)}),
    }[kind]()
    found = sky.crossmatch(table, 1 / 3600, columns=["star_id"])
    known = np.flatnonzero(np.isfinite(sky.column("ra")))
    here = SkyCoord(sky.column("ra")[known], sky.column("dec")[known], unit="deg")
    asked = np.flatnonzero(np.isfinite(ra))
    place, away, _ = SkyCoord(ra[asked], dec[asked], unit="deg").match_to_catalog_sky(here)
    near = away.deg <= 1 / 3600
    assert 200 < near.sum() < len(asked)
    assert found.column("match_row").tolist() == asked[near].tolist()
    assert found.column("star_id").tolist() == sky.column("star_id")[known[place[near]]].tolist()
    np.testing.assert_allclose(found.column("separation"), away.deg[near], atol=1e-10)


def test_a_match_by_name_or_id_keeps_the_order_of_the_table(sky: Catalog) -> None:
    star_id = sky.column("star_id")[[5, 70, 3]]
    names = [f"tic{star_id[0]}", "TIC 5", f"TIC {star_id[1]}", f"TIC  {star_id[2]}"]
    found = sky.crossmatch({"target": np.array(names)}, on="target", columns=["star_id"])
    assert found.column("star_id").tolist() == star_id.tolist()
    assert found.column("match_row").tolist() == [0, 2, 3]
    again = sky.crossmatch(found, on="star_id", columns=["name"])
    assert again.column("match_row").tolist() == [0, 1, 2]
    assert again.names == ["name", "match_row"]


def test_a_table_without_the_columns_is_refused(sky: Catalog) -> None:
    with pytest.raises(InputError, match="the table to match has no column 'ra'; known: RAJ, d"):
        sky.crossmatch({"RAJ": np.ones(1), "d": np.ones(1)})
    with pytest.raises(InputError, match="no column 'nam'; did you mean 'name'"):
        sky.crossmatch({"name": np.array(["a"])}, on="nam")
    with pytest.raises(InputError, match="'ra' is no angle"):
        sky.crossmatch(QTable({"ra": [1.0] * u.s, "dec": [1.0] * u.deg}))
    nothing = sky.crossmatch({"ra": np.array([np.nan]), "dec": np.array([1.0])})
    assert len(nothing) == 0
