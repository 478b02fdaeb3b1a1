"""The simulated surveys that the fit is judged and calibrated on, each by its name."""

from __future__ import annotations

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

TOGETHER = tuple(name for name, config in SETS.items() if config.source == "spots")
"""Sets whose intervals are also judged together: those with the physics that the intervals assume."""


def population(name: str) -> SimulateConfig:
    """The population of a set; with ``-quiet`` at its end, the same observation of stars that do not rotate.

    Raises:
        InputError: there is no such set.
    """
    base = SETS.get(name.removesuffix(QUIET))
    if base is None:
        raise InputError(f"no simulated set {name!r}; {nearest(name, list(SETS))}")
    if not name.endswith(QUIET):
        return base
    return SimulateConfig(
        source="quiet",
        observatory=base.observatory,
        baseline=base.baseline,
        cadence=base.cadence,
        gaps=base.gaps,
    )


def sized(entry: str, default: int) -> tuple[str, int]:
    """Name and number of stars of an entry such as ``mission:300``.

    Raises:
        InputError: what follows the colon is no number of stars.
    """
    name, colon, number = entry.partition(":")
    if colon and not (number.isdecimal() and int(number) > 0):
        raise InputError(f"check.sets: {entry!r} should be NAME or NAME:NUMBER, such as 'mission:300'")
    return name, int(number) if colon else default
