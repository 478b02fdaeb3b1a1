"""Importance sampling against densities whose moments are known, and against chains on a star."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fit_samples import cut, simulate
from scipy.special import logsumexp
from scipy.stats import genpareto

from spotcat.config import FitConfig
from spotcat.fit.buckets import choose_bucket
from spotcat.fit.engine import fit_stars
from spotcat.fit.importance import (
    LEAST,
    draw,
    flattened,
    importance_sample,
    log_density,
    mixture_at,
    moved,
    pareto_fit,
    resampled,
    smoothed,
    wall,
)

LAYOUT = choose_bucket(149.5, 0.5, 1, FitConfig()).layout(FitConfig())
D = LAYOUT.n_theta
CENTRE = np.full(D, -1.0)


def two_modes(theta: np.ndarray) -> np.ndarray:
    """Three quarters of the mass about -1, a quarter 2 above it in the first coordinate and half as wide there."""
    away = theta - CENTRE
    rest = 0.5 * (away[..., 1:] ** 2).sum(axis=-1)
    first = np.log(0.75) - 0.5 * (away[..., 0] / 0.2) ** 2 - np.log(0.2)
    other = np.log(0.25) - 0.5 * ((away[..., 0] - 2) / 0.1) ** 2 - np.log(0.1)
    return rest - np.logaddexp(first, other)


def test_two_modes_get_their_masses_and_widths_whatever_the_first_guess() -> None:
    modes = np.stack([CENTRE, CENTRE + 2 * np.eye(D)[0]])
    curvature = np.stack([np.diag(np.r_[9.0, np.full(D - 1, 2.0)])] * 2)  # both too wide in the first coordinate
    mixture = mixture_at(modes, curvature, two_modes(modes))
    found = importance_sample([mixture], two_modes, LAYOUT)
    first = found.theta[0, :, 0] - CENTRE[0]
    assert np.mean(first > 1) == pytest.approx(0.25, abs=0.08)
    assert first[first < 1].std() == pytest.approx(0.2, rel=0.25)
    assert first[first > 1].mean() == pytest.approx(2.0, abs=0.1)
    assert found.theta[0, :, 1:].std() == pytest.approx(1.0, rel=0.1)
    assert found.n_eff[0] > 100
    assert found.pareto_k[0] < 0.7
    again = importance_sample([mixture, mixture], two_modes, LAYOUT)
    np.testing.assert_array_equal(again.theta[0], found.theta[0])
    np.testing.assert_array_equal(again.theta[1], found.theta[0])


def test_densities_of_a_mixture_are_those_of_its_draws() -> None:
    rng = np.random.default_rng(1)
    bent = rng.normal(size=(2, D, D))
    mixture = mixture_at(rng.normal(size=(2, D)), bent @ np.swapaxes(bent, 1, 2) + np.eye(D), np.array([1.0, 1.5]))
    theta = draw(mixture, 4000, rng)
    # Under its own density the mean of the inverse density ratio to a narrower mixture is one.
    narrow = mixture._replace(factor=0.9 * mixture.factor)
    ratio = logsumexp(log_density(narrow, theta), axis=0) - logsumexp(log_density(mixture, theta), axis=0)
    assert np.mean(np.exp(ratio)) == pytest.approx(1.0, abs=0.05)
    assert mixture.weight.sum() == pytest.approx(1.0)
    same = moved(mixture, theta, np.full(4000, -np.log(4000)))
    np.testing.assert_allclose(same.mean, mixture.mean, atol=0.1)


def test_weights_are_flattened_until_enough_count_and_heavy_tails_are_told() -> None:
    rng = np.random.default_rng(2)
    log_weight = 5 * rng.normal(size=512)
    log_weight -= logsumexp(log_weight)
    flat = flattened(log_weight)
    assert np.exp(-logsumexp(2 * flat)) == pytest.approx(LEAST, rel=0.02)
    even = np.full(512, -np.log(512))
    np.testing.assert_allclose(flattened(even), even)
    light = np.log(rng.uniform(0.5, 1, 512))
    heavy = np.log(1 / rng.uniform(size=512) ** 1.2)
    weights, k = smoothed(light)
    assert k < 0.3
    assert weights.sum() == pytest.approx(1.0)
    assert smoothed(heavy)[1] > 0.7
    assert np.bincount(resampled(np.r_[0.5, np.full(511, 0.5 / 511)], 512), minlength=512)[0] == 256


@pytest.mark.parametrize("k", [-0.2, 0.0, 0.3, 0.7, 1.2])
@pytest.mark.parametrize("n", [100, 225])
def test_the_shape_of_a_tail_is_found(k: float, n: int) -> None:
    rng = np.random.default_rng(6)
    scales = (1e-12, 1.0, 3e4)
    found = np.array(
        [pareto_fit(np.sort(genpareto.rvs(k, scale=scale, size=n, random_state=rng))) for scale in scales * 100]
    )
    # The deviation of an efficient estimate is (1 + k) / sqrt(n) (Smith 1987, Ann. Stat. 15, 1174).
    assert found[:, 0].mean() == pytest.approx(k, abs=0.04)
    assert found[:, 0].std() == pytest.approx((1 + k) / np.sqrt(n), rel=0.35)
    assert np.median(found[:, 1] / np.resize(scales, len(found))) == pytest.approx(1, abs=0.05)


def test_the_estimator_is_the_published_formula_term_by_term() -> None:
    rng = np.random.default_rng(7)
    for k in (-0.3, 0.2, 0.9):
        x = np.sort(genpareto.rvs(k, scale=2.0, size=90, random_state=rng))
        n, m = 90, 20 + 9  # the integer part of the root of 90

        def k_of(theta: float, x: np.ndarray = x) -> float:
            return -sum(np.log(1 - theta * each) for each in x) / len(x)

        thetas = [1 / x[-1] + (1 - np.sqrt(m / (j - 0.5))) / (3 * x[22]) for j in range(1, m + 1)]  # x_(23): 90 / 4
        likelihood = [n * (np.log(theta / k_of(theta)) + k_of(theta) - 1) for theta in thetas]
        weights = [1 / sum(np.exp(other - own) for other in likelihood) for own in likelihood]
        theta = sum(t * w for t, w in zip(thetas, weights, strict=True))
        shape, scale = pareto_fit(x)
        assert shape == pytest.approx(-k_of(theta), rel=1e-10)
        assert scale == pytest.approx(k_of(theta) / theta, rel=1e-10)


def test_smoothing_replaces_the_tail_by_quantiles_under_a_weak_prior() -> None:
    rng = np.random.default_rng(8)
    log_weight = np.log(1 + genpareto.rvs(0.4, size=1000, random_state=rng))
    log_weight -= logsumexp(log_weight)
    weights, k = smoothed(log_weight)
    plain = np.sort(np.exp(log_weight))
    shape, scale = pareto_fit(plain[-95:] - plain[-96])  # three times the root of a thousand, rounded up
    assert k == pytest.approx((95 * shape + 5) / 105)
    want = plain[-96] + genpareto.ppf((np.arange(95) + 0.5) / 95, k, scale=scale)
    want = np.r_[plain[:-95], np.minimum(want, plain[-1])]
    np.testing.assert_allclose(np.sort(weights), want / want.sum(), rtol=1e-9)
    assert np.argsort(weights).tolist()[:900] == np.argsort(log_weight).tolist()[:900]


@pytest.mark.parametrize(
    "log_weight",
    [np.zeros(500), np.r_[np.zeros(496), 1.0, 2.0, 3.0, 4.0], np.linspace(-3e5, 0, 500)],
    ids=["even", "four stand out", "one is all"],
)
def test_of_a_tail_of_few_weights_nothing_is_said(log_weight: np.ndarray) -> None:
    weights, k = smoothed(log_weight - logsumexp(log_weight))
    assert k == np.inf
    np.testing.assert_allclose(weights, np.exp(log_weight - logsumexp(log_weight)), rtol=1e-9)


def test_the_wall_stands_where_the_climbs_are_bounded_and_leaves_the_period_free() -> None:
    inside = np.zeros(LAYOUT.n_theta)
    assert wall(inside, LAYOUT) == 0
    far = inside.copy()
    far[0] = 99.0
    assert wall(far, LAYOUT) == 0
    far[-1] = -5.1
    assert wall(far, LAYOUT) == pytest.approx(0.5)


@pytest.mark.slow
def test_importance_and_chains_agree_on_the_period_of_a_star() -> None:
    pytest.importorskip("blackjax")
    star = cut(simulate(np.random.default_rng(33), periods=(3.0, 5.0)), 48.0)
    spec = choose_bucket(48.0, 0.5, 1, FitConfig())
    rows = {
        sampler: fit_stars([star], spec, replace(FitConfig(), sampler=sampler)).columns
        for sampler in ("laplace", "importance", "nuts")
    }
    centre = {s: np.sqrt(r["prot_lower_raw"] * r["prot_upper_raw"])[0] for s, r in rows.items()}
    width = {s: np.log(r["prot_upper_raw"] / r["prot_lower_raw"])[0] for s, r in rows.items()}
    assert rows["nuts"]["r_hat"][0] < 1.1
    assert rows["nuts"]["n_eff"][0] > 50
    assert width["importance"] == pytest.approx(width["nuts"], rel=0.4)
    assert centre["importance"] == pytest.approx(centre["nuts"], rel=0.5 * width["nuts"])
    assert np.isnan(rows["laplace"]["n_eff"][0])
    assert rows["importance"]["prot_lower"][0] == rows["importance"]["prot_lower_raw"][0]
