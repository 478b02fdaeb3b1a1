"""How many of the fit's programs this process has compiled: the price of a new grid length, so an output of a run."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import jax.monitoring

PROGRAMS = ("search", "refine", "envelope_values", "confirm")
"""The programs that take seconds to compile; search once for a resolution, confirm once for each of its bandwidths."""

_COMPILED = "/jax/core/compile/backend_compile_duration"
_READ_BACK = "/jax/compilation_cache/cache_hits"


class Compilations(NamedTuple):
    """Programs that this process has compiled, and those that it found in the persistent cache instead."""

    compiled: int
    read_back: int


def compilations() -> Compilations:
    """The count so far, from the first call on."""
    counts = _counts()
    return Compilations(counts["compiled"], counts["read back"])


@cache
def _counts() -> dict[str, int]:
    counts = {"compiled": 0, "read back": 0}
    source = "compiled"

    def heard(event: str, *_: Any, **about: Any) -> None:
        # JAX announces a compilation for a program that it has just read back, too.
        nonlocal source
        if event == _READ_BACK:
            source = "read back"
        elif event == _COMPILED:
            if str(about.get("fun_name", "")).removeprefix("jit(").removesuffix(")") in PROGRAMS:
                counts[source] += 1
            source = "compiled"

    jax.monitoring.register_event_listener(heard)
    jax.monitoring.register_event_duration_secs_listener(heard)
    return counts
