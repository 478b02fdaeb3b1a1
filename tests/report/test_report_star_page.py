"""The page of a star, from real runs of the fit: the numbers that are drawn, and that a picture comes out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.image
import numpy as np
import pytest

from spotcat.catalog.query import open_catalog
from spotcat.check.recovery import read_truth
from spotcat.check.simulate import simulate_star, truth_path
from spotcat.config import FitConfig, load_recipe
from spotcat.fit.buckets import choose_bucket
from spotcat.model.design import segment_design
from spotcat.model.grid import GridBatch, fitted_grid
from spotcat.model.likelihood import offset_columns
from spotcat.model.predict import StarPrediction
from spotcat.report.corner import corner
from spotcat.report.fitted import FittedStar, Piece, autocorrelation, densest, load_fitted, stretches
from spotcat.report.flux import draw_flux
from spotcat.report.panels import PHASES, folded, periodogram
from spotcat.report.star_page import _head, draw, show
from spotcat.report.style import picture
from spotcat.status import InputError, LifetimeFlag, RunError, Verdict


def test_the_grid_is_the_one_of_the_fit() -> None:
    rng = np.random.default_rng(0)
    config = FitConfig()
    coarser = finer = 0
    for _ in range(300):
        span, cadence, period = 10 ** rng.uniform((0.5, -3.0, -0.5), (3.2, 0.0, 2.0))
        spec = choose_bucket(span, cadence, 1, config)
        grid = spec.fitted(period, config)
        assert fitted_grid(span, cadence, grid.dt, config) == grid
        coarser += grid.dt > spec.dt
        finer += grid.dt < spec.dt
    assert coarser > 50
    assert finer > 10


def test_the_prediction_explains_the_light_curve(run: Path) -> None:
    truth = read_truth(truth_path(run.parent / "stars"))
    for name, noise in zip(truth["name"], truth["noise"], strict=True):
        fitted = load_fitted(run / "catalog.zarr", name)
        y, fit = fitted.grid.y[fitted.seen], fitted.prediction
        assert fitted.dt == 0.5
        assert fitted.time[0] == 0.0
        residual = y - fit.mean[fitted.seen] - fit.offset[0]
        # In units of the scatter.  The shortest red noise may take the place of white noise, hence no lower limit.
        assert residual.std() < 1.2 * noise / np.hypot(1, noise)
        assert np.all(fit.sd < 1.01 * np.sqrt(fit.covariance[0]))
        assert np.median(fit.sd[fitted.seen]) < 0.5
        assert fit.sd[-1] > 2 * np.median(fit.sd[fitted.seen])  # the grid is longer than the light curve


def test_the_band_holds_the_truth(run: Path) -> None:
    recipe = load_recipe(run / "recipe.toml")
    inside = []
    for number in range(recipe.simulate.n_stars):
        fitted = load_fitted(run / "catalog.zarr", f"sim-{number:05d}")
        everywhere = replace(recipe.simulate, noise=(0.0, 0.0), gaps=0.0)
        silent = simulate_star(number, recipe.survey.seed, everywhere)
        cells = np.round(silent.time / fitted.dt).astype(int)
        assert cells.size > fitted.seen.size
        signal = silent.flux / fitted.scale
        error = signal - signal.mean() - (fitted.prediction.mean[cells] - fitted.prediction.mean[cells].mean())
        inside += (np.abs(error) < 2 * fitted.prediction.sd[cells]).tolist()
    # Two sigma would hold 95 % if the fitted parameters were the true ones; a grid that is off by one holds 40 %.
    assert 0.6 < np.mean(inside) < 1.0


def test_the_detail_refines_the_same_prediction(run: Path) -> None:
    for number in range(3):
        fitted = load_fitted(run / "catalog.zarr", f"sim-{number:05d}")
        first, last, per_step, mean, sd = fitted.detail
        assert fitted.row["prot"] / fitted.dt * per_step >= 24
        assert mean.size == (last - first) * per_step + 1
        np.testing.assert_allclose(mean[::per_step], fitted.prediction.mean[first : last + 1], atol=1e-9)
        np.testing.assert_allclose(sd[::per_step], fitted.prediction.sd[first : last + 1], atol=1e-9)
        # Between two grid points it is less certain, but no stranger than they are.
        assert np.all(sd[1:-1] > 0) and sd.max() < 3 * np.median(sd)
        assert np.abs(np.diff(mean, 2)).max() < np.abs(np.diff(mean[::per_step], 2)).max()


def test_long_gaps_cut_the_light_curve_and_short_ones_do_not() -> None:
    mask = np.ones(400)
    mask[100:110] = 0
    mask[200:300] = 0
    assert stretches(mask) == [(0, 199), (300, 399)]


@pytest.mark.parametrize(("rotation", "width"), [(2.0, 24), (50.0, 199 // 3), (0.01, 1)])
def test_the_detail_is_a_dozen_rotations_without_gaps(rotation: float, width: int) -> None:
    mask = np.ones(400)
    mask[90:110] = 0
    mask[200:300] = 0
    first, last = densest(mask, rotation)
    assert last - first == width
    assert mask[first : last + 1].all()


def _star(n_segments: int = 1, **columns: Any) -> FittedStar:
    """A star with 40 measurements in each segment and long gaps between segments, drawn from its own covariance."""
    rng = np.random.default_rng(4)
    m = 100 * n_segments
    place = np.arange(m)
    mask = (place % 100 < 40).astype(float)
    covariance = np.exp(-0.5 * (place / 8.0) ** 2) * (0.5 + 0.5 * np.cos(2 * np.pi * place / 10))
    segment = np.where(mask > 0, place // 100, 0)
    grid = GridBatch(
        *(rng.standard_normal(m) * mask, np.ones(m), mask, segment, np.empty((m, 0))),
        *(place * 0.5, np.asarray(0.0), np.asarray(m)),
        *(np.asarray(value) for value in (0.01, 0.0, 0.1)),
    )
    prediction = StarPrediction(np.sin(place / 3), np.full(m, 0.2), np.zeros(n_segments), covariance, 0.1)
    names = ("prot", "peq", "spot_lifetime", "kappa", "inc")
    numbers = {f"{name}{end}": value for name in names for end, value in (("", 5.0), ("_lower", 4.9), ("_upper", 5.2))}
    row = numbers | {"name": "test", "mission": "Kepler", "n_points": m, "n_segments": n_segments, "dt": 0.5}
    row |= {f"{name}_draws": np.exp(rng.normal(1.6, 0.02, 128)) for name in ("prot", "spot_lifetime", "kappa", "inc")}
    row |= {"p_ls": 5.0, "p_acf": 5.0, "lnl_rotation": 30.0, "rvar": 0.02, "lifetime_flag": 0, "status": 0, "flags": 0}
    period = np.geomspace(1, 40, 60)
    gain = 30 - 100 * np.log(period / 5) ** 2
    first, last = densest(mask, 10.0)
    fine = np.arange(first * 3, last * 3 + 1) / 3
    detail = Piece(first, last, 3, np.sin(fine / 3), np.full(fine.size, 0.2))
    return FittedStar(row | columns, period, gain, 100.0 + 0.5 * place, grid, prediction, detail)


def _sloping(star: FittedStar) -> FittedStar:
    """The same star whose segments each have a slope, a curve and offsets of their own beside the signal."""
    rng, time = np.random.default_rng(8), np.arange(star.grid.y.size) / 50.0
    design = segment_design(np.column_stack([time, time**2]), star.grid.segment, star.grid.mask)
    offset = rng.normal(0, 3, 3 * star.prediction.offset.size)
    prediction = star.prediction._replace(offset=offset)
    return star._replace(grid=star.grid._replace(design=design), prediction=prediction)


@pytest.mark.parametrize("dress", [lambda star: star, _sloping], ids=["offsets", "slopes"])
def test_the_expected_autocorrelation_is_that_of_many_light_curves(dress: Callable[[FittedStar], FittedStar]) -> None:
    star = dress(_star(n_segments=2))
    seen, mask, n = star.seen, star.grid.mask, star.grid.mask.size
    lag = np.abs(seen[:, None] - seen[None, :])
    root = np.linalg.cholesky(star.prediction.covariance[lag] + star.prediction.white * np.eye(seen.size))
    own = (star.grid.segment[seen][:, None] == np.arange(2)).astype(float)
    removed = np.hstack([own, *(own * column[:, None] for column in star.grid.design[seen].T)])
    drawn = root @ np.random.default_rng(1).standard_normal((seen.size, 4000))
    drawn -= removed @ np.linalg.lstsq(removed, drawn, rcond=None)[0]
    products, squares, full = np.zeros(n), np.zeros(n), np.zeros(n)
    for y in drawn.T:
        full[seen] = y
        products += 2 * np.correlate(full, full, "full")[n - 1 :]
        both = np.correlate(full**2, mask, "full")
        squares += both[n - 1 :] + both[n - 1 :: -1]
    pairs, measured, expected = autocorrelation(star._replace(grid=star.grid._replace(y=full)))
    n_pairs = 2 * np.correlate(mask, mask, "full")[n - 1 :][: pairs.size].astype(int)
    n_pairs[0] //= 2
    np.testing.assert_array_equal(pairs, np.maximum(n_pairs, 1))
    often = pairs > 20
    np.testing.assert_allclose(
        (products / np.maximum(squares, 1e-300))[: pairs.size][often], expected[often], atol=0.03
    )
    assert measured[0] == expected[0] == pytest.approx(1.0)
    y = full
    assert measured[3] == pytest.approx(
        2 * np.sum(y[3:] * y[:-3]) / np.sum((y[3:] ** 2 + y[:-3] ** 2) * mask[3:] * mask[:-3])
    )
    # What was removed matters here, or the test would not see it.
    plain = star.prediction.covariance[: pairs.size] / star.prediction.covariance[0]
    assert np.abs(expected - plain)[often].max() > 0.1


@pytest.mark.parametrize("scale", [1e-4, 1.0, 11.0, 1e6])
@pytest.mark.parametrize("life", [3.0, 1e4])
def test_an_autocorrelation_is_at_most_one(scale: float, life: float) -> None:
    """However large the fitted variance is beside that of the light curve."""
    star = _star(n_segments=3)
    place = np.arange(star.grid.y.size)
    covariance = scale * np.exp(-0.5 * (place / life) ** 2) * np.cos(2 * np.pi * place / 10)
    _, data, expected = autocorrelation(star._replace(prediction=star.prediction._replace(covariance=covariance)))
    assert np.abs(data).max() <= 1 + 1e-9
    assert np.abs(expected).max() <= 1 + 1e-9
    assert expected[0] == pytest.approx(1)


def _ink(path: Path) -> np.ndarray:
    return matplotlib.image.imread(path)[..., :3].min(axis=-1) < 0.9


def test_a_long_gap_breaks_the_time_axis(tmp_path: Path) -> None:
    whole, broken = (_ink(draw(_star(n), tmp_path / f"{n}.png")) for n in (1, 3))
    top = slice(60, 90)  # pixels about the upper edge of the light curve
    assert whole[top].any(axis=0).mean() > broken[top].any(axis=0).mean() > 0.8


_LIFETIME = ("spot_lifetime", "spot_lifetime_lower", "spot_lifetime_upper")


@pytest.mark.parametrize(
    "columns",
    [
        {"p_acf": np.nan, "flags": np.int32(2**6 - 1), "status": np.int8(1)},
        {"lifetime_flag": np.int8(1)},
        {"lifetime_flag": np.int8(1), "verdict": np.int8(1), "spot_lifetime": np.nan, "spot_lifetime_upper": np.nan},
        {"lifetime_flag": np.int8(4), "verdict": np.int8(6)} | dict.fromkeys(_LIFETIME, np.nan),
        {"lifetime_flag": np.int8(2), "spot_lifetime_upper": np.inf},
        {"lifetime_flag": np.int8(3), "prot_lower": 5.1, "kappa_lower": 5.0, "kappa_upper": 5.0},
        {"prot": 400.0, "prot_lower": np.nan, "prot_upper": np.nan},
        {"prot": 0.6},
        {"spot_lifetime_lower": 0.1, "spot_lifetime_upper": 1e6, "inc_upper": 9.0},
    ],
)
def test_odd_results_are_drawn_too(tmp_path: Path, columns: dict[str, Any]) -> None:
    plain, odd = (_ink(draw(star, tmp_path / "star.png", 5.0)) for star in (_star(), _star(**columns)))
    assert not np.array_equal(plain, odd)


def _lines(path: Path) -> list[str]:
    """Every text of a picture."""
    return re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_page_gives_the_verdict_and_marks_a_candidate(tmp_path: Path) -> None:
    lines = _lines(draw(_star(verdict=np.int8(Verdict.ROTATOR)), tmp_path / "rotator.svg"))
    assert {"rotator", "Rotation P", "P", "P/2", "2P", "Spot lifetime", "life [d]"} <= set(lines)
    unseen = {"verdict": np.int8(Verdict.NO_ROTATION_SEEN), "lifetime_flag": np.int8(LifetimeFlag.NOT_DETECTED)}
    lines = _lines(draw(_star(**unseen, **dict.fromkeys(_LIFETIME, np.nan)), tmp_path / "unseen.svg"))
    assert {"no rotation seen", "Candidate P", "P?", "P/2?", "2P?"} <= set(lines)
    assert not {"Rotation P", "P", "Spot lifetime", "life [d]"} & set(lines)


def test_a_limit_is_drawn_as_one(tmp_path: Path) -> None:
    limit = {"lifetime_flag": np.int8(LifetimeFlag.LOWER_LIMIT), "spot_lifetime_lower": 16.24}
    lines = _lines(draw(_star(**limit, spot_lifetime=np.nan, spot_lifetime_upper=np.nan), tmp_path / "limit.svg"))
    assert any("16.2 d" in line for line in lines)
    assert not any("nan" in line for line in lines)


def test_a_flare_does_not_flatten_the_rest(tmp_path: Path) -> None:
    star = _star()
    y = star.grid.y.copy()
    y[5] = 500.0
    calm, flaring = (
        _ink(draw(star._replace(grid=star.grid._replace(y=a)), tmp_path / "s.png")) for a in (star.grid.y, y)
    )
    rows = [np.flatnonzero(ink[80:460, 150:1390].any(axis=1)) for ink in (calm, flaring)]
    assert np.ptp(rows[1]) > 0.8 * np.ptp(rows[0])


def test_a_page_is_drawn(run: Path, tmp_path: Path) -> None:
    out = show(run / "catalog.zarr", "sim-00001", tmp_path / "new" / "star.png", published=5.0)
    image = matplotlib.image.imread(out)
    assert image.shape == (1980, 1450, 4)
    ink = _ink(out)
    assert 0.03 < ink.mean() < 0.3
    assert ink.any(axis=0).mean() > 0.85 and ink.any(axis=1).mean() > 0.85
    assert out.stat().st_size > 50_000


@pytest.mark.parametrize(("suffix", "mark"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("PNG", b"\x89PNG")])
def test_the_suffix_says_the_format_and_equal_pages_are_equal(tmp_path: Path, suffix: str, mark: bytes) -> None:
    one, other = (draw(_star(), tmp_path / f"{name}.{suffix}") for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes().startswith(mark)


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"star\.gif: pictures end in \.png, \.pdf or \.svg"):
        draw(_star(), tmp_path / "star.gif")


def test_rotations_are_folded_at_the_period() -> None:
    """A signal of exactly one period is the same in every row; gaps stay gaps."""
    star = _star(n_segments=3, prot=5.0)
    place = np.arange(star.grid.y.size)
    flux = folded(star._replace(grid=star.grid._replace(y=3 + np.cos(2 * np.pi * place / 10) * star.grid.mask)))
    assert flux.shape == (24, PHASES)
    measured = np.isfinite(flux)
    assert measured[:3].all() and not measured[5:9].any() and measured[10:13].all()
    np.testing.assert_allclose(flux[10], flux[0], atol=1e-12)
    assert np.ptp(flux[0]) == pytest.approx(2.0)
    assert flux[0].argmax() < PHASES / 10 or flux[0].argmax() > PHASES * 0.9


def _beside(star: FittedStar, place: int) -> float:
    """Offset, slope and curve at a grid point, one after the other."""
    segment, n_segments = star.grid.segment[place], star.grid.segment.max() + 1
    total = star.prediction.offset[segment]
    for number, value in enumerate(star.grid.design[place]):
        total += value * star.prediction.offset[n_segments + segment * star.grid.design.shape[1] + number]
    return float(total)


@pytest.mark.parametrize("n_segments", [1, 2, 3])
def test_residuals_are_what_the_mean_and_all_that_was_fitted_beside_it_leave(n_segments: int) -> None:
    star = _sloping(_star(n_segments=n_segments))
    beside = np.array([_beside(star, i) for i in star.seen])
    assert np.ptp(beside) > 1
    np.testing.assert_allclose(star.residual, star.grid.y[star.seen] - star.prediction.mean[star.seen] - beside)
    # The columns are those of the likelihood, in its order.
    grid = star.grid
    columns = np.asarray(offset_columns(grid.segment, grid.mask, n_segments, grid.design))
    np.testing.assert_allclose(columns[star.seen] @ star.prediction.offset, beside, rtol=1e-5, atol=1e-5)


def test_the_drawn_mean_holds_what_was_fitted_beside_the_signal(tmp_path: Path) -> None:
    star = _sloping(_star(n_segments=2))
    with picture(tmp_path / "a.png", 4, 3) as figure:
        axes = figure.subplots()
        for piece in (*star.stretches, star.detail):
            draw_flux(axes, star, piece)
            lines = [line for line in axes.lines if line.get_label().endswith("GP mean")]
            time, mean = (np.concatenate([line.get_data()[i] for line in lines]) for i in (0, 1))
            for place in star.seen[(star.seen >= piece.first) & (star.seen <= piece.last)]:
                drawn = mean[np.argmin(np.abs(time - star.time[place]))] / (100 * star.scale)
                assert drawn == pytest.approx(star.prediction.mean[place] + _beside(star, place), abs=2e-2)
            axes.clear()


def test_rotations_are_folded_without_what_was_fitted_beside_the_signal() -> None:
    star = _sloping(_star(n_segments=2, prot=5.0))
    y = np.zeros(star.grid.y.size)
    y[star.seen] = np.cos(2 * np.pi * star.seen / 10) + [_beside(star, i) for i in star.seen]
    flux = folded(star._replace(grid=star.grid._replace(y=y)))
    np.testing.assert_allclose(flux[1], flux[0], atol=1e-9)


@pytest.mark.parametrize(
    ("gain", "shown"),
    [
        (np.linspace(-269.0, -20.0, 100), 0.85),
        (np.r_[np.full(99, -300.0), 0.4], 1.0),
        (np.r_[np.full(99, -5.0), 400.0], 1.0),
        (np.r_[np.full(5, -1e6), np.linspace(-3, 50, 95)], 0.9),
        (np.r_[np.full(50, np.nan), np.linspace(-3, -2, 50)], 0.45),
        (np.zeros(100), 1.0),
        (np.full(100, np.nan), 0.0),
    ],
)
def test_a_periodogram_is_in_its_picture(tmp_path: Path, gain: np.ndarray, shown: float) -> None:
    with picture(tmp_path / "a.png", 4, 3) as figure:
        axes = figure.subplots()
        periodogram(axes, _star()._replace(period=np.geomspace(0.2, 100, 100), gain=gain), 5.0)
        low, high = axes.get_ylim()
        inside = (gain > low) & (gain < high)
        assert inside.mean() >= shown
        assert low < 0 < high
        assert shown == 0 or inside[np.nanargmax(gain)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "name", ["$\\frac{1}{0}$", "$", "x" * 240, "星" * 240, "a\x07\n\u202eb", "\udce9", "<&>--", "", "KIC 10002792"]
)
@pytest.mark.parametrize("flags", [0, 2**18 - 1])
def test_words_stay_on_the_page(tmp_path: Path, name: str, flags: int) -> None:
    left_out = {"n_masked": 123_456, "n_flares": 123_456, "n_in_transit": 123_456} if flags else {}
    with picture(tmp_path / "a.svg", 7.25, 9.9) as figure:
        _head(figure, _star(name=name, flags=flags, **left_out))
        boxes = [text.get_window_extent() for text in figure.texts]
        page = figure.bbox
        assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1 for box in boxes)
        assert boxes[1].x1 <= boxes[0].x0  # the name ends before the words on its right
        assert boxes[2].y1 < 0.68 * figure.dpi  # under the numbers
    drawn = (tmp_path / "a.svg").read_text(encoding="utf-8")
    if name.startswith("$\\"):
        assert "frac{1}{0}$ -->" in drawn


def test_the_page_says_what_cleaning_left_out(tmp_path: Path) -> None:
    text = draw(_star(n_masked=1306, n_flares=2, n_in_transit=0), tmp_path / "star.svg").read_text()
    lines = re.findall(r"<!-- (.*?) -->", text, flags=re.DOTALL)  # one for each line of text
    assert "left out: 1,306 by the quality mask, 2 as flares" in " ".join(" ".join(lines).split())
    assert "left out" not in draw(_star(), tmp_path / "star.svg").read_text()


def test_equal_pages_have_equal_bytes_and_leave_no_trace(run: Path, tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    first, second = (show(str(run / "catalog.zarr"), "sim-00000", tmp_path / name) for name in ("a.png", "b.png"))
    assert first.read_bytes() == second.read_bytes()
    assert show(run / "catalog.zarr", "sim-00000", first, published=4.0).read_bytes() != second.read_bytes()
    assert dict(matplotlib.rcParams) == before


def test_a_star_that_was_not_fitted_has_no_page(run: Path, tmp_path: Path) -> None:
    reason = open_catalog(run / "catalog.zarr").star("short")["reason"].item()
    with pytest.raises(InputError) as caught:
        show(run / "catalog.zarr", "short", tmp_path / "short.png")
    assert str(caught.value).startswith("short: was not fitted")
    assert reason and reason in str(caught.value)
    assert not (tmp_path / "short.png").exists()


def test_what_is_missing_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no star 'KIC 1'"):
        show(run / "catalog.zarr", "KIC 1", tmp_path / "a.png")
    with pytest.raises(InputError, match="no such catalog"):
        show(tmp_path / "none.zarr", "sim-00000", tmp_path / "a.png")
    shutil.copytree(run / "catalog.zarr", tmp_path / "catalog.zarr")
    with pytest.raises(InputError, match=r"recipe\.toml: cannot be read"):
        show(tmp_path / "catalog.zarr", "sim-00000", tmp_path / "a.png")
    shutil.copy(run / "recipe.toml", tmp_path)
    with pytest.raises(InputError, match=r"lightcurves\.zarr: no light-curve store"):
        show(tmp_path / "catalog.zarr", "sim-00000", tmp_path / "a.png")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        show(run / "catalog.zarr", "sim-00000", tmp_path / "file" / "a.png")


def test_a_corner_has_a_panel_for_each_pair_and_none_for_what_was_not_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    row = {"prot": 5.0, "prot_draws": rng.normal(5, 0.1, 128), "kappa": 0.2, "kappa_draws": rng.uniform(0.01, 0.5, 128)}
    panels = {}
    for name, shown in (
        ("both", row),
        ("one", {"prot": 5.0, "prot_draws": row["prot_draws"]}),
        ("none", {"prot": 5.0}),
    ):
        with picture(tmp_path / f"{name}.png", 3, 3) as figure:
            corner(figure, (0.2, 0.2, 0.7, 0.7), shown)
        panels[name] = len(figure.axes)
    assert panels == {"both": 3, "one": 1, "none": 0}
