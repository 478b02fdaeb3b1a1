"""Parts of a model as frozen dataclasses whose fields are their parameters, and pytrees at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar, Self

INFINITE = float("inf")
NOT_NEGATIVE = (0.0, INFINITE)


class Parameters:
    """Base of the parts; a parameter without `limits` is a positive scale."""

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """(low, high) of the parameters that are no positive scales, ends included."""

    def __post_init__(self) -> None:
        """Check what is a number; tracers and arrays are not.

        Raises:
            ValueError: a number is out of its limits.
        """
        for name, value in self.param_dict.items():
            if isinstance(value, float | int):
                _check(name, value, self.limits.get(name))

    @property
    def param_dict(self) -> dict[str, Any]:
        """Parameter names and values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def with_params(self, params: Mapping[str, Any]) -> Self:
        """The same with other parameter values; those left out stay."""
        return replace(self, **params)  # type: ignore[type-var]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.param_dict})"


class OwnParameters(Parameters):
    """Base of the parts that a user makes: ``params`` holds the parameters, ``param_limits`` their limits."""

    params: dict[str, Any]
    param_limits: tuple[tuple[str, tuple[float, float]], ...]

    @property
    def limits(self) -> Mapping[str, tuple[float, float]]:  # type: ignore[override]
        """(low, high) of the parameters that are no positive scales."""
        return dict(self.param_limits)

    @property
    def param_dict(self) -> dict[str, Any]:
        """Parameter names and values."""
        return dict(self.params)

    def with_params(self, params: Mapping[str, Any]) -> Self:
        """The same with other parameter values; those left out stay."""
        return replace(self, params={**self.params, **params})  # type: ignore[type-var]


def _check(name: str, value: float, limits: tuple[float, float] | None) -> None:
    if limits is None:
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")
    elif limits == NOT_NEGATIVE:
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, got {value}")
    elif not limits[0] <= value <= limits[1]:
        raise ValueError(f"{name} must be between {limits[0]:g} and {limits[1]:g}, got {value}")
