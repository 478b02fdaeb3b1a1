"""Work that never ends: the process that does it ends itself, and says where it hung.

A process in a hung call keeps its heartbeat, so Dask never notices.  Python's fault handler ends it from a thread
that needs nothing of the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from spotcat.atomic import writing
from spotcat.run.batches import watched
from spotcat.run.environment import adopt
from spotcat.run.executors import WorkerDied
from spotcat.run.folder import RunFolder
from spotcat.run.plan import Chunk

R = TypeVar("R")


class Terms(NamedTuple):
    """How a call is made.

    Attributes:
        seconds: that each batch of it may take; 0 is any.
        platform: cpu or cuda, what JAX computes on.
        cache: where its site keeps compiled programs.
    """

    seconds: int
    platform: str
    cache: str = ""


def guarded(terms: Terms, fn: Callable[[Path, Chunk], R], run_folder: Path, chunk: Chunk) -> R | WorkerDied[Chunk]:
    """Call a function on a chunk in the environment that it needs; this process ends if a batch takes too long.

    A call that hung once is not made again before `forget`: each attempt costs a worker the whole time.

    Args:
        terms: of the call.
        fn: takes the run folder and the chunk.
        run_folder: the run's folder; gets the stacks of a process that hung.
        chunk: the stars.

    Raises:
        RunError: the run folder cannot be written, or this worker sees other workers' GPUs or none.
    """
    adopt(RunFolder(run_folder), terms.platform, terms.cache)
    if not terms.seconds:
        return fn(run_folder, chunk)
    traces = _traces(RunFolder(run_folder), chunk)
    if hung(RunFolder(run_folder), chunk):
        return WorkerDied(chunk)
    with writing(traces):
        traces.parent.mkdir(exist_ok=True)
        stream = traces.open("w", encoding="utf-8")
    with stream:
        try:
            with watched(terms.seconds, stream):
                return fn(run_folder, chunk)
        finally:
            traces.unlink(missing_ok=True)


def hung(folder: RunFolder, chunk: Chunk) -> str:
    """Where the work on these very stars hung: the stacks of its process, empty if it did not."""
    try:
        return _traces(folder, chunk).read_text(encoding="utf-8")
    except OSError:
        return ""


def forget(folder: RunFolder, chunk: Chunk) -> None:
    """Let a chunk be tried again.

    Raises:
        RunError: the run folder cannot be written.
    """
    for traces in folder.hung.glob(f"{chunk.name}.*"):
        with writing(traces):
            traces.unlink(missing_ok=True)


def _traces(folder: RunFolder, chunk: Chunk) -> Path:
    # Parts of a chunk have its name, so the name alone does not tell them apart.
    return folder.hung / f"{chunk.name}.{len(chunk.star_ids)}-from-{chunk.star_ids[0]}.txt"
