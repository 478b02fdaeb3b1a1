"""Seeded changes to a good plain table: what people, spreadsheets and programs do to one before it arrives.

A draft passes three stages: its numbers, its columns, its text.  Each draws from its own list, so that kinds meet.
Two changes are left out, because nothing in the file tells of them: magnitudes in a table without units, and hours in
one that begins near 0 or whose hours happen to be modified Julian dates of the missions (BTJD 2250 to 2667).
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

Random = np.random.Generator


@dataclass
class Draft:
    """A table in the making; ``columns`` are names and values, floats until the last stage makes them text."""

    random: Random
    period: float
    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    spread: float
    """Standard deviation of the relative flux."""
    columns: list[tuple[str, list[Any]]] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    separator: str = ","
    comma: bool = False
    header: str = "names"
    ending: str = "\n"
    encoding: str = "utf-8"
    trailing: str = ""
    quoted: bool = False
    done: list[str] = field(default_factory=list)
    unit_row: bool = False

    def some(self, low: float = 0.02, high: float = 0.06) -> np.ndarray:
        """A few of the rows."""
        return self.random.choice(self.time.size, int(self.random.uniform(low, high) * self.time.size), replace=False)


def good(random: Random, start: float | None = None) -> Draft:
    """A rotating star of some 50 days."""
    n = int(random.integers(450, 600))
    time = (random.uniform(1325, 2200) if start is None else start) + 0.1 * np.arange(n)
    period, amplitude = random.uniform(2, 7), random.uniform(0.01, 0.03)
    noise = amplitude * random.uniform(0.05, 0.2)
    flux = 1 + amplitude * np.sin(2 * np.pi * time / period + random.uniform(0, 6)) + random.normal(0, noise, n)
    errors = noise * random.uniform(0.9, 1.1, n)
    return Draft(random, period, time, flux, errors, float(np.std(flux)))


def _other(draft: Draft, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Another star at the same times, or slightly later ones."""
    star = good(draft.random, float(draft.time[0]))
    n = min(star.time.size, draft.time.size)
    later = float(draft.random.choice([0.0, 0.013]))
    return draft.time[:n] + later, level * star.flux[:n], level * star.flux_err[:n]


SENTINELS = (0.0, -1.0, -999.0, -9999.0, 99999.0, 1e30, -99.99, 9.96921e36)


def placeholders_in_flux(draft: Draft) -> None:
    rows = draft.some() if draft.random.random() < 0.5 else np.arange(int(draft.random.integers(5, 40)))
    draft.flux[rows] = draft.random.choice(SENTINELS)


def placeholders_in_errors(draft: Draft) -> None:
    draft.flux_err[draft.some()] = draft.random.choice(SENTINELS)


def placeholders_in_times(draft: Draft) -> None:
    draft.time[draft.some(0.005, 0.02)] = draft.random.choice((0.0, -1.0, -999.0, 99999.0))


def not_finite(draft: Draft) -> None:
    target = draft.random.choice(["time", "flux", "flux_err"])
    getattr(draft, target)[draft.some()] = draft.random.choice([np.nan, np.inf, -np.inf])


def scaled(draft: Draft) -> None:
    factor = draft.random.choice([1e-6, 1e4, 3.2e7])
    draft.flux *= factor
    draft.flux_err *= factor


def whole_numbers(draft: Draft) -> None:
    level = 10.0 ** draft.random.integers(4, 7)
    draft.flux = np.round(level * draft.flux / np.nanmedian(draft.flux))
    draft.flux_err = np.maximum(np.round(level * draft.flux_err), 1)


def around_zero(draft: Draft) -> None:
    draft.flux = 1e6 * (draft.flux - 1)
    draft.flux_err = 1e6 * draft.flux_err


def other_count(draft: Draft) -> None:
    zero = draft.random.choice([2457000, 56999.5, 57000, 2167, 7000, -draft.time[0]])
    draft.time += zero


def two_counts(draft: Draft) -> None:
    draft.time[draft.time.size // 2 :] += draft.random.choice([2457000, 56999.5])


def other_unit_of_time(draft: Draft) -> None:
    known = "other_count" not in draft.done
    draft.time *= draft.random.choice([24.0, 1440.0, 86400.0, 86400e3] if known else [86400.0, 86400e3])


def rows_shuffled(draft: Draft) -> None:
    _take(draft, draft.random.permutation(draft.time.size))


def rows_reversed(draft: Draft) -> None:
    _take(draft, np.arange(draft.time.size)[::-1])


def rows_repeated(draft: Draft) -> None:
    _take(draft, np.sort(np.r_[np.arange(draft.time.size), draft.some(0.05, 0.5)]))


def table_twice(draft: Draft) -> None:
    _take(draft, np.r_[np.arange(draft.time.size), np.arange(draft.time.size)])


def stars_one_by_one(draft: Draft) -> None:
    other = _other(draft, float(draft.random.choice([1, 1.5, 1000])))
    draft.time, draft.flux, draft.flux_err = (
        np.r_[own, more] for own, more in zip((draft.time, draft.flux, draft.flux_err), other, strict=True)
    )


def stars_by_turns(draft: Draft) -> None:
    stars_one_by_one(draft)
    _take(draft, np.argsort(draft.time, kind="stable"))


def _take(draft: Draft, rows: np.ndarray) -> None:
    draft.time, draft.flux, draft.flux_err = draft.time[rows], draft.flux[rows], draft.flux_err[rows]


NUMBERS: tuple[Callable[[Draft], None], ...] = (
    placeholders_in_flux,
    placeholders_in_flux,
    placeholders_in_errors,
    placeholders_in_times,
    not_finite,
    scaled,
    whole_numbers,
    around_zero,
    other_count,
    two_counts,
    other_unit_of_time,
    rows_shuffled,
    rows_reversed,
    rows_repeated,
    table_twice,
    stars_one_by_one,
    stars_by_turns,
)


def star_column(draft: Draft) -> None:
    name = draft.random.choice(["tic", "KIC", "star_id", "Target", "gaia_dr3_id", "object name", "id"])
    stars = draft.random.permutation(np.repeat([61000101, 61000102, 61000103], draft.time.size // 3 + 1))
    draft.columns.insert(int(draft.random.integers(3)), (str(name), stars[: draft.time.size].tolist()))


def one_star_column(draft: Draft) -> None:
    draft.columns.insert(0, (str(draft.random.choice(["tic", "star", "object"])), [77] * draft.time.size))


def columns_shuffled(draft: Draft) -> None:
    draft.columns = [draft.columns[k] for k in draft.random.permutation(len(draft.columns))]


def more_columns(draft: Draft) -> None:
    n = draft.time.size
    draft.columns += [("sector", [14] * n), ("crowding", [0.9] * n), ("cadenceno", list(range(n)))]
    columns_shuffled(draft)


def unnamed_index(draft: Draft) -> None:
    draft.columns.insert(0, ("", list(range(draft.time.size))))


def index_without_name(draft: Draft) -> None:
    """R gives each row a name, and that column none."""
    draft.header = "one less"
    unnamed_index(draft)


def column_twice(draft: Draft) -> None:
    name = str(draft.random.choice(["time", "flux", "flux_err"]))
    draft.columns.append((name, draft.random.normal(1, 0.1, draft.time.size).tolist()))


def no_errors(draft: Draft) -> None:
    draft.columns = [(name, values) for name, values in draft.columns if name != "flux_err"]


def names_in_capitals(draft: Draft) -> None:
    draft.columns = [(name.upper(), values) for name, values in draft.columns]


def other_names(draft: Draft) -> None:
    draft.columns = [({"flux": "pdcsap"}.get(name, name), values) for name, values in draft.columns]


COLUMNS: tuple[Callable[[Draft], None], ...] = (
    star_column,
    one_star_column,
    columns_shuffled,
    more_columns,
    unnamed_index,
    index_without_name,
    column_twice,
    no_errors,
    names_in_capitals,
    other_names,
)


def other_separator(draft: Draft) -> None:
    draft.separator = str(draft.random.choice([";", "\t", " ", "   ", "|", ", "]))


def decimal_comma(draft: Draft) -> None:
    draft.comma = True
    draft.separator = str(draft.random.choice([";", "\t", " ", ","]))


def trailing_separator(draft: Draft) -> None:
    draft.trailing = str(draft.random.choice(["rows", "some rows", "all", "header"]))


def no_header(draft: Draft) -> None:
    draft.header = "none"


def header_in_comment(draft: Draft) -> None:
    draft.header = "comment"


def row_of_units(draft: Draft) -> None:
    draft.unit_row = True


def other_line_ends(draft: Draft) -> None:
    draft.ending = str(draft.random.choice(["\r\n", "\r", "\n\n"]))


def other_encoding(draft: Draft) -> None:
    draft.encoding = str(draft.random.choice(["utf-8-sig", "utf-16", "latin-1"]))


def quoted(draft: Draft) -> None:
    draft.quoted = True


TEXT: tuple[Callable[[Draft], None], ...] = (
    other_separator,
    decimal_comma,
    trailing_separator,
    no_header,
    header_in_comment,
    row_of_units,
    other_line_ends,
    other_encoding,
    quoted,
)


def write_mutation(folder: Path, seed: int, k: int) -> tuple[Path, Draft]:
    """The k-th table of a seed, and what it was made from."""
    draft = good(np.random.default_rng([seed, k]))
    random = draft.random
    kind = random.choice(["text", "ecsv", "parquet"], p=[0.7, 0.2, 0.1])
    n_numbers = int(random.integers(0, 3)) if kind == "text" else int(random.integers(0, 2))
    changes = [NUMBERS[i] for i in sorted(random.choice(len(NUMBERS), n_numbers, replace=False))]
    # Values around 0 have no magnitudes.
    _apply(draft, [change for change in changes if kind == "text" or change is not around_zero])
    draft.columns = [
        ("time", draft.time.tolist()),
        ("flux", draft.flux.tolist()),
        ("flux_err", draft.flux_err.tolist()),
    ]
    if kind == "text":
        _apply(draft, random.choice(COLUMNS, int(random.integers(0, 2)), replace=False))
        _apply(draft, random.choice(TEXT, int(random.integers(0, 3)), replace=False))
        path = folder / f"m{k:03d}.csv{'.gz' if random.random() < 0.1 else ''}"
        contents = _text(draft).encode(draft.encoding)
        path.write_bytes(gzip.compress(contents) if path.suffix == ".gz" else contents)
        return path, draft
    _apply(draft, random.choice(COLUMNS, int(random.random() < 0.3), replace=False))
    return _write_with_units(folder / f"m{k:03d}", kind, draft), draft


def _apply(draft: Draft, changes: Any) -> None:
    for change in changes:
        change(draft)
        draft.done.append(change.__name__)


FLUX_UNITS = ("", "mag", "mmag", "ppm", "ppm of 1", "%", "electron / s", "Jy", "adu", "K", "furlong", "d")


def _write_with_units(stem: Path, kind: str, draft: Draft) -> Path:
    """A table that says its units; values follow them."""
    # These formats hold no name twice.
    columns = dict(reversed([(name, values) for name, values in draft.columns if name]))
    names = list(reversed(columns))
    table = Table({name: np.array(columns[name]) for name in names})
    unit = str(draft.random.choice(FLUX_UNITS))
    draft.done.append(f"{kind} {unit}")
    if "flux" in names and unit:
        _convert(table, unit)
        if draft.random.random() < 0.3 and "flux_err" in names:
            del table["flux_err"].unit
    if "time" in names and draft.random.random() < 0.3:
        scale, name = (86400.0, "s") if draft.random.random() < 0.5 else (24.0, "h")
        table["time"] = table["time"] * scale
        table["time"].unit = name
        draft.done.append(f"times in {name}")
    path = stem.with_suffix(f".{kind}")
    table.write(path, format="ascii.ecsv" if kind == "ecsv" else "parquet")
    return path


def _convert(table: Table, unit: str) -> None:
    flux = np.array(table["flux"], dtype=float)
    errors = np.array(table["flux_err"], dtype=float) if "flux_err" in table.colnames else None
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if unit in ("mag", "mmag"):
            scale = 1000.0 if unit == "mmag" else 1.0
            errors = None if errors is None else scale * 1.0857 * errors / flux
            flux = scale * (12 - 2.5 * np.log10(flux))
        elif unit.startswith("ppm") or unit == "%":
            scale = 100.0 if unit == "%" else 1e6
            flux = scale * (flux - (unit != "ppm of 1"))
            errors = None if errors is None else scale * errors
    table["flux"] = flux
    table["flux"].unit = unit.removesuffix(" of 1")
    if errors is not None:
        table["flux_err"] = errors
        table["flux_err"].unit = table["flux"].unit


def _text(draft: Draft) -> str:
    names = [name for name, _ in draft.columns]
    header = (
        draft.separator.join(_field(draft, name) for name in names[1:] if name) if draft.header == "one less" else ""
    )
    header = header or draft.separator.join(_field(draft, name) for name in names)
    rows = [
        draft.separator.join(_field(draft, value) for value in row)
        for row in zip(*(values for _, values in draft.columns), strict=True)
    ]
    if draft.trailing in ("header", "all"):
        header += draft.separator
    if draft.trailing in ("rows", "all"):
        rows = [row + draft.separator for row in rows]
    if draft.trailing == "some rows":
        rows = [row + draft.separator * (k % 3 == 0) for k, row in enumerate(rows)]
    lines = {"none": [], "comment": [f"# {header}"]}.get(draft.header, [header])
    if draft.encoding == "latin-1":
        lines.insert(0, "# étoile")
    if draft.unit_row:
        lines.append(draft.separator.join("d" if name.lower() == "time" else "-" for name in names))
    return draft.ending.join([*lines, *rows, ""])


def _field(draft: Draft, value: Any) -> str:
    text = value if isinstance(value, str) else f"{value:.10g}"
    if isinstance(value, float) and not np.isfinite(value):
        text = str(draft.random.choice(["nan", "NaN", "", "NA", "None"])) if np.isnan(value) else text
        text = text or ('""' if not draft.separator.strip() else "")
    if draft.comma and not isinstance(value, str):
        text = text.replace(".", ",")
    return f'"{text}"' if draft.quoted and text != '""' else text
