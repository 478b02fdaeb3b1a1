"""The laws of spots that a recipe may choose by name, without what they compute: `spotcat.model.laws` does that."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from spotcat.toml import Rules

if TYPE_CHECKING:
    from spotcat.settings import FitConfig


class Law(NamedTuple):
    """The numbers that a law needs beside its name; they are held in the fit.

    Attributes:
        numbers: what they are, in the order in which a recipe gives them.
        low: their lower bounds.
        high: their upper bounds.
        rising: whether each must be above the one before.
    """

    numbers: tuple[str, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    rising: bool = False

    def holds(self, values: tuple[float, ...]) -> bool:
        """Whether values are as many as the law needs, and within their bounds."""
        if len(values) != len(self.numbers):
            return False
        within = all(a <= x <= b for a, x, b in zip(self.low, values, self.high, strict=True))
        return within and not (self.rising and list(values) != sorted(set(values)))

    @property
    def words(self) -> str:
        """What the numbers must be."""
        if not self.numbers:
            return "must be empty"
        ranges = zip(self.numbers, self.low, self.high, strict=True)
        each = ", ".join(f"{name} in {low:g}..{high:g}" for name, low, high in ranges)
        return f"must be {'rising: ' if self.rising else ''}{each}"


LAWS: dict[str, dict[str, Law]] = {
    "envelope": {
        "trapezoid": Law(),
        "exponential-plateau": Law(),
        "logistic-plateau": Law(),
        "exponential": Law(),
        "exponential-decay": Law(),
        "skewed-gaussian": Law(("skewness",), (0.0,), (20.0,)),
    },
    "visibility": {
        "small": Law(),
        "limb-darkened": Law(("u1", "u2"), (0.0, -1.0), (1.0, 1.0)),
        "facular": Law(("u1", "u2", "facular ratio"), (0.0, -1.0, 0.0), (1.0, 1.0, 10.0)),
    },
    "latitude": {
        "uniform": Law(),
        "area": Law(),
        "bands": Law(("lower edge [deg]", "upper edge [deg]"), (0.0, 0.0), (90.0, 90.0), rising=True),
        "belts": Law(("centre [deg]", "width [deg]"), (0.0, 0.5), (90.0, 90.0)),
    },
}
"""What ``fit.envelope``, ``fit.visibility`` and ``fit.latitude`` may be."""


class Spots(NamedTuple):
    """The laws of a survey; static under ``jit``.

    Attributes:
        envelope, visibility, latitude: names in `LAWS`.
        envelope_numbers, visibility_numbers, latitude_numbers: the numbers of each, angles in degrees.
    """

    envelope: str = "trapezoid"
    envelope_numbers: tuple[float, ...] = ()
    visibility: str = "small"
    visibility_numbers: tuple[float, ...] = ()
    latitude: str = "uniform"
    latitude_numbers: tuple[float, ...] = ()

    @classmethod
    def of(cls, fit: FitConfig) -> Spots:
        """The laws of a recipe."""
        return cls(*(getattr(fit, name) for name in cls._fields))

    @property
    def words(self) -> dict[str, list[str | float]]:
        """What a catalog says of them: of each kind its name, then its numbers."""
        return {kind: [getattr(self, kind), *getattr(self, f"{kind}_numbers")] for kind in LAWS}

    def rules(self) -> Rules:
        """What must hold of the names and of their numbers."""
        for kind, laws in LAWS.items():
            name, values = getattr(self, kind), getattr(self, f"{kind}_numbers")
            yield name in laws, f"fit.{kind} must be one of {', '.join(laws)}, not {name!r}"
            law = laws.get(name, Law())
            given = f", not {list(values)}" if values else ""
            yield law.holds(values), f"fit.{kind}_numbers of {name!r} {law.words}{given}"
