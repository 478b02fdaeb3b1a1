"""Several strict frequencies, as of a pulsating star, that a rotation model takes for spots."""

from __future__ import annotations

import numpy as np

from spotcat.model.grid import GridBatch
from spotcat.verdict.thresholds import THRESHOLDS


def pulsating(batch: GridBatch, dt: float, prot: np.ndarray, suspect: np.ndarray) -> np.ndarray:
    """Whether light curves hold two strict frequencies that no one rotation has.

    Spots come and go: their lines are broad, and lie at the harmonics of one frequency.

    Args:
        batch: light curves on a fine grid, B of them.
        dt: its step [d].
        prot: fitted rotation periods [d], shape (B,).
        suspect: which ones are to be looked at, shape (B,).

    Returns:
        Truth values, shape (B,), false where `suspect` is.
    """
    found = np.zeros(suspect.size, bool)
    for i in np.flatnonzero(suspect & np.isfinite(prot)):
        seen = np.flatnonzero(batch.mask[i])
        span = dt * np.ptp(seen) if seen.size else 0.0
        if span > THRESHOLDS.strict_cycles * prot[i]:
            lines = strongest_lines(batch.y[i], batch.mask[i], dt, 0.5 / prot[i])
            found[i] = _has_second_period(lines, 2 / span)
    return found


def strongest_lines(y: np.ndarray, mask: np.ndarray, dt: float, lowest: float) -> np.ndarray:
    """The strongest frequencies, each fitted and taken away before the next is sought.

    Args:
        y: flux on a grid, zero where there is no measurement, shape (M,).
        mask: 1 where there is a measurement, shape (M,).
        dt: step of the grid [d].
        lowest: frequency [1/d] from which they are sought.

    Returns:
        Frequency [1/d], share of the variance from `lowest` on, and what is left of the power close to it; shape
        (``THRESHOLDS.strict_lines``, 3).
    """
    n_fft = 1 << int(np.ceil(np.log2(4 * y.size)))
    frequency = np.fft.rfftfreq(n_fft, dt)
    seen = np.flatnonzero(mask)
    time, rest = dt * seen, y * mask
    power = np.abs(np.fft.rfft(rest, n_fft)) ** 2
    band = np.flatnonzero(frequency >= lowest)
    total, lines = max(power[band].sum(), 1e-300), []
    for _ in range(THRESHOLDS.strict_lines):
        peak = _refined_peak(power, int(band[np.argmax(power[band])])) * frequency[1]
        waves = np.stack([wave(2 * np.pi * peak * time) for wave in (np.cos, np.sin)], axis=1)
        rest = rest.copy()
        rest[seen] -= waves @ np.linalg.lstsq(waves, rest[seen], rcond=None)[0]
        near = np.abs(frequency - peak) < THRESHOLDS.line_near / max(np.ptp(time), dt)
        before, power = power[near].sum(), np.abs(np.fft.rfft(rest, n_fft)) ** 2
        after = power[near].sum()
        lines.append((peak, (before - after) / total, after / max(before, 1e-300)))
    return np.array(lines)


def _refined_peak(power: np.ndarray, at: int) -> float:
    """The place of a maximum between samples, by a parabola."""
    if not 0 < at < power.size - 1:
        return float(at)
    left, middle, right = power[at - 1 : at + 2]
    bend = left - 2 * middle + right
    return float(at + (0.5 * (left - right) / bend if bend < 0 else 0.0))


def _has_second_period(lines: np.ndarray, resolution: float) -> bool:
    """Whether a further strict line is no harmonic of the strongest, nor of its double period."""
    first, ratio = lines[0, 0], lines[:, 0] / lines[0, 0]
    strict = (lines[:, 1] > THRESHOLDS.line_share) & (lines[:, 2] < THRESHOLDS.line_left)
    harmonic = np.abs(ratio - np.round(2 * ratio) / 2) < resolution / first * np.maximum(ratio, 1)
    latitudes = np.abs(np.log(ratio[:, None] / np.array([1, 2, 3]))).min(axis=1) < THRESHOLDS.differential
    return bool(strict[0] and np.any(strict & ~harmonic & ~latitudes))
