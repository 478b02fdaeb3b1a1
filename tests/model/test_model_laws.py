"""What a survey may choose by name: each name makes its object, and an entry says what that object says."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest

from spotcat.config import Spots
from spotcat.model.laws import (
    _ENVELOPES,
    _LATITUDES,
    _VISIBILITIES,
    PLATEAU,
    REACH,
    envelope_of,
    latitude_of,
    visibility_of,
)
from spotcat.spots import LAWS
from spotcat.star.laws import GaussianBelts, HemisphericBands

CHOICES = {name: Spots(name, law.high) for name, law in LAWS["envelope"].items()}
ONE_TIME = {"exponential", "exponential-decay", "skewed-gaussian"}
LAG = np.linspace(0, 80, 33)
measured = jax.jit(lambda e: (e.lifetime(), e.kernel_support(), e.R_Gamma(0.0), e.R_Gamma(LAG)))
rows = jax.jit(lambda entry, *times: entry.autocorrelation(*times), static_argnums=0)


def test_every_name_makes_something() -> None:
    assert [set(LAWS[kind]) for kind in ("envelope", "visibility", "latitude")] == [
        set(_ENVELOPES),
        set(_VISIBILITIES),
        set(_LATITUDES),
    ]
    for name, law in LAWS["visibility"].items():
        made = visibility_of(Spots(visibility=name, visibility_numbers=law.high), 5.0, 0.2, 1.0)
        assert list(made.param_dict.values()) == [5.0, 0.2, 1.0, *law.high]
    for name, law in LAWS["latitude"].items():
        choice = Spots(latitude=name, latitude_numbers=tuple(10.0 * (i + 1) for i in range(len(law.numbers))))
        made = latitude_of(choice)
        phi = np.linspace(0.1, 1.4, 9)
        np.testing.assert_array_equal(made.density(phi), made.density(-phi))  # which the fit takes for granted
    assert latitude_of(Spots(latitude="bands", latitude_numbers=(9.0, 36.0))) == HemisphericBands(
        pytest.approx(np.pi / 20), pytest.approx(np.pi / 5)
    )
    belts = latitude_of(Spots(latitude="belts", latitude_numbers=(18.0, 9.0)))
    assert belts == GaussianBelts(pytest.approx(np.pi / 10), pytest.approx(np.pi / 20))


@pytest.mark.parametrize("name", CHOICES)
def test_an_entry_says_what_its_envelope_says(name: str) -> None:
    entry = envelope_of(CHOICES[name])
    assert entry is envelope_of(CHOICES[name])  # static under jit: another object would compile again
    with jax.enable_x64(True):
        for plateau, decay in [(0.5, 2.0)] if name in ONE_TIME else [(12.0, 3.0), (0.5, 2.0)]:
            lifetime, support, at_zero, whole = measured(entry.make(plateau, decay))
            assert float(entry.lifetime(plateau, decay)) == pytest.approx(float(lifetime), rel=1e-7)
            assert float(entry.support(plateau, decay)) == pytest.approx(float(support), rel=1e-7)
            assert float(entry.at_zero(plateau, decay)) == pytest.approx(float(at_zero), rel=1e-7)
            reach = float(entry.reach(plateau, decay))
            assert reach == pytest.approx(float(support) * (1 if name == "trapezoid" else REACH))
            row, inside = np.asarray(rows(entry, LAG, plateau, decay)), reach > LAG
            np.testing.assert_allclose(row, np.where(inside, whole, 0.0), atol=1e-14)
            assert row[0] > 0 and not row[~inside].any()


@pytest.mark.parametrize("name", CHOICES)
def test_arrays_of_times_give_what_each_gives(name: str) -> None:
    entry = envelope_of(CHOICES[name])
    plateau, decay = np.array([[12.0], [0.5]]), np.array([[3.0], [2.0]])
    with jax.enable_x64(True):
        measures = entry.lifetime, entry.support, entry.reach, entry.at_zero
        several = [np.asarray(measure(plateau, decay)) for measure in measures]
        several.append(np.asarray(rows(entry, LAG, plateau, decay)))
        for i in range(2):
            times = float(plateau[i, 0]), float(decay[i, 0])
            each = [*(measure(*times) for measure in measures), rows(entry, LAG, *times)]
            for both, one in zip(several, each, strict=True):
                # A tail is the difference of terms as large as the value at zero.
                atol = 1e-14 * max(np.max(one), 1.0)
                np.testing.assert_allclose(both[i], np.broadcast_to(one, both[i].shape), rtol=1e-12, atol=atol)


@pytest.mark.parametrize("name", CHOICES)
def test_a_lifetime_is_split_into_two_times_that_have_it(name: str) -> None:
    entry = envelope_of(CHOICES[name])
    share = np.array([0.05, 0.5, 0.95])
    with jax.enable_x64(True):
        plateau, decay = (np.broadcast_to(x, 3) for x in entry.split(20.0, share))
        np.testing.assert_allclose(entry.lifetime(plateau, decay), 20.0, rtol=1e-12)
        assert np.all(np.diff(plateau) > 0)
        template = [np.asarray(x) for x in entry.template(np.array([3.0, 9.0]))]
        np.testing.assert_allclose(3 * template[0][0], template[0][1], rtol=1e-12)
        # The trapezoid's templates are of a width at half maximum in radius, as its prior is.
        life = entry.prior_life(*template)
        np.testing.assert_allclose(life, [3.0, 9.0], rtol=1e-12)
        if name == "trapezoid":
            np.testing.assert_allclose(template[0], [PLATEAU * 3, PLATEAU * 9])


@pytest.mark.parametrize("name", sorted(ONE_TIME))
def test_where_there_is_one_time_the_other_does_nothing(name: str) -> None:
    entry = envelope_of(CHOICES[name])
    with jax.enable_x64(True):
        short, long = (entry.autocorrelation(LAG, plateau, 3.0) for plateau in (0.1, 30.0))
        np.testing.assert_array_equal(short, long)
        assert entry.prior_life(0.1, 3.0) == entry.prior_life(30.0, 3.0)
        assert np.all(entry.split(20.0, 0.2)[1] == entry.split(20.0, 0.8)[1])
    assert entry.full_size(np.array([4.0, 5.0])).tolist() == [0.0, 0.0]


def test_the_physics_page_names_every_law() -> None:
    page = (Path(__file__).parents[2] / "docs/physics.md").read_text()
    section = page[page.index("## In a survey") : page.index("## Beside other packages")]
    assert [name for laws in LAWS.values() for name in laws if f"`{name}`" not in section] == []
