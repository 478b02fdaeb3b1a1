"""Measurements left out on request: transits of a known planet."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.ingest.clean import RawCurve, Refusal
from spotcat.ingest.daycount import epoch_in_count
from spotcat.ingest.identity import parse_name
from spotcat.status import InputError, Status
from spotcat.text import system_path, written

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
