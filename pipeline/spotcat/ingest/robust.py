"""Measurements that are not the star's rotation: excesses, scatter, narrow dips, flares, outliers and ramps.

Every rule compares a light curve with itself, so that rotation of any amplitude stays: what repeats is as large
everywhere, and raises the scale that it is measured by.  Long dips stay too, whatever their depth.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation, median_filter

from spotcat.config import CleanConfig
from spotcat.ingest.dips import CROWD, MAX_OUTLIERS, lonely_points, mark_dips
from spotcat.ingest.trend import HOUR, Bins, from_trend, stretches
from spotcat.scatter import sigma_of
from spotcat.status import LeftOut

_FEWEST = 50
"""A segment of fewer measurements says too little of itself."""
_TAIL_SIGMA, _TAIL_BEFORE, _TAIL_AFTER = 1.5, 2, 8
"""A flare goes on over so many points before and after while they are this far above the trend."""
_SCATTER_BIN, _SCATTER_WINDOW = 1 / 48, 0.5
"""Scatter is the second difference of bins of this width [d], and its median over such a window [d]."""
_MAX_SCATTERED = 0.15
"""Where more of a segment than this scatters, it is not the exception."""
_RAMP_LAG, _RAMP_LENGTH, _RAMP_BIN = 0.3, 2.0, 0.05
"""Slopes are taken over this lag [d] between bins of this width [d]; a ramp is at most this long [d]."""
_RAMP_QUANTILE, _RAMP_INTERIOR = 0.99, 1.0
"""What counts as steep is this quantile of the slopes so far [d] from any edge."""
_NEAR_EXCESS = 0.25
"""What is far too low this near [d] to an excess belongs to it."""


def left_out(time: np.ndarray, flux: np.ndarray, segment: np.ndarray, config: CleanConfig) -> np.ndarray:
    """Which measurements are not of the star's rotation, and why.

    Args:
        time: sorted times [d], shape (N,).
        flux: in any unit with a level well above zero, shape (N,).
        segment: segment numbers, shape (N,).
        config: thresholds; 0 switches a rule off.

    Returns:
        ``LeftOut`` of every measurement, i1, shape (N,).
    """
    why = np.zeros(time.size, dtype=np.int8)
    for number in np.unique(segment):
        own = np.flatnonzero(segment == number)
        if own.size >= _FEWEST:
            level = np.median(flux[own].astype(np.float64))
            found = _segment(time[own], flux[own] / level, config)
            # A segment of nothing but exceptions has none.
            why[own] = found if (found == LeftOut.USED).any() else LeftOut.USED
    return why


def _segment(time: np.ndarray, flux: np.ndarray, config: CleanConfig) -> np.ndarray:
    """``LeftOut`` of the measurements of one segment."""
    why = np.zeros(time.size, dtype=np.int8)
    cadence = float(np.median(np.diff(time)))
    if config.excess_sigma:
        for part in stretches(time, why, cadence):
            why[part[_excess(time[part], flux[part], config.excess_sigma)]] = LeftOut.EXCESS
    # A coarser cadence shows neither a flare's shape nor how a fast rotation curves.
    if cadence > config.clip_window / 5:
        return why
    if config.scatter_ratio:
        _mark_scatter(why, time, flux, cadence, config.scatter_ratio)
    if config.dip_sigma:
        mark_dips(why, time, flux, cadence, config)
    if config.flare_sigma or config.outlier_sigma:
        _mark_flares(why, time, flux, cadence, config)
    if config.ramp_ratio:
        _mark_ramps(why, time, flux, cadence, config.ramp_ratio)
    return why


def _excess(time: np.ndarray, flux: np.ndarray, limit: float) -> np.ndarray:
    """Which measurements of a stretch are far above all others, or as far below and not even positive.

    The brightest phase of no spotted star is so many sigma above its median: a sinusoid ends at 1 sigma.
    """
    found = np.zeros(time.size, dtype=bool)
    while True:
        rest = flux[~found]
        level, sigma = np.median(rest), sigma_of(rest)
        low = flux < level - limit * sigma
        fresh = ((flux > level + limit * sigma) | (low & (flux <= 0))) & ~found
        if not fresh.any() or sigma == 0:
            break
        found |= fresh
    if found.sum() > MAX_OUTLIERS:
        nearest = np.searchsorted(time[found], time)
        edges = np.r_[-np.inf, time[found], np.inf]
        found |= low & (np.minimum(time - edges[nearest], edges[nearest + 1] - time) < _NEAR_EXCESS)
    return found


def _mark_scatter(why: np.ndarray, time: np.ndarray, flux: np.ndarray, cadence: float, ratio: float) -> None:
    """Leave out where neighbouring bins differ by `ratio` times more than they do in the median of the segment."""
    width = max(_SCATTER_BIN, cadence)
    size = 2 * max(6, round(_SCATTER_WINDOW / 2 / width)) + 1
    parts, scatters = [], []
    for part in stretches(time, why, cadence):
        bins = Bins.make(time[part], flux[part], width)
        if bins.flux.size > size + 4:
            parts.append((part, bins.of))
            scatters.append((_local_scatter(bins.flux, 2, size), _local_scatter(bins.flux, 4, size)))
    if not parts:
        return
    typical = np.median(np.concatenate([second for second, _ in scatters]))
    # A dip is smooth: its fourth differences are smaller than its second ones, those of noise are three times larger.
    wild = [(second > ratio * typical) & (fourth > second) for second, fourth in scatters]
    if np.mean(np.concatenate(wild)) > _MAX_SCATTERED:
        return
    for (part, of), bad in zip(parts, wild, strict=True):
        why[part[bad[of]]] = LeftOut.SCATTER


def _local_scatter(flux: np.ndarray, order: int, size: int) -> np.ndarray:
    """Running median of the differences of some even order, of as many points."""
    half = order // 2
    return np.pad(median_filter(np.abs(np.diff(flux, order)), size=size), half, mode="edge")


def _mark_flares(why: np.ndarray, time: np.ndarray, flux: np.ndarray, cadence: float, config: CleanConfig) -> None:
    """Leave out flares, as they are sampled and in hourly means, and single outliers."""
    for width in (cadence, HOUR):
        if width == HOUR and width < 3 * cadence:
            return
        reach = max(2, round(CROWD / width)), max(3, round(config.clip_window / 2 / width))
        parts = []
        for part in stretches(time, why, cadence):
            rest = from_trend(time[part], flux[part], cadence, config.clip_window)
            if rest is None:
                continue
            if width == cadence:
                parts.append((part, np.arange(part.size), rest))
            else:
                bins = Bins.make(time[part], rest, width)
                parts.append((part, bins.of, bins.flux))
        sigma = sigma_of(np.concatenate([rest for _, _, rest in parts])) if parts else 0.0
        for part, of, rest in parts if sigma > 0 else ():
            for cause, found in _flares(rest / sigma, config, *reach).items():
                # Outliers of an hour would be dips.
                if cause is LeftOut.FLARE or width == cadence:
                    why[part[found[of]]] = cause


def _flares(rest: np.ndarray, config: CleanConfig, crowd: int, reach: int) -> dict[LeftOut, np.ndarray]:
    """Which points are flares and which are outliers; none close to a dip, whose edges bend the trend.

    Args:
        rest: distance from the trend [sigma].
        config: thresholds.
        crowd: how many points around an outlier hold no more than one other.
        reach: how many points around a dip are left as they are.
    """
    low = rest < -(config.outlier_sigma or config.flare_sigma)
    lonely = lonely_points(low, crowd)
    flare, soft = np.zeros_like(low), rest > _TAIL_SIGMA
    if config.flare_sigma:
        flare = rest > config.flare_sigma
        for _ in range(_TAIL_AFTER):
            flare |= np.append(False, flare[:-1]) & soft
        for _ in range(_TAIL_BEFORE):
            flare |= np.append(flare[1:], False) & soft
    outlier = lonely | lonely_points(rest > config.outlier_sigma, crowd) if config.outlier_sigma else np.zeros_like(low)
    dip = low & ~lonely
    calm = ~binary_dilation(dip, iterations=reach) if dip.any() else ~dip
    return {LeftOut.OUTLIER: outlier & calm, LeftOut.FLARE: flare & calm}


def _mark_ramps(why: np.ndarray, time: np.ndarray, flux: np.ndarray, cadence: float, ratio: float) -> None:
    """Leave out the ends of stretches while they are steeper than almost anything between them."""
    width = max(_RAMP_BIN, cadence)
    lag, longest = max(1, round(_RAMP_LAG / width)), round(_RAMP_LENGTH / width)
    parts, inner = [], [np.empty(0)]
    for part in stretches(time, why, cadence):
        bins = Bins.make(time[part], flux[part], width)
        if bins.flux.size > 3 * lag:
            slope = np.abs(bins.flux[lag:] - bins.flux[:-lag])
            middle = 0.5 * (bins.time[lag:] + bins.time[:-lag])
            edge = np.minimum(middle - bins.time[0], bins.time[-1] - middle)
            inner.append(slope[edge > _RAMP_INTERIOR])
            parts.append((part, bins, slope))
    slopes = np.concatenate(inner)
    if slopes.size < _FEWEST:
        return
    limit = ratio * np.quantile(slopes, _RAMP_QUANTILE)
    level = np.median(np.concatenate([bins.flux for _, bins, _ in parts]))
    deep = [_edge_depths(bins.flux, level) for _, bins, _ in parts]
    for i, (part, bins, slope) in enumerate(parts):
        last = bins.flux.size - 1
        # A dip that a pause interrupts is as deep on its other side.
        if not (i > 0 and deep[i][0] > 0 and deep[i - 1][1] > deep[i][0] / 2):
            n = _steep(slope > limit, longest)
            why[part[bins.of < (n + lag // 2 if n else 0)]] = LeftOut.RAMP
        if not (i + 1 < len(parts) and deep[i][1] > 0 and deep[i + 1][0] > deep[i][1] / 2):
            n = _steep(slope[::-1] > limit, longest)
            why[part[bins.of > last - (n + lag // 2 if n else 0)]] = LeftOut.RAMP


def _edge_depths(flux: np.ndarray, level: float) -> tuple[float, float]:
    """How far the first and the last bins of a stretch are below a level."""
    return float(level - np.median(flux[:3])), float(level - np.median(flux[-3:]))


def _steep(steep: np.ndarray, longest: int) -> int:
    """How many slopes from the first on are steep, two exceptions in a row allowed."""
    n = 0
    while n < min(steep.size, longest) and steep[n : n + 3].any():
        n += 1
    return n
