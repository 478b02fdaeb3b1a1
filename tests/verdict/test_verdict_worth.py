"""One verdict a star, and lifetimes that say no more than the data."""

from __future__ import annotations

import numpy as np
import pytest

from spotcat.status import Flag, LifetimeFlag, Status, Verdict
from spotcat.verdict.thresholds import THRESHOLDS
from spotcat.verdict.worth import AGAINST, COLUMNS, limits_alone, worth

_QUIET = {
    "status": Status.OK,
    "flags": Flag.NOT_DETECTED,
    "rotating": 0,
    "prot": 12.0,
    "dip_period": np.nan,
    "false_alarm": 0.3,
    "reliability": 0.4,
}
_ROTATOR = _QUIET | {"flags": Flag.NONE, "rotating": 1, "false_alarm": 1e-6, "reliability": 0.99}
_NEARLY = _QUIET | {"false_alarm": 0.02, "reliability": 0.8}


def _of(*stars: dict[str, float]) -> list[Verdict]:
    found = worth({name: np.array([star[name] for star in stars]) for name in COLUMNS})
    assert found.dtype == np.int8
    return [Verdict(code) for code in found]


@pytest.mark.parametrize(
    ("star", "expected"),
    [
        (_ROTATOR, Verdict.ROTATOR),
        (_ROTATOR | {"flags": Flag.ALIAS_POSSIBLE | Flag.METHODS_DISAGREE}, Verdict.ROTATOR),
        (_ROTATOR | {"flags": Flag.STRICTLY_PERIODIC}, Verdict.PERIODIC_UNDECIDED),
        (_ROTATOR | {"flags": Flag.STRICTLY_PERIODIC | Flag.SEVERAL_FREQUENCIES}, Verdict.PERIODIC_NOT_SPOTS),
        (_ROTATOR | {"status": Status.NOT_CONVERGED}, Verdict.NOT_MEASURABLE),
        (_QUIET | {"flags": 0, "status": Status.FEW_POINTS, "prot": np.nan}, Verdict.NOT_MEASURABLE),
        (_QUIET, Verdict.NO_ROTATION_SEEN),
        (_QUIET | {"flags": Flag.NOT_DETECTED | Flag.ECLIPSES_SUSPECTED}, Verdict.ECLIPSING),
        (_NEARLY, Verdict.PROBABLE),
        (_NEARLY | {"flags": Flag.NOT_DETECTED | Flag.ALIAS_POSSIBLE}, Verdict.PROBABLE),
        (_NEARLY | {"reliability": 0.0}, Verdict.NO_ROTATION_SEEN),
        (_NEARLY | {"false_alarm": 0.06}, Verdict.NO_ROTATION_SEEN),
        (_NEARLY | {"false_alarm": np.nan}, Verdict.NO_ROTATION_SEEN),
    ],
)
def test_a_star_has_the_verdict_of_the_first_rule_that_holds(star: dict[str, float], expected: Verdict) -> None:
    assert _of(star, _QUIET) == [expected, Verdict.NO_ROTATION_SEEN]


@pytest.mark.parametrize("bit", list(AGAINST), ids=lambda bit: bit.name)
def test_each_flag_that_speaks_against_a_period_keeps_it_from_being_probable(bit: Flag) -> None:
    assert Verdict.PROBABLE not in _of(_NEARLY | {"flags": Flag.NOT_DETECTED | bit})


@pytest.mark.parametrize(
    ("dip_period", "expected"),
    [
        (1.486, Verdict.ROTATOR),  # the planet of Kepler-17, whose spots turn in 12 d
        (12.1, Verdict.ECLIPSING),
        (6.0, Verdict.ECLIPSING),
        (24.0, Verdict.ECLIPSING),
        (np.nan, Verdict.ROTATOR),
    ],
)
def test_dips_in_step_with_the_rotation_are_one_cause(dip_period: float, expected: Verdict) -> None:
    assert _of(_ROTATOR | {"flags": Flag.ECLIPSES_SUSPECTED, "dip_period": dip_period}) == [expected]


def test_no_stars_have_no_verdicts() -> None:
    assert worth({name: np.zeros(0, dtype=int) for name in COLUMNS}).tolist() == []


def test_every_verdict_has_words_and_a_meaning() -> None:
    assert Verdict.PERIODIC_NOT_SPOTS.words == "periodic, not spots"
    assert Verdict.NO_ROTATION_SEEN.words == "no rotation seen"
    assert len({code.meaning for code in Verdict}) == len({code.words for code in Verdict}) == len(Verdict)


_ENDS = ("", "_lower", "_upper", "_lower95", "_upper95", "_lower_raw", "_upper_raw")
_VALUES = (1454.0, 16.2, 1.2e5, 2e-11, 9e16, 2.7, 8e5)


def _lifetimes(flag: LifetimeFlag) -> dict[str, np.ndarray]:
    columns = {f"spot_lifetime{end}": np.array([value]) for end, value in zip(_ENDS, _VALUES, strict=True)}
    columns |= {f"n_life_rot{end}": np.array([value / 3]) for end, value in zip(_ENDS[:3], _VALUES, strict=False)}
    columns |= {f"lspot{end}": np.array([value / 2]) for end, value in zip(_ENDS[:3], _VALUES, strict=False)}
    columns |= {"prot": np.array([3.0]), "lifetime_flag": np.array([flag], dtype=np.int8)}
    return columns | limits_alone(columns)


def _known(columns: dict[str, np.ndarray], quantity: str) -> dict[str, float]:
    return {
        name.removeprefix(quantity): float(values[0])
        for name, values in columns.items()
        if name.startswith(quantity) and np.isfinite(values[0])
    }


def test_a_lower_limit_is_that_alone() -> None:
    found = _lifetimes(LifetimeFlag.LOWER_LIMIT)
    shortest = pytest.approx(3.0 * THRESHOLDS.least_rotations)
    assert _known(found, "spot_lifetime") == {"_lower": 16.2, "_lower95": shortest, "_lower_raw": 2.7}
    assert _known(found, "n_life_rot") == {"_lower": pytest.approx(5.4)}
    assert set(_known(found, "lspot")) == {"", "_lower", "_upper"}


def test_an_upper_limit_is_that_alone() -> None:
    found = _lifetimes(LifetimeFlag.UPPER_LIMIT)
    assert _known(found, "spot_lifetime") == {"_upper": 1.2e5, "_upper95": 9e16, "_upper_raw": 8e5}
    assert set(_known(found, "n_life_rot")) == {"_upper"}


def test_without_a_rotation_there_is_no_lifetime() -> None:
    found = _lifetimes(LifetimeFlag.NOT_DETECTED)
    assert not any(_known(found, name) for name in ("spot_lifetime", "n_life_rot", "lspot"))


@pytest.mark.parametrize("flag", [LifetimeFlag.MEASURED, LifetimeFlag.DEGENERATE_WITH_SHEAR])
def test_what_is_measured_stays(flag: LifetimeFlag) -> None:
    found = _lifetimes(flag)
    assert tuple(_known(found, "spot_lifetime").values()) == _VALUES
    assert found["lspot"].tolist() == [727.0]
