"""Light-curve files for the tests: official FITS layouts with their header cards, and plain tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from spotcat.config import CleanConfig, FitConfig, InputConfig, Recipe, SurveyConfig
from spotcat.ingest.pipeline import IngestSummary, ingest
from spotcat.ingest.store import LightCurveStore

LONG_CADENCE = 0.02043359821692
TWO_MINUTES = 0.001388888888888889

_CARDS = {
    "Kepler": ("KIC", "Kepler", "QUARTER", "11 FluxExporter2PipelineModule", "SAP_QUALITY", 2454833),
    "K2": ("EPIC", "Kepler", "CAMPAIGN", "12 FluxExporter2PipelineModule", "SAP_QUALITY", 2454833),
    "TESS": ("TIC", "TESS", "SECTOR", "13 LightCurveExporterPipelineModule", "QUALITY", 2457000),
}


def signal(n: int = 200, start: float = 500.0, step: float = LONG_CADENCE, seed: int = 0) -> dict[str, Any]:
    """Columns of a small rotating star, in the precision of the official files."""
    random = np.random.default_rng(seed)
    time = start + step * np.arange(n)
    flux = 1e4 * (1 + 0.01 * np.sin(2 * np.pi * time / 1.7)) + random.normal(0, 5, n)
    return {
        "time": time,
        "flux": flux.astype(np.float32),
        "flux_err": np.full(n, 5, dtype=np.float32),
        "quality": np.zeros(n, dtype=np.int32),
    }


def write_official(path: Path, mission: str, number: int, campaign: int, columns: dict[str, Any], **cards: Any) -> Path:
    """A light curve as the missions deliver it; `cards` replace header cards, None removes one."""
    catalog, telescope, campaign_card, creator, quality, reference = _CARDS[mission]
    time = columns["time"]
    step = float(np.nanmedian(np.diff(np.sort(time))))
    primary = {
        "NEXTEND": 2,
        "ORIGIN": "NASA/Ames",
        "CREATOR": creator,
        "PROCVER": "svn+ssh://host/soc/tags/release/9.3.24 r60387",
        "TELESCOP": telescope,
        "OBJECT": f"{catalog} {number}",
        "TICID" if mission == "TESS" else "KEPLERID": number,
        campaign_card: campaign,
        "DATA_REL": 25,
        "RA_OBJ": 290.5,
        "DEC_OBJ": 37.25,
        "TESSMAG" if mission == "TESS" else "KEPMAG": 11.5,
        "MISSION": None if mission == "TESS" else mission,
        "CAMERA" if mission == "TESS" else "CHANNEL": 3,
    }
    extension = {
        "EXTNAME": "LIGHTCURVE",
        "TIMESYS": "TDB",
        "BJDREFI": reference,
        "BJDREFF": 0.0,
        "TSTART": float(np.nanmin(time)) - step / 2 if np.isfinite(time).any() else 500.0,
        "TSTOP": float(np.nanmax(time)) + step / 2 if np.isfinite(time).any() else 501.0,
        "TIMEDEL": step,
        "CROWDSAP": 0.75,
    }
    for name, value in cards.items():
        (extension if name in extension else primary)[name] = value
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("TIME", "D", unit=f"BJD - {reference}", array=time),
            fits.Column("CADENCENO", "J", array=np.arange(len(time))),
            fits.Column("SAP_FLUX", "E", unit="e-/s", array=columns["flux"]),
            fits.Column("SAP_FLUX_ERR", "E", unit="e-/s", array=columns["flux_err"]),
            fits.Column("PDCSAP_FLUX", "E", unit="e-/s", array=columns["flux"]),
            fits.Column("PDCSAP_FLUX_ERR", "E", unit="e-/s", array=columns["flux_err"]),
            fits.Column(quality, "J", array=columns["quality"]),
        ]
    )
    aperture = fits.ImageHDU(np.ones((40, 40), dtype=np.int32), name="APERTURE")
    hdus = fits.HDUList([fits.PrimaryHDU(), table, aperture])
    for hdu, values in zip(hdus, (primary, extension), strict=False):
        hdu.header.update({name: value for name, value in values.items() if value is not None})
    hdus.writeto(path)
    return path


def write_kepler(folder: Path, number: int, quarter: int = 5, seed: int = 0, **cards: Any) -> Path:
    """One quarter of a KIC star under its archive name."""
    columns = signal(start=100.0 * quarter, seed=seed)
    name = f"kplr{number:09d}-20{quarter:02d}000000000_llc.fits"
    return write_official(folder / name, "Kepler", number, quarter, columns, **cards)


def write_csv(path: Path, columns: dict[str, Any]) -> Path:
    """A plain table with all digits."""
    names = list(columns)
    rows = zip(*(np.asarray(columns[name]).tolist() for name in names), strict=True)
    path.write_text("\n".join([",".join(names), *(",".join(map(repr, row)) for row in rows)]) + "\n")
    return path


def table_columns(n: int = 100, start: float = 0.0, step: float = 0.5, seed: int = 0) -> dict[str, Any]:
    """Columns of a plain table in double precision."""
    random = np.random.default_rng(seed)
    time = start + step * np.arange(n)
    flux = 1 + 0.01 * np.sin(2 * np.pi * time / 7.3) + random.normal(0, 1e-3, n)
    return {"time": time, "flux": flux, "flux_err": np.full(n, 1e-3)}


def make_recipe(*files: Path | str, manifest: Path | str = "", author: str = "", gap: float = 30.0) -> Recipe:
    """A recipe that reads `files`."""
    return Recipe(
        SurveyConfig(name="test", output="runs/test", seed=1),
        InputConfig(files=tuple(map(str, files)), manifest=str(manifest), author=author),
        CleanConfig(gap=gap),
        FitConfig(),
    )


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


def run_ingest(recipe: Recipe, store: Path) -> tuple[IngestSummary, LightCurveStore]:
    """Ingest and open the result."""
    summary = ingest(recipe, store, no_progress)
    return summary, LightCurveStore(store)


def star_row(store: LightCurveStore, name: str) -> dict[str, Any]:
    """The row of a star's name."""
    (index,) = np.flatnonzero(store.stars["name"] == name)
    return {column: values[index] for column, values in store.stars.items()}


def tree_bytes(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its contents."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def write_table(
    path: Path, columns: dict[str, tuple[str, Any, str | None]], primary: dict[str, Any], extension: dict[str, Any]
) -> Path:
    """A FITS table; `columns` are form, values and unit by name."""
    table = fits.BinTableHDU.from_columns(
        [fits.Column(name, form, unit=unit, array=values) for name, (form, values, unit) in columns.items()]
    )
    hdus = fits.HDUList([fits.PrimaryHDU(), table])
    hdus[0].header.update(primary)
    hdus[1].header.update(extension)
    hdus.writeto(path)
    return path


def write_qlp(path: Path, number: int, sector: int, columns: dict[str, Any]) -> Path:
    """A light curve of the Quick-Look Pipeline, whose detrended columns changed their names in sector 56."""
    detrended = "DET" if sector >= 56 else "KSPSAP"
    flux = (columns["flux"] / np.nanmedian(columns["flux"])).astype(np.float32)
    errors = (columns["flux_err"] / np.nanmedian(columns["flux"])).astype(np.float32)
    return write_table(
        path,
        {
            "TIME": ("D", columns["time"], "BJD - 2457000, days"),
            "CADENCENO": ("J", np.arange(flux.size), None),
            "SAP_FLUX": ("E", flux, None),
            f"{detrended}_FLUX": ("E", np.ones_like(flux), None),
            f"{detrended}_FLUX_ERR": ("E", errors, None),
            "QUALITY": ("J", columns["quality"], None),
            "ORBITID": ("J", np.full(flux.size, 29), None),
            "SAP_X": ("E", np.ones_like(flux), None),
            "SAP_BKG": ("E", np.ones_like(flux), None),
        },
        {"TELESCOP": "TESS", "ORIGIN": "MIT/QLP", "TICID": number, "SECTOR": sector, "CAMERA": 1, "TESSMAG": 11.5},
        {"EXTNAME": "LIGHTCURVE", "TIMESYS": "TDB", "BJDREFI": 2457000, "BJDREFF": 0.0},
    )
