"""How many programs this process has compiled: the price of every new bucket shape, so an output of every run."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import jax.monitoring

_COMPILED = "/jax/core/compile/backend_compile_duration"
_READ_BACK = "/jax/compilation_cache/cache_hits"


class Compilations(NamedTuple):
    """Programs that this process has compiled, and those that it found in the persistent cache instead."""

    compiled: int
    read_back: int


def compilations() -> Compilations:
    """The count so far, from the first call on."""
    counts = _counts()
    # JAX announces a compilation for a program that it then reads back.
    return Compilations(counts[_COMPILED] - counts[_READ_BACK], counts[_READ_BACK])


@cache
def _counts() -> dict[str, int]:
    counts = dict.fromkeys((_COMPILED, _READ_BACK), 0)

    def heard(event: str, *_: Any, **__: Any) -> None:
        if event in counts:
            counts[event] += 1

    jax.monitoring.register_event_listener(heard)
    jax.monitoring.register_event_duration_secs_listener(heard)
    return counts
