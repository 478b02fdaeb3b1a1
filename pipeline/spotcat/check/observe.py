"""What an observatory makes of a star: which times are lost, and what each segment adds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

QUARTER, ROLL = 91.0, 1.5
"""Length of a Kepler quarter and of the gap at its beginning [d] (KSCI-19040)."""
SECTOR, DOWNLINK = 27.4, 1.2
"""Length of a TESS sector and of the gap in its middle [d]."""


class Schedule(NamedTuple):
    """Indices of the times that are observed, and their segments, 0, 1, ...; both of shape (n,)."""

    seen: np.ndarray
    segment: np.ndarray


def schedule(observatory: str, time: np.ndarray, gaps: float, rng: np.random.Generator) -> Schedule:
    """Which of some regular times are observed.

    Args:
        observatory: plain, kepler (quarters) or tess (a gap in the middle of each sector).
        time: regular times [d], shape (n,).
        gaps: fraction of the times lost besides.
        rng: decides which.
    """
    seen = _random_losses(time.size, gaps, rng)
    if observatory == "kepler":
        seen = seen[time[seen] % QUARTER >= ROLL]
        _, segment = np.unique(time[seen] // QUARTER, return_inverse=True)
        return Schedule(seen, segment)
    if observatory == "tess":
        seen = seen[np.abs(time[seen] % SECTOR - SECTOR / 2) >= DOWNLINK / 2]
    return Schedule(seen, np.zeros(seen.size, int))


def offsets(segment: np.ndarray, scatter: float, rng: np.random.Generator) -> np.ndarray:
    """An offset for every segment, as large as the star's own scatter; nothing for a single one."""
    n = int(segment.max()) + 1
    return (rng.normal(size=n) * scatter)[segment] if n > 1 else np.zeros(segment.size)


def _random_losses(n: int, gaps: float, rng: np.random.Generator) -> np.ndarray:
    """Indices that are left after losing the fraction `gaps`: half of it in one block, half scattered.

    The first and the last measurement are never lost, so that the baseline is the one asked for.
    """
    lost = min(round(gaps * n), n - 2)
    block = lost // 2
    start = rng.integers(1, n - block)
    seen = np.delete(np.arange(n), np.arange(start, start + block))
    return np.delete(seen, 1 + rng.choice(seen.size - 2, lost - block, replace=False))
