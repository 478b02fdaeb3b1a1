"""Side-by-side work of fixed shape but any amount: what is padding costs nothing.

How much lies side by side is a number chosen for the device.  A CPU is fastest with one lane and small tiles, which its
caches hold; a GPU takes about as long for one lane as for thousands, so it gets as many as its memory holds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

SHARE = 0.5
"""Part of the memory that lanes may take: their sizes are estimates, and the bank and the allocator need room too."""
LEAST_MEMORY = 8 * 2**30
"""Of a device that does not say how much it has [bytes]."""


class Device(NamedTuple):
    """What arrays are computed on: JAX's name of the backend, and its memory [bytes]."""

    backend: str
    memory: int


class Room(NamedTuple):
    """How many stars arrays are made for, a short batch like a full one, and the device that they lie on."""

    size: int
    device: Device

    def filled(self, a: np.ndarray) -> np.ndarray:
        """An array with its last row repeated up to the size: what it holds is not computed."""
        return a[np.minimum(np.arange(self.size), len(a) - 1)] if len(a) < self.size else a


@cache
def this_device() -> Device:
    """The device that JAX computes on here."""
    found = jax.devices()[0]
    known = found.memory_stats() or {}
    return Device(found.platform, int(known.get("bytes_limit", LEAST_MEMORY)))


def lanes_on(device: Device, bytes_each: int, n: int, on_cpu: int = 1) -> int:
    """How many of n lanes lie side by side.

    Args:
        device: where.
        bytes_each: memory that a lane takes.
        n: lanes at most.
        on_cpu: how many a CPU takes.
    """
    if device.backend == "cpu":
        return min(on_cpu, n)
    fit = max(int(SHARE * device.memory) // bytes_each, 1)
    rounds = -(-n // fit)
    return -(-n // rounds)


def map_lanes(f: Callable[[Any], Any], items: Any, count: Array | int, lanes: int) -> Any:
    """Apply `f` to the first `count` items, `lanes` of them side by side.

    The number of items is part of the compiled program, `count` is not: a half-full batch runs the program of a full
    one in half the time.

    Args:
        f: function of one item.
        items: tree of arrays, leading axis n.
        count: items to compute, at most n.
        lanes: items computed side by side.

    Returns:
        Tree of arrays with leading axis n; zero from `count` on, rounded up to full lanes.
    """

    def of_tile(tile: Any) -> Any:
        # One lane is not a batch of one: batched factorisations are far slower on a CPU.
        if lanes == 1:
            return jax.tree.map(lambda a: a[None], f(jax.tree.map(lambda a: a[0], tile)))
        return jax.vmap(f)(tile)

    return map_tiles(of_tile, items, count, lanes)


def map_tiles(f: Callable[[Any], Any], items: Any, count: Array | int, lanes: int) -> Any:
    """Apply `f` to the first `count` items, a tile of `lanes` of them at a time.

    Args:
        f: function of a tile; `items` and what it returns have the tile on the leading axis.
        items, count, lanes: as in ``map_lanes``.

    Returns:
        As ``map_lanes``.
    """
    n = jax.tree.leaves(items)[0].shape[0]
    tiles = -(-n // lanes)
    if n == lanes > 1:
        return f(items)
    f = jax.jit(f)  # traced once, not for its shape and again for its work
    items = jax.tree.map(lambda a: jnp.concatenate([a, jnp.repeat(a[-1:], tiles * lanes - n, axis=0)]), items)
    one = jax.eval_shape(f, jax.tree.map(lambda a: a[:lanes], items))
    out = jax.tree.map(lambda s: jnp.zeros((tiles * lanes, *s.shape[1:]), s.dtype), one)

    def body(carry: tuple[Array, Any]) -> tuple[Array, Any]:
        i, out = carry
        done = f(jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, i * lanes, lanes), items))
        return i + 1, jax.tree.map(lambda o, d: jax.lax.dynamic_update_slice_in_dim(o, d, i * lanes, 0), out, done)

    def wanted(carry: tuple[Array, Any]) -> Array:
        # The first bound is known to whoever counts the steps of a program, the second saves the padding.
        return (carry[0] < tiles) & (carry[0] * lanes < count)

    out = jax.lax.while_loop(wanted, body, (jnp.asarray(0), out))[1]
    return jax.tree.map(lambda a: a[:n], out)
