"""Programs that a grid's stars will need, compiled side by side before they do."""

from __future__ import annotations

import jax
import numpy as np

from spotcat.fit.climb import Climb
from spotcat.fit.confirm import block_for, confirm
from spotcat.fit.group import Group
from spotcat.fit.refine import lanes_for, refine
from spotcat.fit.shown import show
from spotcat.gp.composite import support_steps


def prepare(modes: Climb, group: Group) -> None:
    """Begin to compile what climbs and their best are worked on with; what is compiled already costs nothing.

    Where a climb leaves the width of the covariance that it begins with, it needs a program more.

    Args:
        modes: of the group, where they begin.
        group: stars on one grid.
    """
    lanes = np.resize(np.arange(group.n * group.k), len(modes.value))
    some, owner = jax.tree.map(lambda a: a[lanes], modes), lanes // group.k
    layout, steps = group.layout, group.config.confirm_steps
    refine.ahead(some, owner, group.seen, group.stars.width, steps, 1, layout, lanes_for(layout))
    star = np.resize(np.arange(group.n), len(group.stars.y))
    for block in np.unique(block_for(support_steps(modes.theta[: group.n * group.k], layout), layout)):
        sizes = layout, group.n_segments, int(block)
        confirm.ahead(some, owner, group.stars, steps, 0.1, 1, *sizes)
        show.ahead(modes.theta[star], modes.value[star], star, group.stars, 1, *sizes)
