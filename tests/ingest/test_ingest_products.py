"""Products that others made from the missions' data: through lightkurve, in the missions' days, as relative flux."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from ingest_files import make_recipe, run_ingest, signal, star_row, write_kepler, write_qlp, write_table

from spotcat.config import CleanConfig
from spotcat.ingest.clean import CleanCurve
from spotcat.ingest.formats import TESS_MASKS, TGLC
from spotcat.ingest.read import read_curve
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


# lightkurve itself leaves out what CDIPS marks by a letter, and an array of KEPSEISMIC marks by 0.
ALWAYS_MASKED = ("cdips", "kepseismic", "kepseismic table")


@pytest.mark.parametrize("quality", ["none", "default", "hard", "hardest"])
@pytest.mark.parametrize("name", CASES)
def test_every_mask_on_every_product(tmp_path: Path, name: str, quality: str) -> None:
    path = tmp_path / CASES[name].file
    CASES[name].write(path, columns())
    recipe = make_recipe(path)
    _, store = run_ingest(replace(recipe, clean=replace(recipe.clean, quality=quality)), tmp_path / "store")
    row = star_row(store, CASES[name].star)
    kept = quality == "none" and name not in ALWAYS_MASKED
    assert (row["status"], row["n_points"]) == (Status.OK, N if kept else N - 1)


@pytest.mark.parametrize(("form", "high"), [("I", 15), ("J", 15), ("K", 15), ("J", 3), ("I", 12)])
def test_the_bits_of_tglc_at_any_width(tmp_path: Path, form: str, high: int) -> None:
    """A short integer has the 16th bit as its sign."""
    flags = np.zeros(N, dtype=np.int64)
    flags[[5, 80]] = 1 << high
    kind = {"I": np.int16, "J": np.int32, "K": np.int64}[form]
    flux = (columns()["flux"] / 1e4).astype(np.float32)
    table = {
        "time": ("D", columns()["time"], None),
        "cal_psf_flux": ("E", flux, None),
        "psf_flux": ("E", flux, None),
        "TESS_flags": (form, flags.astype(np.uint64).astype(kind), None),
        "TGLC_flags": ("I", columns()["mark"].astype(np.int16), None),
    }
    path = tmp_path / CASES["tglc"].file
    write_table(path, table, TIC | {"ORIGIN": "UCSB/TGLC", "TICID": "77"}, TESS_TIMES)
    for quality in TESS_MASKS:
        curve = read_curve(path, TGLC, CleanConfig(quality=quality))
        assert isinstance(curve, CleanCurve)
        lost = 0 if quality == "none" else 1 + 2 * bool(TESS_MASKS[quality] >> high & 1)
        assert (curve.time.size, curve.n_masked) == (N - lost, lost), quality
    assert TESS_MASKS["hardest"] >> high & 1


def test_two_authors_of_one_star_need_a_choice(tmp_path: Path) -> None:
    for name in ("qlp", "tess-spoc"):
        CASES[name].write(tmp_path / CASES[name].file, columns())
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    assert star_row(store, "TIC 77")["status"] == Status.MIXED_AUTHORS
    _, store = run_ingest(make_recipe(tmp_path, author="QLP"), tmp_path / "chosen")
    row = star_row(store, "TIC 77")
    assert (row["author"], row["status"]) == ("QLP", Status.OK)
    assert "by TESS-SPOC" in store.left_out["reason"][0]


def pixels(path: Path, extension: str, creator: str = "1 TargetPixelExporterPipelineModule") -> None:
    """A file of TIC 77, or of KIC 77, with other things than a light curve in its first extension."""
    kepler = "targ" in path.name or extension.startswith("MODOUT")
    table = {"TIME": ("D", np.arange(9.0), BTJD), "RAW_CNTS": ("4J", np.ones((9, 4), dtype=np.int32), "count")}
    star = {"KEPLERID": 77, "TELESCOP": "Kepler", "MISSION": "Kepler"} if kepler else TIC
    write_table(path, table, star | {"CREATOR": creator, "NEXTEND": 1}, {"EXTNAME": extension})


OTHER_KINDS: dict[str, tuple[str, str, str]] = {
    "TESS pixels": ("tess2018206045859-s0012-0000000000000077-0120-s_tp.fits", "PIXELS", "TESS target pixel file"),
    "TESS-SPOC pixels": (
        "hlsp_tess-spoc_tess_phot_0000000000000077-s0012_tess_v1_tp.fits",
        "PIXELS",
        "TESS target pixel file",
    ),
    "a cutout": ("cutout.fits", "PIXELS", "TESS target pixel file"),
    "Kepler pixels": ("kplr000000077-2010_lpd-targ.fits", "TARGETTABLES", "Kepler target pixel file"),
    "TESS vectors": ("tess-s0012-1-1-0146-s_cbv.fits", "CBV.single-scale.1.1", "TESS file of basis vectors"),
    "Kepler vectors": ("kplr-q05-d25_lcbv.fits", "MODOUT_2_1", "Kepler file of basis vectors"),
    "data validation": ("tess-s0012-s0012-0000000000000077-00361_dvt.fits", "TCE_1", "TESS data validation file"),
}


def test_files_of_another_kind_leave_their_stars_without_a_flag(tmp_path: Path) -> None:
    for file, extension, _ in OTHER_KINDS.values():
        pixels(tmp_path / file, extension)
    whole = (tmp_path / OTHER_KINDS["TESS pixels"][0]).read_bytes()
    # Damaged ones harm no light curve either: by their names, where nothing else is left.
    for name, contents in {"empty": b"", "cut": whole[:4000], "page": b"<html>", "lost": whole[:5760]}.items():
        (tmp_path / f"tess-{name}-s0013-0000000000000077-0120-s_tp.fits").write_bytes(contents)
    tess_spoc(tmp_path / CASES["tess-spoc"].file, columns())
    write_kepler(tmp_path, 77)
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    for star in ("TIC 77", "KIC 77"):
        row = star_row(store, star)
        assert (row["status"], row["flags"]) == (Status.OK, 0)
    reasons = dict(zip(store.left_out["file"].tolist(), store.left_out["reason"].tolist(), strict=True))
    assert len(reasons) == len(OTHER_KINDS) + 4
    for file, _, words in OTHER_KINDS.values():
        assert reasons[file] == f"a {words} is no light curve"


def test_a_star_of_pixels_alone_keeps_its_row(tmp_path: Path) -> None:
    path = tmp_path / OTHER_KINDS["TESS pixels"][0]
    pixels(path, "PIXELS")
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    row = star_row(store, "TIC 77")
    assert (row["status"], row["flags"]) == (Status.UNSUPPORTED, 0)
    assert row["reason"] == f"{path.name}: a TESS target pixel file is no light curve"


def test_damaged_light_curves_still_flag_their_stars(tmp_path: Path) -> None:
    damaged = []
    for number in range(1, 6):
        write_kepler(tmp_path, number, 4)
        cards = {2: {"CREATOR": None}, 3: {"EXTNAME": "CURVE"}}
        damaged.append(write_kepler(tmp_path, number, 5, **cards.get(number, {})))
    fits.setval(damaged[0], "TTYPE5", value="RENAMED", ext=1)
    damaged[3].write_bytes(b"")
    damaged[4].write_bytes(damaged[4].read_bytes()[:9000])
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    assert store.stars["flags"].tolist() == [Flag.FILES_REFUSED] * 5
    assert store.stars["n_points"].tolist() == [200] * 5
    assert store.left_out["file"].tolist() == [path.name for path in damaged]


@pytest.mark.parametrize("author", ["", "K2SFF"])
def test_light_curves_without_a_reader_leave_those_of_others_alone(tmp_path: Path, author: str) -> None:
    unread = ["hlsp_k2sc_k2_llc_201000001-c04_kepler_v2_lc.fits", "hlsp_new_k2_llc_201000001-c04_v1_lc.fits"]
    lone = "hlsp_k2varcat_k2_lightcurve_201000002-c04_kepler_v2_llc.fits"
    for file in (*unread, lone):
        write_table(tmp_path / file, {"TIME": ("D", np.arange(9.0), BTJD)}, {"CREATOR": "k2SC v0.9"}, {})
    k2sff(tmp_path / CASES["k2sff"].file, columns())
    _, store = run_ingest(make_recipe(tmp_path, author=author), tmp_path / "store")
    row = star_row(store, "EPIC 201000001")
    assert (row["status"], row["flags"], row["author"]) == (Status.OK, Flag.ERRORS_ESTIMATED, "K2SFF")
    reasons = [f"{name} is not supported" for name in ("K2SC", "NEW", "K2VARCAT")]
    assert store.left_out["reason"].tolist() == reasons
    assert (star_row(store, "EPIC 201000002")["status"], store.stars["name"].size) == (Status.UNSUPPORTED, 2)


def test_authors_and_their_files_are_named(tmp_path: Path) -> None:
    for name in ("qlp", "tasoc", "pathos"):
        CASES[name].write(tmp_path / CASES[name].file, columns())
    (tmp_path / "more").mkdir()
    for k in range(4):
        c = columns()
        qlp(tmp_path / "more" / f"hlsp_qlp_{k}.fits", c | {"time": c["time"] + 50 * (k + 1)})
    summary, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    files = f"QLP: hlsp_qlp_0.fits, hlsp_qlp_1.fits, hlsp_qlp_2.fits and 2 more; TASOC: {CASES['tasoc'].file}"
    assert star_row(store, "TIC 77")["reason"] == (
        f"files from several authors (PATHOS: x.fits; {files}); choose one with [input] author"
    )
    (reason,) = summary.reasons
    assert reason == "files from several authors (PATHOS, QLP, TASOC); choose one with [input] author"
    assert len(summary.reasons[reason]) == 7


def test_a_file_without_its_products_columns_is_refused(tmp_path: Path) -> None:
    table = {"TIME": ("D", np.arange(9.0), BTJD)}
    for name in ("qlp", "tglc", "tasoc", "pathos", "k2sff", "everest", "kepseismic"):
        write_table(tmp_path / f"hlsp_{name}_x_{name}.fits", table, {}, {})
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    assert store.stars["status"].tolist() == [Status.UNREADABLE] * 7
    assert all("cannot be read" in reason or "no column" in reason for reason in store.stars["reason"])
