"""Functions that worker processes can import."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from time import sleep

from spotcat.run.plan import Chunk
from spotcat.run.work import load_engine


def square(number: int) -> int:
    return number**2


def refuse_three(number: int) -> int:
    if number == 3:
        raise ValueError("three is refused")
    return number


def die_on_three(number: int) -> int:
    if number == 3:
        os._exit(7)
    sleep(0.05)
    return number


def device(number: int) -> str | None:
    """The GPU that a worker has; it stays busy for a moment, so that every worker gets an item."""
    sleep(0.5)
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def process_of(number: int) -> tuple[int, int]:
    return number, os.getpid()


def variable(name: str) -> tuple[str, str | None, bool]:
    """A variable of the environment, and whether JAX is loaded already."""
    return name, os.environ.get(name), "jax" in sys.modules


def hang_on_three(run_folder: Path, chunk: Chunk) -> tuple[int, ...]:
    """Never ends where star 3 is in the chunk."""
    while 3 in chunk.star_ids:
        sleep(1)
    return chunk.star_ids


def programs_of(run_folder: Path, chunk: Chunk) -> tuple[str | None, str]:
    """Where JAX, once it is loaded, keeps programs, and what it computes on."""
    load_engine()
    import jax

    return jax.config.jax_compilation_cache_dir, jax.default_backend()
