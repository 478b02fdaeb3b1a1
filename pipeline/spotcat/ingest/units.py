"""Units of the flux, its error and the time: what each becomes in the store, or why it cannot be told.

Any linear flux is kept as it is, since each segment is later divided by its own level.  Magnitudes and small relative
fluxes, such as ppm around 0, have no level: they become relative flux around 1.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from spotcat.ingest.clean import RawCurve, Refusal
from spotcat.status import Status

MAGNITUDE, RELATIVE, LINEAR, UNKNOWN = "magnitude", "relative", "linear", "unknown"
_MAG = 0.4 * np.log(10)
_NEAR_ZERO = 0.5
"""A relative flux whose level is below this is a difference from 1."""
_OFF = 15.0
"""A difference scatters around 0: its level is no more than so many typical deviations."""
_DAY_WORDS = ("jd", "mjd", "bjd", "hjd", "rjd", "tjd", "btjd", "bkjd")
_SPELT = {
    **dict.fromkeys(("e-/s", "e/s", "e-/sec", "electrons/s", "electrons/second", "electrons per second"), "electron/s"),
    **dict.fromkeys(("e-", "electrons"), "electron"),
    **dict.fromkeys(("dn", "adu", "adus", "counts", "cts", "count", "photons"), "adu"),
    **dict.fromkeys(("dn/s", "adu/s", "counts/s", "cts/s", "counts/sec", "counts per second"), "adu/s"),
    **dict.fromkeys(("percent", "per cent", "pct"), "%"),
    **dict.fromkeys(("mag", "mags", "magnitude", "magnitudes"), "mag"),
    **dict.fromkeys(("mmag", "mmags", "millimag", "millimags"), "mmag"),
    **dict.fromkeys(("unitless", "dimensionless", "none", "1", "relative", "normalized", "normalised"), ""),
    **dict.fromkeys(("days", "day"), "d"),
    **dict.fromkeys(("hours", "hour", "hr", "hrs"), "h"),
    **dict.fromkeys(("minutes", "minute", "mins"), "min"),
    **dict.fromkeys(("seconds", "second", "sec", "secs"), "s"),
    **dict.fromkeys(("milliseconds", "millisecond", "msec"), "ms"),
}
_PARTS = {"ppt": 1e-3, "ppm": 1e-6, "ppb": 1e-9}
"""In photometry a part in a thousand is called ppt."""


@dataclass(frozen=True, slots=True)
class FluxUnit:
    """A unit of flux or of its error; ``scale`` is that of a magnitude or a relative flux, ``unit`` astropy's."""

    kind: str
    scale: float = 1.0
    unit: Any = None

    @property
    def words(self) -> str:
        """The unit for a sentence."""
        return repr(str(self.unit)) if self.unit is not None else f"{self.kind} units"


UNSAID = FluxUnit(UNKNOWN)
BY_NAME = {"flux": UNSAID, "ppm": FluxUnit(RELATIVE, 1e-6), "mag": FluxUnit(MAGNITUDE)}
"""By the names that products use."""


class Delivered(NamedTuple):
    """A light curve as a file holds it, and the units of its flux and errors."""

    curve: RawCurve
    unit: FluxUnit = UNSAID
    err_unit: FluxUnit = UNSAID

    def linear(self) -> RawCurve | Refusal:
        """The same with a flux that has a level, and errors to match."""
        if _is_unclear(self.curve.flux, self.unit):
            words = f"its flux, in units of {self.unit.scale:g}, has a level that is near neither 0 nor 1"
            return Refusal(Status.UNREADABLE, words)
        # Infinite values are damage, which is left out later.
        with np.errstate(invalid="ignore", over="ignore"):
            flux, errors = linear(self.curve.flux, self.unit), self.curve.flux_err
            if errors is None:
                return replace(self.curve, flux=flux)
            errors = linear_errors(errors, self.err_unit, flux, self.unit)
        if errors is None:
            words = f"its flux is in {self.unit.words}, the errors are in {self.err_unit.words}"
            return Refusal(Status.UNREADABLE, f"{words}, which cannot be converted")
        return replace(self.curve, flux=flux, flux_err=errors)


def flux_unit(column: str, text: str) -> FluxUnit | Refusal:
    """The unit of a column that holds a flux or its error.

    Args:
        column: its name, for the refusal.
        text: its unit as written; empty where none is.
    """
    if not text.strip():
        return UNSAID
    if text.strip().lower() in _PARTS:
        return FluxUnit(RELATIVE, _PARTS[text.strip().lower()])
    unit = _parsed(text)
    found = None if unit is None else _kind(unit)
    return found or Refusal(Status.UNREADABLE, f"column {column!r} is in {text.strip()!r}, which is no unit of flux")


def days_in(column: str, text: str) -> float | Refusal:
    """How many days a column's unit of time has; 1 where none is written."""
    words = text.replace("-", " ").replace(",", " ").lower().split()
    if not words or words[0] in _DAY_WORDS:
        return 1.0
    unit = _parsed(text)
    if unit is None or unit.physical_type != "time":
        return Refusal(Status.UNREADABLE, f"column {column!r} is in {text.strip()!r}, which is no unit of time")
    return float(unit.to("d"))


def linear(flux: np.ndarray, unit: FluxUnit) -> np.ndarray:
    """A flux that has a level: magnitudes and differences from 1 as relative flux, every other one as it is."""
    if unit.kind == MAGNITUDE:
        wide = flux.astype(np.float64)
        return np.exp(-_MAG * unit.scale * (wide - np.nanmedian(wide)))
    if unit.kind == RELATIVE and unit.scale != 1.0:
        wide = unit.scale * flux.astype(np.float64)
        return 1 + wide if abs(np.nanmedian(wide)) < _NEAR_ZERO else wide
    return flux


def _is_unclear(flux: np.ndarray, unit: FluxUnit) -> bool:
    """Whether a small relative flux is neither a difference, which scatters around 0, nor a flux around 1."""
    if unit.kind != RELATIVE or unit.scale == 1.0 or not np.isfinite(flux).any():
        return False
    wide = unit.scale * flux[np.isfinite(flux)].astype(np.float64)
    middle = abs(np.median(wide))
    return bool(middle < _NEAR_ZERO and middle > _OFF * np.median(np.abs(wide - np.median(wide))))


def linear_errors(errors: np.ndarray, unit: FluxUnit, flux: np.ndarray, flux_unit: FluxUnit) -> np.ndarray | None:
    """Errors of a flux that `linear` gave; None where the two units have nothing to do with each other.

    Args:
        errors: as delivered.
        unit: of the errors; that of the flux where none is written.
        flux: the flux, from `linear`.
        flux_unit: of the flux as delivered.
    """
    said = flux_unit if unit.kind == UNKNOWN or (unit.kind == RELATIVE and unit.scale == 1.0) else unit
    if said.kind == MAGNITUDE:
        return _MAG * said.scale * flux * errors.astype(np.float64)
    if said.kind == RELATIVE and said.scale != 1.0:
        wide = said.scale * errors.astype(np.float64)
        return wide if flux_unit.kind == RELATIVE else wide * np.abs(flux)
    if said.kind == LINEAR and flux_unit.kind == LINEAR and said.unit != flux_unit.unit:
        if not said.unit.is_equivalent(flux_unit.unit):
            return None
        return said.unit.to(flux_unit.unit) * errors.astype(np.float64)
    return errors if said.kind == flux_unit.kind or UNKNOWN in (said.kind, flux_unit.kind) else None


def _parsed(text: str) -> Any:
    """astropy's unit of a text; None where it knows none."""
    from astropy import units

    plain = " ".join(text.split())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some spellings are discouraged
        try:
            return units.Unit(_SPELT.get(plain.lower(), plain))
        except (ValueError, TypeError):
            return None


def _kind(unit: Any) -> FluxUnit | None:
    from astropy import units

    # Units such as mag(AB) have a logarithmic unit inside; dex and dB count the other way.
    plain = getattr(unit, "function_unit", unit)
    if plain.is_equivalent(units.mag) and not plain.is_equivalent(units.one):
        scale = float(plain.to("mag"))
        return FluxUnit(MAGNITUDE, scale) if scale > 0 else None
    if unit.is_equivalent(units.one):
        return FluxUnit(RELATIVE, float(unit.to(units.one)))
    counted = (units.electron, units.adu, units.photon, units.ct, units.DN)
    energies = (units.W, units.W / units.m**2, units.Jy, units.W / units.m**3, units.photon / units.m**2 / units.s)
    scales = [one / time for one in counted for time in (units.one, units.s)]
    return FluxUnit(LINEAR, unit=unit) if any(unit.is_equivalent(scale) for scale in (*scales, *energies)) else None
