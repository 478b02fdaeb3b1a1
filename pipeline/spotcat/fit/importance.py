"""Importance sampling of the exact posterior: what the Laplace approximation misses of its skewness and its modes.

The proposal is a mixture of Student distributions, one at each mode with the mode's Laplace covariance, moved round by
round to the weighted moments of all draws so far (Cappe et al. 2008, Statistics and Computing 18, 447), the weights
flattened until enough draws have some.  There all draws are weighted by the mean of the densities that any of them was
drawn from (Cornuet et al. 2012, Scand. J. Stat. 39, 798).  The posterior is then made of further draws, from where the
proposal has come to.  Their largest weights are smoothed, and the shape of the tail, by the estimator of Zhang &
Stephens (2009, Technometrics 51, 316), says how far to trust them (Vehtari et al. 2024, JMLR 25, 72).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln, logsumexp
from scipy.stats import genpareto

from spotcat.fit.climb import bounds, positive_definite
from spotcat.fit.posterior import N_DRAWS
from spotcat.fit.ranking import log_mass
from spotcat.model.layout import Layout

Values = Callable[[np.ndarray], np.ndarray]
"""Negative log-posterior of parameter vectors of all stars, shape (B, D, n_theta) to (B, D)."""

FREEDOM = 6.0
"""Degrees of freedom of the proposals: their tails must be heavier than the posterior's."""
ROUNDS, MOVES, LEAST = 11, 6, 75.0
"""Rounds of draws, the first of them that move the proposal, and the effective number that weights of a move leave.

What a proposal has moved to must not be weighted by it: of two modes the narrower, with a quarter of the mass, came out
with 0.16 of it when all rounds counted."""
PRIOR_SHAPE, PRIOR_WEIGHT = 0.5, 10
"""The weak prior on the shape of the tail, worth so many weights (Vehtari et al. 2024)."""
FEWEST_EXCESSES, TINY = 5, 1e-280
"""Of fewer weights nothing is said, and none this close above the rest counts."""
SEED = 20_24
WALL = 0.1
"""Softness of the bounds of the coordinates."""


class Mixture(NamedTuple):
    """Student distributions at the modes of one star.

    Attributes:
        mean: shape (K, n_theta).
        factor: Cholesky factors of their scales, shape (K, n_theta, n_theta).
        weight: sums to 1, shape (K,).
    """

    mean: np.ndarray
    factor: np.ndarray
    weight: np.ndarray


class Sampled(NamedTuple):
    """Posterior draws of some stars, of equal weight.

    Attributes:
        theta: shape (B, N_DRAWS, n_theta).
        n_eff: effective sample size, shape (B,).
        pareto_k: tail of the weights, below 0.7 where they can be trusted; NaN where there are no weights; shape (B,).
        r_hat: scale reduction of the worst coordinate; NaN without chains; shape (B,).
        n_divergent: divergent transitions; NaN without chains; shape (B,).
    """

    theta: np.ndarray
    n_eff: np.ndarray
    pareto_k: np.ndarray
    r_hat: np.ndarray
    n_divergent: np.ndarray


def importance_sample(mixtures: list[Mixture], values: Values, layout: Layout) -> Sampled:
    """Draw from the exact posteriors of some stars.

    Args:
        mixtures: the proposal of each star, from ``mixture_at``.
        values: evaluates the posteriors.
        layout: where what is.
    """
    rng = np.random.default_rng(SEED)
    rounds: list[list[Mixture]] = []
    theta, target = np.empty((len(mixtures), 0, layout.n_theta)), np.empty((len(mixtures), 0))
    for _ in range(MOVES):
        rounds.append(mixtures)
        theta, target = _more((theta, target), mixtures, rng, values, layout)
        of_star = zip(theta, target, zip(*rounds, strict=True), strict=True)
        weight = [_log_weights(*own) for own in of_star]
        mixtures = [moved(m, t, flattened(w)) for m, t, w in zip(mixtures, theta, weight, strict=True)]
    theta, target = theta[:, :0], target[:, :0]
    for _ in range(ROUNDS - MOVES):
        theta, target = _more((theta, target), mixtures, rng, values, layout)
    smooth = [smoothed(_log_weights(t, v, [m])) for t, v, m in zip(theta, target, mixtures, strict=True)]
    drawn = np.stack([t[resampled(w, N_DRAWS)] for t, (w, _) in zip(theta, smooth, strict=True)])
    n_eff = np.array([1 / np.sum(w**2) for w, _ in smooth])
    none = np.full(len(theta), np.nan)
    return Sampled(drawn, n_eff, np.array([k for _, k in smooth]), none, none)


def mixture_at(theta: np.ndarray, curvature: np.ndarray, value: np.ndarray) -> Mixture:
    """The first proposal of a star: its modes with their Laplace evidence, none below a twentieth.

    Args:
        theta: modes, shape (K, n_theta).
        curvature: information there, shape (K, n_theta, n_theta).
        value: negative log-posteriors, shape (K,).
    """
    bent = positive_definite(curvature)
    evidence, precision = log_mass(value, bent), np.linalg.cholesky(bent)
    weight = np.maximum(np.exp(evidence - logsumexp(evidence)), 0.05)
    covariance = np.linalg.inv(precision @ np.swapaxes(precision, 1, 2))
    return Mixture(theta, np.linalg.cholesky(covariance), weight / weight.sum())


def log_density(mixture: Mixture, theta: np.ndarray) -> np.ndarray:
    """Log-density of each component times its weight, shape (K, D) for `theta` of shape (D, n_theta)."""
    d = theta.shape[1]
    constant = gammaln((FREEDOM + d) / 2) - gammaln(FREEDOM / 2) - 0.5 * d * np.log(FREEDOM * np.pi)
    rows = []
    for mean, factor, weight in zip(*mixture, strict=True):
        z = np.linalg.solve(factor, (theta - mean).T)
        kernel = -0.5 * (FREEDOM + d) * np.log1p((z**2).sum(axis=0) / FREEDOM)
        rows.append(np.log(weight) + constant - np.log(np.diagonal(factor)).sum() + kernel)
    return np.array(rows)


def draw(mixture: Mixture, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draws from a mixture, its components in proportion, shape (n, n_theta)."""
    component = np.searchsorted(np.cumsum(mixture.weight), (np.arange(n) + 0.5) / n).clip(max=len(mixture.weight) - 1)
    z = rng.standard_normal((n, mixture.mean.shape[1]))
    z /= np.sqrt(rng.chisquare(FREEDOM, n) / FREEDOM)[:, None]
    return mixture.mean[component] + np.einsum("nij,nj->ni", mixture.factor[component], z)


def moved(mixture: Mixture, theta: np.ndarray, log_weight: np.ndarray) -> Mixture:
    """The mixture with the weighted moments of its draws, as far as their effective number allows.

    Args:
        mixture: the proposal.
        theta: its draws, shape (D, n_theta).
        log_weight: normalised, shape (D,).
    """
    by_component = log_density(mixture, theta)
    share = np.exp(by_component - logsumexp(by_component, axis=0) + log_weight)
    mean, factor, weight = (a.copy() for a in mixture)
    for k, w in enumerate(share):
        mass = w.sum()
        weight[k] = max(mass, 0.02)
        if mass < 1e-6:
            continue
        w = w / mass
        n_eff = 1 / np.sum(w**2)
        trust = n_eff / (n_eff + 2 * theta.shape[1])
        away = theta - w @ theta
        old = factor[k] @ factor[k].T
        # A Student distribution is wider than its scale.
        seen = (away.T * w) @ away * (FREEDOM - 2) / FREEDOM
        mean[k] = trust * (w @ theta) + (1 - trust) * mean[k]
        factor[k] = np.linalg.cholesky(trust * seen + (1 - trust) * old)
    return Mixture(mean, factor, weight / weight.sum())


def flattened(log_weight: np.ndarray) -> np.ndarray:
    """The highest power of some weights whose effective number is `LEAST`, normalised, shape (D,)."""
    low, high, out = 0.0, 1.0, log_weight
    for _ in range(20):
        power = high if out is log_weight else 0.5 * (low + high)
        out = power * log_weight - logsumexp(power * log_weight)
        enough = np.exp(-logsumexp(2 * out)) >= LEAST
        if enough and power == 1.0:
            break
        low, high = (power, high) if enough else (low, power)
    return out


def smoothed(log_weight: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights with their largest replaced by the quantiles of a generalised Pareto distribution, and its shape.

    After Vehtari et al. (2024, JMLR 25, 72): the tail is the largest fifth, at most three times the root of their
    number, above the largest weight that is left.

    Args:
        log_weight: normalised, shape (D,).

    Returns:
        Normalised weights, and the shape k; infinite where no tail can be fitted.
    """
    weight = np.exp(log_weight - log_weight.max())
    n_tail = int(np.ceil(min(0.2 * weight.size, 3 * np.sqrt(weight.size))))
    order = np.argsort(weight)
    cut = weight[order[-n_tail - 1]]
    tail = order[-n_tail:][weight[order[-n_tail:]] - cut > TINY]
    k, n = np.inf, tail.size
    if n >= FEWEST_EXCESSES:
        k, scale = pareto_fit(weight[tail] - cut)
        k = (n * k + PRIOR_WEIGHT * PRIOR_SHAPE) / (n + PRIOR_WEIGHT)
        quantiles = genpareto.ppf((np.arange(n) + 0.5) / n, k, scale=scale)
        weight[tail] = np.minimum(cut + quantiles, weight.max())
    return weight / weight.sum(), float(k)


def pareto_fit(excess: np.ndarray) -> tuple[float, float]:
    """Shape k and scale of a generalised Pareto distribution, as Zhang & Stephens (2009) estimate them.

    The likelihood of ``b = -k / scale``, with the k that is best for it, is averaged over m values of b on the
    quantiles of a prior that the data scale (Technometrics 51, 316, section 3; their k has the other sign).

    Args:
        excess: ascending, positive, shape (n,).
    """
    n = excess.size
    m = 20 + int(np.sqrt(n))
    quartile = excess[max(int(n / 4 + 0.5), 1) - 1]
    b = 1 / excess[-1] + (1 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3 * quartile)
    k = np.log1p(-b[:, None] * excess).mean(axis=1)
    profile = n * (np.log(-b / k) - k - 1)
    best = float(np.exp(profile - logsumexp(profile)) @ b)
    shape = float(np.log1p(-best * excess).mean())
    return shape, -shape / best


def resampled(weight: np.ndarray, n: int) -> np.ndarray:
    """Systematic resampling: indices of n draws of equal weight."""
    return np.searchsorted(np.cumsum(weight), (np.arange(n) + 0.5) / n).clip(max=weight.size - 1)


def wall(theta: Any, layout: Layout) -> Any:
    """What the bounds of the coordinates other than the period add to the negative log-posterior.

    Args:
        theta: parameters, NumPy's or JAX's, n_theta on the last axis.
        layout: where what is.
    """
    low, high = (np.array(ends[1:]) for ends in bounds(layout))
    inner = theta[..., 1:]
    beyond = (low - inner).clip(min=0.0) + (inner - high).clip(min=0.0)
    return 0.5 * (beyond**2).sum(axis=-1) / WALL**2


def _more(
    so_far: tuple[np.ndarray, np.ndarray],
    mixtures: list[Mixture],
    rng: np.random.Generator,
    values: Values,
    layout: Layout,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws and their log-posteriors, shapes (B, D, n_theta) and (B, D), with those of another round."""
    new = _draws(mixtures, rng)
    return np.concatenate([so_far[0], new], axis=1), np.concatenate(
        [so_far[1], _log_target(new, values, layout)], axis=1
    )


def _draws(mixtures: list[Mixture], rng: np.random.Generator) -> np.ndarray:
    """The same random numbers for every star: none depends on who its neighbours are."""
    seed = int(rng.integers(2**63))
    return np.stack([draw(m, N_DRAWS, np.random.default_rng(seed)) for m in mixtures])


def _log_target(theta: np.ndarray, values: Values, layout: Layout) -> np.ndarray:
    """Log-posterior within the bounds, very low where it is not finite, shape (B, D)."""
    target = -values(theta) - wall(theta, layout)
    return np.where(np.isfinite(target), target, -1e300)


def _log_weights(theta: np.ndarray, target: np.ndarray, rounds: Sequence[Mixture]) -> np.ndarray:
    """Normalised log-weights of a star's draws of as many from each of its proposals, shape (D,)."""
    proposed = logsumexp(np.concatenate([log_density(mixture, theta) for mixture in rounds]), axis=0)
    return target - proposed - logsumexp(target - proposed)
