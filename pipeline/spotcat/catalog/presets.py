"""Selections with a name: what a purpose needs, in one word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spotcat.catalog.expression import Expression
from spotcat.catalog.schema import MATCHED
from spotcat.config import nearest
from spotcat.status import Flag, InputError


@dataclass(frozen=True)
class Preset:
    """A selection.

    Attributes:
        expression: which stars.
        columns: which columns, in that order.
        needs: columns that neither names and that the selection is made of.
    """

    expression: str
    columns: tuple[str, ...]
    needs: tuple[str, ...] = ()


_NO_AGE = Flag.PRIOR_EDGE | Flag.ALIAS_POSSIBLE | Flag.FEW_CYCLES | Flag.ECLIPSES_SUSPECTED | Flag.STEPS_SUSPECTED
"""Flags of periods that are no clock: of another harmonic perhaps, of too short a time, or of a companion."""

PRESETS = {
    "gyro": Preset(
        f"verdict == 'rotator' and (flags & {int(_NO_AGE)}) == 0 and isfinite(prot_lower) and isfinite(prot_upper)",
        (
            *("name", "mission", "mission_id", "ra", "dec", "mag", "crowding"),
            *("prot", "prot_minus", "prot_plus", "verdict", "false_alarm", "reliability", "flags"),
        ),
        ("prot_lower", "prot_upper"),
    )
}
"""Every preset by its name."""


def preset_of(name: str) -> Preset:
    """The preset of a name.

    Raises:
        InputError: there is none.
    """
    if name not in PRESETS:
        raise InputError(f"--preset has no {name!r}; {nearest(name, list(PRESETS))}")
    return PRESETS[name]


def check_preset(name: str, known: Iterable[str]) -> None:
    """Refuse a catalog that lacks what a preset is made of.

    Args:
        name: of the preset.
        known: the catalog's columns.

    Raises:
        InputError: some are missing.
    """
    preset, known = preset_of(name), set(known)
    needed = dict.fromkeys([*preset.columns, *preset.needs, *Expression(preset.expression).names])
    made = {column.name for column in MATCHED}
    missing = [column for column in needed if column not in known | made]
    if missing:
        raise InputError(
            f"--preset {name} needs the columns {', '.join(missing)}, which this catalog lacks; "
            f"make it again with this spotcat, or name columns and a condition yourself"
        )
