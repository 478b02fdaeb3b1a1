"""How work is divided for a device: the longest chain of dependent steps, and tiles that change no result.

On a GPU a step takes about as long for one lane as for thousands: what a batch costs at least is how many steps must
follow one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fit_samples import simulate
from jax.extend.core import Literal

from spotcat.config import FitConfig
from spotcat.fit import confirm as exact
from spotcat.fit import refine as whittle
from spotcat.fit.buckets import BucketSpec, choose_bucket
from spotcat.fit.climb import Chosen, begin_at, climb_lanes, climb_on
from spotcat.fit.climb import Steps as Climbing
from spotcat.fit.confirm import GridStar, block_for, confirm
from spotcat.fit.engine import fit_stars
from spotcat.fit.envelopes import bytes_of_map, envelope_values
from spotcat.fit.lanes import SHARE, Device, Room, lanes_on
from spotcat.fit.modes import OTHER_ENVELOPES, SCREEN_STEPS
from spotcat.fit.refine import refine
from spotcat.fit.search import N_SPOT, Bank, bytes_of_null, search, seen_and_null, tiles_for
from spotcat.fit.shown import show
from spotcat.model.grid import Grid
from spotcat.model.layout import Layout
from spotcat.model.whittle import Periodogram

CONFIG = FitConfig()
GPU = Device("gpu", 139 * 2**30)
"""An H200."""
MOST_STEPS = 3000
N_COMPONENTS = 8


def depth(jaxpr: Any) -> int:
    """The longest chain of dependent loop steps of a program, the trip counts of nested loops multiplied."""
    reached: dict[Any, int] = {}

    def of(atoms: list[Any]) -> int:
        return max((reached.get(a, 0) for a in atoms if not isinstance(a, Literal)), default=0)

    for equation in jaxpr.eqns:
        at = of(equation.invars) + own_depth(equation)
        reached.update(dict.fromkeys(equation.outvars, at))
    return of(jaxpr.outvars)


def own_depth(equation: Any) -> int:
    """Dependent steps of one equation: of a loop, its trips times those of its body, which is one at least."""
    name, params = equation.primitive.name, equation.params
    if name == "scan":
        return int(params["length"]) * max(depth(params["jaxpr"].jaxpr), 1)
    if name == "while":
        return trips(params["cond_jaxpr"].jaxpr) * max(depth(params["body_jaxpr"].jaxpr), 1)
    return max((depth(inner) for inner in inner_jaxprs(params)), default=0)


def trips(condition: Any) -> int:
    """The stated bound of a loop: its condition compares a number that it carries with a literal."""
    carried = set(condition.invars)
    bounds = [
        int(equation.invars[1].val)
        for equation in condition.eqns
        if equation.primitive.name == "lt" and equation.invars[0] in carried and isinstance(equation.invars[1], Literal)
    ]
    assert bounds, f"a loop without a stated bound: {condition}"
    return min(bounds)


def inner_jaxprs(params: dict[str, Any]) -> Iterator[Any]:
    for value in params.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            inner = getattr(one, "jaxpr", one)
            if hasattr(inner, "eqns"):
                yield inner


def program_depth(program: Callable[..., Any], *arguments: Any) -> int:
    """Depth of a compiled program whose counts, all but arrays and their shapes, are known."""
    arrays, rebuilt = jax.tree.flatten(arguments)
    traced = [i for i, a in enumerate(arrays) if isinstance(a, jax.ShapeDtypeStruct)]

    def call(*values: Any) -> Any:
        full = list(arrays)
        for i, value in zip(traced, values, strict=True):
            full[i] = value
        return program.__wrapped__(*rebuilt.unflatten(full))  # type: ignore[attr-defined]

    with jax.enable_x64(True):
        return depth(jax.make_jaxpr(call)(*(arrays[i] for i in traced)).jaxpr)


def array(*shape: int, dtype: Any = np.float64) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


def search_depth(spec: BucketSpec, size: int, device: Device) -> int:
    (level,) = spec.levels(CONFIG)
    m, n_periods = level.layout.n_time, CONFIG.n_period
    templates = n_periods * len(CONFIG.shears) * len(CONFIG.lifetimes)
    single = np.float32
    bank = Bank(
        array(templates, 4),
        array(templates, N_SPOT, m, dtype=single),
        array(templates, N_COMPONENTS, (m - 1) // 2, dtype=single),
        array(4, m, dtype=single),
        array(6, m, dtype=single),
        np.zeros(n_periods),
    )
    curves = (array(size, 1, m, dtype=single) for _ in range(2))
    tiles = tiles_for(Room(size, device), bank)
    return program_depth(search, *curves, array(size), bank, array(dtype=int), tiles)


def fit_depth(layout: Layout, size: int, device: Device) -> int:
    """Of the stages of ``modes.fit_modes`` on one grid, one after the other, each as long as it may be."""
    m, k, n_theta = layout.n_time, CONFIG.n_modes, layout.n_theta
    n, lanes = size * k, lanes_on(device, bytes_of_null(layout), size)
    null = program_depth(seen_and_null, array(size, m), array(size, m), array(size), size, layout, lanes)

    stars = GridStar(
        *(array(size, m) for _ in range(3)), array(size, m, dtype=int), array(size, m, 0), *[array(size)] * 2
    )
    seen = Periodogram(array(size, (m - 1) // 2), array(size, m), array(size))
    modes = jax.tree.map(lambda a: array(*a.shape), begin_at(np.zeros((n, n_theta))))
    chosen, owner = Chosen(array(n, dtype=int), array(n, dtype=int), n), array(n, dtype=int)

    def refined(n_steps: int) -> int:
        side = lanes_on(device, whittle.bytes_of_lane(layout), n)
        return program_depth(refine, modes, chosen, owner, seen, array(size), n_steps, layout, side)

    side = lanes_on(device, bytes_of_map(layout), n)
    mapped = program_depth(envelope_values, array(n, n_theta), owner, seen, array(size), n, layout, side)
    steps = CONFIG.refine_steps
    climbs = refined(min(SCREEN_STEPS, steps)) + (2 + OTHER_ENVELOPES) * refined(steps) + refined(1)

    def confirmed(n_steps: int, block: int) -> int:
        side = lanes_on(device, exact.bytes_of_lane(layout, block), n)
        return program_depth(confirm, modes, chosen, owner, stars, n_steps, 0.1, layout, 1, block, side)

    def shown(block: int) -> int:
        side = lanes_on(device, exact.bytes_of_lane(layout, block), size)
        vectors = array(size, n_theta), array(size), array(size, dtype=int)
        return program_depth(show, *vectors, stars, size, layout, 1, block, side)

    blocks = np.unique(block_for(np.arange(m), layout)).tolist()
    # Every band in turn, and a climb that has outgrown the narrowest one once more on all others.
    again = [*blocks, *blocks[1:]]
    exactly = sum(confirmed(most, b) for b in again for most in (CONFIG.confirm_steps, CONFIG.polish_steps))
    return null + climbs + mapped + exactly + sum(map(shown, blocks))


@pytest.mark.parametrize("size", [256, 4096])
def test_the_longest_chain_of_steps_of_a_batch_on_a_gpu(size: int) -> None:
    spec = choose_bucket(149.5, 0.5, 1, CONFIG)
    grids = {spec.fitted(period, CONFIG) for period in spec.periods(CONFIG)}
    parts = {"search": search_depth(spec, size, GPU)}
    parts |= {f"fit on {grid.n_time} points": fit_depth(grid.layout(CONFIG), size, GPU) for grid in sorted(grids)}
    print(f"{size} stars: {sum(parts.values())} steps, {parts}")
    assert sum(parts.values()) <= MOST_STEPS


def test_loops_are_counted_by_their_trips_and_must_have_a_bound() -> None:
    def nested(x: jax.Array) -> jax.Array:
        def outer(x: jax.Array, _: None) -> tuple[jax.Array, None]:
            return jax.lax.fori_loop(0, 7, lambda _, x: jnp.sin(x), x), None

        side = jax.lax.fori_loop(0, 30, lambda _, x: jnp.cos(x), x)  # beside it, not after it
        return jax.lax.scan(outer, x, None, length=5)[0] + side

    assert depth(jax.make_jaxpr(nested)(1.0).jaxpr) == 35
    bounded = jax.make_jaxpr(
        lambda x: jax.lax.while_loop(lambda c: (c[0] < 9) & (c[1] > 1), lambda c: (c[0] + 1, c[1] / 2), (0, x))
    )
    assert depth(bounded(1e9).jaxpr) == 9
    endless = jax.make_jaxpr(lambda x: jax.lax.while_loop(lambda x: x > 1, lambda x: x / 2, x))
    with pytest.raises(AssertionError, match="without a stated bound"):
        depth(endless(1e9).jaxpr)


def test_lanes_are_one_on_a_cpu_and_what_memory_holds_elsewhere() -> None:
    assert lanes_on(Device("cpu", 2**40), 1, 4096) == 1
    assert lanes_on(Device("cpu", 2**40), 1, 4, on_cpu=8) == 4
    assert lanes_on(GPU, 2**20, 1280) == 1280
    for n in (1280, 20480, 999_983):
        lanes = lanes_on(GPU, 2**24, n)
        assert lanes * 2**24 <= SHARE * GPU.memory
        rounds = -(-n // lanes)
        assert rounds == -(-n // int(SHARE * GPU.memory / 2**24))  # no more rounds than must be
        assert rounds * lanes - n < rounds  # and as much in each
    assert lanes_on(Device("gpu", 2**20), 2**24, 5) == 1


@pytest.mark.parametrize("lanes", [3, 11])
def test_lanes_side_by_side_climb_as_one_by_one(lanes: int) -> None:
    """Valleys of different length, so that some lanes arrive long before others and are packed away."""
    layout, n = Grid(128, 0.5).layout(CONFIG), 11
    length = np.geomspace(0.3, 30, n)

    def posterior(t: jax.Array, i: jax.Array) -> tuple[jax.Array, Callable[[], tuple[jax.Array, jax.Array]]]:
        def residuals(t: jax.Array) -> jax.Array:
            bend = jnp.asarray(length)[i]
            return jnp.concatenate([jnp.stack([bend * (t[4] - t[3] ** 2), 1 - t[3]]), t[:3], t[5:]])

        r, j = residuals(t), jax.jacfwd(residuals)(t)
        return 0.5 * r @ r, lambda: (j.T @ r, j.T @ j)

    wanted = np.array([0, 2, 3, 5, 6, 7, 8, 9, 10])
    slot = np.full(n, -1)
    slot[wanted] = np.arange(wanted.size)
    chosen = Chosen(np.resize(wanted, n), slot, wanted.size)
    with jax.enable_x64(True):
        begin = begin_at(np.zeros((n, layout.n_theta)))
        found = climb_lanes(begin, chosen, np.arange(n), posterior, Climbing(33, 1e-9, lanes), layout)
        for i in range(n):
            own = jax.tree.map(lambda a, i=i: a[i], begin)
            alone = climb_on(own, lambda t, i=i: posterior(t, i), layout, 33, 1e-9) if i in wanted else own
            np.testing.assert_allclose(found.theta[i], alone.theta, atol=1e-9)
            np.testing.assert_allclose(found.value[i], alone.value, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_a_gpu_s_tiles_give_what_a_cpu_s_do() -> None:
    rng = np.random.default_rng(12)
    stars = [simulate(rng, m=180) for _ in range(3)]
    spec = choose_bucket(89.5, 0.5, 1, CONFIG)
    one, many = (fit_stars(stars, spec, CONFIG, 4, device) for device in (None, Device("gpu", 2**33)))
    for name in ("prot", "peq", "lnl_rotation", "p_second"):
        np.testing.assert_allclose(many.columns[name], one.columns[name], rtol=1e-6)
    for name in ("status", "flags", "rotating"):
        np.testing.assert_array_equal(many.columns[name], one.columns[name])
    np.testing.assert_allclose(many.arrays["gp_periodogram"], one.arrays["gp_periodogram"], rtol=1e-4, atol=1e-2)
