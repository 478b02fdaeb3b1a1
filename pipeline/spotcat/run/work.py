"""What is done with one chunk: read its stars, fit them, write one part.

This runs in worker processes.  It may be called twice for a chunk, even at the same time: the part is written
in one step, and its bytes are the same.
"""

from __future__ import annotations

import re
import resource
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from spotcat.catalog.layout import blank
from spotcat.catalog.schema import COLUMNS
from spotcat.catalog.writer import write_part
from spotcat.config import Recipe, load_recipe
from spotcat.ingest.store import LightCurve, LightCurveStore
from spotcat.run.batches import Batch, about_this_machine, halves, in_batches
from spotcat.run.folder import RunFolder
from spotcat.run.plan import Chunk
from spotcat.status import RunError, Status

if TYPE_CHECKING:
    from spotcat.fit.buckets import BucketSpec
    from spotcat.fit.engine import FitTable

T = TypeVar("T")
R = TypeVar("R")

_DEADLY = "the fit ended its process every time"
_ENDLESS = "the fit did not end"


class ChunkResult(NamedTuple):
    """A finished chunk.

    Attributes:
        name: of the chunk.
        n_stars: its stars.
        checksum: of its part.
        seconds: the time it took [s].
        n_failed: stars whose fit failed.
        n_deadly: those of them that were left out of the fit because it killed its process or did not end.
        memory: the most that its process has used so far [MiB].
        compiled: programs that its process had to compile.
        read_back: programs that its process found compiled.
        batch: stars that its process fits together since memory ran out with more; 0 where it did not.
        host: the machine.
    """

    name: str
    n_stars: int
    checksum: str
    seconds: float
    n_failed: int
    n_deadly: int
    memory: int
    compiled: int
    read_back: int
    batch: int = 0
    host: str = ""

    def events(self) -> dict[str, Any]:
        """What the run's events say of it."""
        return {"chunk": self.name, "stars": self.n_stars, "seconds": round(self.seconds, 3)} | {
            name: getattr(self, name) for name in ("n_failed", "n_deadly", "memory", "compiled", "read_back")
        }


def process_chunk(run_folder: Path, chunk: Chunk) -> ChunkResult:
    """Fit a chunk's stars and write their part.

    A star whose fit raises gets a row with `Status.FIT_FAILED` and the reason; its neighbours are fitted
    without it.

    Args:
        run_folder: folder of a run whose light curves are ingested.
        chunk: the stars.

    Raises:
        InputError: the recipe or the store is missing or incomplete.
        RunError: the store is damaged, the part cannot be written, memory or disk space ran out, or this machine
            cannot fit.
    """
    started = monotonic()
    folder = RunFolder(run_folder)
    recipe, store = _opened(folder)
    columns = _known_columns(store.stars, chunk.star_ids)
    arrays: dict[str, np.ndarray] = {}
    row_of = {star_id: row for row, star_id in enumerate(chunk.star_ids)}
    for star_id in chunk.deadly:
        _fail(columns, [row_of[star_id]], _ENDLESS if star_id in chunk.endless else _DEADLY)
    count = _program_count(chunk)
    before = count()
    batch = _batch(chunk)
    for stars, outcome in _fitted(folder, chunk, recipe, store, batch):
        rows = [row_of[star.star_id] for star in stars]
        if isinstance(outcome, Exception):
            _fail(columns, rows, _sentence(outcome))
        else:
            _fill(columns, arrays, rows, outcome)
    checksum = write_part(folder.parts / chunk.name, columns, arrays)
    compiled, read_back = (now - then for now, then in zip(count(), before, strict=True))
    failed = int(np.count_nonzero(columns["status"] == Status.FIT_FAILED))
    spent = monotonic() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return ChunkResult(
        chunk.name,
        len(chunk.star_ids),
        checksum,
        spent,
        failed,
        len(chunk.deadly),
        memory,
        compiled,
        read_back,
        batch.size if batch.smaller else 0,
        socket.gethostname(),
    )


def try_fit(run_folder: Path, chunk: Chunk) -> None:
    """Fit a chunk's stars and forget the result: does the process survive it?"""
    folder = RunFolder(run_folder)
    for _ in _fitted(folder, chunk, *_opened(folder), _batch(chunk)):
        pass


def load_engine(*_: object) -> None:
    """Load the fit and compute with its device, before any star: what fails here fails for all of them.

    It takes what the other functions take, a run folder and a chunk, and needs neither.

    Raises:
        RunError: a library is missing or broken, or JAX cannot compute on the device that it was told to.
    """
    try:
        from spotcat.fit import engine  # noqa: F401
        from spotcat.fit.compiled import require_device
    except Exception as error:
        raise RunError(about_this_machine("cannot load the fit", error)) from error
    require_device()


def find_deadly(survives: Callable[[Chunk], bool], chunk: Chunk) -> tuple[int, ...]:
    """The stars that end the process they are fitted in, found by halving a chunk that does.

    Args:
        survives: whether a process survives the fit of a chunk's stars.
        chunk: one that no process survived.
    """
    if len(chunk.star_ids) == 1:
        return chunk.star_ids
    parts = [replace(chunk, star_ids=tuple(half)) for half in halves(chunk.star_ids)]
    return tuple(star_id for half in parts if not survives(half) for star_id in find_deadly(survives, half))


def _fitted(
    folder: RunFolder, chunk: Chunk, recipe: Recipe, store: LightCurveStore, batch: Batch
) -> Iterator[tuple[Sequence[LightCurve], FitTable | Exception]]:
    alive = [star_id for star_id in chunk.star_ids if star_id not in chunk.deadly]
    spec = chunk.spec
    if spec is None or not alive:
        return
    load_engine()
    from spotcat.fit.compiled import spare_memory_maps
    from spotcat.fit.engine import fit_stars

    spare_memory_maps()

    def fit(stars: Sequence[LightCurve], lanes: int) -> FitTable:
        return fit_stars(stars, spec, recipe.fit, lanes)

    try:
        yield from in_batches(fit, store.read, alive, batch)
    except OSError as error:
        raise RunError(f"{error.filename or folder.path}: {error.strerror or error}") from error


_batches: dict[BucketSpec, Batch] = {}
"""Of this process: what memory did not hold once is not tried again."""


def _batch(chunk: Chunk) -> Batch:
    """How many stars of a chunk are fitted together: as the site says, what the device is best at, or what has room."""
    spec = chunk.spec
    if spec is None:
        return Batch(1)
    if spec not in _batches:
        load_engine()
        from spotcat.fit.compiled import stars_at_once

        _batches[spec] = Batch(chunk.batch or stars_at_once(spec.n_time))
    return _batches[spec]


def _program_count(chunk: Chunk) -> Callable[[], tuple[int, int]]:
    """Counts this process's compilations; a chunk without a fit does not load JAX for it."""
    if chunk.spec is None:
        return lambda: (0, 0)
    load_engine()
    from spotcat.fit.compiled import compilations

    return compilations


def _opened(folder: RunFolder) -> tuple[Recipe, LightCurveStore]:
    try:
        changed = folder.store.stat().st_mtime_ns
    except OSError:
        changed = 0
    return _open(folder.path, changed)


# A survey's star table takes longer to read than a chunk's light curves.
@lru_cache(maxsize=1)
def _open(path: Path, changed: int) -> tuple[Recipe, LightCurveStore]:  # noqa: ARG001 -- part of the key
    folder = RunFolder(path)
    return load_recipe(folder.recipe), LightCurveStore(folder.store)


def _known_columns(table: Mapping[str, np.ndarray], star_ids: Sequence[int]) -> dict[str, np.ndarray]:
    """Every catalog column with what the star table knows, and blank where the fit has the say."""
    columns = {column.name: blank(column, (len(star_ids),)) for column in COLUMNS}
    rows = np.searchsorted(table["star_id"], star_ids)
    for name, values in table.items():
        if name in columns:
            columns[name][:] = values[rows]
    columns["baseline"][:] = (table["time_max"] - table["time_min"])[rows]
    return columns


def _fill(columns: dict[str, np.ndarray], arrays: dict[str, np.ndarray], rows: Sequence[int], table: FitTable) -> None:
    for name, values in table.columns.items():
        if name == "flags":
            # Those of the light curve are there already.
            columns[name][rows] |= values
        else:
            columns[name][rows] = values
    for name, values in table.arrays.items():
        shape = (len(columns["star_id"]), *values.shape[1:])
        arrays.setdefault(name, np.full(shape, np.nan))[rows] = values


def _fail(columns: dict[str, np.ndarray], rows: Sequence[int], reason: str) -> None:
    columns["status"][rows] = Status.FIT_FAILED
    columns["reason"][rows] = reason


def _sentence(error: Exception) -> str:
    """One line that is the same in every run."""
    text = next(iter(str(error).strip().splitlines()), "")
    text = re.sub(r"0x[0-9a-f]+", "0x...", text)
    return f"the fit failed ({type(error).__name__}{': ' if text else ''}{text[:200]})"
