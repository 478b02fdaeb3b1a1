"""The spot model: an envelope, a visibility and an amplitude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax

from spotcat.star.envelope import Envelope
from spotcat.star.laws import LatitudeLaw, UniformLatitude
from spotcat.star.visibility import VisibilityFunction


@jax.tree_util.register_dataclass
@dataclass(frozen=True, init=False, repr=False)
class SpotEvolutionModel:
    """A star whose spots emerge at random times, longitudes and latitudes and then evolve by one envelope.

    The amplitude is `sigma_k`, or the three numbers behind it: ``sigma_k = sqrt(nspot_rate) (1 - fspot) alpha_max^2``.

    Attributes:
        envelope: growth and decay of one spot.
        visibility: rotation and inclination of the star.
        sigma_k: amplitude of the covariance [relative flux d^-1/2].
        latitude: where spots emerge.
    """

    envelope: Envelope
    visibility: VisibilityFunction
    sigma_k: Any
    latitude: LatitudeLaw

    amplitude_keys: ClassVar[tuple[str, ...]] = ("nspot_rate", "fspot", "alpha_max")

    def __init__(
        self,
        envelope: Envelope,
        visibility: VisibilityFunction,
        sigma_k: Any = None,
        *,
        latitude: LatitudeLaw | None = None,
        nspot_rate: Any = None,
        fspot: Any = None,
        alpha_max: Any = None,
    ) -> None:
        """Make a model.

        Args:
            envelope: growth and decay of one spot.
            visibility: rotation and inclination of the star.
            sigma_k: amplitude [relative flux d^-1/2]; give this or the last three.
            latitude: where spots emerge; uniform in latitude by default.
            nspot_rate: spots that emerge per day.
            fspot: contrast, a spot's brightness relative to the photosphere.
            alpha_max: peak angular radius of a spot [rad].

        Raises:
            ValueError: neither or both ways of giving the amplitude were used.
        """
        physical = (nspot_rate, fspot, alpha_max)
        n_given = sum(value is not None for value in physical)
        if (sigma_k is None) == (n_given == 0) or n_given not in (0, 3):
            raise ValueError("give either sigma_k or all of nspot_rate, fspot and alpha_max")
        if sigma_k is None:
            sigma_k = nspot_rate**0.5 * (1 - fspot) * alpha_max**2
        object.__setattr__(self, "envelope", envelope)
        object.__setattr__(self, "visibility", visibility)
        object.__setattr__(self, "sigma_k", sigma_k)
        object.__setattr__(self, "latitude", UniformLatitude() if latitude is None else latitude)

    @property
    def param_dict(self) -> dict[str, Any]:
        """All parameters, in the order of `param_keys`."""
        parts = (self.visibility, self.envelope, self.latitude)
        return {key: value for part in parts for key, value in part.param_dict.items()} | {"sigma_k": self.sigma_k}

    @property
    def param_keys(self) -> tuple[str, ...]:
        """``(peq, kappa, inc, <envelope parameters>, <latitude parameters>, sigma_k)``."""
        return tuple(self.param_dict)

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """(low, high) of the parameters that are no positive scales."""
        return {**self.visibility.limits, **self.envelope.limits, **self.latitude.limits}

    @property
    def peq(self) -> Any:
        """Equatorial rotation period [d]."""
        return self.visibility.peq

    def kernel_support(self) -> Any:
        """Lag [d] from which the covariance is zero."""
        return self.envelope.kernel_support()

    def with_params(self, params: dict[str, Any]) -> SpotEvolutionModel:
        """The same kind of model with other parameter values; keys left out keep theirs.

        Raises:
            KeyError: a key is not a parameter of the model.
        """
        for key in params:
            if key not in self.param_keys:
                raise KeyError(f"{key!r} is not a parameter of the model; it has {', '.join(self.param_keys)}")

        def chosen(part: Any) -> dict[str, Any]:
            return {key: params[key] for key in part.param_dict if key in params}

        return SpotEvolutionModel(
            self.envelope.with_params(chosen(self.envelope)),
            self.visibility.with_params(chosen(self.visibility)),
            params.get("sigma_k", self.sigma_k),
            latitude=self.latitude.with_params(chosen(self.latitude)),
        )

    def get_sympy(self) -> dict[str, Any]:
        """Print the closed forms of envelope and visibility as LaTeX and return them as SymPy expressions."""
        from spotcat.star import symbolic

        return symbolic.show_model(self)

    def __repr__(self) -> str:
        latitude = "" if isinstance(self.latitude, UniformLatitude) else f"\n  latitude={self.latitude},"
        return (
            f"SpotEvolutionModel(\n  envelope={self.envelope},\n"
            f"  visibility={self.visibility},{latitude}\n  sigma_k={self.sigma_k}\n)"
        )
