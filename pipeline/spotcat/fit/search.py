"""Search: every period against a shared bank of spot templates, giving the GP periodogram.

A template is a period, a shear and a spot lifetime; its covariance is split into components (one for each rotation
harmonic, one for spots that only come and go, red noise, white noise) whose non-negative powers are profiled under the
debiased Whittle likelihood by multiplicative updates

    p <- p sqrt( A (I / E^2) / A (1 / E) ),     E = p A,

which never raise the Itakura-Saito objective (Fevotte & Idier 2011, Neural Computation 23, 2421).  Runs in float32.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.config import FitConfig
from spotcat.fit.buckets import BucketSpec
from spotcat.gp.composite import red_rows, spot_rows
from spotcat.gp.layout import KAPPA_MAX, Layout
from spotcat.gp.whittle import Periodogram, expected_power, negative_log_likelihood, periodogram
from spotcat.star.envelope import trapezoid_autocorrelation

UPDATES, NULL_UPDATES = 40, 120
PLATEAU = 0.7
"""Fraction of a template's lifetime spent on the plateau."""
HARMONIC_RATIOS = (0.25, 0.08)
"""Power of harmonics 2 and 3 relative to the first that spots give; more is penalised."""
DISTINCT = 0.12
"""Periods closer than this in ln P belong to one mode."""

_FLOOR = 1e-9
_TEMPLATES_AT_ONCE = 8


class Bank(NamedTuple):
    """What all stars of a bucket share.

    Attributes:
        templates: ln P, kappa, ln lspot, ln tau_spot of every template, shape (T, 4); periods vary slowest.
        rows: unit-variance covariance of each harmonic, float32, shape (T, n_harm + 1, M).
        noise: unit-variance covariances of the red-noise terms, float32, shape (3, M).
        periods: period grid [d], shape (P,).
    """

    templates: np.ndarray
    rows: np.ndarray
    noise: np.ndarray
    periods: np.ndarray


class Found(NamedTuple):
    """Result of the search, for each star.

    Attributes:
        gain: penalised log-likelihood at each period above that of red and white noise, the GP periodogram, shape
        (B, P).
        modes: template of each starting mode, shape (B, n_modes).
        powers: component powers of those templates, shape (B, n_modes, n_harm + 5).
    """

    gain: Array
    modes: Array
    powers: Array


@lru_cache(maxsize=4)
def make_bank(spec: BucketSpec, config: FitConfig) -> Bank:
    """Compute the templates of a bucket; cached, since every chunk of the bucket shares them."""
    layout, periods = spec.layout(config), spec.periods(config)
    grid = np.stack(np.meshgrid(periods, config.shears, config.lifetimes, indexing="ij"), axis=-1).reshape(-1, 3)
    period, kappa, rotations = grid.T
    life = rotations * period
    templates = np.stack([np.log(period), kappa, np.log(PLATEAU * life), np.log((1 - PLATEAU) * life)], axis=1)
    with jax.enable_x64(True):
        rows = np.asarray(_template_rows(templates, layout))
    return Bank(templates, rows, red_rows(layout).astype(np.float32), periods)


@partial(jax.jit, static_argnums=1)
def _template_rows(templates: Array, layout: Layout) -> Array:
    """Rows of every template for an edge-on star, each harmonic normalised to 1 at lag zero."""

    def one(template: Array) -> Array:
        # logit coordinates of kappa = 0 and inc = pi/2 are infinite, which the sigmoid takes.
        kappa = jnp.log(template[1]) - jnp.log(KAPPA_MAX - template[1])
        shape = jnp.stack([template[0], kappa, jnp.inf, template[2], template[3]])
        rows = spot_rows(shape, 0.0, layout)
        return (rows / rows[:, :1]).astype(jnp.float32)

    return jax.lax.map(one, templates, batch_size=16)


@partial(jax.jit, static_argnums=(3, 4))
def search(y: Array, mask: Array, bank: Bank, n_harm: int, n_modes: int) -> Found:
    """Search a batch of stars.

    Args:
        y: flux in units of its scatter, float32, shape (B, M).
        mask: 1 where there is a measurement, float32, shape (B, M).
        bank: the bucket's templates.
        n_harm: highest rotation harmonic.
        n_modes: period modes to return.

    Returns:
        What was found for each star.
    """
    n_periods = bank.periods.shape[0]

    def one(star: Periodogram) -> Found:
        noise = _noise_powers(jnp.asarray(bank.noise), star)
        null = _without_rotation(noise, star)
        value, powers = jax.lax.map(
            lambda rows: _profile(rows, noise, star, n_harm), bank.rows, batch_size=_TEMPLATES_AT_ONCE
        )
        value = jnp.where(jnp.isfinite(value), value, jnp.inf)
        at_period = value.reshape(n_periods, -1)
        best = jnp.argmin(at_period, axis=1) + jnp.arange(n_periods) * at_period.shape[1]
        gain = null - at_period.min(axis=1)
        modes = best[_pick_periods(gain, jnp.log(bank.periods), n_modes)]
        return Found(gain, modes, powers[modes])

    return jax.lax.map(one, periodogram(y, mask))


def _noise_powers(noise: Array, star: Periodogram) -> Array:
    """Expected powers of red and white noise of unit variance, shape (4, n)."""
    red = jnp.maximum(expected_power(noise, star.window), _FLOOR)
    return jnp.concatenate([red, jnp.ones((1, red.shape[1]), red.dtype)])


def _update(components: Array, start: Array, power: Array, n_updates: int) -> tuple[Array, Array]:
    """Profile non-negative component powers; returns them and the expected periodogram."""

    def step(p: Array, _: None) -> tuple[Array, None]:
        inverse = 1 / (p @ components)
        ratio = (components @ (power * inverse * inverse)) / (components @ inverse)
        return p * jnp.sqrt(jnp.maximum(ratio, 1e-12)), None

    p, _ = jax.lax.scan(step, start, None, length=n_updates)
    return p, p @ components


def _profile(rows: Array, noise: Array, star: Periodogram, n_harm: int) -> tuple[Array, Array]:
    """Penalised negative log-likelihood and powers of one template."""
    spots = jnp.maximum(expected_power(rows, star.window), _FLOOR)
    total = star.power.mean()
    first = jnp.array([0.2, 0.4, 0.15, 0.05] + [0.02] * (n_harm - 3), spots.dtype)
    start = jnp.concatenate([first * total, jnp.full(noise.shape[0] - 1, 0.05) * total, _white_start(star)])
    p, expected = _update(jnp.concatenate([spots, noise]), start, star.power, UPDATES)
    tiny = _FLOOR * total
    excess = jnp.log((p[2:4] + tiny) / (p[1] + tiny) / jnp.array(HARMONIC_RATIOS))
    penalty = jnp.sum(jnp.maximum(excess, 0.0) ** 2)
    return negative_log_likelihood(expected, star.power) + penalty, p


def _without_rotation(others: Array, star: Periodogram) -> Array:
    """Negative log-likelihood of noise components alone; the last of them is white."""
    n = others.shape[0] - 1
    start = jnp.concatenate([jnp.full(n, 1 / n) * star.power.mean(), _white_start(star)])
    _, expected = _update(others, start, star.power, NULL_UPDATES)
    return negative_log_likelihood(expected, star.power)


def null_value(stars: Periodogram, spec: BucketSpec) -> Array:
    """Negative log-likelihood of the best model without rotation: ageing spots, red noise and white noise.

    Args:
        stars: periodograms in float64, leading axis B.
        spec: their grid.

    Returns:
        Shape (B,).
    """
    layout = Layout(spec.n_time, spec.dt, 0, 0)
    lives = np.geomspace(4 * spec.dt, spec.n_time * spec.dt / 2, 6)[:, None]
    ageing = trapezoid_autocorrelation(layout.lag, PLATEAU * lives, (1 - PLATEAU) * lives)
    return _null_values(stars, ageing / ageing[:, :1], red_rows(layout))


@jax.jit
def _null_values(stars: Periodogram, ageing: Array, red: Array) -> Array:
    def one(star: Periodogram) -> Array:
        spots = jnp.maximum(expected_power(ageing, star.window), _FLOOR)
        return _without_rotation(jnp.concatenate([spots, _noise_powers(red, star)]), star)

    return jax.lax.map(one, stars)


def _white_start(star: Periodogram) -> Array:
    """White-noise level from the highest quarter of the frequencies; the median of Exp(1) is ln 2."""
    n = star.power.shape[0]
    return jnp.maximum(jnp.median(star.power[3 * n // 4 :]) / np.log(2), 1e-6)[None]


def _pick_periods(gain: Array, ln_period: Array, n_modes: int) -> Array:
    """Indices of the starting modes: the best period, its half and its double, then the best of the rest."""

    def best_where(allowed: Array) -> Array:
        return jnp.argmax(jnp.where(allowed, gain, -jnp.inf))

    first = jnp.argmax(gain)
    picks = [first]
    for shift in (-np.log(2), np.log(2)):
        target = jnp.clip(ln_period[first] + shift, ln_period[0], ln_period[-1])
        picks.append(best_where(jnp.abs(ln_period - target) < DISTINCT))
    for _ in range(n_modes - 3):
        chosen = ln_period[jnp.stack(picks)]
        picks.append(best_where(jnp.all(jnp.abs(ln_period[:, None] - chosen) > DISTINCT, axis=1)))
    return jnp.stack(picks)
