"""One star's light curve as the store gives it: its campaigns joined, each segment on its own level."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from spotcat.status import LeftOut


class Removed(NamedTuple):
    """Measurements that are not used, arrays of shape (n,).

    Attributes:
        time: f8 [d].
        flux: f8, on the scale of those used; of a segment without any, divided by its own median.
        why: ``LeftOut``.
        segment: number of the segment, i4.
    """

    time: np.ndarray
    flux: np.ndarray
    why: np.ndarray
    segment: np.ndarray

    @classmethod
    def none(cls) -> Removed:
        """No measurements."""
        return cls(*(np.empty(0),) * 2, *(np.empty(0, dtype=np.int32),) * 2)


@dataclass(frozen=True)
class LightCurve:
    """One star's measurements, all campaigns joined.

    ``time`` f8 [d] in the mission's own system, strictly increasing; ``flux`` f8, each segment divided by its
    median; ``flux_err`` f8 on the same scale; ``segment`` i4, counting from 0 in time order.  ``vectors`` f8, shape
    (points, vectors), are the detector's cotrending basis vectors at each point, 0 where the mission gives none;
    without columns where the store keeps none; time is one before them if the recipe asks for slopes.  Each segment has
    coefficients of its own.  ``removed`` is what the store keeps but does not use.
    """

    star_id: int
    name: str
    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    segment: np.ndarray
    vectors: np.ndarray
    removed: Removed = field(default_factory=Removed.none)


def with_slope(star: LightCurve) -> LightCurve:
    """The same with time as a vector before the others: a segment's own coefficient makes it a slope."""
    middle = star.time.mean() if star.time.size else 0.0
    return replace(star, vectors=np.column_stack([star.time - middle, star.vectors]))


def join(star_id: int, name: str, pieces: list[tuple[np.ndarray, ...]], n_vectors: int) -> LightCurve:
    """Put a star's campaigns in time order, number their segments on and divide each by its median."""
    times: list[np.ndarray] = []
    fluxes: list[np.ndarray] = []
    errors: list[np.ndarray] = []
    segments: list[np.ndarray] = []
    vectors: list[np.ndarray] = []
    removed: list[Removed] = []
    n_segments = 0
    for piece in sorted(pieces, key=lambda piece: float(piece[0][0])):
        # Two files may share the measurement at which one ends and the next begins.
        fresh = piece[0] > (times[-1][-1] if times else -np.inf)
        time, flux, flux_err, segment, basis, why = (part[fresh] for part in piece)
        used = why == LeftOut.USED
        numbers, index = np.unique(segment, return_inverse=True)
        level = np.array([_level(flux, segment == number, used) for number in numbers])
        if used.any():
            times.append(time[used])
            fluxes.append((flux / level[index])[used])
            errors.append((flux_err / level[index])[used])
            segments.append(index[used] + n_segments)
            vectors.append(basis[used])
            place = (index + n_segments).astype(np.int32)
            removed.append(Removed(*(part[~used] for part in (time, flux / level[index], why, place))))
            n_segments += numbers.size
    if not times:
        empty = np.empty(0)
        return LightCurve(star_id, name, empty, empty, empty, np.empty(0, dtype=np.int32), np.empty((0, n_vectors)))
    return LightCurve(
        star_id,
        name,
        np.concatenate(times),
        np.concatenate(fluxes),
        np.concatenate(errors),
        np.concatenate(segments).astype(np.int32),
        np.concatenate(vectors),
        Removed(*(np.concatenate(parts) for parts in zip(*removed, strict=True))),
    )


def _level(flux: np.ndarray, own: np.ndarray, used: np.ndarray) -> float:
    """The median of a segment's measurements that are used; of all where none is."""
    chosen = own & used
    return float(np.median(flux[chosen if chosen.any() else own].astype(np.float64)))
