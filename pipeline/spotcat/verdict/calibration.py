"""What simulated stars have taught: how wide intervals should be, how often noise looks so, when a period is right.

A Laplace interval knows neither that the wrong mode may have won nor that spots are few.  In each regime of gain and
baseline the factor is kept that, applied to the interval's half-width in the logarithm, made it hold the truth as
often as it says (split conformal prediction: Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World).
What speaks for a rotation is one number of the star's own data, its evidence: the gain, how far the rotation stands
above the white noise, its share of the variance, and how much of it a segment holds, weighted as they tell rotators
from stars without rotation (logistic regression).  The false-alarm probability is the fraction of stars without
rotation, of the same baseline, that have as much evidence; what the verdict refuses anyway, transits or steps at even
intervals among it, does not count.  That a period is right to 10 % is a logistic regression on the raw width of its
interval, the gain and the number of cycles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from spotcat import __version__
from spotcat.config import FitConfig, digest, to_dict
from spotcat.status import InputError
from spotcat.text import system_path

LEVELS = (68, 95)
"""Confidence levels of the intervals [%]."""
QUANTITIES = ("prot", "spot_lifetime")
"""Columns whose intervals are calibrated."""
N_EVIDENCE, N_RIGHT = 6, 4
"""Features of `evidence_features` and of `right_features`."""
ANYWAY = ("min_points", "stars", "sampler", "detection", "false_alarm", "reliability", "calibration")
"""Settings of a fit that change neither its gains nor its raw intervals, only which stars have them and what is made of
them."""


@dataclass(frozen=True)
class Calibration:
    """A versioned table.

    Attributes:
        version: what it was learnt from.
        spotcat: the version of spotcat that learnt it.
        fit: the settings that it was learnt with, as ``settings`` gives them.
        gain: edges between the regimes of ``lnl_rotation``, ascending, length g.
        baseline: edges between those of ``baseline`` [d], ascending, length b.
        factors: for each quantity and level, such as ``prot_68``, g + 1 rows of b + 1 factors.
        evidence: weights of what `evidence_features` gives.
        alarm_evidence: ascending values of the evidence, length a.
        ln_alarm: logarithm of the false-alarm probability at each, for each regime of baseline; b + 1 rows of a.
        right: log-odds that a period is right, for each regime of baseline: a constant, and the slopes by the
            logarithms of the interval's raw half-width, of the gain and of the number of cycles; b + 1 rows of 4.
    """

    version: str
    spotcat: str
    fit: dict[str, Any]
    gain: tuple[float, ...]
    baseline: tuple[float, ...]
    factors: dict[str, list[list[float]]]
    evidence: tuple[float, ...]
    alarm_evidence: tuple[float, ...]
    ln_alarm: tuple[tuple[float, ...], ...]
    right: tuple[tuple[float, ...], ...]

    def factor(self, quantity: str, level: int, gain: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        """Factor of each star; `quantity` of ``QUANTITIES``, `level` of ``LEVELS``, arrays of shape (n,)."""
        table = np.array(self.factors[f"{quantity}_{level}"])
        return table[np.digitize(gain, self.gain), np.digitize(baseline, self.baseline)]

    def false_alarm(self, evidence: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        """Probability that a star without rotation has as much evidence, shape (n,); exponential beyond the table."""
        x = np.array(self.alarm_evidence)
        rows = []
        for y in np.array(self.ln_alarm):
            beyond = np.maximum(evidence - x[-1], 0) * (y[-1] - y[-2]) / (x[-1] - x[-2])
            rows.append(np.interp(evidence, x, y) + beyond)
        chosen = np.digitize(baseline, self.baseline)
        return np.exp(np.minimum(np.choose(chosen, rows), 0.0))

    def right_period(self, half: np.ndarray, gain: np.ndarray, prot: np.ndarray, baseline: np.ndarray) -> np.ndarray:
        """Probability that a rotator's period is within 10 % of the truth, shape (n,).

        Args:
            half: half-widths of the raw intervals of ``prot`` in the logarithm, shape (n,).
            gain: ``lnl_rotation``, shape (n,).
            prot: fitted periods [d], shape (n,).
            baseline: [d], shape (n,).
        """
        rows = np.array(self.right)[np.digitize(baseline, self.baseline)]
        return expit((rows * right_features(half, gain, baseline / prot)).sum(axis=1))

    def to_json(self) -> str:
        """Text that `read` reads back."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @property
    def is_whole(self) -> bool:
        """Whether every regime has its numbers, and all are finite."""
        b, g, a = len(self.baseline) + 1, len(self.gain) + 1, len(self.alarm_evidence)
        tables: list[tuple[Any, tuple[int, int]]] = [
            (self.factors[f"{name}_{level}"], (g, b)) for name in QUANTITIES for level in LEVELS
        ]
        tables += [(self.ln_alarm, (b, a)), (self.right, (b, N_RIGHT)), ([self.evidence], (1, N_EVIDENCE))]
        arrays = [np.array(table, dtype=float) for table, _ in tables]
        return all(x.shape == shape and np.isfinite(x).all() for x, (_, shape) in zip(arrays, tables, strict=True))


def read(text: str) -> Calibration:
    """A table from its JSON text."""
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(text).items()}
    return Calibration(**plain | {key: tuple(tuple(row) for row in plain[key]) for key in ("ln_alarm", "right")})


@cache
def shipped() -> Calibration:
    """The table that comes with the package."""
    return read((files("spotcat.verdict") / "calibration.json").read_text(encoding="utf-8"))


def settings(config: FitConfig) -> dict[str, Any]:
    """The settings that a table depends on, as plain data."""
    return {name: value for name, value in to_dict(config).items() if name not in ANYWAY}


def differences(table: Calibration, config: FitConfig) -> list[str]:
    """The settings that a table was not learnt with, as ``name = VALUE instead of VALUE``; none where it knows all."""
    wanted = settings(config)
    return [
        f"{name} = {table.fit.get(name)!r} instead of {wanted.get(name)!r}"
        for name in sorted({*wanted, *table.fit})
        if table.fit.get(name) != wanted.get(name)
    ]


def calibration_of(config: FitConfig) -> Calibration:
    """The table of a fit: that of ``fit.calibration``, the shipped one without.

    Raises:
        InputError: the file cannot be read, is no such table, or was learnt with another version or other settings.
    """
    path = config.calibration
    if not path:
        return shipped()
    try:
        table = read(Path(system_path(path)).read_text(encoding="utf-8"))
        whole = table.is_whole
    except OSError as error:
        raise InputError(f"fit.calibration: {path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        whole = False
    if not whole:
        raise InputError(f"fit.calibration: {path}: not a table as `spotcat check calibrate` writes it; learn it again")
    if table.spotcat != __version__:
        raise InputError(
            f"fit.calibration: {path}: learnt with spotcat {table.spotcat}, this is {__version__}; learn it again"
        )
    other = differences(table, config)
    if other:
        raise InputError(f"fit.calibration: {path}: learnt with {', '.join(other)}; learn it again, or fit with these")
    return table


def content(config: FitConfig) -> str:
    """A digest of the table that ``fit.calibration`` names, wherever the file is; empty without one.

    Raises:
        InputError: as ``calibration_of``.
    """
    return digest(calibration_of(config)) if config.calibration else ""


def calibrated(columns: Mapping[str, np.ndarray], table: Calibration) -> dict[str, np.ndarray]:
    """Calibrated intervals of ``QUANTITIES``, the raw ones beside them, and how far to trust the rotation.

    Args:
        columns: ``baseline``, those of `evidence_features`, and each quantity with its raw ``_lower`` and ``_upper``;
            (n,) each.
        table: the calibration.

    Returns:
        ``Q_lower`` and ``Q_upper`` (68 %), ``Q_lower95`` and ``Q_upper95``, ``Q_lower_raw`` and ``Q_upper_raw`` for
        each quantity Q, ``false_alarm``, and ``reliability``: that neither noise nor a wrong mode made the period.
    """
    gain, baseline = columns["lnl_rotation"], columns["baseline"]
    # Not a product with a matrix: that adds in another order where there are more stars.
    alarm = table.false_alarm((evidence_features(columns) * np.array(table.evidence)).sum(axis=1), baseline)
    half = half_width(columns["prot_lower"], columns["prot_upper"])
    right = table.right_period(half, gain, columns["prot"], baseline)
    out = {"false_alarm": alarm, "reliability": (1 - alarm) * right}
    for name in QUANTITIES:
        value, lower, upper = (columns[key] for key in (name, f"{name}_lower", f"{name}_upper"))
        half = half_width(lower, upper)
        for level, ending in zip(LEVELS, ("", "95"), strict=True):
            width = np.exp(half * table.factor(name, level, gain, baseline))
            out |= {f"{name}_lower{ending}": value / width, f"{name}_upper{ending}": value * width}
        out |= {f"{name}_lower_raw": lower, f"{name}_upper_raw": upper}
    return out


def half_width(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Half the width of an interval in the logarithm."""
    return 0.5 * np.log(upper / lower)


def evidence_features(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """What tells rotators from stars without rotation, each feature about linear in ln odds.

    A constant; the gain, at small values and at large ones; the logarithms of the amplitude over the white noise of an
    hour, and of the share of rotation in the variance; and how far the period is above half of the longest segment,
    in ln: drifts from one offset to the next look like such rotations.

    Args:
        columns: ``lnl_rotation``, ``amplitude``, ``white_noise``, ``rotating_share``, ``prot`` [d] and
            ``longest_segment`` [d], shape (n,) each.

    Returns:
        Shape (n, N_EVIDENCE).
    """
    gain = np.maximum(columns["lnl_rotation"], 0.0)
    above, share = columns["amplitude"] / columns["white_noise"], np.maximum(columns["rotating_share"], 1e-3)
    long = np.maximum(np.log(columns["prot"] / (0.5 * columns["longest_segment"])), 0.0)
    return np.stack([np.ones_like(gain), np.log1p(gain), gain / 10, np.log(above), np.log(share), long], axis=1)


def right_features(half: np.ndarray, gain: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """What tells right periods from wrong ones: 1 and the logarithms of half-width, gain and cycles, (n, N_RIGHT)."""
    half, gain = np.maximum(half, 1e-6), np.maximum(gain, 1.0)
    return np.stack([np.ones_like(half), np.log(half), np.log(gain), np.log(cycles)], axis=1)
