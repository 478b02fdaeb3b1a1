"""What JAX does beside computing: its device, and how many of the fit's programs this process has compiled.

A program is the price of a new grid length, so their number is an output of a run.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.monitoring

from spotcat.status import RunError

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


def require_device() -> None:
    """Compute a little with the device that JAX was told to use.

    Raises:
        RunError: it cannot, or has another one.
    """
    wanted = os.environ.get("JAX_PLATFORMS", "")
    try:
        found = jax.default_backend()
        jax.block_until_ready(jax.numpy.zeros(1) + 1)
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or "there is no such device, or JAX's plugin for it is missing"
        raise RunError(
            f"{socket.gethostname()}: JAX cannot compute on {wanted or 'its device'} ({reason}); "
            f"install spotcat's extra for it and see its driver, or choose a site with another platform"
        ) from error
    if wanted == "cuda" and found not in ("cuda", "gpu"):
        raise RunError(f"{socket.gethostname()}: the site says cuda, but JAX computes on {found} here")


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
