"""A second periodic signal in what the first one leaves: another star, a pulsation, the rolls of a spacecraft.

Each of the two is fitted to the light curve without the other (backfitting: Breiman & Friedman 1985, J. Am. Stat.
Assoc. 80, 580).  The rotation is the one that carries more of the variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from scipy.interpolate import CubicSpline

from spotcat.config import FitConfig
from spotcat.fit.buckets import BucketSpec, Measurements, grid_stars
from spotcat.fit.lanes import Room
from spotcat.fit.levels import Searched, search_stars
from spotcat.fit.modes import Fit
from spotcat.fit.posterior import rotating_share
from spotcat.fit.search import N_SPOT
from spotcat.fit.single import fit_one_signal, replace_fits
from spotcat.model.outliers import where
from spotcat.verdict.decision import no_rotation

LEAST_GAIN = 10.0
"""Gain [ln likelihood] from which on there is a first signal to take away, or a second in what it leaves (chosen)."""
LEAST_AMPLITUDE = 0.25
"""A second signal of a smaller part of the first one's amplitude is not fitted: it changes nothing of the first, and in
real light curves of simulated single rotators nearly all that gain enough are smaller, systematics of 3 to 9 %.  To fit
all would nearly double the cost of four years."""
LONGEST = 0.5
"""A second period is no longer than this part of the longest segment: slower ones are what spots do without rotating,
and drifts from one offset to the next (chosen, as in ``verdict.calibration.evidence_features``)."""
HARMONICS = (1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0)
"""What is left of a signal has these multiples of its period: harmonics, their ratios, and what it is a harmonic of."""
SAME, APART = 0.2, 0.12
"""A second period is further than this in ln from the first, as latitudes of one star may differ, and from the other
multiples, beside which lies what is left of their wings (chosen)."""
_WIDTHS = np.where(np.array(HARMONICS) == 1, SAME, APART)


class Second(NamedTuple):
    """A second signal of each star; NaN where there is none, shape (n,).

    Attributes:
        period: [d].
        amplitude: its standard deviation, relative flux.
        gain: log-likelihood that it gains over none, beside the first.
    """

    period: np.ndarray
    amplitude: np.ndarray
    gain: np.ndarray


def second_signals(fit: Fit, stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig, room: Room) -> Second:
    """Look for a second signal beside each clear one.

    Where the second one carries more of the variance the two change places in `fit`.

    Args:
        fit: of one signal; stars with two get the fit of the first to the light curve without the second.
        stars: light curves.
        spec: their bucket.
        config: settings of the steps.
        room: sizes of arrays, and their device.
    """
    second = Second(*np.full((3, len(stars)), np.nan))
    clear = np.flatnonzero((fit.gain >= LEAST_GAIN) & [bool(np.isfinite(signal).all()) for signal in fit.signal])
    if not clear.size:
        return second
    rest = [less(stars[i], fit.signal[i]) for i in clear.tolist()]
    periods = spec.periods(config)
    searched = _apart(search_stars(rest, spec, config, room), fit.best.prot[clear], periods)
    longest = np.array([longest_segment(star) for star in rest])
    searched = searched._replace(gain=np.where(periods < LONGEST * longest[:, None], searched.gain, -np.inf))
    carried = spread([stars[i] for i in clear.tolist()], fit.signal[clear])
    worth = _amplitudes(searched, rest, spec) >= LEAST_AMPLITUDE * carried
    likely = np.flatnonzero((searched.gain.max(axis=1) >= LEAST_GAIN) & worth)
    if not likely.size:
        return second
    members, rest = clear[likely], [rest[i] for i in likely.tolist()]
    other = fit_one_signal(rest, Searched(*(a[likely] for a in searched)), spec, config, room)
    share = rotating_share(other.theta, spec.layout(config))
    found = np.flatnonzero(_is_second(other, fit.best.prot[members], rest, share))
    if not found.size:
        return second
    members, other = members[found], jax.tree.map(lambda a: a[found], other)
    lessened = [less(stars[i], signal) for i, signal in zip(members.tolist(), other.signal, strict=True)]
    again = search_stars(lessened, spec, config, room)
    first = fit_one_signal(lessened, again, spec, config, room)
    same = np.abs(np.log(first.best.prot / fit.best.prot[members])) < SAME
    one, two = (spread([stars[i] for i in members.tolist()], each.signal) for each in (first, other))
    swapped = same & (two > one)
    for fits, others, chosen in ((first, other, same & ~swapped), (other, first, swapped)):
        some = members[chosen]
        theirs = jax.tree.map(lambda a, chosen=chosen: a[chosen], fits)
        replace_fits(fit, some, theirs._replace(outlier_time=fit.outlier_time[some]))
        for values, found_values in zip(second, (others.best.prot, others.best.amplitude, others.gain), strict=True):
            values[some] = found_values[chosen]
    return second


def less(star: Measurements, signal: np.ndarray) -> Measurements:
    """A light curve without a fitted signal, as far as the grid of the fit went.

    Args:
        star: the light curve.
        signal: times [d] of grid points, and the relative flux there, shape (2, M).
    """
    time, flux = signal
    inside = (star.time >= time[0]) & (star.time <= time[-1])
    kept = where(star, inside)
    # A bin of few measurements holds the flux of the middle of these, which may not be its own.
    cell = np.searchsorted(0.5 * (time[1:] + time[:-1]), kept.time, side="right")
    count = np.bincount(cell, minlength=time.size)
    middle = np.where(count > 0, np.bincount(cell, kept.time, minlength=time.size) / np.maximum(count, 1), time)
    return kept._replace(flux=kept.flux - CubicSpline(middle, flux)(kept.time))


def spread(stars: Sequence[Measurements], signals: np.ndarray) -> np.ndarray:
    """Standard deviation of fitted signals, as of `less`, within their light curves [relative flux], shape (n,).

    A fit's amplitude is that of the process, and may be any that could have made the one wave that was seen.
    """
    seen = [
        flux[(time >= star.time[0]) & (time <= star.time[-1])]
        for star, (time, flux) in zip(stars, signals, strict=True)
    ]
    return np.array([float(np.std(flux)) for flux in seen])


def longest_segment(star: Measurements) -> float:
    """Time [d] that the longest segment of a light curve lasts."""
    return max(float(np.ptp(star.time[star.segment == number])) for number in np.unique(star.segment))


def _apart(searched: Searched, prot: np.ndarray, periods: np.ndarray) -> Searched:
    """The same without the periods that the first signal, `prot` [d], may have left; shapes (n,) and (P,)."""
    return searched._replace(gain=np.where(_unlike(periods, prot[:, None]), searched.gain, -np.inf))


def _unlike(period: np.ndarray, prot: np.ndarray) -> np.ndarray:
    """Whether periods [d] are none that a signal of period `prot` [d] may leave; shapes are broadcast."""
    away = np.abs(np.log(period[..., None] / (prot[..., None] * np.array(HARMONICS))))
    return np.asarray((away > _WIDTHS).all(axis=-1))


def _amplitudes(searched: Searched, stars: Sequence[Measurements], spec: BucketSpec) -> np.ndarray:
    """Standard deviation of the rotation of each star's best template, in relative flux, shape (n,)."""
    best = searched.gain.argmax(axis=1)
    power = searched.powers[np.arange(len(best)), best, 1:N_SPOT].sum(axis=-1)
    return np.asarray(grid_stars(stars, spec.whole).scale * np.sqrt(power))


def _is_second(other: Fit, prot: np.ndarray, stars: Sequence[Measurements], share: np.ndarray) -> np.ndarray:
    """Which fits to what first signals of periods `prot` [d] left are signals of their own, shape (n,)."""
    columns = {
        "rotating_share": share,
        "baseline": np.array([float(np.ptp(star.time)) for star in stars]),
        "prot": other.best.prot,
        "n_life_rot": other.best.n_life_rot,
    }
    known = np.array([bool(np.isfinite(signal).all()) for signal in other.signal])
    return known & _unlike(other.best.prot, prot) & (other.gain >= LEAST_GAIN) & ~no_rotation(columns)
