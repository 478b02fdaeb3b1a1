"""Every column of the catalog, in one table that drives the stores, the exports and the documentation.

The order of `COLUMNS` is the order in which tables are printed: the answer first, where it came from last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from spotcat.config import nearest
from spotcat.status import Flag, InputError, LeftOut, LifetimeFlag, ParameterFlag, Status, Verdict

SCHEMA_VERSION = 5
"""Changes when a column is renamed, removed or changes its meaning, or the store its layout; later ones are refused.

Earlier ones are read as they describe themselves (`spotcat.catalog.older`).  A new column changes nothing: a catalog
lists the columns that it has.
"""

FORMAT = "spotcat catalog"
"""Marks a store as a catalog."""


@dataclass(frozen=True)
class Column:
    """One quantity per star.

    Attributes:
        name: name in the store and in expressions.
        dtype: NumPy type code; ``str`` for text.
        unit: VOUnit; empty for a pure number, a code or text.
        ucd: UCD1+.
        description: one sentence.
        fill: value where nothing is known; None where a value must be given.
        dims: dimensions of the array; a table column has ``star`` alone.
    """

    name: str
    dtype: str
    unit: str
    ucd: str
    description: str
    fill: int | float | str | None
    dims: tuple[str, ...] = ("star",)


_NAN = float("nan")


def _number(name: str, unit: str, ucd: str, description: str) -> Column:
    return Column(name, "f8", unit, ucd, description, _NAN)


def _with_errors(name: str, unit: str, ucd: str, description: str) -> tuple[Column, ...]:
    """A fitted quantity and its 16th and 84th percentile values (values, not offsets)."""
    return (
        _number(name, unit, ucd, description),
        _number(f"{name}_lower", unit, f"{ucd};stat.min", f"16th percentile of {name}"),
        _number(f"{name}_upper", unit, f"{ucd};stat.max", f"84th percentile of {name}"),
    )


def _calibrated(name: str, unit: str, ucd: str, description: str) -> tuple[Column, ...]:
    """A fitted quantity with calibrated intervals, and the percentiles of the fit alone beside them."""
    ends = (("lower", "min"), ("upper", "max"))
    return (
        _number(name, unit, ucd, description),
        *(_number(f"{name}_{e}", unit, f"{ucd};stat.{m}", f"{e.title()} end of the 68 % interval") for e, m in ends),
        *(_number(f"{name}_{e}95", unit, f"{ucd};stat.{m}", f"{e.title()} end of the 95 % interval") for e, m in ends),
        _number(f"{name}_lower_raw", unit, f"{ucd};stat.min", f"16th percentile of {name}, not calibrated"),
        _number(f"{name}_upper_raw", unit, f"{ucd};stat.max", f"84th percentile of {name}, not calibrated"),
    )


def _flag(name: str, ucd: str, description: str) -> Column:
    return Column(name, "i1", "", ucd, description, -1)


def _shrinkage(name: str) -> Column:
    return _number(f"{name}_shrinkage", "", "stat.variance;arith.ratio", f"1 - variance of {name} over its prior's")


def _draws(name: str, unit: str, ucd: str) -> Column:
    return Column(
        f"{name}_draws", "f4", unit, ucd, f"Posterior draws of {name}, not calibrated", _NAN, ("star", "draw")
    )


COLUMNS: tuple[Column, ...] = (
    Column("star_id", "i8", "", "meta.id;meta.main", "Number of the star, unique across missions", None),
    Column("name", "str", "", "meta.id", "Name of the star, such as KIC 10002792", None),
    *_calibrated("prot", "d", "time.period.rotation", "Period that the light curve shows; verdict says of what"),
    *_with_errors("peq", "d", "time.period.rotation", "Rotation period of the equator"),
    _number("p_second", "d", "time.period.rotation", "Best period of another mode than prot"),
    _number("p_second_lnodds", "", "stat.likelihood", "ln odds of the mode at p_second against prot"),
    _number("p_half_lnodds", "", "stat.likelihood", "ln odds of a mode at half the period against prot"),
    _number("p_double_lnodds", "", "stat.likelihood", "ln odds of a mode at twice the period against prot"),
    _number("p_other", "d", "time.period", "Period of a second signal beside the rotation"),
    _number("amplitude_other", "", "src.var.amplitude;stat.stdev", "Standard deviation of the second signal"),
    _number("lnl_other", "", "stat.likelihood", "Penalised ln likelihood gain of the second signal"),
    _number("p_ls", "d", "time.period", "Period of the highest Lomb-Scargle peak"),
    _number("p_acf", "d", "time.period", "Period of the autocorrelation function"),
    Column("verdict", "i1", "", "meta.code.class;src.var", "What the star is worth to a reader", 0),
    _number("lnl_rotation", "", "stat.likelihood", "Penalised ln likelihood gain of rotation over none"),
    _number("false_alarm", "", "stat.probability", "Probability of as much evidence without a rotation"),
    _number("reliability", "", "stat.probability", "Probability that neither noise nor a wrong mode made prot"),
    _number("rotating_share", "", "src.var.amplitude;arith.ratio", "Share of rotation in what is not white noise"),
    Column("rotating", "i1", "", "meta.code;src.var", "Whether rotation was detected", 0),
    _number("rvar", "", "src.var.amplitude", "Range between the 5th and 95th percentile of relative flux"),
    _number("sph", "", "src.var.amplitude;stat.mean", "Mean scatter of relative flux in windows of 5 prot"),
    _number("dip_period", "d", "time.period", "Period of narrow dips, where they explain more than spots"),
    _number("dip_duration", "d", "time.duration", "Duration of the box that explains such a dip"),
    _number("dip_depth", "", "src.var.amplitude", "Depth of the dips in relative flux"),
    *_calibrated("spot_lifetime", "d", "time.lifetime;stat.fwhm", "Full width at half maximum of spot area"),
    _flag("lifetime_flag", "meta.code.qual;time.lifetime", "What the spot lifetime is worth"),
    _shrinkage("spot_lifetime"),
    *_with_errors("n_life_rot", "", "time.lifetime;arith.ratio", "Spot lifetime in rotations"),
    *_with_errors("lspot", "d", "time.duration", "Time that a spot spends at its full size; 0 without a plateau"),
    *_with_errors("tau_spot", "d", "time.scale", "Time of growth or decay, as the chosen envelope means it"),
    *_with_errors("spot_support", "d", "time.duration", "Time from first to last trace (1e-8) of a spot"),
    *_with_errors("kappa", "", "phys.veloc.rotat;arith.variation", "Relative shear from equator to pole"),
    _flag("kappa_flag", "meta.code.qual;phys.veloc.rotat", "What the shear is worth"),
    _shrinkage("kappa"),
    *_with_errors("inc", "rad", "pos.posAng;stat.fit.param", "Inclination of the spin axis, 0 is pole-on"),
    _flag("inc_flag", "meta.code.qual;pos.posAng", "What the inclination is worth"),
    _shrinkage("inc"),
    *_with_errors("sigma_k", "d**(-1/2)", "src.var.amplitude;stat.fit.param", "Amplitude of the spot covariance"),
    *_with_errors("amplitude", "", "src.var.amplitude;stat.stdev", "Standard deviation of the flux that rotates"),
    _number("white_noise", "", "stat.stdev;phot.flux", "Fitted white noise of means over an hour, relative flux"),
    _number("amplitude_limit", "", "src.var.amplitude;stat.max", "95 % upper limit of amplitude"),
    _number("n_eff", "", "meta.number;stat", "Effective number of draws of a sampled posterior"),
    _number("pareto_k", "", "stat.param", "Tail of the importance weights, to be trusted below 0.7"),
    _number("r_hat", "", "stat.param", "Worst scale reduction of the chains, converged below 1.05"),
    _number("n_divergent", "", "meta.number;stat", "Divergent transitions of the chains"),
    Column("status", "i1", "", "meta.code.status", "How far the star got; 0 is a finished fit", None),
    Column("flags", "i4", "", "meta.code.qual", "Qualities of the result, one bit each; 0 is clean", 0),
    Column("reason", "str", "", "meta.note", "Why there is no result, or empty", ""),
    Column("mission", "str", "", "meta.id;instr.obsty", "Kepler, K2, TESS, or table", ""),
    Column("mission_id", "i8", "", "meta.id.cross", "KIC, EPIC or TIC number, -1 without one", -1),
    _number("ra", "deg", "pos.eq.ra", "Right ascension of the file's header"),
    _number("dec", "deg", "pos.eq.dec", "Declination of the file's header"),
    Column("mag", "f4", "mag", "phot.mag;em.opt", "Magnitude in the mission's band", _NAN),
    Column("author", "str", "", "meta.id;meta.software", "Pipeline that made the light curve", ""),
    Column("crowding", "f4", "", "phot.flux;arith.ratio", "Share of the flux that is the star's own", _NAN),
    Column("n_points", "i4", "", "meta.number;obs", "Valid measurements", 0),
    Column("n_masked", "i4", "", "meta.number;obs", "Measurements that the quality mask left out", 0),
    *(
        Column(kind.column, "i4", "", "meta.number;obs", f"Measurements left out: {kind.words}", 0)
        for kind in LeftOut
        if kind
    ),
    Column("n_in_transit", "i4", "", "meta.number;obs", "Measurements left out as in transit", 0),
    Column(
        "n_fit_outliers", "i4", "", "meta.number;obs", "Bins that the fit left out, far from what all others say", 0
    ),
    Column("n_placeholder", "i4", "", "meta.number;obs", "Values left out as standing for a missing measurement", 0),
    Column("n_segments", "i4", "", "meta.number;obs.sequence", "Quarters, sectors or parts of them", 0),
    _number("baseline", "d", "time.duration;obs", "Time from the first to the last measurement"),
    _number("duty", "", "stat.filling;time.duration", "Share of the baseline that was measured"),
    _number("longest_segment", "d", "time.duration;obs.sequence;stat.max", "Length of the longest segment"),
    _number("dt", "d", "time.resolution", "Bin width of the fitted light curve"),
    Column("input_hash", "str", "", "meta.checksum", "Digest of the star's light curve", ""),
)

ARRAYS: tuple[Column, ...] = (
    Column(
        "gp_periodogram",
        "f4",
        "",
        "stat.likelihood",
        "Penalised ln likelihood gain over no rotation at each trial period",
        _NAN,
        ("star", "period"),
    ),
    Column("gp_period", "f8", "d", "time.period", "Trial periods of the star", _NAN, ("star", "period")),
    Column(
        "fit_vector",
        "f8",
        "",
        "stat.fit.param",
        "Fitted parameters, named by the catalog's attribute fit_parameters",
        _NAN,
        ("star", "parameter"),
    ),
    Column(
        "outlier_time",
        "f8",
        "d",
        "time.epoch",
        "Middles of the bins that the fit left out, the mission's own time",
        _NAN,
        ("star", "outlier"),
    ),
    _draws("prot", "d", "time.period.rotation"),
    _draws("spot_lifetime", "d", "time.lifetime;stat.fwhm"),
    _draws("kappa", "", "phys.veloc.rotat;arith.variation"),
    _draws("inc", "rad", "pos.posAng"),
    _draws("sigma_k", "d**(-1/2)", "src.var.amplitude"),
)

MATCHED: tuple[Column, ...] = (
    _number("separation", "deg", "pos.angDistance", "Angular distance from the position asked for"),
    Column("match_row", "i8", "", "meta.record", "Row of the table that was matched, counted from 0", None),
    _number("prot_minus", "d", "stat.error;time.period.rotation", "prot less the lower end of its 68 % interval"),
    _number("prot_plus", "d", "stat.error;time.period.rotation", "Upper end of the 68 % interval of prot, less prot"),
)
"""Columns that a search adds to its result; no catalog stores them."""

PRINTED: tuple[str, ...] = (
    *("name", "prot", "prot_lower", "prot_upper", "verdict", "reliability", "spot_lifetime", "spot_lifetime_lower"),
    *("lifetime_flag", "rvar", "flags"),
)
"""The columns that fit on a screen, for printed tables where none were asked for."""

CODES: dict[str, dict[int, str]] = {
    "status": {int(code): code.name.lower() for code in Status},
    "lifetime_flag": {int(code): code.name.lower() for code in LifetimeFlag},
    "kappa_flag": {int(code): code.name.lower() for code in ParameterFlag},
    "inc_flag": {int(code): code.name.lower() for code in ParameterFlag},
    "rotating": {0: "not_detected", 1: "rotating"},
    "verdict": {int(code): code.name.lower() for code in Verdict},
}
"""Words of the columns of codes."""
MASKS: dict[str, dict[int, str]] = {"flags": {int(bit): str(bit.name).lower() for bit in Flag}}
"""Words of the bits of the columns of flags."""


def attributes(column: Column) -> dict[str, Any]:
    """Attributes stored with a column: units, ucd, description and, for codes, the CF convention's words."""
    stored: dict[str, Any] = {"description": column.description, "ucd": column.ucd, "units": column.unit}
    for key, table in (("flag_values", CODES), ("flag_masks", MASKS)):
        if column.name in table and column.dtype != "str":
            stored[key] = list(table[column.name])
            stored["flag_meanings"] = " ".join(table[column.name].values())
    return dict(sorted(stored.items()))


def document() -> dict[str, Any]:
    """The schema as plain data: what ``catalogs/schema.json`` holds."""
    return {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "columns": [_described(column) for column in COLUMNS],
        "arrays": [_described(column) for column in ARRAYS],
        "added_by_searches": [_described(column) for column in MATCHED],
    }


def _described(column: Column) -> dict[str, Any]:
    missing = column.fill
    return {
        "name": column.name,
        "dtype": column.dtype,
        "dimensions": list(column.dims),
        "missing": "nan" if missing != missing else missing,
        **attributes(column),
    }


def check_names(names: Iterable[str], known: Iterable[str]) -> None:
    """Raise `InputError` for the first name that is not among the known columns."""
    known = list(known)
    every = set(known)
    for name in names:
        if name not in every:
            raise InputError(f"unknown column {name!r}; {nearest(name, known)}")
