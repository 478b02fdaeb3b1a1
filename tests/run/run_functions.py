"""Functions that worker processes can import."""

from __future__ import annotations

import os
import sys
from time import sleep


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


def process_of(number: int) -> tuple[int, int]:
    return number, os.getpid()


def variable(name: str) -> tuple[str, str | None, bool]:
    """A variable of the environment, and whether JAX is loaded already."""
    return name, os.environ.get(name), "jax" in sys.modules
