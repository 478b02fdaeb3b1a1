"""What cleaning left out, on the light curve of a star's page: where it is drawn, as what, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from spotcat.config import Site, load_recipe
from spotcat.ingest.lightcurve import LightCurve, Removed, join, with_slope
from spotcat.model.grid import Grid, GridBatch, grid_star
from spotcat.model.predict import StarPrediction
from spotcat.report.fitted import FittedStar, Piece, left_out, load_fitted
from spotcat.report.flux import draw_left_out, flux_range, light_curve
from spotcat.report.star_page import draw
from spotcat.report.style import LEFT_OUT, picture
from spotcat.run.stages import run_survey
from spotcat.status import LeftOut

KINDS = [kind for kind in LeftOut if kind]


def _light_curve(n: int = 400, gap: int = 200) -> LightCurve:
    """Two segments at levels of their own, a slope in each, and a few measurements of each left out."""
    rng = np.random.default_rng(3)
    time = np.r_[np.arange(n), n + gap + np.arange(n)] * 0.02
    segment = np.repeat([0, 1], n).astype(np.int32)
    flux = 1 + 0.01 * np.sin(time) + np.where(segment, 0.003, -0.002) + rng.normal(0, 1e-4, time.size)
    out = np.array([10, 11, 150, n + 7, 2 * n - 1])
    why = np.array([LeftOut.FLARE, LeftOut.FLARE, LeftOut.DIP, LeftOut.OUTLIER, LeftOut.RAMP])
    removed = Removed(time[out], flux[out] + [0.5, 0.004, -0.01, 0.002, 0.003], why, segment[out])
    keep = np.setdiff1d(np.arange(time.size), out)
    parts = (a[keep] for a in (time, flux, np.full(time.size, 1e-4), segment))
    return LightCurve(1, "star", *parts, np.empty((keep.size, 0)), removed)


@pytest.mark.parametrize("n_time", [500, 80])
def test_it_is_placed_as_the_binned_flux_is(n_time: int) -> None:
    """Against the mean of each segment, computed from the bins one by one."""
    star = _light_curve()
    spec = Grid(n_time, 0.06)
    grid = grid_star(star, spec)
    placed = left_out(star, grid, spec.dt)
    start, cells = float(grid.start), {}
    for time, flux, segment in zip(star.time, star.flux, star.segment, strict=True):
        cells.setdefault((segment, round((time - start) / spec.dt)), []).append(flux)
    on_grid = {key: np.mean(values) for key, values in cells.items() if 0 <= key[1] < n_time}
    means = {number: np.mean([m for (own, _), m in on_grid.items() if own == number]) for number, _ in on_grid}
    if n_time == 500:
        assert placed.time.size == star.removed.time.size
        wanted = [(f - means[s]) / grid.scale for f, s in zip(star.removed.flux, star.removed.segment, strict=True)]
        np.testing.assert_allclose(placed.flux, wanted, atol=1e-6)
    else:
        # The grid holds a part of the light curve, and what lies elsewhere is not drawn.
        assert 0 < placed.time.size < star.removed.time.size
        first, last = star.time[star.time >= start - 0.03][0], start + n_time * spec.dt
        assert np.all((placed.time > first - 0.03) & (placed.time < last + 0.03))


def test_what_a_slope_takes_of_the_flux_it_takes_here_too() -> None:
    plain = _light_curve()
    drift = 0.02 * (plain.time - 8)
    removed = plain.removed._replace(flux=plain.removed.flux + 0.02 * (plain.removed.time - 8))
    sloping = LightCurve(
        1, "a", plain.time, plain.flux + drift, *(plain.flux_err, plain.segment, plain.vectors, removed)
    )
    spec = Grid(500, 0.06)
    flux = []
    for star in (with_slope(plain), with_slope(sloping)):
        grid = grid_star(star, spec)
        flux.append(left_out(star, grid, spec.dt).flux * float(grid.scale))
    # Bins lie up to half a step beside their measurements, hence a tolerance of the drift in a step.
    np.testing.assert_allclose(flux[1], flux[0], atol=0.02 * spec.dt)


def test_a_segment_of_which_nothing_is_used_keeps_a_level() -> None:
    time = np.arange(12.0)
    flux = np.repeat([2.0, 3.0, 4.0], 4) * (1 + 0.01 * (np.arange(12) % 2))
    segment = np.repeat([0, 1, 2], 4)
    why = np.where(segment == 1, LeftOut.SCATTER, LeftOut.USED)
    why[0] = LeftOut.FLARE
    star = join(1, "a", [(time, flux, 0.01 * flux, segment, np.empty((12, 0)), why)], 0)
    np.testing.assert_array_equal(star.removed.segment, [0, 1, 1, 1, 1])
    np.testing.assert_array_equal(np.unique(star.segment), [0, 2])
    assert np.all(np.abs(star.removed.flux - 1) < 0.011)


def _star(removed: Removed) -> FittedStar:
    """A sine of a hundred bins, split by a long gap."""
    place = np.arange(150)
    mask = ((place < 60) | (place >= 110)).astype(float)
    y = np.sin(place / 3) * mask
    nothing = np.empty((150, 0))
    grid = GridBatch(
        *(y, np.ones(150), mask, (place >= 110).astype(int), nothing, place * 0.5, np.asarray(0.0), np.asarray(150)),
        *(np.asarray(value) for value in (0.01, 0.0, 0.1)),
    )
    prediction = StarPrediction(np.sin(place / 3), np.full(150, 0.2), np.zeros(2), np.exp(-place / 50.0), 0.1)
    detail = Piece(5, 25, 1, prediction.mean[5:26], prediction.sd[5:26])
    return FittedStar({"dt": 0.5, "prot": 9.0}, np.ones(2), np.ones(2), 0.5 * place, grid, prediction, detail, removed)


def _drawn(axes: Axes, kind: LeftOut) -> list[tuple[float, float, str]]:
    """Time, flux and marker of what has the colour of a kind, sorted."""
    lines = [line for line in axes.lines if to_hex(line.get_color()) == LEFT_OUT[kind][0]]
    return sorted((x, y, str(line.get_marker())) for line in lines for x, y in zip(*line.get_data(), strict=True))


def _removed(*points: tuple[float, float, LeftOut, int]) -> Removed:
    return Removed(*(np.array(column) for column in zip(*sorted(points), strict=True)))


def test_each_kind_has_its_look_and_its_count() -> None:
    points = [(3.0 + 0.1 * n, 0.2, kind, 0) for kind in KINDS for n in range(int(kind))]
    figure = Figure()
    (axes, _) = light_curve(figure, _star(_removed(*points)), (0.1, 0.1, 0.8, 0.8))
    assert len(set(LEFT_OUT.values())) == len({color for color, _ in LEFT_OUT.values()}) == len(KINDS)
    for kind in KINDS:
        assert [(y, mark) for _, y, mark in _drawn(axes, kind)] == [(pytest.approx(0.2), LEFT_OUT[kind][1])] * int(kind)
    (legend,) = figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words[0] == "points left out:"
    assert sorted(words[1:]) == sorted(f"{int(kind)} {kind.short}" for kind in KINDS)


def test_a_far_outlier_is_drawn_at_the_edge_and_the_scale_is_that_of_the_rest() -> None:
    near, far, low = (2.0, 0.5, LeftOut.FLARE, 0), (4.0, 500.0, LeftOut.FLARE, 0), (60.0, -80.0, LeftOut.DIP, 1)
    limits = []
    for removed in (Removed.none(), _removed(near, far, low)):
        figure = Figure()
        star = _star(removed)
        axes = light_curve(figure, star, (0.1, 0.1, 0.8, 0.8), residuals=False)
        limits.append([one.get_ylim() for one in axes])
    assert limits[0] == limits[1]
    bottom, top = flux_range(star)
    assert _drawn(axes[0], LeftOut.FLARE) == [(2.0, 0.5, "o"), (4.0, pytest.approx(top), "^")]
    assert _drawn(axes[1], LeftOut.DIP) == [(60.0, pytest.approx(bottom), "v")]
    assert limits[1][0][0] < bottom and top < limits[1][0][1]


def test_a_ramp_before_a_stretch_makes_it_longer_but_a_lost_segment_does_not() -> None:
    points = [(-2.0, 1.0, LeftOut.RAMP, 0), (53.0, 0.0, LeftOut.RAMP, 1), (35.0, 0.0, LeftOut.SCATTER, 7)]
    figure = Figure()
    axes = light_curve(figure, _star(_removed(*points)), (0.1, 0.1, 0.8, 0.8), residuals=False)
    assert [one.get_xlim() for one in axes] == [(-2.5, 30.0), (52.5, 75.0)]
    assert [x for x, _, _ in _drawn(axes[0], LeftOut.RAMP)] == [-2.0]
    assert [x for x, _, _ in _drawn(axes[1], LeftOut.RAMP)] == [53.0]


def test_nothing_left_out_has_no_line() -> None:
    figure = Figure()
    light_curve(figure, _star(Removed.none()), (0.1, 0.1, 0.8, 0.8))
    assert not figure.legends


def test_only_those_asked_for_are_drawn() -> None:
    star = _star(_removed((2.0, 0.5, LeftOut.FLARE, 0), (4.0, 0.1, LeftOut.FLARE, 0)))
    axes = Figure().subplots()
    draw_left_out(axes, star, np.array([False, True]), (0.2, 0.4))
    assert _drawn(axes, LeftOut.FLARE) == [(4.0, pytest.approx(0.2), "v")]


def test_the_line_stays_on_the_page(tmp_path: Path) -> None:
    """With as many measurements of every kind as a star of two-minute cadence over years may lose."""
    many = [np.full(99_999, kind) for kind in KINDS]
    n = 99_999 * len(KINDS)
    removed = Removed(np.linspace(0, 70, n), np.zeros(n), np.concatenate(many), np.zeros(n, int))
    with picture(tmp_path / "a.png", 7.25, 9.9) as figure:
        light_curve(figure, _star(removed), (0.6 / 7.25, 0.7, 6.39 / 7.25, 0.2))
        box = figure.legends[0].get_window_extent()
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1


def test_a_run_keeps_what_it_left_out_for_the_page(run: Path, tmp_path: Path) -> None:
    """A light curve with an excess, through ingest, fit and page; the row counts what is drawn."""
    recipe = load_recipe(run / "recipe.toml")
    table = Table.read(run.parent / "stars" / "sim-00000.ecsv")
    table["flux"][40] *= 3
    flare = float(table["time"][40])
    table.write(tmp_path / "flaring.ecsv")
    survey = replace(recipe.survey, output=str(tmp_path / "run"))
    files = replace(recipe.input, files=(str(tmp_path / "flaring.ecsv"),))
    run_survey(replace(recipe, survey=survey, input=files), Site(executor="serial"))
    star = load_fitted(tmp_path / "run" / "catalog.zarr", "flaring")
    assert star.removed.time.tolist() == [flare]
    counted = {kind: int(star.row[kind.column]) for kind in KINDS}
    assert counted == {kind: np.count_nonzero(star.removed.why == kind) for kind in KINDS}
    assert np.abs(star.removed.flux).max() > 20
    plain, marked = (
        draw(one, tmp_path / f"{n}.png").read_bytes()
        for n, one in enumerate((star._replace(removed=Removed.none()), star))
    )
    assert plain != marked
