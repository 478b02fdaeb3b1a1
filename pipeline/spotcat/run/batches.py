"""The stars of a chunk, a batch at a time; smaller batches where memory runs out, single stars where a fit raises."""

from __future__ import annotations

import faulthandler
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TextIO, TypeVar

from spotcat.status import RunError, SpotcatError

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


class OutOfMemory(RunError):
    """Neither a star nor the installation is to blame: fewer stars at a time may fit."""


class Batch:
    """How many stars are fitted together.

    Args:
        size: to begin with.

    Attributes:
        size: now.
        smaller: whether it is less than to begin with.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.smaller = False

    def halve(self) -> None:
        """Try with half as many."""
        self.size //= 2
        self.smaller = True


def in_batches(
    fit: Callable[[Sequence[T], int], R], read: Callable[[Sequence[S]], Sequence[T]], names: Sequence[S], batch: Batch
) -> Iterator[tuple[Sequence[T], R | Exception]]:
    """Fit stars a batch at a time; where memory runs out, the same ones in batches of half the size.

    Args:
        fit: fits some stars, padded to a number of lanes.
        read: reads some stars.
        names: the stars.
        batch: how many at a time; is told where these are too many.

    Yields:
        As ``bisect``.

    Raises:
        RunError: memory runs out with one star, or as ``bisect``.
    """
    done = 0
    while done < len(names):
        begin_batch()
        some = read(names[done : done + batch.size])
        try:
            outcomes = list(bisect(partial(_padded, fit, batch.size), some))
        except OutOfMemory:
            if batch.size == 1:
                raise
            batch.halve()
            continue
        yield from outcomes
        done += len(some)


_watches: list[tuple[int, TextIO]] = []


@contextmanager
def watched(seconds: int, stream: TextIO) -> Iterator[None]:
    """End this process if nothing, or a batch, takes longer than that within the block.

    Args:
        seconds: that it may take.
        stream: a file, which gets the stacks of a process that ends.
    """
    _watches.append((seconds, stream))
    begin_batch()
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        _watches.pop()


def begin_batch() -> None:
    """From here on a watched process may take its time again."""
    for seconds, stream in _watches[-1:]:
        faulthandler.dump_traceback_later(seconds, exit=True, file=stream)


def _padded(fit: Callable[[Sequence[T], int], R], lanes: int, stars: Sequence[T]) -> R:
    return fit(stars, lanes)


def bisect(fit: Callable[[Sequence[T]], R], stars: Sequence[T]) -> Iterator[tuple[Sequence[T], R | Exception]]:
    """Fit stars together; where that raises, its halves, and so on down to the stars that raise alone.

    Args:
        fit: fits some stars.
        stars: the stars.

    Yields:
        Stars that were fitted together with their result, or a single star with its exception.

    Raises:
        OSError: a file or a disk failed, which is no star's fault.
        OutOfMemory: memory ran out.
        RunError: a library is missing, or the device computes no more.
    """
    try:
        outcome: R | Exception = fit(stars)
    except SpotcatError:
        raise
    except Exception as error:
        _blame_no_star(error)
        if len(stars) > 1:
            for half in halves(stars):
                yield from bisect(fit, half)
            return
        outcome = error
    yield stars, outcome


def halves(items: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """The first half of some items, of an odd number the larger one, and the rest."""
    middle = (len(items) + 1) // 2
    return items[:middle], items[middle:]


def _blame_no_star(error: Exception) -> None:
    """Raise where the machine or the installation failed, not the star."""
    from spotcat.fit.compiled import require_device

    # The fit works on arrays: whatever it wants of a file is not a star's.
    if isinstance(error, OSError):
        raise error
    if isinstance(error, ImportError):
        raise RunError(about_this_machine("lacks a library of the fit", error)) from error
    # What JAX raises where an array finds no room, on any device.
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        raise OutOfMemory(
            f"{socket.gethostname()}: the fit of a single star ran out of memory; use fewer workers or a smaller "
            f"fit.max_points"
        ) from error
    # A device that is gone fails every star.
    require_device()


def about_this_machine(words: str, error: Exception) -> str:
    """A sentence on what is wrong with the installation here."""
    reason = " ".join(str(error).split())[:300]
    return f"{socket.gethostname()} {words} ({type(error).__name__}: {reason}); mend the installation and run again"
