"""The fast reader beside lightkurve, its slow twin: the same numbers, or none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from ingest_files import LONG_CADENCE, TWO_MINUTES, signal, write_official, write_qlp

from spotcat.config import CleanConfig
from spotcat.ingest.clean import CleanCurve, RawCurve
from spotcat.ingest.discover import Source
from spotcat.ingest.formats import K2, KEPLER, KEPLER_MASKS, PRODUCTS, QLP, SPOC, TESS_MASKS, TESS_SPOC
from spotcat.ingest.official import read_official
from spotcat.ingest.read import read_curve
from spotcat.ingest.reference import quiet_lightkurve, read_reference
from spotcat.ingest.scan import scan

MASKS = ("none", "default", "hard", "hardest")


def assert_equal(fast: RawCurve, reference: RawCurve, words: str) -> None:
    for name in ("time", "flux", "flux_err", "quality", "cadence_number"):
        one, other = getattr(fast, name), getattr(reference, name)
        np.testing.assert_array_equal(one, other, err_msg=f"{words} {name}", strict=False)
        assert one.dtype.newbyteorder("=") == other.dtype.newbyteorder("="), (words, name)


def hostile_signal(step: float = LONG_CADENCE) -> dict[str, Any]:
    """Every quality bit, NaN times and fluxes, a repeated time, an error that is none."""
    columns = signal(n=400, start=1400.3, step=step, seed=3)
    random = np.random.default_rng(8)
    columns["time"] = columns["time"] + random.normal(0, 1e-4, 400)
    columns["quality"][:31] = 1 << np.arange(31)
    columns["quality"][31:200] = random.integers(0, 2**17, 169)
    columns["time"][[35, 250]] = np.nan
    columns["flux"][[220, 221, 251]] = np.nan
    columns["time"][301] = columns["time"][300]
    columns["flux_err"][310] = np.nan
    return columns


def write_product(folder: Path, product: str) -> Path:
    columns = hostile_signal()
    path = folder / "file.fits"
    if product.startswith("QLP"):
        return write_qlp(path, 77, 60 if product == "QLP late" else 12, columns)
    mission, campaign = {KEPLER: ("Kepler", 5), K2: ("K2", 4), SPOC: ("TESS", 12), TESS_SPOC: ("TESS", 60)}[product]
    return write_official(path, mission, 210000077, campaign, columns)


@pytest.mark.parametrize("quality", MASKS)
@pytest.mark.parametrize("product", [KEPLER, K2, SPOC, TESS_SPOC, "QLP early", "QLP late"])
def test_it_equals_lightkurve_on_official_layouts(tmp_path: Path, product: str, quality: str) -> None:
    path = write_product(tmp_path, product)
    product = product.split()[0]
    fast, reference = read_official(path, product, quality), read_reference(path, product, quality)
    assert fast is not None
    assert_equal(fast, reference, product)
    assert (fast.time.size < 398) == (quality != "none")
    zipped = path.with_name("file.fits.gz")
    with fits.open(path) as hdus:
        hdus.writeto(zipped)
    again = read_official(zipped, product, quality)
    assert again is not None
    assert_equal(again, fast, f"{product} gzipped")


@pytest.mark.real
def test_it_equals_lightkurve_on_every_real_file(real_data: Path) -> None:
    read = []
    for path in sorted(real_data.rglob("*.fits")):
        info = scan(Source(path), "", CleanConfig())
        if info.product not in PRODUCTS or PRODUCTS[info.product].official is None:
            continue
        read.append(path.name)
        quality = MASKS[len(read) % len(MASKS)]
        fast = read_official(path, info.product, quality)
        assert fast is not None, path.name
        assert_equal(fast, read_reference(path, info.product, quality), f"{path.name} {quality}")
    assert len(read) >= 31


def test_the_masks_are_those_of_lightkurve() -> None:
    with quiet_lightkurve() as lightkurve:
        assert lightkurve.utils.KeplerQualityFlags.OPTIONS == KEPLER_MASKS
        assert lightkurve.utils.TessQualityFlags.OPTIONS == TESS_MASKS


def test_it_loads_neither_lightkurve_nor_pandas(tmp_path: Path) -> None:
    path = write_product(tmp_path, SPOC)
    code = (
        "import sys\nfrom pathlib import Path\nfrom spotcat.config import CleanConfig\n"
        "from spotcat.ingest.read import read_curve\n"
        f"curve = read_curve(Path({str(path)!r}), 'SPOC', CleanConfig())\n"
        "assert curve.time.size > 100\n"
        "assert not {'lightkurve', 'pandas', 'matplotlib', 'astropy.table'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def _header(card: str, value: Any) -> Callable[[fits.HDUList], None]:
    return lambda hdus: hdus[1].header.update({card: value})


def _infinite(hdus: fits.HDUList) -> None:
    hdus[1].data["TIME"][5] = np.inf


def _doubles(hdus: fits.HDUList) -> None:
    columns = [
        fits.Column(c.name, "D" if c.name == "PDCSAP_FLUX" else c.format, array=c.array) for c in hdus[1].columns
    ]
    hdus[1].data = fits.BinTableHDU.from_columns(columns).data


ODD = {
    "hours": _header("TUNIT1", "h"),
    "another time scale": _header("TIMESYS", "UTC"),
    "scaled": _header("TSCAL5", 2.0),
    "a null": _header("TNULL7", 128),
    "infinite time": _infinite,
    "double precision": _doubles,
    "no such column": _header("TTYPE5", "PDC_FLUX"),
}


@pytest.mark.parametrize("oddity", ODD)
def test_it_declines_what_is_not_laid_out_as_official_files(tmp_path: Path, oddity: str) -> None:
    path = write_official(tmp_path / "odd.fits", "TESS", 77, 12, signal(start=1600, step=TWO_MINUTES))
    with fits.open(path) as hdus:
        ODD[oddity](hdus)
        hdus.writeto(path, overwrite=True)
    assert read_official(path, SPOC, "default") is None
    fast, reference = (read_curve(path, SPOC, CleanConfig(), reader) for reader in ("fast", "lightkurve"))
    assert type(fast) is type(reference)
    if isinstance(fast, CleanCurve) and isinstance(reference, CleanCurve):
        for name in ("time", "flux", "flux_err", "quality", "segment"):
            np.testing.assert_array_equal(getattr(fast, name), getattr(reference, name))


def test_late_qlp_files_have_other_errors_and_another_bit(tmp_path: Path) -> None:
    columns = hostile_signal()
    for sector, bit in ((12, 12), (60, 30)):
        path = write_qlp(tmp_path / f"s{sector}.fits", 77, sector, columns)
        curve = read_official(path, QLP, "hard")
        assert curve is not None
        assert not np.any(curve.quality & (1 << bit))
        assert np.any(curve.quality & (1 << (30 if bit == 12 else 17)))
