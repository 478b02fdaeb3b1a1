"""The period modes of some stars on one grid: refined, confirmed, and the best of each star polished.

Modes are kept in flat arrays of one size, star after star, and every stage works on some of them, so that each stage
is one compiled program whatever the number of stars.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from spotcat.config import FitConfig
from spotcat.fit.buckets import GridBatch
from spotcat.fit.climb import PERIOD_BOX, Climb, positive_definite, starting_points
from spotcat.fit.confirm import GridStar, exact_values
from spotcat.fit.envelopes import best_envelopes, bytes_of_map, envelope_values
from spotcat.fit.group import Group, Table, replaced, table_of
from spotcat.fit.importance import Sampled, importance_sample, mixture_at
from spotcat.fit.lanes import Room, lanes_on
from spotcat.fit.levels import Starts
from spotcat.fit.posterior import Quantities, laplace_draws, quantities, with_period
from spotcat.fit.ranking import alias_at, is_alias, log_mass, ranking
from spotcat.fit.refine import begun
from spotcat.fit.search import bytes_of_null, seen_and_null
from spotcat.model.grid import Grid
from spotcat.model.outliers import outlier_times

SCREEN_STEPS = 8
"""Refine steps after which only the modes that will be confirmed go on."""
CONFIRM_MARGIN, HALF_MARGIN = 8.0, 30.0
"""A mode this much worse under the Whittle likelihood is not worth an exact one.

Among different periods the best exact mode was never more than 2.5 behind on 96 simulated stars.  Half the best period
is another matter: the Whittle likelihood knows no offsets, which take away from a long period what it takes for power.
"""
STEPS_LIKE_THE_NEXT = 10
CLEAR = 25.0
"""Stars so much above no rotation are searched for a better period than the search's; in weaker ones the more modes
are climbed, the more often noise wins."""
PRECISE, ENVELOPE_MARGIN, OTHER_ENVELOPES = 100.0, 100.0, 2
"""Modes so much above no rotation, and not so much behind the best, are climbed again from so many other envelopes."""
SAMPLED_MARGIN = 8.0
"""A mode this much worse under the exact posterior is not sampled."""
CONFIRM_TOLERANCE, POLISH_TOLERANCE = 0.1, 0.01
"""A climb under the exact posterior ends when a step promises less log-posterior."""


class Fit(NamedTuple):
    """What refine and confirm found for some stars; NumPy arrays, leading axis the star.

    ``outlier_time`` are the middles [d] of the bins that do not belong to their light curves, NaN-padded to shape
    (n, ``MOST_OUTLIERS``).  Each element of ``signal`` is an array of shape (2, M) of its own: times [d] of the grid
    and the fitted rotation there, in relative flux.
    """

    theta: np.ndarray
    value: np.ndarray
    left: np.ndarray
    gain: np.ndarray
    lnodds: np.ndarray
    half_lnodds: np.ndarray
    double_lnodds: np.ndarray
    dt: np.ndarray
    outlier_time: np.ndarray
    signal: np.ndarray
    best: Quantities
    draws: Quantities
    second: Quantities
    n_eff: np.ndarray
    pareto_k: np.ndarray
    r_hat: np.ndarray
    n_divergent: np.ndarray


class Wanted(NamedTuple):
    """What a fit of some stars is told beside their light curves and starts.

    Attributes:
        n_segments: room for segment offsets.
        config: settings of the steps.
        shortest: period of the search [d].
        room: sizes of arrays, and their device.
    """

    n_segments: int
    config: FitConfig
    shortest: float
    room: Room


def fit_modes(batch: GridBatch, starts: Starts, grid: Grid, wanted: Wanted) -> Fit:
    """Fit stars from the modes of their search.

    Args:
        batch: light curves on the grid, leading axis n.
        starts: what the search found, leading axis n.
        grid: the grid.
        wanted: sizes and settings.

    Returns:
        Leading axis n.
    """
    n, k = starts.place.shape
    layout, config, room = grid.layout(wanted.config), wanted.config, wanted.room
    stars = GridStar(*(jnp.asarray(room.filled(getattr(batch, name))) for name in GridStar._fields))
    lanes = lanes_on(room.device, bytes_of_null(layout), room.size)
    seen, null = seen_and_null(stars.y, stars.mask, stars.reach, n, layout, lanes)
    sizes = layout, wanted.n_segments, config, wanted.shortest, room.device
    group = Group(n, k, stars, seen, np.asarray(null), *sizes)

    start = starting_points(starts.templates, starts.powers.astype(float), layout)
    modes = _refined(begun(room.filled(start).reshape(room.size * k, -1)), group)
    refined = table_of(modes)
    likely = np.union1d(_likeliest(refined, CONFIRM_MARGIN, group), _halves(refined, group))
    modes = group.confirmed(begun(modes.theta), likely, config.confirm_steps, CONFIRM_TOLERANCE)
    confirmed = table_of(modes)
    value = _comparable(confirmed, refined, group)
    places, distinct = ranking(value, confirmed.theta, n, k)
    first, second = places[:, 0], places[:, 1]
    polished = table_of(group.confirmed(modes, first, config.polish_steps, POLISH_TOLERANCE))
    theta, scale = polished.theta[first], batch.scale
    others = {
        "lnodds": np.where(distinct[:, 1], second, -1),
        "half_lnodds": alias_at(-np.log(2), value, confirmed.theta, n, k),
        "double_lnodds": alias_at(np.log(2), value, confirmed.theta, n, k),
    }
    bent, odds = _odds(first, others, value, polished, group)
    sampled = None if config.sampler == "laplace" else _sampled(polished, value, group)
    drawn = laplace_draws(theta, bent, layout) if sampled is None else sampled.theta
    best, draws = quantities(theta, scale, layout), quantities(drawn, scale[:, None], layout)
    shown = group.shown(theta, best.prot)
    # Where the covariance cannot be factorised the star has the period of its model.
    shift = np.where(np.isfinite(shown.prot), shown.prot / best.prot, 1.0)
    unknown, time = np.full(n, np.nan), batch.start[:, None] + batch.elapsed
    signal = np.empty(n, dtype=object)
    signal[:] = [np.stack(pair) for pair in zip(time, scale[:, None] * shown.spots, strict=True)]
    return Fit(
        theta=theta,
        value=polished.value[first],
        left=polished.left[first],
        gain=group.null[:n] - refined.value[: n * k].reshape(n, k).min(axis=1),
        dt=np.full(n, grid.dt),
        outlier_time=outlier_times(shown.deviation, time, config.outlier_sigma),
        signal=signal,
        best=with_period(best, best.prot * shift),
        draws=with_period(draws, draws.prot * shift[:, None]),
        **odds,
        second=quantities(np.where(distinct[:, 1:2], confirmed.theta[second], np.nan), scale, layout),
        **{name: getattr(sampled, name, unknown) for name in ("n_eff", "pareto_k", "r_hat", "n_divergent")},
    )


def _odds(
    first: np.ndarray, others: dict[str, np.ndarray], value: np.ndarray, modes: Table, group: Group
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Information at the best modes, and the ln odds of others against them, NaN where a place is -1.

    Odds are of the probability about a mode, not of the density at its top, which a change of coordinates changes.
    """
    wanted = np.unique(np.concatenate([first, *others.values()]))
    wanted = wanted[wanted >= 0]
    bent = group.curvature(modes.theta, wanted)
    mass = np.full(len(value) + 1, np.nan)  # the last is that of place -1
    mass[wanted] = log_mass(value[wanted], positive_definite(bent))
    return bent[np.searchsorted(wanted, first)], {name: mass[place] - mass[first] for name, place in others.items()}


def _refined(modes: Climb, group: Group) -> Climb:
    """Every mode for a few steps, those that may be worth confirming to the end, then from other spots."""
    n_steps = group.config.refine_steps
    modes = group.refined(modes, np.arange(group.n * group.k), min(SCREEN_STEPS, n_steps))
    seen = table_of(modes)
    most = np.where(_clear(seen, group), group.k, group.config.confirm_modes)
    modes = group.refined(modes, _likeliest(seen, CONFIRM_MARGIN, group, most), n_steps)
    return _with_other_envelopes(_with_half_the_period(modes, group), group)


def _clear(modes: Table, group: Group) -> np.ndarray:
    """Which stars have a mode clearly above no rotation; shape (n,)."""
    return group.null[: group.n] - modes.value[: group.n * group.k].reshape(group.n, group.k).min(axis=1) > CLEAR


def _with_half_the_period(modes: Climb, group: Group) -> Climb:
    """Climb from a clear star's best spots at half their period, in the place of its worst mode if that is worse.

    The search scales lifetimes with the period: from half of it a climb starts at half the lifetime, and ends where
    the side lobes of the wrong envelope catch it.
    """
    seen, begin = table_of(modes), np.asarray(modes.begin)
    places = ranking(seen.value, seen.theta, group.n, group.k)[0]
    # Wherever it goes, the climb must stay among the periods of the search: shorter ones fit anything.
    searched = seen.theta[places[:, 0], 0] - np.log(2) - PERIOD_BOX > np.log(group.shortest)
    places = places[_clear(seen, group) & searched]
    if not places.size:
        return modes
    best, worst = places[:, 0], places[:, -1]
    theta = seen.theta.copy()
    theta[worst] = seen.theta[best]
    theta[worst, 0] -= np.log(2)
    # Shear, inclination and levels have made the wrong period fit: from them the climb would find no way back.
    theta[worst, 1:3] = begin[best, 1:3]
    theta[worst, group.layout.levels] = 0.0
    again = group.refined(begun(theta), worst, group.config.refine_steps)
    return _better_of(modes, again, worst)


def _better_of(modes: Climb, again: Climb, chosen: np.ndarray) -> Climb:
    """The modes, those of the chosen replaced that ended higher when climbed again."""
    better = chosen[np.asarray(again.value)[chosen] < np.asarray(modes.value)[chosen]]
    return replaced(modes, better, again)


def _with_other_envelopes(modes: Climb, group: Group) -> Climb:
    """Climb again from other envelopes where the light curve is precise, and keep what is better."""
    seen = table_of(modes)
    chosen = _likeliest(seen, ENVELOPE_MARGIN, group)
    chosen = chosen[group.null[chosen // group.k] - seen.value[chosen] > PRECISE]
    if not chosen.size:
        return modes
    some, width = np.resize(chosen, len(seen.value)), group.stars.width
    lanes = lanes_on(group.device, bytes_of_map(group.layout), some.size)
    owner = some // group.k
    found = envelope_values(seen.theta[some], owner, group.seen, width, chosen.size, group.layout, lanes)
    envelopes, values = (np.asarray(a)[: chosen.size] for a in found)
    for envelope in best_envelopes(envelopes, values, OTHER_ENVELOPES):
        theta = np.array(modes.theta)
        theta[chosen, 3:5] = envelope
        again = group.refined(begun(theta), chosen, group.config.refine_steps)
        modes = _better_of(modes, again, chosen)
    return modes


def _comparable(confirmed: Table, refined: Table, group: Group) -> np.ndarray:
    """Exact values, and for modes without one the Whittle value, shifted by how the two differ at the best mode."""
    best = ranking(refined.value, refined.theta, group.n, group.k)[0][:, 0]
    with np.errstate(invalid="ignore"):  # a star without a finite mode
        shift = np.resize(confirmed.value[best] - refined.value[best], len(refined.value) // group.k)
    return np.where(np.isfinite(confirmed.value), confirmed.value, refined.value + np.repeat(shift, group.k))


def _sampled(modes: Table, value: np.ndarray, group: Group) -> Sampled:
    """Draws from the exact posterior, from the star's modes on."""
    places, distinct = ranking(value, modes.theta, group.n, group.k)
    curvature = group.curvature(modes.theta, places.ravel())
    curvature = curvature.reshape(*places.shape, *curvature.shape[1:])
    mixtures = []
    for own, apart, bent in zip(places, distinct, curvature, strict=True):
        some = apart & (value[own] < value[own[0]] + SAMPLED_MARGIN)
        some[0] = True
        mixtures.append(mixture_at(modes.theta[own[some]], bent[some], np.nan_to_num(value[own[some]], posinf=0.0)))

    layout, stars, n_segments = group.layout, group.stars, group.n_segments

    def values(theta: np.ndarray) -> np.ndarray:
        """Evaluated in as many lanes as the padded batch has draws, so that there is one program for each band."""
        flat, owner = theta.reshape(-1, layout.n_theta), np.repeat(np.arange(group.n), theta.shape[1])
        out, room = np.full(len(flat), np.nan), len(stars.y) * theta.shape[1]
        blocks = group.blocks(flat)
        for block in np.unique(blocks):
            members = np.flatnonzero(blocks == block)
            some, lanes = np.resize(members, room), group.exact_lanes(int(block), room)
            sizes = layout, n_segments, int(block), lanes
            found = exact_values(flat[some], owner[some], stars, members.size, *sizes)
            out[members] = np.asarray(found)[: members.size]
        return out.reshape(theta.shape[:2])

    sampled = importance_sample(mixtures, values, layout)
    if group.config.sampler == "importance":
        return sampled
    from spotcat.fit.nuts import nuts_sample

    return nuts_sample(sampled.theta, stars, layout, n_segments, group.device)


def _halves(modes: Table, group: Group) -> np.ndarray:
    """Places of clear stars' best modes at half the period of their best, where it may be better."""
    places, distinct = ranking(modes.value, modes.theta, group.n, group.k)
    with np.errstate(invalid="ignore"):  # a star without a finite mode
        behind = modes.value[places] - modes.value[places[:, :1]]
    half = is_alias(modes.theta[places, 0] - modes.theta[places[:, :1], 0], -np.log(2))
    half &= distinct & (behind < HALF_MARGIN) & _clear(modes, group)[:, None]
    return places[half & (np.cumsum(half, axis=1) == 1)]


def _likeliest(modes: Table, margin: float, group: Group, most: np.ndarray | None = None) -> np.ndarray:
    """Places of the modes that go on: distinct, few, and not more than `margin` behind; at least one of each star.

    `most` bounds their number star by star, `config.confirm_modes` where it is not given.
    """
    places, distinct = ranking(modes.value, modes.theta, group.n, group.k)
    few = np.arange(group.k) < (group.config.confirm_modes if most is None else most[:, None])
    # Half-way up a value says little: a mode is dropped only if many steps like its next would leave it behind.
    with np.errstate(invalid="ignore"):  # a mode without a finite value
        hoped = modes.value[places] - STEPS_LIKE_THE_NEXT * np.nan_to_num(np.abs(modes.left[places]), nan=np.inf)
    close = hoped < modes.value[places[:, :1]] + margin
    close[:, 0] = True
    return places[distinct & close & few]
