"""What can be said of a star: one status, any number of flags, and the errors a person sees.

A status says how far a star got; it is a code and never an exception, so one bad star cannot stop its
neighbours.  Flags qualify a result that exists.  Both travel to the catalog as integers whose words are
stored beside them (the CF convention's ``flag_values`` / ``flag_masks`` and ``flag_meanings``).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Status(IntEnum):
    """How far a star got.  0 is a finished fit; everything else has no usable period."""

    OK = 0
    NOT_CONVERGED = 1
    FEW_POINTS = 2
    NO_FINITE_FLUX = 3
    CONSTANT_FLUX = 4
    UNREADABLE = 5
    UNSUPPORTED = 6
    MIXED_AUTHORS = 7
    ID_CONFLICT = 8
    FIT_FAILED = 9
    NO_FLUX_LEVEL = 10

    @property
    def words(self) -> str:
        """A sentence for the catalog's ``reason`` column."""
        return _STATUS_WORDS[self]


_STATUS_WORDS = {
    Status.OK: "",
    Status.NOT_CONVERGED: "the fit did not converge",
    Status.FEW_POINTS: "too few points to search for a period",
    Status.NO_FINITE_FLUX: "no finite flux",
    Status.CONSTANT_FLUX: "the flux is constant",
    Status.UNREADABLE: "the file cannot be read",
    Status.UNSUPPORTED: "the product is not supported",
    Status.MIXED_AUTHORS: "files from several authors; choose one with [input] author",
    Status.ID_CONFLICT: "the files do not agree on the star, or two stars have one number",
    Status.FIT_FAILED: "the likelihood is not finite",
    Status.NO_FLUX_LEVEL: "the flux is not well above zero, so no relative flux exists",
}


class Flag(IntFlag):
    """Qualities of a result; 0 is a clean one."""

    NONE = 0
    NOT_DETECTED = 1 << 0
    PRIOR_EDGE = 1 << 1
    ALIAS_POSSIBLE = 1 << 2
    FEW_CYCLES = 1 << 3
    METHODS_DISAGREE = 1 << 4
    ERRORS_ESTIMATED = 1 << 5
    FILES_REFUSED = 1 << 6
    ECLIPSES_SUSPECTED = 1 << 7
    STRICTLY_PERIODIC = 1 << 8
    MEASUREMENTS_ODD = 1 << 9
    STEPS_SUSPECTED = 1 << 10
    PLACEHOLDERS_LEFT_OUT = 1 << 11
    TIMES_CONVERTED = 1 << 12
    UNCALIBRATED = 1 << 13
    SEVERAL_FREQUENCIES = 1 << 14

    @property
    def words(self) -> list[str]:
        """One phrase for every bit that is set, lowest bit first."""
        return [_FLAG_WORDS[bit] for bit in Flag if bit in self]


_FLAG_WORDS = {
    Flag.NOT_DETECTED: "rotation not detected",
    Flag.PRIOR_EDGE: "the period lies at the edge of the search",
    Flag.ALIAS_POSSIBLE: "half or double the period fits almost as well",
    Flag.FEW_CYCLES: "fewer than three rotations observed",
    Flag.METHODS_DISAGREE: "neither Lomb-Scargle nor the autocorrelation gives the period",
    Flag.ERRORS_ESTIMATED: "flux errors missing, estimated from the scatter",
    Flag.FILES_REFUSED: "some files of this star were refused",
    Flag.ECLIPSES_SUSPECTED: "narrow dips repeat with the period: eclipses or transits suspected",
    Flag.STRICTLY_PERIODIC: "no change over many cycles: pulsation or a binary suspected",
    Flag.MEASUREMENTS_ODD: "some measurements were out of order, or out of range and left out",
    Flag.STEPS_SUSPECTED: "sudden steps at even intervals: momentum dumps suspected",
    Flag.PLACEHOLDERS_LEFT_OUT: "values that stand for missing measurements were left out",
    Flag.TIMES_CONVERTED: "times were counted otherwise than in the mission's days and were converted",
    Flag.UNCALIBRATED: "fitted with settings that the calibration was not learnt with",
    Flag.SEVERAL_FREQUENCIES: "several strict frequencies that no one rotation has: pulsation",
}


class Verdict(IntEnum):
    """What a star is worth to a reader; `spotcat.verdict.worth` has the rules."""

    NOT_MEASURABLE = 0
    ROTATOR = 1
    PROBABLE = 2
    PERIODIC_UNDECIDED = 3
    PERIODIC_NOT_SPOTS = 4
    ECLIPSING = 5
    NO_ROTATION_SEEN = 6

    @property
    def words(self) -> str:
        """As a person says it: ``periodic, not spots``."""
        return self.name.lower().replace("periodic_", "periodic, ").replace("_", " ")

    @property
    def is_candidate(self) -> bool:
        """Whether the period is no more than a candidate."""
        return self not in (Verdict.ROTATOR, Verdict.PERIODIC_UNDECIDED, Verdict.PERIODIC_NOT_SPOTS)

    @property
    def meaning(self) -> str:
        """A sentence for the documentation."""
        return _VERDICT_MEANINGS[self]


_VERDICT_MEANINGS = {
    Verdict.NOT_MEASURABLE: "there is no finished fit; status and reason say why",
    Verdict.ROTATOR: "a rotation was detected",
    Verdict.PROBABLE: "not detected, but chance seldom makes as much, and nothing speaks against it",
    Verdict.PERIODIC_UNDECIDED: "strictly periodic: spots that do not change, pulsation or a binary",
    Verdict.PERIODIC_NOT_SPOTS: "several strict frequencies, which no one rotation has: pulsation",
    Verdict.ECLIPSING: "narrow dips, and no rotation of another period: eclipses or transits suspected",
    Verdict.NO_ROTATION_SEEN: "nothing that can be told from noise; the period is a candidate at best",
}


class LeftOut(IntEnum):
    """Why a measurement of the light-curve store is not used."""

    USED = 0
    EXCESS = 1
    SCATTER = 2
    FLARE = 3
    OUTLIER = 4
    RAMP = 5
    DIP = 6

    @property
    def column(self) -> str:
        """The column that counts such measurements."""
        return _LEFT_OUT[self][0]

    @property
    def words(self) -> str:
        """As what they were left out."""
        return _LEFT_OUT[self][1]

    @property
    def short(self) -> str:
        """The word before "points" where a picture counts them: ``12 flare``."""
        return _LEFT_OUT[self][2]


_LEFT_OUT = {
    LeftOut.USED: ("n_points", "", "used"),
    LeftOut.EXCESS: ("n_excess", "excesses far above all others", "excess"),
    LeftOut.SCATTER: ("n_scattered", "stretches of large scatter", "scattered"),
    LeftOut.FLARE: ("n_flares", "flares", "flare"),
    LeftOut.OUTLIER: ("n_outliers", "single outliers", "outlying"),
    LeftOut.RAMP: ("n_ramps", "ramps at the ends of stretches", "ramp"),
    LeftOut.DIP: ("n_dips", "narrow dips, as of transits and eclipses", "dip"),
}


class LifetimeFlag(IntEnum):
    """What a fitted spot lifetime is worth."""

    NOT_FITTED = -1
    MEASURED = 0
    LOWER_LIMIT = 1
    UPPER_LIMIT = 2
    DEGENERATE_WITH_SHEAR = 3
    NOT_DETECTED = 4


class ParameterFlag(IntEnum):
    """What a fitted shear or inclination is worth."""

    NOT_FITTED = -1
    MEASURED = 0
    PRIOR_DOMINATED = 1
    NOT_DETECTED = 4


class SpotcatError(Exception):
    """An error with one sentence for a person: what, where, what to do."""

    exit_code = 1


class InputError(SpotcatError):
    """Bad usage, a bad recipe or bad input: the command ends with exit code 2."""

    exit_code = 2


class RunError(SpotcatError):
    """A run that failed: the command ends with exit code 1."""


class RunStopped(RunError):
    """A run that ended early for no fault of its own (exit code 75, as EX_TEMPFAIL): starting it again goes on."""

    exit_code = 75
