"""What JAX does beside computing: its device and memory, and how many of the fit's programs this process has compiled.

A program is the price of a new grid length, so their number is an output of a run.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.monitoring

from spotcat.fit.programs import KEPT, forget_all, on_read
from spotcat.status import RunError

PROGRAMS = ("search", "refine", "envelope_values", "confirm")
"""The programs that take seconds to compile; search once for a resolution, confirm once for each of its bandwidths."""

ON_A_CPU, AT_MOST = 16, 1024
"""Stars fitted together: more gain nothing on a CPU, nor beyond a thousand on a GPU (chosen)."""
FOR_A_POINT, FOR_A_PAIR = 65536, 80
"""Bytes that the fit of a star may need for each grid point, of the modes' kernels, and for each pair of points, of
their covariances (counted from the arrays of the fit, not measured)."""
MAPS = "/proc/self/maps", "/proc/sys/vm/max_map_count"
"""The pieces of memory that a process has mapped, a line each, and how many it may."""

_COMPILED = "/jax/core/compile/backend_compile_duration"
_READ_BACK = "/jax/compilation_cache/cache_hits"


class Compilations(NamedTuple):
    """Programs that this process has compiled, and those that it found compiled instead."""

    compiled: int
    read_back: int


def compilations() -> Compilations:
    """The count so far, from the first call on."""
    counts = _counts()
    return Compilations(counts["compiled"], counts["read back"])


def stars_at_once(n_time: int) -> int:
    """How many stars of a grid the device should fit together: a power of two, so that grids share their programs."""
    if jax.default_backend() == "cpu":
        return ON_A_CPU
    about = jax.local_devices()[0].memory_stats() or {}
    room = about.get("bytes_limit", 0) // (FOR_A_POINT * n_time + FOR_A_PAIR * n_time**2)
    size = ON_A_CPU
    while 2 * size <= min(room, AT_MOST):
        size *= 2
    return size


def spare_memory_maps(share: float = 0.5) -> None:
    """Give compiled programs back where a process has much of the memory maps that Linux allows it.

    Each program takes about a hundred of 65,530, and a process that wants more dies of it.

    Args:
        share: how much of them it may have.
    """
    with suppress(OSError, ValueError):
        with Path(MAPS[0]).open("rb") as stream:
            n_maps = sum(1 for _ in stream)
        if n_maps > share * int(Path(MAPS[1]).read_text(encoding="ascii")):
            forget_all()


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
            name = str(about.get("fun_name", "")).removeprefix("jit(").removesuffix(")")
            if name.removeprefix(KEPT) in PROGRAMS:
                counts[source] += 1
            source = "compiled"

    def read(name: str) -> None:
        counts["read back"] += name in PROGRAMS

    on_read(read)
    jax.monitoring.register_event_listener(heard)
    jax.monitoring.register_event_duration_secs_listener(heard)
    return counts
