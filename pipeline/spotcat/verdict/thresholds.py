"""Every threshold of the verdict in one frozen table, with its source and what it was learnt from.

What a person may choose, ``detection``, ``false_alarm`` and ``reliability``, are settings of the fit; what a command
has learnt is in ``calibration.json``; what only bounds work or memory is in the module that works.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

CALIBRATE = "spotcat check calibrate workflows/recipes/calibrate.toml"
_VALIDATE = "spotcat check recovery workflows/recipes/validate.toml"
_DIPS = "tests/verdict/test_verdict_dips.py"
_STEPS = "tests/verdict/test_verdict_steps.py"
_COHERENCE = "tests/verdict/test_verdict_coherence.py"
CHOSEN = "chosen"
"""The source of a number that no paper gives and no command learns."""


def _number(value: Any, unit: str, group: str, meaning: str, learnt: str, source: str) -> Any:
    return field(
        default=value, metadata={"unit": unit, "group": group, "meaning": meaning, "learnt": learnt, "source": source}
    )


@dataclass(frozen=True)
class Thresholds:
    """The numbers by which a fit is judged; `records` gives each with its unit, meaning, origin and source."""

    # Whether a fit is a rotation.
    least_share: float = _number(
        0.1, "", "decision", "a rotation carries at least this share of the variance that is not white noise",
        "of 36 real rotators the least carries 0.16; of the noise that gains as much as a detection all but one star "
        "less than 0.1", CALIBRATE,
    )  # fmt: skip
    least_cycles: float = _number(
        2.5, "", "decision", "a rotation is seen for at least so many cycles: over fewer a drift and an offset of each "
        "orbit are as periodic", "", CHOSEN,
    )  # fmt: skip
    least_rotations: float = _number(
        1.3, "", "decision", "spots of a rotation live for at least so many rotations: what wanders is fitted with "
        "shorter ones", "of simulated quiet sectors that gain 8 or more three in four live shorter; of the right "
        "detections of half a year 1 in 100, of a sector none", CALIBRATE,
    )  # fmt: skip
    not_converged: float = _number(
        3.0, "", "decision", "expected gain in ln posterior of a further step from which on a fit has not converged",
        "", CHOSEN,
    )  # fmt: skip

    # What is worth a second look where no rotation was detected.
    probable_false_alarm: float = _number(
        0.05, "", "decision", "a period that is not called a rotation is probable up to this false-alarm probability",
        "of 118 real stars 3 rotators that are not called and none of the negatives are within this and the next",
        CHOSEN,
    )  # fmt: skip
    probable_reliability: float = _number(
        0.7, "", "decision", "and from this reliability on", "", CHOSEN,
    )  # fmt: skip

    # What qualifies a result.
    lifetime_baseline: float = _number(
        60.0, "d", "flags", "light curves measured for less only limit a lifetime from below",
        "in 300 simulated TESS sectors 17 lifetimes seemed to be under a third of the baseline, and 3 of these were "
        "right to 30 %", _VALIDATE,
    )  # fmt: skip
    baseline_lives: float = _number(
        3.0, "", "flags", "a measured time of fewer lifetimes only limits them from below",
        "on simulated stars nine in ten lifetimes up to a third of the baseline were right to 30 %, two in ten between "
        "that and half of it", _VALIDATE,
    )  # fmt: skip
    least_life: float = _number(
        1.0, "", "flags", "a lifetime whose 16th percentile is of fewer rotations is an upper limit", "", CHOSEN,
    )  # fmt: skip
    shear_correlation: float = _number(
        0.7, "", "flags", "a ln lifetime whose draws correlate with the shear by more is degenerate with it: half of "
        "its variance is", "", CHOSEN,
    )  # fmt: skip
    measured_shrinkage: float = _number(
        0.75, "", "flags", "a shear or an inclination that loses less of its prior's variance is the prior's", "",
        CHOSEN,
    )  # fmt: skip
    period_agrees: float = _number(
        0.15, "", "flags", "periods that differ by less in ln are one", "", CHOSEN,
    )  # fmt: skip
    alias_odds: float = _number(
        -3.0, "", "flags", "ln odds from which on a second mode at half or double the period is an alias: 1 in 20",
        "", CHOSEN,
    )  # fmt: skip
    edge: float = _number(
        1.02, "", "flags", "factor within which a period lies at the edge of the search", "", CHOSEN,
    )  # fmt: skip
    few_cycles: float = _number(
        3.0, "", "flags", "a baseline of fewer rotations is flagged", "", CHOSEN,
    )  # fmt: skip
    strict_lives: float = _number(
        2.5, "", "flags", "spots that outlive so many baselines may be no spots", "", CHOSEN,
    )  # fmt: skip

    # Classical periods.
    acf_smoothing: float = _number(
        0.1, "", "classical", "width of the Gaussian that smooths an autocorrelation, in lags of its first peak", "",
        CHOSEN,
    )  # fmt: skip
    acf_prominence: float = _number(
        0.02, "", "classical", "a peak of an autocorrelation stands out by at least this", "", CHOSEN,
    )  # fmt: skip

    # Narrow dips, as of eclipses and transits.
    dip_skewness: float = _number(
        -2.0, "", "dips", "flux more skewed than this has dips", "one in two hundred simulated rotators is",
        f"{_DIPS}::test_stars_of_a_survey_are_rarely_taken_for_dips_and_transits_always",
    )  # fmt: skip
    dip_roughness: float = _number(
        1.5, "", "dips", "roughness of white noise: a rotation of four measurements or more is smoother, with any "
        "noise on it, dips of single measurements are not", "of 3,100 simulated rotators the roughest came to 1.28",
        f"{_DIPS}::test_roughness_knows_no_slopes_and_is_three_halves_of_white_noise_and_more_of_lone_dips",
    )  # fmt: skip
    suspect_skewness: float = _number(
        -1.0, "", "dips", "flux more skewed than this is compared with boxes", "", CHOSEN,
    )  # fmt: skip
    suspect_harmonics: float = _number(
        2.5, "", "dips", "so is flux with a third or fourth harmonic so much in ln above what spots give beside the "
        "first", "the fourth harmonic of EPIC 211015853 alone is so strong: it is no verdict", CHOSEN,
    )  # fmt: skip
    suspect_lives: float = _number(
        3.0, "", "dips", "so is flux as periodic as spots that live for so many baselines", "", CHOSEN,
    )  # fmt: skip
    suspect_lifetime: float = _number(
        500.0, "d", "dips", "or as spots that live for so long", "transits over four years passed for such spots",
        CHOSEN,
    )  # fmt: skip
    box_durations: tuple[float, ...] = _number(
        (0.08, 0.13, 0.2), "d", "dips", "durations of the boxes: two to five hours", "",
        CHOSEN,
    )  # fmt: skip
    box_span: float = _number(
        3.3, "", "dips", "boxes repeat with the rotation period, up to this factor shorter and longer: some dips pass "
        "for a few rotations",
        "", f"{_DIPS}::test_shallow_transits_win_whatever_multiple_of_their_period_was_fitted",
    )  # fmt: skip

    # Steps at even intervals, as of momentum dumps.
    step_intervals: tuple[float, float] = _number(
        (2.0, 6.0), "d", "steps", "shortest and longest time between steps", "",
        "TESS Instrument Handbook: wheels are unloaded every few days",
    )  # fmt: skip
    step_window: float = _number(
        30.0, "d", "steps", "only so much of a light curve is looked at: from one sector to the next the interval "
        "changes", "", "TESS Instrument Handbook: a sector lasts 27 d",
    )  # fmt: skip
    step_points: int = _number(
        8, "", "steps", "fewer grid points than this between two steps do not tell a step from a slope", "", CHOSEN,
    )  # fmt: skip
    step_sharpness: float = _number(
        6.0, "", "steps", "what lines leave of the flux over what steps leave: steps at the zeros of a sinusoid leave "
        "1 - 8 / pi^2 of it, and lines between these all, a ratio of 5.3",
        "of 4,600 simulated rotators the sharpest came to 4.9; of dumps that gain as much as a detection the least "
        "sharp to 8",
        f"{_STEPS}::test_no_sinusoid_is_sharp_nor_noise_nor_a_drift",
    )  # fmt: skip

    # Several strict frequencies, as of a pulsating star.
    strict_cycles: float = _number(
        45.0, "", "strictness", "over fewer cycles frequencies that change cannot be told from strict ones",
        "", f"{_COHERENCE}::test_few_cycles_say_nothing",
    )  # fmt: skip
    strict_lines: int = _number(
        12, "", "strictness", "so many of the strongest frequencies are looked at", "", CHOSEN,
    )  # fmt: skip
    line_share: float = _number(
        0.03, "", "strictness", "a line carries at least this share of the variance at its frequencies and above",
        "", CHOSEN,
    )  # fmt: skip
    line_left: float = _number(
        0.3, "", "strictness", "a strict sinusoid leaves less than this of the power close to its frequency",
        "", f"{_COHERENCE}::test_frequencies_that_change_are_spots",
    )  # fmt: skip
    line_near: float = _number(
        4.0, "", "strictness", "resolution elements about a frequency that are close to it", "", CHOSEN,
    )  # fmt: skip
    differential: float = _number(
        0.15, "", "strictness", "latitudes differ in frequency by up to this in ln, at each of the first three "
        "harmonics: their lines may seem strict", "",
        f"{_COHERENCE}::test_harmonics_and_latitudes_are_one_rotation",
    )  # fmt: skip


@dataclass(frozen=True)
class Record:
    """One threshold.

    Attributes:
        name: its name in `Thresholds`.
        value: its value, or values.
        unit: VOUnit; empty for a pure number.
        group: what it belongs to.
        meaning: what is decided by it.
        learnt: what it was learnt from, or what called for it; may be empty.
        source: a paper, the command or the test that reproduces it, or `CHOSEN`.
    """

    name: str
    value: float | tuple[float, ...]
    unit: str
    group: str
    meaning: str
    learnt: str
    source: str


THRESHOLDS = Thresholds()


def records() -> tuple[Record, ...]:
    """Every threshold, in the order of the table."""
    return tuple(Record(own.name, getattr(THRESHOLDS, own.name), **own.metadata) for own in fields(THRESHOLDS))
