"""Measurements left out on request: transits of a known planet, flares and single outliers."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.config import CleanConfig
from spotcat.ingest.clean import CleanCurve, RawCurve, Refusal
from spotcat.ingest.daycount import epoch_in_count
from spotcat.ingest.identity import parse_name
from spotcat.status import InputError, Status
from spotcat.text import system_path, written

_MAD_TO_SIGMA = 1.4826
_MAX_OUTLIERS = 2
"""More points than this in a row that are too low are a dip, not outliers."""
_COLUMNS = ("star", "period", "epoch", "duration")


@dataclass(frozen=True, slots=True)
class Transit:
    """A transiting planet: ``period`` [d], ``epoch`` of one mid-transit [d] and ``duration`` [d]."""

    period: float
    epoch: float
    duration: float


def read_ephemerides(path: str) -> dict[str, tuple[Transit, ...]]:
    """Transits by star, as its name or the text of its number.

    Args:
        path: CSV with the columns star, period [d], epoch [d] and duration [h]; empty for none.

    Raises:
        InputError: the table cannot be read.
    """
    if not path:
        return {}
    found: dict[str, list[Transit]] = defaultdict(list)
    try:
        with Path(system_path(path)).open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            for row in reader:
                star = written(row["star"].strip())
                identity = parse_name(star)
                period, epoch, hours = (float(row[name]) for name in _COLUMNS[1:])
                if not (period > 0 and hours > 0 and np.isfinite([period, epoch, hours]).all()):
                    raise ValueError
                found[identity.name if identity else star].append(Transit(period, epoch, hours / 24))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (KeyError, TypeError, ValueError, csv.Error):
        where = f"{path}, line {reader.line_num}" if "reader" in locals() else path
        raise InputError(f"{where}: an ephemeris has {','.join(_COLUMNS)}: days, days, positive hours") from None
    return {star: tuple(transits) for star, transits in found.items()}


def drop_transits(
    raw: RawCurve, transits: Sequence[Transit], reference: float | None
) -> tuple[RawCurve, int] | Refusal:
    """A light curve without its transits, and how many measurements that took.

    Args:
        raw: the measurements as delivered.
        transits: of its star; epochs may be days of another count than the light curve's.
        reference: Julian date from which the light curve's days count; None where it is not known.

    Returns:
        A refusal where an epoch counts from another date and nothing says which.
    """
    inside = np.zeros(raw.time.size, dtype=bool)
    finite = raw.time[np.isfinite(raw.time)]
    if not transits or not finite.size:
        return raw, 0
    span = float(finite.min()), float(finite.max())
    for transit in transits:
        epoch = epoch_in_count(transit.epoch, span, reference)
        if epoch is None:
            times = f"its times, from {span[0]:.8g} to {span[1]:.8g}"
            words = f"the epoch {transit.epoch:.10g} of its ephemeris counts days from another date than {times}"
            return Refusal(Status.UNREADABLE, f"{words}; give it in their count")
        phase = np.remainder(raw.time - epoch + transit.period / 2, transit.period) - transit.period / 2
        inside |= np.abs(phase) <= transit.duration / 2
    if not inside.any():
        return raw, 0
    names = ("time", "flux", "flux_err", "quality", "segment", "cadence_number")
    parts: dict[str, Any] = {name: getattr(raw, name) for name in names if getattr(raw, name) is not None}
    kept = {name: values[~inside] for name, values in parts.items()}
    return replace(raw, **kept), int(np.count_nonzero(inside & np.isfinite(raw.flux)))


def clip(curve: CleanCurve, config: CleanConfig) -> tuple[CleanCurve, int]:
    """A light curve without flares and single outliers, and how many measurements that took.

    A point is compared with the running median of its segment.  Everything that is too high goes; what is too low
    goes only where no more than two such points follow each other, so dips stay as deep as they are.
    """
    if not config.flare_sigma and not config.outlier_sigma:
        return curve, 0
    kept = np.ones(curve.time.size, dtype=bool)
    for number in np.unique(curve.segment):
        part = np.flatnonzero(curve.segment == number)
        kept[part] = ~_unwanted(curve.time[part], curve.flux[part].astype(np.float64), config)
    if kept.all() or np.unique(curve.segment[kept]).size < np.unique(curve.segment).size:
        return curve, 0
    parts: dict[str, Any] = {
        name: getattr(curve, name)[kept] for name in ("time", "flux", "flux_err", "quality", "segment")
    }
    if curve.cadence_number is not None:
        parts["cadence_number"] = curve.cadence_number[kept]
    return replace(curve, **parts), int(np.count_nonzero(~kept))


def _unwanted(time: np.ndarray, flux: np.ndarray, config: CleanConfig) -> np.ndarray:
    """Which points of a segment are flares or outliers; none close to a dip, whose edges bend the running median."""
    from scipy.ndimage import binary_dilation, median_filter

    half = max(1, round(config.clip_window / float(np.median(np.diff(time))) / 2)) if time.size > 1 else 1
    if flux.size <= 2 * half:
        return np.zeros(flux.size, dtype=bool)
    rest = flux - median_filter(flux, size=2 * half + 1, mode="nearest")
    sigma = _MAD_TO_SIGMA * np.median(np.abs(rest - np.median(rest)))
    low = rest < -(config.outlier_sigma or config.flare_sigma) * sigma
    lonely = _lonely(low)
    unwanted = lonely | _lonely(rest > config.outlier_sigma * sigma) if config.outlier_sigma else np.zeros_like(low)
    if config.flare_sigma:
        unwanted |= rest > config.flare_sigma * sigma
    return unwanted & ~binary_dilation(low & ~lonely, iterations=2 * half) & (sigma > 0)


def _lonely(marked: np.ndarray) -> np.ndarray:
    """Those of the marked points that no more than one other follows or precedes without a break."""
    edges = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0))
    lonely = np.zeros(marked.size, dtype=bool)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        lonely[start:stop] = stop - start <= _MAX_OUTLIERS
    return lonely
