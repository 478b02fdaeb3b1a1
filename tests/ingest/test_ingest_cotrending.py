"""Cotrending basis vectors: from the missions' files, through the store, to each star's own cadences."""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from ingest_files import LONG_CADENCE, TWO_MINUTES, make_recipe, no_progress, run_ingest, signal, write_official

from spotcat.config import Recipe
from spotcat.ingest.pipeline import ingest
from spotcat.ingest.store import LightCurveStore
from spotcat.status import InputError

N_CADENCES = 300


def vectors_of(seed: int, first: str, gap: str, step: float) -> fits.BinTableHDU:
    """A table of vectors as the missions lay it out: some cadences missing, some marked as gaps."""
    random = np.random.default_rng(seed)
    cadence = np.delete(np.arange(-20, N_CADENCES), [60, 61])
    time = 55000 + step * cadence
    gaps = np.zeros(cadence.size, dtype=bool)
    gaps[[100, 150]] = True
    time[gaps] = np.nan
    columns = [
        fits.Column(first, "D", array=time),
        fits.Column("CADENCENO", "J", array=cadence),
        fits.Column(gap, "L" if gap == "GAP" else "J", array=gaps),
    ]
    columns += [fits.Column(f"VECTOR_{k + 1}", "E", array=random.normal(0, 0.01, cadence.size)) for k in range(16)]
    return fits.BinTableHDU.from_columns(columns)


def write_kepler_vectors(folder: Path, card: str, campaign: int) -> Path:
    """A quarter's or a campaign's file, with two of the channels."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header.update({"TELESCOP": "Kepler", card: campaign})
    for channel, output in ((3, 3), (4, 4)):
        hdus.append(vectors_of(100 * campaign + channel, "TIME_MJD", "GAPFLAG", LONG_CADENCE))
        hdus[-1].header.update({"EXTNAME": f"MODOUT_2_{output}", "MODULE": 2, "OUTPUT": output, "CHANNEL": channel})
    path = folder / f"kplr2010-{card[0].lower()}{campaign:02d}-d25_lcbv.fits"
    hdus.writeto(path)
    return path


def write_tess_vectors(folder: Path, sector: int, camera: int, ccd: int, step: float = TWO_MINUTES) -> Path:
    hdus = fits.HDUList([fits.PrimaryHDU(), vectors_of(camera, "TIME", "GAP", step)])
    hdus[0].header.update({"TELESCOP": "TESS", "SECTOR": sector})
    hdus[1].header.update({"EXTNAME": f"CBV.single-scale.{camera}.{ccd}", "CAMERA": camera, "CCD": ccd})
    path = folder / f"tess2019-s{sector:04d}-{camera}-{ccd}-0150-{'s' if step == TWO_MINUTES else 'a_fast'}_cbv.fits"
    hdus.writeto(path)
    return path


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """Light curves of two Kepler stars (two quarters), one of K2, one of TESS; vectors for all in another folder."""
    (tmp_path / "in").mkdir()
    (tmp_path / "cbv").mkdir()
    for number, channel in ((5, 3), (6, 4)):
        for quarter in (5, 6):
            columns = signal(n=200, start=100.0 * quarter, seed=number)
            columns["quality"][[5, 30]] = 8
            columns["flux"][80] = np.nan
            name = f"kplr{number:09d}-20{quarter:02d}000000000_llc.fits"
            write_official(tmp_path / "in" / name, "Kepler", number, quarter, columns, CHANNEL=channel)
    write_official(tmp_path / "in" / "ktwo210000007-c04_llc.fits", "K2", 210000007, 4, signal(start=2100.0))
    columns = signal(n=250, start=1700.0, step=TWO_MINUTES)
    name = "tess2019000000000-s0014-0000000000000009-0100-s_lc.fits"
    write_official(tmp_path / "in" / name, "TESS", 9, 14, columns, CAMERA=1, CCD=2)
    for quarter in (5, 6):
        write_kepler_vectors(tmp_path / "cbv", "QUARTER", quarter)
    write_kepler_vectors(tmp_path / "cbv", "CAMPAIGN", 4)
    write_tess_vectors(tmp_path / "cbv", 14, 1, 2)
    write_tess_vectors(tmp_path / "cbv", 14, 1, 2, TWO_MINUTES / 6)
    write_tess_vectors(tmp_path / "cbv", 14, 2, 2)
    return tmp_path


def with_vectors(survey: Path, n_vectors: int = 3) -> Recipe:
    recipe = make_recipe(survey / "in")
    return replace(recipe, clean=replace(recipe.clean, cotrending=(str(survey / "cbv"),), cotrending_vectors=n_vectors))


def by_lightkurve(survey: Path, file: Path, n_vectors: int) -> np.ndarray:
    """The vectors at the valid points of a file, in lightkurve's own way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lightkurve
        from lightkurve.correctors.cbvcorrector import load_kepler_cbvs, load_tess_cbvs

        curve = lightkurve.read(str(file))
        place: dict[str, Any] = {"cbv_dir": str(survey / "cbv")}
        if file.name.startswith("tess"):
            # It takes the first file of a detector, be it of 20 s.
            (survey / "two minutes").mkdir(exist_ok=True)
            shutil.copy(survey / "cbv" / "tess2019-s0014-1-2-0150-s_cbv.fits", survey / "two minutes")
            vectors = load_tess_cbvs(str(survey / "two minutes"), sector=14, camera=1, ccd=2)
        elif file.name.startswith("ktwo"):
            vectors = load_kepler_cbvs(**place, mission="K2", campaign=4, channel=3)
        else:
            channel = {"5": 3, "6": 4}[file.name[12]]
            vectors = load_kepler_cbvs(**place, mission="Kepler", quarter=int(file.name[17]), channel=channel)
        curve = curve[np.isfinite(np.asarray(curve.flux.value, dtype=float))]
        aligned = vectors.align(curve)
    found = np.stack([aligned[f"VECTOR_{k + 1}"].value for k in range(n_vectors)], axis=1).astype(np.float64)
    found[np.asarray(aligned.gap_indicators.value, dtype=bool)] = 0
    assert found.shape[0] == len(curve)
    return found


def test_each_star_has_the_vectors_of_its_detector_at_its_own_points(survey: Path) -> None:
    _, store = run_ingest(with_vectors(survey), survey / "store")
    stars = {curve.name: curve for curve in store.read(store.stars["star_id"])}
    files: dict[str, list[Path]] = {
        "KIC 5": sorted((survey / "in").glob("kplr000000005*")),
        "KIC 6": sorted((survey / "in").glob("kplr000000006*")),
        "EPIC 210000007": sorted((survey / "in").glob("ktwo*")),
        "TIC 9": sorted((survey / "in").glob("tess*")),
    }
    assert stars.keys() == files.keys()
    for name, curve in stars.items():
        expected = np.concatenate([by_lightkurve(survey, file, 3) for file in files[name]])
        np.testing.assert_array_equal(curve.vectors, expected, err_msg=name)
        assert np.count_nonzero(curve.vectors) > 400
    assert not np.array_equal(stars["KIC 5"].vectors, stars["KIC 6"].vectors)


def test_they_are_stored_by_campaign_and_detector(survey: Path) -> None:
    _, store = run_ingest(with_vectors(survey), survey / "store")
    assert sorted(path.name for path in (survey / "store").glob("kepler/q05-*/cotrending/*/")) == [
        *("channel-3", "channel-4")
    ]
    assert [path.name for path in (survey / "store").glob("tess/*/cotrending/c*")] == ["camera-1-ccd-2"]
    _, bare = run_ingest(make_recipe(survey / "in"), survey / "bare")
    for one, other in zip(store.read(store.stars["star_id"]), bare.read(store.stars["star_id"]), strict=True):
        np.testing.assert_array_equal(one.flux, other.flux)
        assert other.vectors.shape == (other.time.size, 0)
    assert not list((survey / "bare").rglob("cotrending")) and not list((survey / "bare").rglob("cadence_number"))


def test_later_files_bring_their_own(survey: Path) -> None:
    late = survey / "in" / "kplr000000006-2006000000000_llc.fits"
    shutil.move(late, survey)
    run_ingest(with_vectors(survey), survey / "store")
    shutil.move(survey / late.name, late)
    ingest(with_vectors(survey), survey / "store", no_progress, append=True)
    _, at_once = run_ingest(with_vectors(survey), survey / "at once")
    store = LightCurveStore(survey / "store")
    for one, other in zip(*(s.read(at_once.stars["star_id"]) for s in (store, at_once)), strict=True):
        np.testing.assert_array_equal(one.vectors, other.vectors)


def test_other_vectors_are_other_input(survey: Path) -> None:
    run_ingest(with_vectors(survey), survey / "store")
    shutil.move(survey / "cbv", survey / "moved")
    moved = with_vectors(survey)
    moved = replace(moved, clean=replace(moved.clean, cotrending=(str(survey / "moved"),)))
    assert ingest(moved, survey / "store", no_progress).kept
    shutil.move(survey / "moved", survey / "cbv")
    with pytest.raises(InputError, match="holds other light curves"):
        ingest(with_vectors(survey, 4), survey / "store", no_progress)


def test_what_is_missing_is_named(survey: Path) -> None:
    (survey / "cbv" / "kplr2010-q06-d25_lcbv.fits").unlink()
    with pytest.raises(InputError, match=r"clean\.cotrending: no file has vectors for kepler/q06-1765s, channel-3"):
        run_ingest(with_vectors(survey), survey / "store")
    (survey / "cbv" / "other.fits").write_bytes((survey / "in" / "ktwo210000007-c04_llc.fits").read_bytes())
    with pytest.raises(InputError, match=r"other\.fits: holds no cotrending basis vectors"):
        run_ingest(with_vectors(survey), survey / "store")
    (survey / "cbv" / "other.fits").write_bytes(b"SIMPLE  = nonsense")
    with pytest.raises(InputError, match=r"other\.fits: holds no cotrending basis vectors"):
        run_ingest(with_vectors(survey), survey / "store")
    shutil.rmtree(survey / "cbv")
    with pytest.raises(InputError, match=r"clean\.cotrending: '.*cbv' matches no file"):
        run_ingest(with_vectors(survey), survey / "store")


def test_without_vectors_lightkurve_stays_away(survey: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[3])\n"
        "from ingest_files import make_recipe, run_ingest\n"
        "run_ingest(make_recipe(sys.argv[1]), Path(sys.argv[2]))\n"
        "assert 'lightkurve' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, str(survey / "in"), str(survey / "store"), str(Path(__file__).parent)]
    subprocess.run(command, check=True, timeout=60)
