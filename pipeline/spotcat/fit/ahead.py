"""Programs that a grid's stars will need, compiled side by side before they do."""

from __future__ import annotations

from collections import Counter

import jax
import numpy as np

from spotcat.fit.climb import Climb
from spotcat.fit.confirm import block_for, confirm
from spotcat.fit.group import Group
from spotcat.fit.refine import lanes_for, refine
from spotcat.gp.composite import support_steps


def prepare(modes: Climb, group: Group) -> None:
    """Begin to compile what climbs are worked on with first; what is compiled already costs nothing.

    Only the width of the covariance that most stars begin with is guessed: a wrong guess is a program in vain.

    Args:
        modes: of the group, where they begin, the best of each star first.
        group: stars on one grid.
    """
    layout, n_steps = group.layout, group.config.confirm_steps
    lanes = np.resize(np.arange(group.n * group.k), len(modes.value))
    some, owner = jax.tree.map(lambda a: a[lanes], modes), lanes // group.k
    refine.ahead(some, owner, group.seen, group.stars.width, n_steps, 1, layout, lanes_for(layout))
    blocks = block_for(support_steps(modes.theta[: group.n * group.k : group.k], layout), layout)
    ((block, _),) = Counter(blocks.tolist()).most_common(1)
    confirm.ahead(some, owner, group.stars, n_steps, 0.1, 1, layout, group.n_segments, int(block))
