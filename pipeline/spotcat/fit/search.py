"""Search: every period against a shared bank of spot templates, giving the GP periodogram.

A template is a period, a shear and a spot lifetime; its covariance is split into components (rotation, its second
harmonic, spots that only come and go, red noise, white noise) whose non-negative powers are profiled under the debiased
Whittle likelihood.  Runs in float32.

The second harmonic is free, since two active longitudes make it the stronger one.  Higher ones are tied to the first: a
free fourth harmonic lets a template of four times the period describe a star as well as the right one does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.config import FitConfig
from spotcat.fit.buckets import Level
from spotcat.fit.lanes import Room, lanes_on, map_lanes
from spotcat.fit.programs import program
from spotcat.model.composite import red_rows, spot_rows
from spotcat.model.laws import envelope_of
from spotcat.model.layout import KAPPA_MAX, LN_WHITE_MIN, N_RED, Layout
from spotcat.model.whittle import Periodogram, expected_power, negative_log_likelihood, periodogram, profiled_powers

SCREEN_UPDATES, UPDATES, NULL_UPDATES = 6, 12, 120
SECOND_HARMONIC = 0.25
"""Power of the second harmonic relative to the first that spots give; more is penalised."""
FURTHER_HARMONICS = 0.3
"""Ratio of the powers of successive harmonics above that."""
N_SPOT = 3
"""Components of a template that are spots: those that come and go, rotation, its second harmonic."""

_FLOOR = 1e-9
SMALL = 8
"""Templates side by side on a CPU: as many as its caches hold."""


class Bank(NamedTuple):
    """What all stars of a bucket share at one resolution; but for `templates` and `periods` on the device.

    Attributes:
        templates: ln P, kappa, ln lspot, ln tau_spot of every template, shape (T, 4); periods vary slowest.
        rows: unit-variance covariance of each spot component, float32, shape (T, 3, M).
        screen: expected periodogram of every component without gaps, float32, shape (T, 8, n).
        noise: unit-variance covariances of the red-noise terms, float32, shape (4, M).
        ageing: those of spots that come and go without rotating, float32, shape (6, M).
        periods: period grid [d], shape (P,).
    """

    templates: np.ndarray
    rows: Array
    screen: Array
    noise: Array
    ageing: Array
    periods: np.ndarray


class Found(NamedTuple):
    """The best template of each period, for each star.

    Attributes:
        gain: its penalised log-likelihood above that of no rotation, the GP periodogram, shape (B, P).
        template: its place in the bank, shape (B, P).
        powers: its component powers, shape (B, P, 8).
    """

    gain: Array
    template: Array
    powers: Array


class Tiles(NamedTuple):
    """What the search works on side by side: so many templates for all stars; then so many stars, and their periods."""

    templates: int
    stars: int
    periods: int


def tiles_for(room: Room, bank: Bank) -> Tiles:
    """The tiles of a search: small ones on a CPU, all on a device whose memory holds all."""
    n_templates, _, n = bank.screen.shape
    n_periods = len(bank.periods)
    return Tiles(
        lanes_on(room.device, 4 * 5 * n * room.size, n_templates, SMALL),
        lanes_on(room.device, 4 * 8 * n * (2 * N_SPOT + N_RED + 3) * n_periods, room.size),
        n_periods if room.device.backend != "cpu" else min(SMALL, n_periods),
    )


@lru_cache(maxsize=4)
def make_bank(level: Level, periods: tuple[float, ...], config: FitConfig) -> Bank:
    """Compute the templates of a resolution; cached, since every chunk of a bucket shares them.

    Args:
        level: the resolution.
        periods: those that it is to search [d].
        config: shears and lifetimes.
    """
    layout = level.layout
    grid = np.stack(np.meshgrid(periods, config.shears, config.lifetimes, indexing="ij"), axis=-1).reshape(-1, 3)
    period, kappa, rotations = grid.T
    with jax.enable_x64(True):
        times = envelope_of(layout.spots).template(rotations * period)
        templates = np.stack([np.log(period), kappa, *(np.log(np.asarray(t)) for t in times)], axis=1)
        rows = _template_rows(templates, layout)
        noise, ageing = (jnp.asarray(a, jnp.float32) for a in _rows_without_rotation(layout))
        return Bank(templates, rows, _without_gaps(rows, noise), noise, ageing, np.array(periods))


@program
def _without_gaps(rows: Array, noise: Array) -> Array:
    """Expected periodograms of all components of every template for a full grid."""
    m = rows.shape[-1]
    window = jnp.asarray(1 - np.arange(m) / m, rows.dtype)
    spots = jnp.maximum(expected_power(rows, window), _FLOOR)
    others = _noise_powers(noise, window)
    return jnp.concatenate([spots, jnp.broadcast_to(others, (len(rows), *others.shape))], axis=1)


@program
def _template_rows(templates: Array, layout: Layout) -> Array:
    """Rows of every template for an edge-on star, each component normalised to 1 at lag zero, shape (T, 3, M)."""
    higher = range(3, layout.n_harm + 1)

    def one(template: Array) -> Array:
        # logit coordinates of kappa = 0 and inc = pi/2 are infinite, which the sigmoid takes.
        kappa = jnp.log(template[1]) - jnp.log(KAPPA_MAX - template[1])
        shape = jnp.stack([template[0], kappa, jnp.inf, template[2], template[3]])
        rows = spot_rows(shape, 0.0, layout)
        rows = rows / rows[:, :1]
        rotation = rows[1] + sum(FURTHER_HARMONICS ** (n - 1) * rows[n] for n in higher)
        return jnp.stack([rows[0], rotation / rotation[0], rows[2]]).astype(jnp.float32)

    return jax.lax.map(one, templates, batch_size=16)


@program(static=("tiles",))
def search(y: Array, mask: Array, reach: Array, bank: Bank, count: Array | int, tiles: Tiles) -> Found:
    """Search the first `count` stars of a batch.

    All templates are screened with a few updates and with expectations that ignore gaps, which all stars share; the
    best of each period is then profiled with the star's own window.

    Args:
        y: flux in units of its scatter, float32, shape (B, pieces, M).
        mask: 1 where there is a measurement, float32, shape (B, pieces, M).
        reach: lag [grid steps] from which measurements are independent, shape (B,).
        bank: templates on the grid of a piece.
        count: stars to search.
        tiles: what lies side by side.

    Returns:
        What was found for each star.
    """
    n_periods = bank.periods.shape[0]
    stars = periodogram(y, mask, reach)
    screened, starts = _screened(jnp.asarray(bank.screen), stars, tiles.templates)
    of_period = jnp.argmin(screened.reshape(n_periods, -1, y.shape[0]), axis=1)
    per_period = bank.templates.shape[0] // n_periods
    likely = of_period.T + per_period * jnp.arange(n_periods)
    starts = jnp.take_along_axis(jnp.swapaxes(starts, 0, 1), likely[:, :, None], axis=1)

    def one(item: tuple[Periodogram, Array, Array]) -> Found:
        star, templates, start = item
        null, noise = _without_rotation(bank.ageing, bank.noise, star), _noise_powers(bank.noise, star.window)
        value, powers = jax.lax.map(
            lambda x: _profile(bank.rows[x[0]], noise, star, x[1]), (templates, start), batch_size=tiles.periods
        )
        gain = null - jnp.where(jnp.isfinite(value), value, jnp.inf)
        return Found(gain, templates, powers)

    return map_lanes(one, (stars, likely, starts), count, tiles.stars)


def _screened(components: Array, stars: Periodogram, tile: int) -> tuple[Array, Array]:
    """Penalised negative log-likelihood of every template for every star after a few updates, and the powers.

    The updates leave out the square root: unproven, but they come closer in as many.

    Args:
        components: expected periodograms, shape (T, c, n).
        stars: periodograms, leading axis B.
        tile: templates side by side.

    Returns:
        Shapes (T, B) and (T, B, c).
    """
    power = stars.power
    b = power.shape[0]
    start = jax.vmap(_start)(power)

    def one(parts: Array) -> tuple[Array, Array]:
        def step(p: Array, _: None) -> tuple[Array, None]:
            inverse = 1 / (p @ parts)
            both = jnp.concatenate([power * inverse * inverse, inverse]) @ parts.T
            return p * both[:b] / both[b:], None

        p, _ = jax.lax.scan(step, start, None, length=SCREEN_UPDATES)
        value = negative_log_likelihood(p @ parts, stars) + _harmonic_penalty(p, power.mean(-1))
        return jnp.where(jnp.isfinite(value), value, jnp.inf), jnp.maximum(p, _FLOOR)

    return jax.lax.map(one, components, batch_size=tile)


def _noise_powers(noise: Array, window: Array) -> Array:
    """Expected powers of red and white noise of unit variance, shape (5, n)."""
    red = jnp.maximum(expected_power(noise, window), _FLOOR)
    return jnp.concatenate([red, jnp.ones((1, red.shape[1]), red.dtype)])


def _profile(rows: Array, noise: Array, star: Periodogram, start: Array) -> tuple[Array, Array]:
    """Penalised negative log-likelihood and powers of one template."""
    spots = jnp.maximum(expected_power(rows, star.window), _FLOOR)
    components = jnp.concatenate([spots, noise])
    p = profiled_powers(components, start, star.power, UPDATES)
    return negative_log_likelihood(p @ components, star) + _harmonic_penalty(p, star.power.mean()), p


def _start(power: Array) -> Array:
    """Powers to start from: mostly the first harmonic, and the white noise that the highest frequencies show."""
    first = jnp.array([0.2, 0.45, 0.15] + [0.05] * N_RED, power.dtype)
    return jnp.concatenate([first * power.mean(), _white_start(power)])


def _harmonic_penalty(p: Array, total: Array) -> Array:
    """What a second harmonic stronger than spots give costs; `p` has the components on its last axis."""
    tiny = _FLOOR * total
    excess = jnp.log((p[..., 2] + tiny) / (p[..., 1] + tiny) / SECOND_HARMONIC)
    return jnp.maximum(excess, 0.0) ** 2


def _without_rotation(ageing: Array, noise: Array, star: Periodogram, least_white: float = 0.0) -> Array:
    """Negative log-likelihood of the best model without rotation: ageing spots, red noise and white noise."""
    spots = jnp.maximum(expected_power(ageing, star.window), _FLOOR)
    others = jnp.concatenate([spots, _noise_powers(noise, star.window)])
    n = others.shape[0] - 1
    start = jnp.concatenate([jnp.full(n, 1 / n) * star.power.mean(), _white_start(star.power)])
    p = profiled_powers(others, start, star.power, NULL_UPDATES)
    return negative_log_likelihood(p.at[-1].max(least_white) @ others, star)


@program(static=("lanes",))
def seen_and_null(
    y: Array, mask: Array, reach: Array, count: Array | int, layout: Layout, lanes: int
) -> tuple[Periodogram, Array]:
    """Periodograms, and the negative log-likelihood of the best model without rotation: ageing spots and noise.

    There is as much white noise in it as in a fit at least: without, the gains of precise light curves would be taken
    between unlike models.

    Args:
        y: flux in units of its scatter, float64, shape (B, M).
        mask: 1 where there is a measurement, shape (B, M).
        reach: lag [grid steps] from which measurements are independent, shape (B,).
        count: stars to work on.
        layout: of the grid.
        lanes: stars side by side.

    Returns:
        Periodograms, leading axis B, and shape (B,).
    """
    seen = periodogram(y[:, None], mask[:, None], reach)
    noise, ageing = _rows_without_rotation(layout)
    least = np.exp(LN_WHITE_MIN)
    null = map_lanes(lambda star: _without_rotation(ageing, noise, star, least), seen, count, lanes)
    return seen, null


def bytes_of_null(layout: Layout) -> int:
    """Memory that the model without rotation takes for a star."""
    return 8 * 2 * (6 + N_RED + 1 + 3) * layout.n_time


@program
def _rows_without_rotation(layout: Layout) -> tuple[Array, Array]:
    """Unit-variance covariances of red noise, and of spots that do not rotate for six lifetimes; (4, M) and (6, M)."""
    shortest, longest = jnp.log(4 * layout.dt), jnp.log(layout.n_time * layout.dt / 2)
    lives = jnp.exp(jnp.linspace(shortest, longest, 6))[:, None]
    envelope = envelope_of(layout.spots)
    ageing = envelope.autocorrelation(layout.lag, *envelope.template(lives))
    return red_rows(layout), ageing / ageing[:, :1]


def _white_start(power: Array) -> Array:
    """White-noise level from the highest quarter of the frequencies; the median of Exp(1) is ln 2."""
    n = power.shape[0]
    return jnp.maximum(jnp.median(power[3 * n // 4 :]) / np.log(2), 1e-6)[None]
