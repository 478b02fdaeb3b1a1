"""The fit on simulated and real stars: recovery, batch against one by one, Whittle against exact, bad stars."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fit_samples import THETA, Star, cut, simulate, within
from scipy.optimize import minimize

from spotcat.config import FitConfig
from spotcat.fit.buckets import BINS_PER_CYCLE, LEAST_BINS, WEAK_BINS, WEAK_GAIN, choose_bucket, grid_stars
from spotcat.fit.climb import Rest, begin_at, climb_on
from spotcat.fit.columns import FitTable
from spotcat.fit.confirm import GridStar, confirm, exact_derivatives
from spotcat.fit.engine import fit_stars
from spotcat.fit.envelopes import envelope_values
from spotcat.fit.lanes import Room, map_lanes, this_device
from spotcat.fit.levels import search_stars
from spotcat.fit.modes import Wanted, fit_modes
from spotcat.fit.refine import expected_and_jacobian, refine
from spotcat.fit.search import search
from spotcat.fit.single import fit_on_own_grids
from spotcat.model.composite import covariance
from spotcat.model.grid import BINS_PER_PERIOD, fitted_grid, grid_lengths
from spotcat.model.layout import Layout
from spotcat.model.whittle import expected_power
from spotcat.status import Flag, LifetimeFlag, Status
from spotcat.verdict.decision import no_rotation

CONFIG = FitConfig()


@pytest.fixture(scope="module")
def stars() -> list[Star]:
    rng = np.random.default_rng(7)
    return [simulate(rng) for _ in range(48)]


@pytest.fixture(scope="module")
def table(stars: list[Star]) -> FitTable:
    spec = choose_bucket(149.5, 0.5, 1, CONFIG)
    chunks = [fit_stars(stars[i : i + 16], spec, CONFIG, 16) for i in range(0, len(stars), 16)]
    return FitTable(*({k: np.concatenate([c[j][k] for c in chunks]) for k in chunks[0][j]} for j in (0, 1)))


@pytest.mark.slow
def test_periods_are_recovered_better_than_by_the_classical_methods(stars: list[Star], table: FitTable) -> None:
    ours, lomb_scargle, acf = (within(table.columns[k], stars) for k in ("prot", "p_ls", "p_acf"))
    print(f"within 10 %: spotcat {ours:.0%}, Lomb-Scargle {lomb_scargle:.0%}, autocorrelation {acf:.0%}")
    assert ours >= 0.76
    assert ours > max(lomb_scargle, acf)
    assert np.all(table.columns["prot_lower"] < table.columns["prot_upper"])
    for key in ("kappa", "inc", "sigma_k"):
        assert np.all(np.isfinite(table.columns[key]))
    for key in ("lspot", "tau_spot"):
        assert np.isfinite(table.columns[key]).tolist() == (table.columns["rotating"] == 1).tolist()
    assert np.all(np.isfinite(table.columns["n_life_rot"][table.columns["lifetime_flag"] == LifetimeFlag.MEASURED]))
    assert np.mean(table.columns["status"] == Status.OK) > 0.9


@pytest.mark.slow
def test_a_batch_gives_what_one_by_one_gives(stars: list[Star], table: FitTable) -> None:
    spec = choose_bucket(149.5, 0.5, 1, CONFIG)
    for i in (0, 3):
        alone = fit_stars([stars[i]], spec, CONFIG, 16)
        for key in ("prot", "prot_lower", "lspot", "lnl_rotation", "p_acf"):
            assert alone.columns[key][0] == pytest.approx(table.columns[key][i], rel=1e-6, nan_ok=True)
        np.testing.assert_allclose(alone.arrays["fit_vector"][0], table.arrays["fit_vector"][i], atol=1e-6)


@pytest.mark.slow
def test_any_batch_gives_the_same_bytes(stars: list[Star]) -> None:
    """On a CPU, where stars are side by side in memory only."""
    config = FitConfig(n_period=64, lifetimes=(3.0,), shears=(0.0,))
    few = [cut(star, 60.0) for star in stars[:3]]
    spec = choose_bucket(59.5, 0.5, 1, config)
    tables = [fit_stars(few, spec, config, lanes) for lanes in (3, 16, 64)]
    alone = [fit_stars([star], spec, config, 1) for star in few]
    differing = []
    for name, wanted in (tables[1].columns | tables[1].arrays).items():
        each = [(table.columns | table.arrays)[name] for table in tables]
        each.append(np.concatenate([(table.columns | table.arrays)[name] for table in alone]))
        if any(found.tobytes() != wanted.tobytes() for found in each):
            differing.append(name)
    assert differing == []


@pytest.mark.slow
def test_a_search_that_knows_only_the_double_period_ends_at_the_period(stars: list[Star], table: FitTable) -> None:
    spec = choose_bucket(149.5, 0.5, 1, CONFIG)
    clear = np.argsort(-table.columns["lnl_rotation"])[:3]
    chosen = [stars[i] for i in clear]
    assert within(table.columns["prot"][clear], chosen) == 1
    batch, room = grid_stars(chosen, spec.whole), Room(16, this_device())
    with jax.enable_x64(True):
        starts = search_stars(chosen, spec, CONFIG, room).starts(spec.periods(CONFIG), CONFIG.n_modes)
        templates = starts.templates.copy()
        near = np.linspace(-0.12, 0.12, templates.shape[1])
        templates[:, :, 0] = np.log([2 * star.photometric for star in chosen])[:, None] + near
        starts = starts._replace(templates=templates)
        fit, bound = (
            fit_modes(batch, starts, spec.whole, Wanted(spec.n_segments, CONFIG, shortest, room))
            for shortest in (0.5, min(s.photometric for s in chosen))
        )
    assert within(fit.best.prot, chosen) == 1
    assert within(bound.best.prot, chosen) < 1  # half of the shortest is out of the search


@pytest.mark.slow
def test_the_whittle_maximum_is_near_the_exact_one(stars: list[Star]) -> None:
    """The exact posterior is climbed by SciPy from the catalog's fit; most move by less than a sigma."""
    config = FitConfig(confirm_steps=1, polish_steps=1)
    spec = choose_bucket(149.5, 0.5, 1, config)
    chosen = stars[:6]
    whittle = fit_stars(chosen, spec, config, 16)
    layout = spec.layout(config)
    shifts = []
    sigmas = 0.5 * np.log(whittle.columns["peq_upper"] / whittle.columns["peq_lower"])
    for star, theta, sigma in zip(chosen, whittle.arrays["fit_vector"], sigmas, strict=True):
        own = spec.fitted(float(np.exp(theta[0])), config)
        layout, batch = own.layout(config), grid_stars([star], own)
        with jax.enable_x64(True):
            data = GridStar(*(jnp.asarray(getattr(batch, k)[0]) for k in GridStar._fields))

            def exact(t: jax.Array, data: GridStar = data, layout: Layout = layout) -> tuple[jax.Array, jax.Array]:
                return exact_derivatives(t, data, layout, 1, layout.n_time)[:2]

            slope = jax.jit(exact)
            found = minimize(
                lambda t, f=slope: tuple(np.asarray(v, float) for v in f(t)),
                theta,
                jac=True,
                method="L-BFGS-B",
                bounds=[(v - 2, v + 2) for v in theta],
                options={"maxiter": 60},
            )
        shifts.append(abs(found.x[0] - theta[0]) / sigma)
    assert np.mean(np.array(shifts) < 1) > 0.5, shifts


@pytest.mark.slow
def test_programs_are_compiled_once_a_grid(stars: list[Star], table: FitTable) -> None:
    """96 stars in two buckets: a search each, and for each grid of fits a refine and at most two confirms."""
    assert len(table.columns["prot"]) == len(stars)  # has compiled the first bucket
    rng = np.random.default_rng(11)
    short = [cut(simulate(rng), 60.0) for _ in range(48)]
    buckets = [(choose_bucket(59.5, 0.5, 1, CONFIG), short), (choose_bucket(149.5, 0.5, 1, CONFIG), stars)]
    programs = search, refine, confirm, envelope_values
    for program in programs:
        program.clear_cache()
    grids: set[int] = set()
    for spec, members in buckets:
        assert len(members) >= 48
        for first in range(0, 48, 16):
            steps = fit_stars(members[first : first + 16], spec, CONFIG, 16).columns["dt"]
            grids.update(fitted_grid(spec.n_time * spec.dt, spec.dt, dt, CONFIG).n_time for dt in steps)
    searches, refines, confirms, maps = (program._cache_size() for program in programs)
    assert searches == len(buckets)
    assert refines == len(grids)
    assert confirms <= 2 * len(grids)
    assert maps <= len(grids)


def test_expected_power_and_jacobian_equal_finite_differences() -> None:
    layout = choose_bucket(149.5, 0.5, 1, CONFIG).layout(CONFIG)
    rng = np.random.default_rng(0)
    theta = THETA.copy()
    with jax.enable_x64(True):
        window = jnp.asarray(np.linspace(1, 0.1, layout.n_time))
        expected, jacobian = expected_and_jacobian(jnp.asarray(theta), window, jnp.asarray(0.3), layout)
        white = np.exp(theta[-1])
        want = expected_power(covariance(theta, 0.3, layout), window) + white
        np.testing.assert_allclose(expected, want, rtol=1e-10)
        for _ in range(4):
            direction = rng.normal(size=theta.size)
            high, low = (
                expected_and_jacobian(jnp.asarray(theta + s * 1e-6 * direction), window, jnp.asarray(0.3), layout)[0]
                for s in (1, -1)
            )
            np.testing.assert_allclose(direction @ jacobian, (high - low) / 2e-6, rtol=1e-5, atol=1e-6)


def test_exact_derivatives_equal_finite_differences(stars: list[Star]) -> None:
    """The slope by central differences, and the average information by its definition with explicit matrices."""
    spec = choose_bucket(149.5, 0.5, 2, CONFIG)
    layout, batch = spec.layout(CONFIG), grid_stars([stars[0]], spec.whole)
    rng = np.random.default_rng(3)
    theta = THETA.copy()
    with jax.enable_x64(True):
        data = GridStar(*(jnp.asarray(getattr(batch, k)[0]) for k in GridStar._fields))
        data = data._replace(segment=(jnp.arange(layout.n_time) > 150).astype(int))
        for block in (layout.n_time // 4, layout.n_time):
            at = jax.jit(lambda t, b=block: exact_derivatives(t, data, layout, 4, b))
            _, slope, curvature = (np.asarray(a) for a in at(theta))
            assert np.linalg.eigvalsh(curvature).min() > 0
            for _ in range(4):
                direction = rng.normal(size=theta.size)
                high, low = (float(at(theta + s * 1e-5 * direction)[0]) for s in (1, -1))
                assert slope @ direction == pytest.approx((high - low) / 2e-5, rel=1e-5, abs=1e-5)


def test_padding_and_the_number_of_lanes_change_nothing() -> None:
    items = jnp.arange(7.0)
    for lanes in (1, 3, 8):
        got = map_lanes(lambda x: x**2, items, 5, lanes)
        np.testing.assert_array_equal(got[:5], items[:5] ** 2)
        assert got.shape == items.shape


def test_a_climb_finds_the_minimum_within_its_box_and_can_be_taken_up_again() -> None:
    """A curved valley (Rosenbrock) in two coordinates, with a Gauss-Newton curvature that misses its second part."""
    layout = choose_bucket(149.5, 0.5, 1, CONFIG).layout(CONFIG)

    def posterior(t: jax.Array) -> tuple[jax.Array, Rest]:
        def residuals(t: jax.Array) -> jax.Array:
            return jnp.concatenate([jnp.stack([3 * (t[4] - t[3] ** 2), 1 - t[3], t[5] - 7.0]), t[:3], t[6:]])

        r, j = residuals(t), jax.jacfwd(residuals)(t)
        return 0.5 * r @ r, lambda: (j.T @ r, j.T @ j)

    with jax.enable_x64(True):
        begin = begin_at(np.zeros(layout.n_theta))
        whole = climb_on(begin, posterior, layout, 60, 1e-12)
        halves = climb_on(climb_on(begin, posterior, layout, 5, 1e-12), posterior, layout, 55, 1e-12)
    whole, halves = (np.asarray(climb.theta) for climb in (whole, halves))
    np.testing.assert_allclose(whole[3:5], 1.0, atol=1e-5)
    assert whole[5] == 6.0  # its bound
    np.testing.assert_array_equal(whole, halves)


def test_a_climb_that_meets_nan_keeps_its_best_point() -> None:
    layout = choose_bucket(149.5, 0.5, 1, CONFIG).layout(CONFIG)

    def posterior(t: jax.Array) -> tuple[jax.Array, Rest]:
        value = jnp.where(t[3] > 0.5, jnp.nan, (t[3] - 1) ** 2)
        return value, lambda: (jnp.zeros_like(t).at[3].set(2 * (t[3] - 1)), 2 * jnp.eye(t.size))

    with jax.enable_x64(True):
        got = climb_on(begin_at(np.zeros(layout.n_theta)), posterior, layout, 40, 1e-9)
    assert 0.4 < float(got.theta[3]) <= 0.5


def test_a_constant_star_harms_no_neighbour(stars: list[Star], table: FitTable) -> None:
    spec = choose_bucket(149.5, 0.5, 1, CONFIG)
    flat = stars[1]._replace(flux=np.ones_like(stars[1].flux))
    got = fit_stars([stars[0], flat], spec, CONFIG, 16)
    assert got.columns["status"][1] == Status.CONSTANT_FLUX
    assert got.columns["reason"][1]
    assert np.isnan(got.columns["prot"][1])
    assert got.columns["lifetime_flag"].tolist() == [table.columns["lifetime_flag"][0], LifetimeFlag.NOT_FITTED]
    assert got.columns["prot"][0] == pytest.approx(table.columns["prot"][0], rel=1e-6)


def test_white_noise_is_not_called_a_rotator() -> None:
    rng = np.random.default_rng(4)
    t = np.arange(300) * 0.5
    noise = [Star(t, 1 + 1e-3 * rng.normal(size=300), np.full(300, 1e-3), np.zeros(300, int)) for _ in range(8)]
    got = fit_stars(noise, choose_bucket(149.5, 0.5, 1, CONFIG), CONFIG, 16)
    assert not np.any(got.columns["rotating"])
    assert np.all(got.columns["flags"] & Flag.NOT_DETECTED)


def test_steps_at_even_intervals_gain_like_a_rotation_and_are_not_called_one() -> None:
    rng = np.random.default_rng(8)
    t = np.arange(300) * 0.5
    level = rng.uniform(0.5, 1.5, (4, 30)) * (-1) ** np.arange(30)
    flux = 1 + 1e-3 * (level[:, (t / 5.0).astype(int)] + 0.1 * rng.normal(size=(4, 300)))
    dumped = [Star(t, row, np.full(300, 1e-4), np.zeros(300, int)) for row in flux]
    got = fit_stars(dumped, choose_bucket(149.5, 0.5, 1, CONFIG), CONFIG, 16).columns
    assert np.all(got["lnl_rotation"] > CONFIG.detection)
    assert np.all(got["flags"] & Flag.STEPS_SUSPECTED)
    assert not np.any(got["rotating"])
    assert not np.any(got["reliability"])


def test_buckets_are_few_and_hold_their_stars() -> None:
    lengths = grid_lengths(2048)
    assert lengths[0] == 64
    assert all(n % 4 == 0 for n in lengths)
    for span, cadence in [(149.5, 0.5), (90.0, 0.0204), (1460.0, 0.0204), (27.0, 0.00139), (700.0, 0.00139)]:
        spec = choose_bucket(span, cadence, 1, CONFIG)
        assert spec.n_time <= CONFIG.max_points
        assert span / spec.dt <= spec.n_time - 1
        assert spec.dt >= cadence * 0.999


@pytest.mark.parametrize("span", [149.5, 1459.5])
@pytest.mark.parametrize("period", [7.0, 20.0, 45.0])
def test_a_weak_star_is_fitted_again_on_a_grid_of_more_bins_and_a_strong_one_where_its_period_shows(
    span: float, period: float
) -> None:
    spec = choose_bucket(span, 0.0204, 1, CONFIG)
    own, coarse = spec.fitted(period, CONFIG), spec.fitted(3 * period, CONFIG)
    assert spec.refitted(own, period, WEAK_GAIN, CONFIG) == own
    assert spec.refitted(own, 3 * period, 0.0, CONFIG) == own
    assert spec.refitted(own, np.nan, np.nan, CONFIG) == own
    assert spec.refitted(own, period, 0.0, CONFIG).dt <= period / WEAK_BINS
    shown = max(BINS_PER_PERIOD * spec.dt, period / 2)
    assert spec.refitted(coarse, shown, 0.0, CONFIG).dt >= spec.dt  # all of the light curve
    aliased = LEAST_BINS * coarse.dt * 0.9
    assert spec.refitted(coarse, aliased, 1e3, CONFIG).dt <= aliased / BINS_PER_CYCLE


@pytest.mark.slow
def test_a_period_too_short_for_its_grid_is_fitted_again_on_a_finer_one() -> None:
    star = simulate(np.random.default_rng(5), m=1200, periods=(5.2, 5.2))
    spec = choose_bucket(599.5, 0.5, 1, CONFIG)
    periods, room = spec.periods(CONFIG), Room(1, this_device())
    with jax.enable_x64(True):
        starts = search_stars([star], spec, CONFIG, room).starts(periods, CONFIG.n_modes)
        # As if the search had found a period that needs no more than a bin in four days, the truth far behind.
        wrong = int(np.argmin(abs(periods - 8 * star.photometric)))
        gain = starts.gain.copy()
        gain[0, wrong] = gain.max() + 100
        place = starts.place.copy()
        place[0, 1:], place[0, 0] = place[0, :-1], wrong
        coarse = spec.fitted(periods[wrong], CONFIG)
        assert star.photometric < LEAST_BINS * coarse.dt
        misled = starts._replace(gain=gain, place=place)
        found = fit_on_own_grids([star], misled, spec, CONFIG, room)
    assert found.best.prot[0] == pytest.approx(star.photometric, rel=0.1)
    assert found.best.peq[0] >= LEAST_BINS * found.dt[0]


def sector_star(slow: float, fast: float, fast_amplitude: float, shaken: tuple[float, float]) -> Star:
    """A sector with a slow wave of changing amplitude, and a fast one in a part of it; in units of 1e-3."""
    rng = np.random.default_rng(11)
    t = np.arange(0, 26.9, 0.05)
    wave = 4 * (1 + 0.02 * t) * np.sin(2 * np.pi * t / slow) + np.sin(4 * np.pi * t / slow + 1)
    jitter = fast_amplitude * np.sin(2 * np.pi * t / fast) * ((t > shaken[0]) & (t < shaken[1]))
    flux = 1 + 1e-3 * (wave + jitter + 0.1 * rng.normal(size=t.size))
    return Star(t, flux, np.full(t.size, 1e-4), np.zeros(t.size, int))


@pytest.mark.slow
def test_a_slow_rotation_does_not_lose_to_jitter_nor_a_fast_one_to_a_drift() -> None:
    jittery = sector_star(5.0, 0.31, 0.8, (20, 22))
    drifting = sector_star(19.0, 0.9, 2.5, (-1, 99))
    spec = choose_bucket(26.9, 0.05, 1, CONFIG)
    found = fit_stars([jittery, drifting], spec, CONFIG, 2)
    assert found.columns["prot"][0] > 4 and found.columns["rotating_share"][0] > 0.5
    assert found.columns["prot"][1] == pytest.approx(0.9, rel=0.05)


def test_what_no_gain_makes_a_rotation() -> None:
    columns = {
        "rotating_share": np.array([0.5, 0.05, 0.5, 0.5, 0.5]),
        "baseline": np.array([27.0, 27.0, 27.0, 27.0, 27.0]),
        "prot": np.array([3.0, 3.0, 13.0, 3.0, 3.0]),
        "n_life_rot": np.array([4.0, 4.0, 4.0, 0.9, np.nan]),
    }
    assert no_rotation(columns).tolist() == [False, True, True, True, True]
