"""Products that others made from the missions' data: through lightkurve, in the missions' days, as relative flux."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from ingest_files import make_recipe, run_ingest, signal, star_row, write_qlp, write_table

from spotcat.ingest.reference import quiet_lightkurve
from spotcat.status import Flag, Status

N = 300
BAD = 41
"""The row that each file marks as bad in its own way."""
BTJD = "BJD - 2457000, days"


def columns() -> dict[str, Any]:
    values = signal(n=N, start=1600, step=1 / 48)
    values["mark"] = np.zeros(N, dtype=np.int32)
    values["mark"][BAD] = 1
    return values


TIC = {"TELESCOP": "TESS", "TICID": 77, "SECTOR": 12, "RA_OBJ": 10.5, "DEC_OBJ": -20.5, "TESSMAG": 9.5}
EPIC = {"TELESCOP": "Kepler", "MISSION": "K2", "KEPLERID": 201000001, "CAMPAIGN": 4, "OBJECT": "EPIC 201000001"}
TESS_TIMES = {"TIMESYS": "TDB", "BJDREFI": 2457000, "BJDREFF": 0.0}
K2_TIMES = {"TIMESYS": "TDB", "BJDREFI": 2454833, "BJDREFF": 0.0}


def tess_spoc(path: Path, c: dict[str, Any]) -> None:
    table = {
        "TIME": ("D", c["time"], BTJD),
        "PDCSAP_FLUX": ("E", c["flux"], "e-/s"),
        "PDCSAP_FLUX_ERR": ("E", c["flux_err"], "e-/s"),
        "QUALITY": ("J", c["mark"], None),
    }
    span = {"TSTART": c["time"][0] - 0.01, "TSTOP": c["time"][-1] + 0.01, "TIMEDEL": 1 / 48}
    write_table(path, table, TIC, TESS_TIMES | span)


def qlp(path: Path, c: dict[str, Any]) -> None:
    write_qlp(path, 77, 12, c | {"quality": c["mark"]})


def tglc(path: Path, c: dict[str, Any]) -> None:
    flux = c["flux"] / np.median(c["flux"])
    table = {
        "time": ("D", c["time"], None),
        "psf_flux": ("E", c["flux"], None),
        "aperture_flux": ("E", c["flux"], None),
        "cal_psf_flux": ("E", flux, None),
        "cal_aper_flux": ("E", np.ones(N), None),
        "background": ("E", np.zeros(N), None),
        "cadence_num": ("J", np.arange(N), None),
        "TESS_flags": ("J", np.zeros(N, dtype=np.int32), None),
        "TGLC_flags": ("J", c["mark"], None),
    }
    write_table(path, table, TIC | {"ORIGIN": "UCSB/TGLC", "TICID": "77"}, TESS_TIMES)


def cdips(path: Path, c: dict[str, Any]) -> None:
    mag = 10 - 2.5 * np.log10(c["flux"].astype(float))
    table = {
        "TMID_BJD": ("D", c["time"] + 2457000, "day"),
        "IRM1": ("D", mag, "mag"),
        "IRE1": ("D", np.full(N, 0.0005), "mag"),
        "IRQ1": ("1A", np.where(c["mark"] == 1, "X", "G"), "unitless"),
    }
    write_table(path, table, TIC | {"ORIGIN": "Bouma&team|CDIPS|Princeton", "TICID": "77"}, {})


def tasoc(path: Path, c: dict[str, Any]) -> None:
    ppm = 1e6 * (c["flux"] / np.median(c["flux"]) - 1)
    table = {
        "TIME": ("D", c["time"], BTJD),
        "FLUX_RAW": ("D", c["flux"], "e-/s"),
        "FLUX_CORR": ("D", ppm, "ppm"),
        "FLUX_CORR_ERR": ("D", np.full(N, 500.0), "ppm"),
        "PIXEL_QUALITY": ("J", c["mark"], None),
        "QUALITY": ("J", np.zeros(N, dtype=np.int32), None),
    }
    write_table(path, table, TIC | {"ORIGIN": "TASOC/Aarhus"}, TESS_TIMES)


def pathos(path: Path, c: dict[str, Any]) -> None:
    table = {
        "TIME": ("D", c["time"], BTJD),
        "PSF_FLUX_RAW": ("E", np.ones(N), "e-/s"),
        "PSF_FLUX_COR": ("E", c["flux"], "e-/s"),
        "AP4_FLUX_RAW": ("E", np.ones(N), "e-/s"),
        "AP4_FLUX_COR": ("E", np.ones(N), "e-/s"),
        "SKY_LOCAL": ("E", np.zeros(N), "e-/s"),
        "DQUALITY": ("J", c["mark"], None),
    }
    write_table(path, table, TIC, TESS_TIMES)


def eleanor(path: Path, c: dict[str, Any]) -> None:
    table = {
        "TIME": ("D", c["time"], None),
        "BARYCORR": ("D", np.zeros(N), None),
        "QUALITY": ("J", c["mark"], None),
        "RAW_FLUX": ("E", 2 * c["flux"], None),
        "CORR_FLUX": ("E", c["flux"], None),
        "FLUX_ERR": ("E", 2 * c["flux_err"], None),
        "X_CENTROID": ("E", np.zeros(N), None),
        "Y_CENTROID": ("E", np.zeros(N), None),
        "FFIINDEX": ("J", np.arange(N), None),
    }
    primary = {name: value for name, value in TIC.items() if name != "TICID"}
    marks = {"TIC_ID": 77, "LITE": True, "PCORIGIN": "POSTCARD", "GITHUB": "https://github.com/afeinstein20/eleanor"}
    write_table(path, table, primary | marks, TESS_TIMES)


def k2sff(path: Path, c: dict[str, Any]) -> None:
    table = {
        "T": ("D", c["time"], "BJD - 2454833"),
        "FRAW": ("D", np.ones(N), None),
        "FCOR": ("D", c["flux"] / np.median(c["flux"]), None),
        "ARCLENGTH": ("D", np.zeros(N), None),
        "MOVING": ("B", c["mark"].astype(np.uint8), None),
        "CADENCENO": ("J", np.arange(N), None),
    }
    write_table(path, table, EPIC, K2_TIMES | {"EXTNAME": "BESTAPER"})


def everest(path: Path, c: dict[str, Any]) -> None:
    table = {
        "CADN": ("J", np.arange(N), None),
        "FLUX": ("D", c["flux"], "e-/s"),
        "FRAW": ("D", np.ones(N), "e-/s"),
        "FRAW_ERR": ("D", np.ones(N), "e-/s"),
        "QUALITY": ("J", c["mark"], None),
        "TIME": ("D", c["time"], "BJD - 2454833"),
    }
    write_table(path, table, EPIC | {"COMMENT": "EVEREST K2 pipeline"}, K2_TIMES | {"EXTNAME": "ARRAYS"})


def kepseismic(path: Path, c: dict[str, Any]) -> None:
    """The array form; a flux of exactly zero is a gap."""
    ppm = 1e6 * (c["flux"] / np.median(c["flux"]).astype(float) - 1)
    array = np.stack([c["time"] + 54832.5, np.where(c["mark"] == 1, 0, ppm)], axis=1)
    hdu = fits.PrimaryHDU(array)
    hdu.header.update(
        {"ORIGIN": "CEA & SSI", "TELESCOP": "Kepler", "OBJECT": "KIC 5", "KEPLERID": 5, "QUARTER": 17, "NEXTEND": 2}
    )
    fits.HDUList([hdu, fits.ImageHDU(np.ones(N, dtype=np.int16))]).writeto(path)


def kepseismic_table(path: Path, c: dict[str, Any]) -> None:
    ppm = np.where(c["mark"] == 1, np.nan, 1e6 * (c["flux"] / np.median(c["flux"]).astype(float) - 1))
    table = {"TIME": ("D", c["time"] + 54832.5, "d"), "FLUX": ("D", ppm, "ppm")}
    write_table(path, table, {"ORIGIN": "CEA & SSI", "TELESCOP": "Kepler", "KEPLERID": 5}, {"TIMESYS": "TDB"})


def by_lightkurve(path: Path, c: dict[str, Any]) -> None:
    with quiet_lightkurve() as lightkurve:
        curve = lightkurve.TessLightCurve(time=c["time"], flux=c["flux"], flux_err=c["flux_err"], time_format="btjd")
        curve["quality"] = c["mark"]
        curve.meta.update({"TARGETID": 77, "MISSION": "TESS", "TELESCOP": "TESS", "SECTOR": 12, "RA": 1.0, "DEC": 2.0})
        curve.to_fits(path)


@dataclass(frozen=True)
class Case:
    """How a product is written, where it goes and what is known of its errors."""

    write: Callable[[Path, dict[str, Any]], None]
    file: str
    group: str
    author: str
    star: str = "TIC 77"
    shift: float = 0.0
    has_errors: bool = True


CASES = {
    "tess-spoc": Case(
        tess_spoc,
        "hlsp_tess-spoc_tess_phot_0000000000000077-s0012_tess_v1_lc.fits",
        "tess/s0012-tess-spoc-1800s",
        "TESS-SPOC",
    ),
    "qlp": Case(qlp, "hlsp_qlp_tess_ffi_s0012-0000000000000077_tess_v01_llc.fits", "tess/s0012-qlp-1800s", "QLP"),
    "tglc": Case(
        tglc,
        "hlsp_tglc_tess_ffi_gaiaid-1234567890123456789-s0012-cam1-ccd1_tess_v1_llc.fits",
        "tess/s0012-tglc-1800s",
        "TGLC",
        has_errors=False,
    ),
    "cdips": Case(
        cdips,
        "hlsp_cdips_tess_ffi_gaiatwo0003007171311355035136-0012_tess_v01_llc.fits",
        "tess/s0012-cdips-1800s",
        "CDIPS",
    ),
    "tasoc": Case(tasoc, "tess00077-s012.fits", "tess/s0012-tasoc-1800s", "TASOC"),
    "pathos": Case(pathos, "x.fits", "tess/s0012-pathos-1800s", "PATHOS", has_errors=False),
    "eleanor": Case(
        eleanor,
        "hlsp_gsfc-eleanor-lite_tess_ffi_s0012-0000000000000077_tess_v1.0_lc.fits",
        "tess/s0012-gsfc-eleanor-lite-1800s",
        "GSFC-ELEANOR-LITE",
    ),
    "k2sff": Case(
        k2sff,
        "hlsp_k2sff_k2_lightcurve_201000001-c04_kepler_v1_llc.fits",
        "k2/c04-k2sff-1800s",
        "K2SFF",
        "EPIC 201000001",
        has_errors=False,
    ),
    "everest": Case(
        everest,
        "hlsp_everest_k2_llc_201000001-c04_kepler_v2.0_lc.fits",
        "k2/c04-everest-1800s",
        "EVEREST",
        "EPIC 201000001",
        has_errors=False,
    ),
    "kepseismic": Case(
        kepseismic, "000000005.fits", "kepler/kepseismic-1800s", "KEPSEISMIC", "KIC 5", 54832.5, has_errors=False
    ),
    "kepseismic table": Case(
        kepseismic_table,
        "hlsp_kepseismic_kepler_phot_kplr000000005-20d_kepler_v1_cor-filt-inp.fits",
        "kepler/kepseismic-1800s",
        "KEPSEISMIC",
        "KIC 5",
        54832.5,
        has_errors=False,
    ),
    "lightkurve": Case(by_lightkurve, "x.fits", "tess/s0012-lightkurve-tess-1800s", "lightkurve-TESS"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_product_of_others_is_read_as_it_is_meant(tmp_path: Path, name: str) -> None:
    case, values = CASES[name], columns()
    path = tmp_path / case.file
    case.write(path, values)
    _, store = run_ingest(make_recipe(path), tmp_path / "store")
    assert store.left_out["reason"].tolist() == []
    assert store.campaigns == (case.group,)
    row = star_row(store, case.star)
    assert (row["author"], row["status"], row["n_points"]) == (case.author, Status.OK, N - 1)
    assert row["flags"] == (0 if case.has_errors else Flag.ERRORS_ESTIMATED)
    (curve,) = store.read([row["star_id"]])
    good = np.arange(N) != BAD
    np.testing.assert_allclose(curve.time, values["time"][good] + case.shift, rtol=0, atol=1e-9)
    flux = values["flux"][good].astype(float)
    np.testing.assert_allclose(curve.flux, flux / np.median(flux), rtol=1e-6)
    if case.has_errors:
        np.testing.assert_allclose(curve.flux_err, 5e-4, rtol=0.2)


def test_two_authors_of_one_star_need_a_choice(tmp_path: Path) -> None:
    for name in ("qlp", "tess-spoc"):
        CASES[name].write(tmp_path / CASES[name].file, columns())
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    assert star_row(store, "TIC 77")["status"] == Status.MIXED_AUTHORS
    _, store = run_ingest(make_recipe(tmp_path, author="QLP"), tmp_path / "chosen")
    row = star_row(store, "TIC 77")
    assert (row["author"], row["status"]) == ("QLP", Status.OK)
    assert "by TESS-SPOC" in store.left_out["reason"][0]


def test_a_file_without_its_products_columns_is_refused(tmp_path: Path) -> None:
    table = {"TIME": ("D", np.arange(9.0), BTJD)}
    for name in ("qlp", "tglc", "tasoc", "pathos", "k2sff", "everest", "kepseismic"):
        write_table(tmp_path / f"hlsp_{name}_x_{name}.fits", table, {}, {})
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    assert store.stars["status"].tolist() == [Status.UNREADABLE] * 7
    assert all("cannot be read" in reason or "no column" in reason for reason in store.stars["reason"])
