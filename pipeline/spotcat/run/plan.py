"""Which stars are fitted together: a pure function of the star table and the recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np

from spotcat.config import FitConfig, nearest
from spotcat.fit.buckets import BucketSpec, choose_bucket
from spotcat.status import InputError, Status
from spotcat.text import written

UNFITTED = 4096
"""Stars in a chunk of those that are not fitted."""

MANY = 256
"""Chunks that a survey is divided into before they grow: enough for a hundred workers to end together (chosen)."""
PILOT = 16
"""Stars at most of the first chunk of a bucket that has several."""
SMALLEST, LARGEST = {"cpu": 16, "cuda": 256}, 1024
"""Stars of a chunk, by platform and at most: a CPU's batch, a GPU's, and a thousand parts for a million stars."""


@dataclass(frozen=True)
class Chunk:
    """Stars that one call works on and that make one part.

    Attributes:
        name: name of the part and of the ledger's entry.
        star_ids: the stars, in order.
        spec: the bucket they share; None for stars that are not fitted.
        batch: stars that are fitted together; 0 is what the device is best at.
        deadly: those of the stars that are left out of the fit because it kills the process it runs in.
        endless: those of the deadly stars whose fit did not end.
    """

    name: str
    star_ids: tuple[int, ...]
    spec: BucketSpec | None
    batch: int = 0
    deadly: tuple[int, ...] = ()
    endless: tuple[int, ...] = ()


def chosen(stars: Mapping[str, np.ndarray], config: FitConfig) -> Mapping[str, np.ndarray]:
    """The rows of a store's star table that the settings ask for.

    Raises:
        InputError: ``fit.stars`` names a star that is not there.
    """
    if not config.stars:
        return stars
    names = stars["name"].tolist()
    asked = [written(name) for name in config.stars]
    for name in sorted(set(asked).difference(names)):
        raise InputError(f"fit.stars: no star {name!r} in the survey; {nearest(name, names)}")
    wanted = np.isin(stars["name"], asked)
    return {column: values[wanted] for column, values in stars.items()}


def chunk_size(n_stars: int, platform: str = "cpu") -> int:
    """Stars of a chunk where nobody says: a power of two, the larger the more stars there are.

    Small surveys still have chunks for every worker, and large ones a thousand parts for each million stars.

    Args:
        n_stars: stars of the survey.
        platform: cpu or cuda, what they are fitted on.
    """
    size = SMALLEST[platform]
    while size < LARGEST and n_stars >= 2 * size * MANY:
        size *= 2
    return size


def plan_chunks(
    stars: Mapping[str, np.ndarray], config: FitConfig, size: int, generation: int = 0, kept: Sequence[Chunk] = ()
) -> list[Chunk]:
    """Divide a survey into chunks, sorted by bucket, long grids first, and star id; stars that are not fitted last.

    Args:
        stars: the store's star table; ``star_id``, ``status``, ``span``, ``cadence`` and ``n_segments``
            are used, arrays of shape (n_stars,).
        config: limits of the grids.
        size: stars of a chunk.
        generation: how many times files were appended to the store; each plan has names of its own.
        kept: chunks whose stars are left out.

    Returns:
        Chunks that hold every other star exactly once.
    """
    known = {star_id for chunk in kept for star_id in chunk.star_ids}
    names = ("star_id", "status", "span", "cadence", "n_segments")
    fitted: list[tuple[BucketSpec, int]] = []
    unfitted: list[int] = []
    for star_id, status, span, cadence, n_segments in zip(*(stars[name].tolist() for name in names), strict=True):
        if star_id in known:
            continue
        if status == Status.OK:
            fitted.append((choose_bucket(span, cadence, n_segments, config), star_id))
        else:
            unfitted.append(star_id)
    groups: list[tuple[BucketSpec | None, tuple[int, ...]]] = []
    # Long grids first: they take longest, and a run that ends with them leaves workers idle.
    for spec, members in groupby(sorted(fitted, key=lambda f: (-f[0].n_time, *f)), key=itemgetter(0)):
        groups += [(spec, some) for some in _divided([star_id for _, star_id in members], size)]
    groups += [(None, some) for some in _batched(sorted(unfitted), UNFITTED)]
    prefix = f"chunk-{generation}" if generation else "chunk"
    return [Chunk(f"{prefix}-{number:05d}", ids, spec) for number, (spec, ids) in enumerate(groups)]


def kept_chunks(
    unchanged: Mapping[str, Sequence[int]], stars: Mapping[str, np.ndarray], config: FitConfig, generation: int
) -> list[Chunk]:
    """What is kept of the chunks that were done before the last files were appended.

    Args:
        unchanged: by finished chunk those of its stars that are as they were.
        stars: the store's star table, as ``plan_chunks`` takes it.
        config: the settings of the fit.
        generation: how many times files were appended to the store.

    Returns:
        Chunks by name, the latest first, without the stars of later ones.
    """
    earlier = {name: _generation(name) for name in unchanged if _generation(name) < generation}
    row = {star_id: i for i, star_id in enumerate(stars["star_id"].tolist())} if earlier else {}
    known: set[int] = set()
    chunks = []
    for name in sorted(earlier, key=lambda name: (-earlier[name], name)):
        ids = tuple(star_id for star_id in unchanged[name] if star_id not in known)
        known.update(ids)
        if ids:
            # All stars of a chunk share a bucket.
            status, span, cadence, n_segments = (
                stars[column][row[ids[0]]].item() for column in ("status", "span", "cadence", "n_segments")
            )
            spec = choose_bucket(span, cadence, n_segments, config) if status == Status.OK else None
            chunks.append(Chunk(name, ids, spec))
    return chunks


def _generation(name: str) -> int:
    """How many times files had been appended when a chunk was planned."""
    parts = name.split("-")
    return int(parts[1]) if len(parts) == 3 else 0


def padding(chunks: Sequence[Chunk], stars: Mapping[str, np.ndarray]) -> float:
    """Fraction of the search grids of all fitted stars that lies beyond their light curves."""
    row = {star_id: i for i, star_id in enumerate(stars["star_id"].tolist())}
    span = stars["span"]
    grids = [(c.spec, row[star_id]) for c in chunks if c.spec for star_id in c.star_ids]
    used = sum(min(span[i] / spec.dt + 1, spec.n_time) for spec, i in grids)
    total = sum(spec.n_time for spec, _ in grids)
    return float(1 - used / total) if total else 0.0


def _divided(star_ids: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    """The stars of a bucket in chunks: all others wait for the first, which compiles the programs, so it is small."""
    first = PILOT if PILOT < size < len(star_ids) else 0
    yield from _batched(star_ids[:first], PILOT)
    yield from _batched(star_ids[first:], size)


def _batched(star_ids: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    """Stars in order, so many at a time; the last may be fewer."""
    for start in range(0, len(star_ids), size):
        yield tuple(star_ids[start : start + size])
