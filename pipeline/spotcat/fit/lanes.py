"""Side-by-side work of fixed shape but any amount: what is padding costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


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
    n = jax.tree.leaves(items)[0].shape[0]
    rounds = -(-n // lanes)
    items = jax.tree.map(lambda a: jnp.concatenate([a, jnp.repeat(a[-1:], rounds * lanes - n, axis=0)]), items)
    f = jax.jit(f)  # traced once, not for its shape and again for its work
    one = jax.eval_shape(f, jax.tree.map(lambda a: a[0], items))
    out = jax.tree.map(lambda s: jnp.zeros((rounds * lanes, *s.shape), s.dtype), one)

    def body(i: Array, out: Any) -> Any:
        def take(a: Array) -> Array:
            return jax.lax.dynamic_slice_in_dim(a, i * lanes, lanes)

        # One lane is not a batch of one: batched factorisations are far slower on a CPU.
        if lanes == 1:
            done = jax.tree.map(lambda a: a[None], f(jax.tree.map(lambda a: take(a)[0], items)))
        else:
            done = jax.vmap(f)(jax.tree.map(take, items))
        return jax.tree.map(lambda o, d: jax.lax.dynamic_update_slice_in_dim(o, d, i * lanes, 0), out, done)

    out = jax.lax.fori_loop(0, (count + lanes - 1) // lanes, body, out)
    return jax.tree.map(lambda a: a[:n], out)
