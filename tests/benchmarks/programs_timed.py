"""Time and calls of each compiled program of the fit: what there is to gain, and where."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax

_ROOMS = ("spotcat.star.", "spotcat.gp.", "spotcat.model.", "spotcat.fit.")


@dataclass
class Spent:
    """What the calls of one program took.

    Attributes:
        calls: their number.
        seconds: their wall time, each waited for [s].
    """

    calls: int = 0
    seconds: float = 0.0


@contextmanager
def timed_programs() -> Iterator[dict[str, Spent]]:
    """Wait for every compiled program that the fit calls by a module's name for it, and count its time.

    Yields:
        What was spent, by the program's name; programs that others call within are theirs.
    """
    spent: dict[str, Spent] = {}
    wrapped: dict[int, _Timed] = {}
    before: list[tuple[Any, str, Any]] = []
    for module in [module for name, module in sys.modules.items() if name.startswith(_ROOMS)]:
        for name, value in list(vars(module).items()):
            if callable(value) and hasattr(value, "lower") and hasattr(value, "__wrapped__"):
                before.append((module, name, value))
                setattr(module, name, wrapped.setdefault(id(value), _Timed(value, spent)))
    try:
        yield spent
    finally:
        for module, name, value in before:
            setattr(module, name, value)


class _Timed:
    """A program that is waited for at each call, and else itself."""

    def __init__(self, program: Any, spent: dict[str, Spent]) -> None:
        self._program, self._spent = program, spent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._program, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((args, kwargs))):
            return self._program(*args, **kwargs)  # on the way into another program
        begun = time.perf_counter()
        out = jax.block_until_ready(self._program(*args, **kwargs))
        of_it = self._spent.setdefault(self._program.__name__, Spent())
        of_it.calls += 1
        of_it.seconds += time.perf_counter() - begun
        return out
