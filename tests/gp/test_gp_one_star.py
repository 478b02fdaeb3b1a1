"""The one-star solver beyond its posterior: offsets, terms, shared programs, information, draws, figures."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from spotcat import (
    ActivityCycle,
    AnalyticKernel,
    DriftTerm,
    GPSolver,
    JitterTerm,
    KernelSum,
    LightcurveModel,
    NonstationaryKernel,
    SkewedGaussianEnvelope,
    SpotEvolutionModel,
    SpotTerm,
    TrapezoidSymmetricEnvelope,
    VisibilityFunction,
    baseline_needed,
    sensitivity,
)
from spotcat.gp import solver as solver_module
from spotcat.gp.coordinates import make_box

MODEL = SpotEvolutionModel(TrapezoidSymmetricEnvelope(6.0, 3.0), VisibilityFunction(4.0, 0.1, 1.2), 0.005)
NOISE = 1e-3


@pytest.fixture(scope="module")
def star() -> tuple[np.ndarray, np.ndarray]:
    lc = LightcurveModel.from_spot_model(MODEL, nspot=30, tsim=30, tsamp=0.5, seed=3)
    return lc.t, lc.flux + np.random.default_rng(0).normal(0, NOISE, lc.flux.size)


def test_offsets_of_segments_change_nothing(star: tuple) -> None:
    t, flux = star
    segment = np.digitize(t, [11.0, 19.0])
    shifted = flux + np.array([0.0, 0.3, -0.1])[segment]
    one, other = (GPSolver(t, y, NOISE, MODEL, segment=segment) for y in (flux, shifted))
    assert other.log_posterior(one.theta0) == pytest.approx(one.log_posterior(one.theta0), abs=1e-6)
    whole = GPSolver(t, shifted, NOISE, MODEL)
    assert whole.log_posterior(one.theta0) < one.log_posterior(one.theta0) - 100
    covariance = AnalyticKernel(MODEL).kernel(t[:, None] - t[None, :]) + NOISE**2 * np.eye(t.size)
    vague = covariance + 10.0 * (segment[:, None] == segment[None, :])
    moved = MODEL.with_params({"peq": 4.2})
    ratio = AnalyticKernel(moved).kernel(t[:, None] - t[None, :]) + NOISE**2 * np.eye(t.size) + vague - covariance
    want = multivariate_normal.logpdf(flux, cov=ratio, allow_singular=True)
    want -= multivariate_normal.logpdf(flux, cov=vague, allow_singular=True) + np.log(4.2 / 4.0)
    got = one.log_posterior(list(moved.param_dict.values())) - one.log_posterior(one.theta0)
    assert got == pytest.approx(want, abs=0.02)


def test_a_second_star_of_the_same_padded_shape_compiles_nothing(star: tuple) -> None:
    t, flux = star
    first = GPSolver(t, flux, NOISE, MODEL)
    first.grad_log_posterior(first.theta0)
    programs = solver_module._value_and_grad._cache_size()
    kept = np.random.default_rng(1).random(t.size) > 0.1
    other = MODEL.with_params({"peq": 3.9, "lspot": 7.0, "kappa": 0.12})
    second = GPSolver(t[kept] + 3.0, flux[kept], 2 * NOISE, other, bounds={"peq": (0.2, 80.0)})
    assert np.isfinite(second.grad_log_posterior(second.theta0)).all()
    assert solver_module._value_and_grad._cache_size() == programs


def test_a_cycle_multiplies_the_signal(star: tuple) -> None:
    t, _ = star
    cycle = ActivityCycle(50.0, 0.7, 0.3)
    amplitude = np.asarray(cycle(t))
    matrix = NonstationaryKernel(MODEL, cycle).matrix(t)
    flux = np.random.default_rng(3).multivariate_normal(np.zeros(t.size), matrix + NOISE**2 * np.eye(t.size))
    solver, plain = (GPSolver(t, flux, NOISE, MODEL, amplitude=a) for a in (cycle, None))
    ratio = multivariate_normal.logpdf(flux, cov=matrix + NOISE**2 * np.eye(t.size) + 10.0)
    still = AnalyticKernel(MODEL).kernel(t[:, None] - t[None, :])
    ratio -= multivariate_normal.logpdf(flux, cov=still + NOISE**2 * np.eye(t.size) + 10.0)
    assert solver.log_posterior(solver.theta0) - plain.log_posterior(plain.theta0) == pytest.approx(ratio, abs=0.02)
    mean, sd = solver.predict(t)
    assert np.mean(np.abs(mean - flux) < 3 * np.hypot(sd, NOISE)) > 0.95
    far = np.array([200.0, 225.0])
    np.testing.assert_allclose(solver.predict(far)[1] / plain.predict(far)[1], cycle(far), rtol=1e-3)
    prior = solver.sample_prior(t, 3_000, seed=1).std(0)
    np.testing.assert_allclose(prior, np.sqrt(still[0, 0]) * amplitude, rtol=0.08)


def test_sums_of_terms_are_fitted_like_a_star(star: tuple) -> None:
    t, flux = star
    drifting = flux + 0.01 * np.sin(t / 9)
    total = KernelSum(spots=SpotTerm(MODEL), jitter=JitterTerm(5e-4), drift=DriftTerm(0.01, 20.0))
    solver = GPSolver(t, drifting, NOISE, total)
    assert solver.param_keys == (*MODEL.param_keys, "sigma_jitter", "sigma_drift", "tau_drift")
    lag = np.abs(t[:, None] - t[None, :])
    x = np.sqrt(3) * lag / 20
    covariance = AnalyticKernel(MODEL).kernel(lag) + 1e-4 * (1 + x) * np.exp(-x)
    covariance += (NOISE**2 + 25e-8) * np.eye(t.size)
    inverse = np.linalg.inv(covariance)
    ones = np.ones(t.size)
    chi2 = drifting @ inverse @ drifting - (ones @ inverse @ drifting) ** 2 / (ones @ inverse @ ones)
    value = -0.5 * (chi2 + np.linalg.slogdet(covariance)[1] + np.log(ones @ inverse @ ones))
    value -= 0.5 * (t.size - 1) * np.log(2 * np.pi)
    p = total.param_dict
    value += np.log(np.sin(p["inc"])) - sum(np.log(v) for k, v in p.items() if k not in ("inc", "kappa"))
    assert solver.log_posterior(solver.theta0) == pytest.approx(value, abs=1e-4)
    mean, sd = solver.predict(t)
    assert np.all(sd < 0.01)
    assert np.std(mean - drifting) < 2 * NOISE


def test_information_equals_its_definition(star: tuple) -> None:
    t, _ = star
    segment = np.digitize(t, [14.0])
    solver = GPSolver(t, np.zeros(t.size), NOISE, MODEL, segment=segment)

    def covariance(params: dict[str, float]) -> np.ndarray:
        return AnalyticKernel(MODEL.with_params(params)).kernel(np.abs(t[:, None] - t[None, :]))

    inverse = np.linalg.inv(covariance({}) + NOISE**2 * np.eye(t.size))
    a = (segment[:, None] == np.arange(2)[None, :]).astype(float)
    p = inverse - inverse @ a @ np.linalg.solve(a.T @ inverse @ a, a.T @ inverse)
    moved = []
    for key, value in MODEL.param_dict.items():
        step = 1e-4 * value
        rise = covariance({key: value + step}) - covariance({key: value - step})
        moved.append(p @ rise / (2 * step))
    want = 0.5 * np.einsum("aij,bji->ab", moved, moved)
    size = np.sqrt(np.outer(np.diagonal(want), np.diagonal(want)))
    np.testing.assert_allclose(solver.fisher() / size, want / size, atol=1e-4)


def test_longer_and_better_observations_bound_more_tightly() -> None:
    short, long, noisy = (
        sensitivity(MODEL, np.arange(0, span, 0.5), error).relative
        for span, error in ((15, 1e-3), (30, 1e-3), (30, 1e-2))
    )
    for key in ("peq", "lspot", "sigma_k"):
        assert 0 < long[key] < short[key]
        assert long[key] < noisy[key]
    needed = baseline_needed(MODEL, {"peq": 0.2, "lspot": 1e-4}, 1e-3, cadence=1.0, longest=60.0)
    assert needed["peq"] == pytest.approx(20 * 1.2**3)
    assert needed["lspot"] == np.inf
    errors = sensitivity(MODEL, np.arange(0, needed["peq"], 1.0), 1e-3)
    assert errors.relative["peq"] == pytest.approx(errors.error["peq"] / 4.0)
    assert errors.relative["peq"] <= 0.2
    with pytest.raises(ValueError, match="no such parameter"):
        baseline_needed(MODEL, {"period": 0.1}, 1e-3)


def test_draws_have_the_moments_of_prior_and_posterior(star: tuple) -> None:
    t, flux = star
    solver = GPSolver(t, flux, NOISE, MODEL)
    at = np.array([2.0, 2.7, 5.1, 40.0])
    prior = solver.sample_prior(at, 4_000, seed=1)
    want = AnalyticKernel(MODEL).kernel(at[:, None] - at[None, :])
    np.testing.assert_allclose(np.cov(prior.T), want, atol=6 * want[0, 0] / np.sqrt(4_000))
    mean, sd = solver.predict(at)
    drawn = solver.sample_posterior(at, 4_000, seed=1)
    assert np.all(np.abs(drawn.mean(0) - mean) < 5 * sd / np.sqrt(4_000))
    np.testing.assert_allclose(drawn.std(0), sd, rtol=0.06)
    assert sd[3] > 2 * sd[0]
    assert np.array_equal(drawn, solver.sample_posterior(at, 4_000, seed=1))


def test_samples_of_the_no_u_turn_sampler_follow_the_posterior(star: tuple) -> None:
    pytest.importorskip("blackjax")
    t, flux = star
    box = {
        "peq": (3.5, 4.5),
        "kappa": (0.0999, 0.1001),
        "inc": (1.19, 1.21),
        "lspot": (5.9, 6.1),
        "tau_spot": (2.9, 3.1),
    }
    solver = GPSolver(t[:40], flux[:40], NOISE, MODEL, bounds=box)
    samples = solver.sample(60, n_warmup=50, seed=2)
    assert samples.values.shape == (60, 6)
    assert samples.acceptance > 0.5 and samples.n_divergent < 15
    # Two parameters are free in effect: their marginals on a grid.
    peq, sigma = np.linspace(3.5, 4.5, 41), np.exp(np.linspace(*np.log(solver.bounds["sigma_k"]), 61))
    theta = solver.theta0
    value = np.array([[solver.log_posterior([p, *theta[1:5], s]) for s in sigma] for p in peq[::4]])
    weight = np.exp(value - value.max()) * sigma  # the grid is logarithmic
    mean_ln_sigma = np.sum(weight * np.log(sigma)) / weight.sum()
    mean_peq = np.sum(weight.sum(1) * peq[::4]) / weight.sum()
    draws = samples.values
    assert abs(np.log(draws[:, 5]).mean() - mean_ln_sigma) < 5 * np.log(draws[:, 5]).std() / np.sqrt(12)
    assert abs(draws[:, 0].mean() - mean_peq) < 5 * draws[:, 0].std() / np.sqrt(12) + 0.01
    low, middle, high = samples.quantiles()["sigma_k"]
    assert low < middle < high


def test_figures_draw_what_they_say(star: tuple) -> None:
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    t, flux = star
    solver = GPSolver(t, flux, NOISE, MODEL)
    ax = solver.plot_prediction()
    assert ax.get_xlabel() == "time [d]" and len(ax.collections) >= 2
    points, curve = solver.plot_acf().lines
    lag, model = curve.get_data()
    np.testing.assert_allclose(model, AnalyticKernel(MODEL).kernel(lag), rtol=1e-5, atol=1e-9)
    measured = points.get_ydata()
    off = flux - flux.mean()
    assert measured[3] == pytest.approx(np.mean(off[3:] * off[:-3]))
    frequency, spectrum = solver.plot_psd().lines[1].get_data()
    want = AnalyticKernel(MODEL).compute_psd(2 * np.pi * frequency) + 0.5 * NOISE**2
    np.testing.assert_allclose(spectrum, want, rtol=1e-4)
    matrix = solver.plot_covariance().images[0].get_array()
    assert matrix.shape == (60, 60)
    assert matrix[2, 2] == pytest.approx(float(AnalyticKernel(MODEL).kernel(0.0)) + NOISE**2)
    own = plt.subplots()[1]
    assert solver.plot_covariance(ax=own) is own
    plt.close("all")


@pytest.mark.parametrize("n", [20, 60, 64])
def test_the_colours_of_a_covariance_span_its_own_values(n: int) -> None:
    """Whatever the padding, whose variance is a million times that of the measurements."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    t = np.arange(n) * 0.5
    image = GPSolver(t, np.sin(t), NOISE, MODEL).plot_covariance().images[0]
    matrix = image.get_array()
    assert matrix.shape == (n, n)
    assert image.get_clim() == (-matrix.max(), matrix.max())
    assert np.ptp(image.norm(matrix)) > 0.4
    plt.close("all")


def test_priors_know_scales_bounds_and_signed_parameters() -> None:
    model = SpotEvolutionModel(SkewedGaussianEnvelope(4.0, -1.0), VisibilityFunction(4.0, 0.1, 1.2), 0.005)
    box, bounds = make_box(model, {"sigma_sn": (1.0, 9.0)})
    assert bounds["n_sn"] == (-21.0, 19.0)
    assert dict(zip(bounds, box.scale.tolist(), strict=True)) == {
        "peq": True, "kappa": False, "inc": False, "sigma_sn": True, "n_sn": False, "sigma_k": True,
    }  # fmt: skip
    theta = np.array(list(model.param_dict.values()))
    u = box.fractions(theta)
    np.testing.assert_allclose(box.values(u), theta, rtol=1e-12)
    outside = theta * np.array([1, 1, 1, 3, 1, 1])
    assert box.log_prior(outside) == -np.inf
    with pytest.raises(ValueError, match="must rise"):
        make_box(model, {"peq": (5.0, 4.0)})
    with pytest.raises(ValueError, match="segment"):
        GPSolver(np.arange(3.0), np.ones(3), 0.1, model, segment=[0, 1])
