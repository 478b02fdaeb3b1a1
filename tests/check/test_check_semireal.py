"""Semi-real sets: the star that was asked for in the light curve that was given, as files that a run ingests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.timeseries import LombScargle
from scipy.stats import kstest
from semireal_samples import CADENCE, as_background, recipe_of, sector, write_backgrounds

from spotcat.check.backgrounds import LEARN, VALIDATE, Background, Piece, half_of, read_backgrounds
from spotcat.check.populations import QUIET, REAL_SETS
from spotcat.check.recovery import read_truth
from spotcat.check.semireal import (
    AMPLITUDE,
    DARKEST,
    FEWEST_CYCLES,
    MANIFEST,
    REAL_COLUMNS,
    RealStar,
    backgrounds_for,
    grid_scatter,
    real_star,
    simulate_real,
)
from spotcat.check.simulate import truth_path
from spotcat.cli import main
from spotcat.config import CleanConfig, InputConfig, Recipe, SurveyConfig
from spotcat.ingest.pipeline import ingest
from spotcat.ingest.store import LightCurveStore
from spotcat.status import InputError, LeftOut
from spotcat.verdict.calibration import read

RECIPE = Recipe(SurveyConfig("test", "out", 3))
NAMES = [f"star{number}" for number in range(8)]
PRECISE = as_background(sector(0, white=1e-5, slow=0))


@pytest.fixture(scope="module")
def stars() -> list[RealStar]:
    return [real_star(number, RECIPE, "ffi-real", PRECISE) for number in range(60)]


def _added(star: RealStar, background: Background) -> np.ndarray:
    """The signal that a star has beside its background, relative."""
    return star.pieces[0].flux / background.pieces[0].flux - 1


def test_nothing_but_the_flux_is_touched(stars: list[RealStar]) -> None:
    (before,) = PRECISE.pieces
    for star in stars[:5]:
        (piece,) = star.pieces
        for own, given in ((piece.time, before.time), (piece.flux_err, before.flux_err)):
            np.testing.assert_array_equal(own, given)
        np.testing.assert_array_equal(piece.segment, before.segment)
        assert set(star.truth) == set(REAL_COLUMNS)
        assert star.truth["background"] == "star"


def test_amplitudes_are_so_many_times_the_scatter_and_log_uniform(stars: list[RealStar]) -> None:
    scatter = grid_scatter(PRECISE, 2048)
    ratio = np.array([star.truth["amplitude_over_noise"] for star in stars])
    measured = np.array([_added(star, PRECISE).std() for star in stars]) / scatter
    np.testing.assert_allclose(measured, ratio, rtol=1e-6)
    assert kstest(np.log(ratio / AMPLITUDE[0]) / np.log(AMPLITUDE[1] / AMPLITUDE[0]), "uniform").pvalue > 0.01
    np.testing.assert_allclose([star.truth["noise"] for star in stars], 1 / ratio)


def test_periods_fit_into_the_baseline_and_are_what_the_signal_shows(stars: list[RealStar]) -> None:
    low, high = REAL_SETS["ffi-real"].stars.period
    prot = np.array([star.truth["prot"] for star in stars])
    assert low <= prot.min() < 1
    assert prot.max() <= min(PRECISE.length / FEWEST_CYCLES, high / 0.7)
    np.testing.assert_allclose([star.truth["cycles"] for star in stars], PRECISE.length / prot)
    near, time = np.linspace(0.4, 2.5, 2000), PRECISE.pieces[0].time
    fast = [star for star in stars if star.truth["cycles"] > 5]
    # Spots that come and go add slow power of their own, and spots on both sides of a star show half its period.
    powers = [LombScargle(time, _added(s, PRECISE)).power(near / s.truth["prot"]) for s in fast]
    shown = np.array([1 / near[np.argmax(power)] for power in powers])
    assert np.mean((np.abs(shown - 1) < 0.1) | (np.abs(shown - 0.5) < 0.05)) > 0.8


def test_no_star_is_darker_than_spots_can_make_it() -> None:
    noisy = as_background(sector(1, white=0.2, slow=0))
    for number in range(20):
        star = real_star(number, RECIPE, "ffi-real", noisy)
        assert _added(star, noisy).min() >= -DARKEST * (1 + 1e-9)


def test_the_scatter_is_that_of_the_binned_grid_whatever_flares_there_are() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(0, 27, 120 / 86400)
    flux = 1 + 0.01 * rng.standard_normal(time.size)
    flux[5000:5100] += 1
    segment = (time > 13).astype(int)
    flux[segment == 1] *= 3
    fast = Background("star", "tess", 120 / 86400, (Piece(time, flux, 0.01 + 0 * time, segment),), ("",))
    in_bin = 27 / 2048 / (120 / 86400)
    assert grid_scatter(fast, 2048) == pytest.approx(0.01 / np.sqrt(in_bin), rel=0.06)
    assert grid_scatter(fast, 10**6) == pytest.approx(0.01, rel=0.03)


def test_files_of_one_star_have_one_star_across_the_gaps() -> None:
    """Two quarters with a gap of a year: the spots turn on meanwhile, and the gap is no part of the baseline."""
    days = np.arange(0, 90, 1 / 48)
    rng = np.random.default_rng(1)
    pieces = tuple(
        Piece(
            120.0 + begin + days, 1 + 1e-4 * rng.standard_normal(days.size), 1e-4 + 0 * days, np.zeros(days.size, int)
        )
        for begin in (0, 455)
    )
    background = Background("KIC 1", "kepler", 1 / 48, pieces, ("", ""))
    star = real_star(2, RECIPE, "kepler-real", background)
    assert star.truth["cycles"] == pytest.approx(2 * np.ptp(days) / star.truth["prot"])
    both = np.concatenate([own.flux / given.flux - 1 for own, given in zip(star.pieces, pieces, strict=True)])
    assert both.std() == pytest.approx(star.truth["amplitude_over_noise"] * grid_scatter(background, 2048))
    quiet = real_star(2, RECIPE, "kepler-real" + QUIET, background)
    assert [piece.time[0] for piece in quiet.pieces] == [120.0, 575.0]
    assert np.isnan(quiet.truth["prot"])


def _written(recipe: Recipe, folder: Path, name: str, n_stars: int, half: str) -> Path:
    survey = replace(recipe, simulate=replace(recipe.simulate, folder=str(folder)))
    return simulate_real(survey, name, n_stars, backgrounds_for(recipe, [name], half)[name])


def test_sets_are_the_same_bytes_again_and_begin_alike(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, write_backgrounds(tmp_path / "real", NAMES))
    for name in ("ffi-real", "ffi-real" + QUIET):
        one, two, more = (_written(recipe, tmp_path / f"{name}{k}", name, n, LEARN) for k, n in enumerate((3, 3, 4)))
        files = [{path.name: path.read_bytes() for path in folder.glob("*.ecsv")} for folder in (one, two, more)]
        assert files[0] == files[1] == {key: files[2][key] for key in files[0]}
        assert len(set(files[2].values())) == 4
        assert truth_path(one).read_bytes() == truth_path(two).read_bytes()
        with pytest.raises(InputError, match="holds something else"):
            _written(recipe, one, name, 3, VALIDATE)


def test_what_is_learnt_from_is_never_validated_on(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, write_backgrounds(tmp_path / "real", NAMES))
    used = {}
    for half in (LEARN, VALIDATE):
        folders = [_written(recipe, tmp_path / half / name, name, 12, half) for name in ("ffi-real", "ffi-real-quiet")]
        used[half] = {star for folder in folders for star in read_truth(truth_path(folder))["background"]}
        assert used[half] == {name for name in NAMES if half_of(name) == half}
    assert not used[LEARN] & used[VALIDATE]


def _stored(folder: Path, work: Path, clean: CleanConfig) -> LightCurveStore:
    recipe = Recipe(SurveyConfig("t", str(work), 1), InputConfig(manifest=str(folder / MANIFEST)), clean)
    ingest(recipe, work / "store", lambda *_: None)
    return LightCurveStore(work / "store")


def test_a_run_ingests_them_whole_and_cleans_them_itself(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, write_backgrounds(tmp_path / "real", NAMES))
    folder = _written(recipe, tmp_path / "stars", "ffi-real", 6, VALIDATE)
    read = LightCurveStore.read(_stored(folder, tmp_path, CleanConfig()), range(6))
    truth = read_truth(truth_path(folder))
    assert [star.name for star in read] == truth["name"].tolist()
    for star, name in zip(read, truth["background"], strict=True):
        own = sector(int(name.removeprefix("star")))
        everything = np.sort(np.concatenate([star.time, star.removed.time]))
        np.testing.assert_array_equal(everything, own.time)
        assert set(star.segment) == {0, 1}
        assert np.all((star.time > 2013.5) == (star.segment == 1))
    flares = sum(np.isin(star.removed.time, 2000 + CADENCE * np.arange(300, 303)).sum() for star in read)
    assert flares > 0


@pytest.mark.real
@pytest.mark.parametrize("name", ["kepler-real", "k2-real", "sector-real"])
def test_real_files_keep_their_times_segments_and_campaigns(name: str, real_data: Path, tmp_path: Path) -> None:
    """Several quarters stay several light curves of one star, the orbits of a sector its segments."""
    observatory = REAL_SETS[name].observatory
    recipe = recipe_of(tmp_path, real_data / observatory)
    half = next(h for h in (LEARN, VALIDATE) if any(b.observatory == observatory for b in read_backgrounds(recipe, h)))
    backgrounds = backgrounds_for(recipe, [name], half)[name][:2]
    survey = replace(recipe, simulate=replace(recipe.simulate, folder=str(tmp_path / "stars")))
    folder = simulate_real(survey, name, len(backgrounds), backgrounds)
    plain = CleanConfig(
        excess_sigma=0, scatter_ratio=0, dip_sigma=0, flare_sigma=0, outlier_sigma=0, ramp_ratio=0, cotrending=()
    )
    store = _stored(folder, tmp_path, plain)
    for star, background in zip(store.read(range(len(backgrounds))), backgrounds, strict=True):
        np.testing.assert_array_equal(star.time, np.concatenate([piece.time for piece in background.pieces]))
        counts = np.concatenate([np.unique(piece.segment, return_counts=True)[1] for piece in background.pieces])
        np.testing.assert_array_equal(np.unique(star.segment, return_counts=True)[1], counts)
        assert not (star.removed.why != LeftOut.USED).any()
    assert store.n_rows == sum(len(background.pieces) for background in backgrounds)


@pytest.mark.slow
def test_real_sets_are_learnt_from_and_judged_beside_the_classical_methods(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a hasty fit, whose figures mean nothing."""
    write_backgrounds(tmp_path / "real", NAMES)
    recipe, site, table = tmp_path / "check.toml", tmp_path / "site.toml", tmp_path / "table.json"
    site.write_text('executor = "serial"\n')

    def ask(command: str, sets: list[str], *more: str) -> None:
        recipe.write_text(
            f'[survey]\nname = "check"\noutput = "{tmp_path / command}"\nseed = 5\n'
            f'[check]\nsets = {json.dumps(sets)}\nbackgrounds = ["{tmp_path / "real"}"]\n'
            "[fit]\nmax_points = 300\nn_period = 64\nlifetimes = [3.0]\nshears = [0.0]\nrefine_steps = 8\n"
            "confirm_steps = 1\n"
            "polish_steps = 1\ndetection = 0.0\nfalse_alarm = 1.0\nreliability = 0.0\n"
        )
        assert main(["check", command, str(recipe), "--site", str(site), *more]) == 0

    ask("recovery", ["ffi-real:8", "ffi-real-quiet:8"])
    printed = capsys.readouterr().out
    for figure in ("detected with the right period", "the same by Lomb-Scargle at as many false alarms"):
        assert f"| ffi-real | {figure} |" in printed
    assert "| ffi-real-quiet | called rotating |" in printed
    report = json.loads((tmp_path / "recovery" / "validation.json").read_text())
    curves = {curve["axis"]: curve for curve in report["curves"]}
    for axis in ("amplitude over noise", "cycles in the baseline"):
        assert sum(curves[axis]["n"]) == 8
        assert set(curves[axis]["called"]) == {"Lomb-Scargle", "autocorrelation"}
    assert (tmp_path / "recovery" / "ffi-real.png").exists()

    ask("calibrate", ["half-year:12", "ffi-real:4", "ffi-real-quiet:4"], "--out", str(table))
    assert read(table.read_text()).version.endswith("ffi-real:4 ffi-real-quiet:4")
    learnt = read_truth(truth_path(tmp_path / "calibrate" / "ffi-real" / "stars"))["background"]
    judged = read_truth(truth_path(tmp_path / "recovery" / "ffi-real" / "stars"))["background"]
    assert not set(learnt) & set(judged)
