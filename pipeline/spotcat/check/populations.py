"""The simulated surveys that the fit is judged and calibrated on, each by its name."""

from __future__ import annotations

from typing import NamedTuple

from spotcat.config import SimulateConfig, nearest
from spotcat.status import InputError

QUIET = "-quiet"
"""Ends the name of a set without rotation."""

_HALF_YEAR = SimulateConfig(noise=(0.1, 0.5))
_SECTOR = SimulateConfig(
    observatory="tess", baseline=27.0, cadence=1 / 144, period=(0.3, 12.0), noise=(0.1, 0.5), gaps=0.02
)
_MISSION = SimulateConfig(
    observatory="kepler",
    baseline=1460.0,
    cadence=1 / 12,
    period=(1.0, 45.0),
    n_spots=(100, 400),
    noise=(0.1, 0.5),
    gaps=0.02,
)

SETS: dict[str, SimulateConfig] = {
    "half-year": _HALF_YEAR,
    "sector": _SECTOR,
    "mission": _MISSION,
    "butterfly": SimulateConfig(
        source="butterpy",
        observatory="kepler",
        baseline=1460.0,
        cadence=0.25,
        period=(2.0, 45.0),
        noise=(0.1, 0.5),
        gaps=0.02,
    ),
}
"""150 d at half a day; a TESS sector at ten minutes; four years of Kepler at two hours, with quarter offsets; four
years at six hours of another package's stars, with active belts and activity cycles."""

REAL = "-real"
"""Ends the name of a set made of real light curves, before ``-quiet``."""


class RealSet(NamedTuple):
    """Whose light curves a semi-real set is made of, and the stars that are added to them.

    Attributes:
        observatory: kepler, k2 or tess.
        cadence: shortest and longest cadence [s] of the light curves, the longest not included.
        stars: the population; its baseline [d] is the step by which simulations grow with the light curve.
    """

    observatory: str
    cadence: tuple[float, float]
    stars: SimulateConfig


_LONG_CADENCE = (1000.0, 4000.0)
_ORBITS = SimulateConfig(baseline=30.0, cadence=1 / 144, period=_SECTOR.period, n_spots=_SECTOR.n_spots)
REAL_SETS: dict[str, RealSet] = {
    "kepler-real": RealSet(
        "kepler",
        _LONG_CADENCE,
        SimulateConfig(baseline=100.0, cadence=1 / 24, period=_MISSION.period, n_spots=(7, 27)),
    ),
    "k2-real": RealSet(
        "k2", _LONG_CADENCE, SimulateConfig(baseline=90.0, cadence=1 / 48, period=(0.5, 30.0), n_spots=(10, 40))
    ),
    "sector-real": RealSet("tess", (0.0, 200.0), _ORBITS),
    "ffi-real": RealSet("tess", (200.0, 4000.0), _ORBITS),
}
"""Kepler's long cadence, all quarters that there are of a star; a campaign of K2; a TESS sector at 2 minutes or faster,
and of full-frame images.  Periods are those of the simulated sets of about that length (of K2, between a sector's and a
mission's), and so is the number of spots a day."""

TOGETHER = tuple(name for name, config in SETS.items() if config.source == "spots")
"""Sets whose intervals are also judged together: those with the physics that the intervals assume."""


def population(name: str) -> SimulateConfig:
    """The population of a set; with ``-quiet`` at its end, the same observation of stars that do not rotate.

    Raises:
        InputError: there is no such set.
    """
    base = SETS.get(name.removesuffix(QUIET))
    if base is None:
        raise InputError(f"no simulated set {name!r}; {nearest(name, [*SETS, *REAL_SETS])}")
    if not name.endswith(QUIET):
        return base
    return SimulateConfig(
        source="quiet",
        observatory=base.observatory,
        baseline=base.baseline,
        cadence=base.cadence,
        gaps=base.gaps,
    )


def real_set(name: str) -> RealSet | None:
    """What a set such as ``sector-real`` or ``sector-real-quiet`` is made of; None for a simulated one.

    Raises:
        InputError: the name ends as those of real sets do, but there is no such set.
    """
    plain = name.removesuffix(QUIET)
    if plain.endswith(REAL) and plain not in REAL_SETS:
        raise InputError(f"no simulated set {name!r}; {nearest(plain, list(REAL_SETS))}")
    return REAL_SETS.get(plain)


def sized(entry: str, default: int) -> tuple[str, int]:
    """Name and number of stars of an entry such as ``mission:300``.

    Raises:
        InputError: what follows the colon is no number of stars.
    """
    name, colon, number = entry.partition(":")
    if colon and not (number.isdecimal() and int(number) > 0):
        raise InputError(f"check.sets: {entry!r} should be NAME or NAME:NUMBER, such as 'mission:300'")
    return name, int(number) if colon else default
