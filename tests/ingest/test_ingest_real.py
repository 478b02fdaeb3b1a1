"""The real files: equal to lightkurve's own reading, joined by star, unsupported ones named."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from ingest_files import make_recipe, run_ingest, star_row

from spotcat.config import CleanConfig
from spotcat.ingest.clean import CleanCurve
from spotcat.ingest.discover import Source
from spotcat.ingest.identity import parse_name
from spotcat.ingest.products import K2, KEPLER, SPOC
from spotcat.ingest.read import read_curve
from spotcat.ingest.scan import scan
from spotcat.ingest.store import LightCurveStore
from spotcat.status import Flag, Status

pytestmark = pytest.mark.real
UNCLEANED = CleanConfig(
    orbits=False, excess_sigma=0, scatter_ratio=0, dip_sigma=0, flare_sigma=0, outlier_sigma=0, ramp_ratio=0
)
"""What is read is compared, not what cleaning leaves of it."""


def official_files(folder: Path) -> list[Path]:
    files = [path for name in ("kepler", "k2", "tess") for path in sorted((folder / name).glob("*.fits"))]
    return [path for path in files if "cdips" not in path.name]


def by_lightkurve(path: Path) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lightkurve

        curve = lightkurve.read(str(path))
    columns = {
        "time": curve.time.value,
        "flux": getattr(curve.flux, "unmasked", curve.flux).value,
        "flux_err": getattr(curve.flux_err, "unmasked", curve.flux_err).value,
        "quality": curve["quality"],
    }
    valid = np.isfinite(columns["flux"])
    return {name: np.asarray(values)[valid] for name, values in columns.items()}


@pytest.fixture(scope="module")
def store(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> LightCurveStore:
    folders = [real_data / name for name in ("kepler", "k2", "tess", "unsupported")]
    recipe = replace(make_recipe(*folders), clean=UNCLEANED)
    return run_ingest(recipe, tmp_path_factory.mktemp("real") / "store")[1]


def test_every_official_file_equals_lightkurve(real_data: Path, store: LightCurveStore) -> None:
    files = official_files(real_data)
    assert len(files) > 25
    level_free: dict[str, list[np.ndarray]] = {}
    for path in files:
        info = scan(Source(path), "", CleanConfig())
        assert info.refusal is None and info.product in (KEPLER, K2, SPOC)
        curve = read_curve(path, info.product, CleanConfig())
        assert isinstance(curve, CleanCurve) and not curve.errors_estimated
        expected = by_lightkurve(path)
        for name, values in expected.items():
            np.testing.assert_array_equal(getattr(curve, name), values, err_msg=f"{path.name} {name}")
        assert curve.flux.dtype == np.dtype("=f4") and curve.time.dtype == np.dtype("=f8")
        flux = expected["flux"].astype(float)
        level_free.setdefault(info.identity.name, []).append(np.stack([expected["time"], flux / np.median(flux)]))
    for name, parts in level_free.items():
        identity = parse_name(name)
        assert identity is not None
        (curve_read,) = store.read([identity.star_id])
        joined = np.concatenate(sorted(parts, key=lambda part: part[0, 0]), axis=1)
        np.testing.assert_array_equal(curve_read.time, joined[0])
        np.testing.assert_array_equal(curve_read.flux, joined[1])


def test_cdips_magnitudes_are_relative_flux_in_tess_days(real_data: Path, store: LightCurveStore) -> None:
    for path in sorted(real_data.rglob("hlsp_cdips*.fits")):
        with fits.open(path) as hdus:
            data, tic = hdus[1].data, int(hdus[0].header["TICID"])
            valid = np.isfinite(data["IRM1"]) & np.isin(data["IRQ1"], ["G", "0"])
            order = np.argsort(data["TMID_BJD"][valid])
            time, mag, mag_err = (data[name][valid][order] for name in ("TMID_BJD", "IRM1", "IRE1"))
        row = star_row(store, f"TIC {tic}")
        assert (row["author"], row["status"], row["n_points"]) == ("CDIPS", Status.OK, time.size)
        (curve,) = store.read([row["star_id"]])
        np.testing.assert_array_equal(curve.time, time - 2457000)
        flux = 10 ** (-0.4 * mag)
        np.testing.assert_allclose(curve.flux, flux / np.median(flux), rtol=1e-12)
        np.testing.assert_allclose(curve.flux_err / curve.flux, 0.4 * np.log(10) * mag_err, rtol=1e-12)


def test_four_quarters_are_one_star(store: LightCurveStore) -> None:
    row = star_row(store, "KIC 2157356")
    assert (row["n_segments"], row["status"], row["flags"]) == (4, Status.OK, 0)
    assert row["time_max"] - row["time_min"] > 360
    assert row["cadence"] == pytest.approx(0.0204, abs=1e-4)
    (curve,) = store.read([row["star_id"]])
    assert (curve.time.size, curve.segment[-1]) == (row["n_points"], 3)
    assert np.all(np.diff(curve.time) > 0) and np.all(np.diff(curve.segment) >= 0)
    for segment in range(4):
        assert np.median(curve.flux[curve.segment == segment]) == pytest.approx(1, abs=1e-12)


def test_every_star_is_there_once(real_data: Path, store: LightCurveStore) -> None:
    assert np.all(np.diff(store.stars["star_id"]) > 0)
    files = [*official_files(real_data), *real_data.rglob("hlsp_cdips*.fits")]
    used = {scan(Source(path), "", CleanConfig()).identity.name for path in files}
    usable = store.stars["status"] == Status.OK
    assert set(store.stars["name"][usable].tolist()) == used
    assert np.isfinite(store.stars["ra"]).all() and np.isfinite(store.stars["mag"][usable]).all()
    official = usable & (store.stars["author"] != "CDIPS")
    assert np.all((store.stars["crowding"][official] > 0) & (store.stars["crowding"][official] <= 1))
    assert np.all(store.stars["reason"][usable] == "")


def test_unsupported_products_are_named(real_data: Path, store: LightCurveStore) -> None:
    files = sorted(path.name for path in (real_data / "unsupported").glob("hlsp_*.fits"))
    assert len(files) == 3
    assert sorted(store.left_out["file"].tolist()) == files
    assert set(store.left_out["status"].tolist()) == {Status.UNSUPPORTED}
    for file, reason in zip(store.left_out["file"], store.left_out["reason"], strict=True):
        assert reason == f"{file.split('_')[1].upper()} is not supported"
    k2sc = star_row(store, "EPIC 211099743")
    assert k2sc["status"] == Status.UNSUPPORTED and "K2SC is not supported" in k2sc["reason"]
    both = star_row(store, "EPIC 211121743")
    assert (both["status"], both["flags"]) == (Status.OK, Flag.NONE)
