"""What a survey page says of a catalog: counts, words, the table's data, the comparison with literature."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spotcat.catalog.escapes import as_line
from spotcat.catalog.index import plain_name
from spotcat.catalog.published import Published
from spotcat.catalog.schema import attributes
from spotcat.catalog.selection import Catalog
from spotcat.status import Flag, LifetimeFlag, Status, Verdict

TABLE = (
    *("name", "prot", "prot_lower", "prot_upper", "verdict", "reliability", "spot_lifetime", "lifetime_flag", "rvar"),
    *("lnl_rotation", "flags", "status", "mission"),
)
"""The columns of the page's table."""

_LIMITS = {LifetimeFlag.LOWER_LIMIT: "spot_lifetime_lower", LifetimeFlag.UPPER_LIMIT: "spot_lifetime_upper"}
"""Where a lifetime is only limited, the column of the limit."""

MOST_ROWS = 100_000
"""Stars in the page's table at most; a browser holds no more with ease."""


@dataclass(frozen=True)
class Comparison:
    """Stars of a catalog with a published period.

    Attributes:
        name: their names, shape (n,).
        published: published periods [d].
        found: the catalog's periods [d].
        rotating: whether rotation was detected.
        reference: where each is from.
    """

    name: np.ndarray
    published: np.ndarray
    found: np.ndarray
    rotating: np.ndarray
    reference: list[str]

    @property
    def within(self) -> float:
        """Fraction within 10 % of the published period."""
        return float(np.mean(np.abs(self.found / self.published - 1) < 0.1)) if len(self.name) else float("nan")


def compare_literature(catalog: Catalog, table: Mapping[str, Published]) -> Comparison:
    """The stars that a table of published periods also has, and that have a period in the catalog."""
    name, prot = catalog.column("name"), catalog.column("prot")
    rows = [row for row, one in enumerate(name) if np.isfinite(prot[row]) and plain_name(one) in table]
    there = [table[plain_name(one)] for one in name[rows]]
    periods = np.array([one.period for one in there])
    rotating = catalog.column("rotating")[rows].astype(bool)
    return Comparison(name[rows], periods, prot[rows], rotating, [one.reference for one in there])


def counts(catalog: Catalog) -> dict[str, list[tuple[str, int]]]:
    """How many stars have each reason, flag and kind of lifetime, the commonest first."""
    status = catalog.column("status")
    flags = catalog.column("flags")
    lifetime = Counter(LifetimeFlag(code).name.lower().replace("_", " ") for code in catalog.column("lifetime_flag"))
    reasons = Counter(
        reason or Status(code).words
        for code, reason in zip(status.tolist(), catalog.column("reason").tolist(), strict=True)
        if code != Status.OK
    )
    known = catalog.column("verdict").tolist() if "verdict" in catalog.names else []
    verdicts = Counter(Verdict(code).words for code in known)
    bits = Counter({Flag(bit).words[0]: int(np.count_nonzero(flags & bit)) for bit in Flag})
    return {
        "reasons": reasons.most_common(),
        "flags": [(words, n) for words, n in bits.most_common() if n],
        "lifetimes": lifetime.most_common(),
        "verdicts": verdicts.most_common(),
    }


def table_columns(catalog: Catalog) -> list[str]:
    """The columns of the page's table that a catalog has; one of an earlier schema lacks some."""
    return [name for name in TABLE if name in catalog.names]


def table_script(catalog: Catalog, pages: Mapping[int, str]) -> str:
    """The table's data as a script that the page loads; a request for a file would be refused under ``file://``.

    Args:
        catalog: the stars.
        pages: addresses of the stars that have a page, by star id.
    """
    columns = table_columns(catalog)
    shown = catalog.query("", [*columns, "star_id", *_LIMITS.values()])
    if len(shown) > MOST_ROWS:
        shown = shown.sort("lnl_rotation", descending=True).head(MOST_ROWS)
    ids = shown.column("star_id").tolist()
    data = {
        "columns": [_about(shown, name, columns) for name in columns],
        "values": [_values(_limited(shown) if name == "spot_lifetime" else shown.column(name)) for name in columns],
        "pages": {row: pages[star_id] for row, star_id in enumerate(ids) if star_id in pages},
    }
    # "</" would end the script if a name had it.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    return f"window.SPOTCAT={text};\n"


def _limited(shown: Catalog) -> np.ndarray:
    """Spot lifetimes [d], and their limits where there are only these; `lifetime_flag` tells which."""
    values = shown.column("spot_lifetime")
    for code, end in _LIMITS.items():
        values = np.where(shown.column("lifetime_flag") == code, shown.column(end), values)
    return values


def _about(catalog: Catalog, name: str, columns: list[str]) -> dict[str, Any]:
    about = attributes(catalog.columns[name])
    for kind, key in (("code", "flag_values"), ("mask", "flag_masks")):
        if key in about:
            words = [word.replace("_", " ") for word in about["flag_meanings"].split()]
            return {"name": name, "kind": kind, "words": dict(zip(map(str, about[key]), words, strict=True))}
    marks: dict[str, Any] = {}
    if name == "prot" and "verdict" in columns:
        own = [int(code) for code in Verdict if code.is_candidate]
        marks = {"marks": {"column": columns.index("verdict"), "behind": dict.fromkeys(map(str, own), " ?")}}
    elif name == "spot_lifetime":
        signs = {str(int(code)): "> " if end.endswith("lower") else "< " for code, end in _LIMITS.items()}
        marks = {"marks": {"column": columns.index("lifetime_flag"), "before": signs}}
    return {"name": name, "kind": "text" if catalog.columns[name].dtype == "str" else "number", **marks}


def _values(values: np.ndarray) -> list[Any]:
    """Python values to five significant digits, None where one is missing; text as one line that can be seen."""
    if values.dtype == object:
        return [as_line(str(value)) for value in values]
    if values.dtype.kind != "f":
        return list(values.tolist())
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in values.tolist()]
