"""A catalog against stars of which is known whether they rotate visibly, and how fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spotcat.catalog.escapes import as_line
from spotcat.catalog.index import plain_name
from spotcat.catalog.published import Labelled
from spotcat.check.recovery import matches
from spotcat.status import Flag, InputError, Status

COLUMNS = ("star_id", "name", "prot", "prot_lower", "prot_upper", "p_ls", "p_acf", "rotating", "flags", "status")
"""The catalog's columns that are needed."""
WITHOUT_SPOTS = ("eclipsing", "pulsator")
"""Kinds that are periodic without spots."""
_WARNING = Flag.ECLIPSES_SUSPECTED | Flag.STRICTLY_PERIODIC
"""Flags by which a reader knows a period that is not of spots."""


@dataclass(frozen=True)
class Scored:
    """What a catalog says of a star of which is known what it is.

    Attributes:
        star: what is known.
        row: the catalog's `COLUMNS`.
    """

    star: Labelled
    row: Mapping[str, Any]

    @property
    def called(self) -> bool:
        """Whether the catalog calls it a rotator."""
        return bool(self.row["rotating"] == 1)

    @property
    def flags(self) -> list[str]:
        """Its status and flags in words."""
        words = [Status(int(self.row["status"])).words, *Flag(int(self.row["flags"])).words]
        return [word for word in words if word]

    @property
    def verdict(self) -> str:
        """For a rotator ``right``, ``half``, ``double`` or ``wrong``, for others whether they were called what."""
        if self.star.kind == "rotator":
            return self.of("prot")
        if not self.called:
            return "not called"
        if self.star.kind in WITHOUT_SPOTS:
            return "flagged" if int(self.row["flags"]) & _WARNING else "called without a flag"
        return "called" if self.star.kind == "negative" else "not judged"

    def of(self, column: str) -> str:
        """Whether a period of the catalog is ``right`` (within 10 %), ``half``, ``double`` or ``wrong``."""
        which = matches(np.array([self.row[column]], float), np.array([self.star.period]))
        return next((word for word, hit in zip(("right", "half", "double"), which, strict=True) if hit[0]), "wrong")

    @property
    def falls_short(self) -> bool:
        """A rotator that is not right or not called, a negative that is called, a pulsator without a flag."""
        if self.star.kind == "rotator":
            return self.verdict != "right" or not self.called
        return self.verdict in ("called", "called without a flag")


@dataclass(frozen=True)
class Score:
    """What a catalog says of stars of known kinds.

    Attributes:
        stars: those that the catalog has, in the order given.
        missing: names of those that it lacks, without those of kind ``unknown``.
    """

    stars: tuple[Scored, ...]
    missing: tuple[str, ...]

    def of_kind(self, *kinds: str) -> list[Scored]:
        """The stars of some kinds."""
        return [star for star in self.stars if star.star.kind in kinds]

    @property
    def short(self) -> list[Scored]:
        """The stars that fall short."""
        return [star for star in self.stars if star.falls_short]


def score(found: Mapping[str, Any], labelled: Sequence[Labelled]) -> Score:
    """Look up stars of known kinds.

    Args:
        found: a catalog's `COLUMNS`, arrays of shape (n,).
        labelled: what `read_labelled` returns.  Names match whatever their case and spaces; one that is spelled as in
            the catalog comes first.

    Raises:
        InputError: several stars of the catalog have a name that is asked for.
    """
    names = [str(name) for name in found["name"]]
    wanted = {plain_name(star.name) for star in labelled}
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if (plain := plain_name(name)) in wanted:
            rows.setdefault(plain, []).append(row)
    scored, missing = [], []
    for star in labelled:
        here = rows.get(plain_name(star.name), [])
        here = [row for row in here if names[row] == star.name] or here
        if len(here) > 1:
            ids = ", ".join(str(found["star_id"][row]) for row in here[:5])
            raise InputError(
                f"{len(here)} stars of the catalog are called {star.name!r} (star ids {ids}); leave it out"
            )
        if here:
            scored.append(Scored(star, {column: found[column][here[0]] for column in COLUMNS}))
        elif star.kind != "unknown":
            missing.append(star.name)
    return Score(tuple(scored), tuple(missing))


def in_words(result: Score) -> str:
    """The counts as text: stars that the catalog lacks, and one line of what became of the others by kind."""
    rotators, negatives = result.of_kind("rotator"), result.of_kind("negative")
    called = [star for star in rotators if star.called]
    odd = result.of_kind(*WITHOUT_SPOTS)
    n = max(len(rotators), 1)
    count = {word: sum(star.verdict == word for star in rotators) for word in ("right", "half", "double", "wrong")}
    methods = {column: sum(star.of(column) == "right" for star in rotators) for column in ("p_ls", "p_acf")}
    silent = sum(star.verdict == "called without a flag" for star in odd)
    lines = []
    if result.missing:
        lines = [f"not in the catalog: {len(result.missing)}: {', '.join(result.missing[:8])}"]
    lines.append(
        f"rotators {len(rotators)}: right {count['right']} ({count['right'] / n:.0%}; "
        f"Lomb-Scargle {methods['p_ls'] / n:.0%}, autocorrelation {methods['p_acf'] / n:.0%}), "
        f"half {count['half']}, double {count['double']}, wrong {count['wrong']}; "
        f"called rotating {len(called)}, of these right {sum(star.verdict == 'right' for star in called)}; "
        f"negatives {len(negatives)}: called {sum(star.called for star in negatives)}; "
        f"eclipsing or pulsating {len(odd)}: called without a flag {silent}"
    )
    return "\n".join(lines)


def short_in_words(result: Score) -> list[str]:
    """One line for each star that falls short: what it is, what was found, and the flags."""
    return [f"{star.star.name}: {told(star)}; {'; '.join(star.flags) or 'no flags'}" for star in result.short]


def table_in_markdown(result: Score, pictures: Sequence[str]) -> str:
    """Every star as a row of a table, below the counts and above the pictures of those that fall short.

    Args:
        result: what `score` returns.
        pictures: names of the pictures, relative to the text.
    """
    right = [star for star in result.of_kind("rotator") if star.verdict == "right"]
    holding = sum(star.row["prot_lower"] <= star.star.period <= star.row["prot_upper"] for star in right)
    heads = (
        "star",
        "kind",
        "true [d]",
        "found [d]",
        "called",
        "verdict",
        "Lomb-Scargle [d]",
        "autocorrelation [d]",
        "",
    )
    lines = [
        "# Real stars by name",
        "",
        *(f"{line}.\n" for line in in_words(result).splitlines()),
        f"Right is within 10 %. In brackets is the interval `prot_lower` to `prot_upper` (68 %); of {len(right)} right "
        f"periods it holds the true one of {holding}. `called` is what the catalog calls rotating.",
        "",
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(_markdown_row(star) for star in result.stars),
    ]
    if pictures:
        lines += [
            "",
            "Those that fall short: the light curve with the mean of the Gaussian process and what cleaning left out, "
            "folded at the true period (blue) and at the one found (red), and the GP periodogram with both.",
        ]
        lines += [part for file in pictures for part in ("", f"![Stars that fall short]({file})")]
    return "\n".join(lines) + "\n"


def _markdown_row(star: Scored) -> str:
    true = f"{star.star.period:g}" if star.star.kind == "rotator" else ""
    prot, low, high = (float(star.row[column]) for column in ("prot", "prot_lower", "prot_upper"))
    found = "" if not np.isfinite(prot) else f"{prot:.4g} ({low:.4g} to {high:.4g})"
    methods = [_or_none(float(star.row[column])) for column in ("p_ls", "p_acf")]
    call = "yes" if star.called else "no"
    cells = [star.star.name, star.star.kind, true, found, call, star.verdict, *methods, "; ".join(star.flags)]
    return f"| {' | '.join(as_line(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def _or_none(period: float) -> str:
    return f"{period:.4g}" if np.isfinite(period) else ""


def told(star: Scored) -> str:
    """What a star is and what was found, without its name and flags."""
    prot = float(star.row["prot"])
    period = f"{prot:.4g} d" if np.isfinite(prot) else "no period"
    if star.star.kind == "rotator":
        call = "called rotating" if star.called else "not called"
        return f"true {star.star.period:g} d, found {period} ({star.verdict}), {call}"
    what = {"negative": "nothing rotates visibly", "unknown": "not judged"}.get(star.star.kind, star.star.kind)
    warned = " without a flag" if star.verdict == "called without a flag" else ""
    return f"{what}, {f'called rotating at {period}{warned}' if star.called else f'not called ({period})'}"
