"""The two classical period estimates, for comparison: Lomb-Scargle and the autocorrelation function."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from spotcat.verdict.thresholds import THRESHOLDS

MOST_FREQUENCIES = 2**20
"""Trial frequencies of a periodogram: more only if a grid without its closed gaps asks for them, as none of less than
ten thousand points does.  So many are those of 72 years at a shortest period of 0.2 d."""

_OVERSAMPLING = 8
_AT_ONCE = 2**18
"""Frequencies that are worked on together; each takes a kilobyte."""


def lomb_scargle_periods(
    y: np.ndarray, mask: np.ndarray, elapsed: np.ndarray, dt: float, p_min: float, p_max: float
) -> np.ndarray:
    """Period of the highest peak of the least-squares periodogram with a floating mean.

    Its frequencies are as fine as the time that has passed asks for.  Where closed gaps make these too many, the times
    are those of the grid, whose gaps are short: no signal of interest keeps its phase for longer.

    Args:
        y: gridded flux, zero where there is no measurement, shape (B, M).
        mask: 1 where there is a measurement, shape (B, M).
        elapsed: time of the grid points from 0 on, closed gaps included [d], shape (B, M).
        dt: grid step [d].
        p_min: shortest period [d].
        p_max: longest period [d].

    Returns:
        Periods [d], shape (B,); NaN where the flux is constant.
    """
    from astropy.timeseries import LombScargle

    best = np.full(len(y), np.nan)
    longest = MOST_FREQUENCIES / (1 / p_min - 1 / p_max) / _OVERSAMPLING
    for i, (flux, seen, own) in enumerate(zip(y, mask > 0, elapsed, strict=True)):
        if not flux.any():
            continue
        t = times_within(own, dt, longest)
        frequency = np.arange(1 / p_max, 1 / p_min, 1 / ((t[-1] + t[1]) * _OVERSAMPLING))
        search = LombScargle(t[seen], flux[seen])
        blocks = np.array_split(frequency, -(-frequency.size // _AT_ONCE))
        power = np.concatenate([search.power(block, assume_regular_frequency=True) for block in blocks])
        best[i] = 1 / frequency[np.argmax(power)]
    return best


def times_within(elapsed: np.ndarray, dt: float, longest: float) -> np.ndarray:
    """Times of grid points [d], closed gaps as long as they were if the whole is then no longer than `longest`.

    Args:
        elapsed: times with closed gaps as long as they were [d], shape (M,).
        dt: grid step [d].
        longest: [d]

    Returns:
        `elapsed`, or the times of a grid without more, shape (M,).
    """
    return elapsed if elapsed[-1] + elapsed[1] <= longest else np.arange(elapsed.size) * dt


def autocorrelation_periods(
    y: np.ndarray, mask: np.ndarray, reach: np.ndarray, dt: float, p_min: float, p_max: float
) -> np.ndarray:
    """Period from the autocorrelation function after McQuillan et al. (2013, MNRAS 432, 1203).

    The function is smoothed by a Gaussian of a tenth of the first peak's lag; the period is the lag of the first
    peak, or of the second where that is higher (two active longitudes give a first peak at half the period).

    Args:
        y: gridded flux, zero where there is no measurement, shape (B, M).
        mask: 1 where there is a measurement, shape (B, M).
        reach: lag [grid steps] from which measurements lie across closed gaps, shape (B,).
        dt: grid step [d].
        p_min: shortest period [d].
        p_max: longest period [d].

    Returns:
        Periods [d], shape (B,); NaN where there is no peak.
    """
    best = np.full(len(y), np.nan)
    for i, (acf, end) in enumerate(zip(autocorrelation(y, mask), reach, strict=True)):
        acf = acf[: min(int(p_max / dt) + 2, int(end))]
        peaks = _peaks(acf, dt, p_min)
        if peaks.size:
            acf = gaussian_filter1d(acf, max(THRESHOLDS.acf_smoothing * peaks[0], 0.5))
            peaks = _peaks(acf, dt, p_min)
        if peaks.size:
            first_two = peaks[:2]
            best[i] = first_two[np.argmax(acf[first_two])] * dt
    return best


def autocorrelation(y: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Autocorrelation of masked, gridded flux, each lag divided by its own number of pairs.

    Args:
        y: flux, zero where there is no measurement, shape (B, M).
        mask: 1 where there is a measurement, shape (B, M).

    Returns:
        Shape (B, M), 1 at lag zero; 0 where a lag has no pair or the flux is constant.
    """
    m = y.shape[-1]

    def correlate(x: np.ndarray) -> np.ndarray:
        return np.fft.irfft(np.abs(np.fft.rfft(x, 2 * m)) ** 2, 2 * m)[..., :m]

    pairs = correlate(mask)
    acf = np.where(pairs > 0.5, correlate(y * mask) / np.maximum(pairs, 0.5), 0.0)
    return acf / np.where(acf[..., :1] > 0, acf[..., :1], 1.0)


def _peaks(acf: np.ndarray, dt: float, p_min: float) -> np.ndarray:
    peaks, _ = find_peaks(acf, height=0.0, prominence=THRESHOLDS.acf_prominence)
    return peaks[peaks * dt >= p_min]
