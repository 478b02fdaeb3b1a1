"""The simulated sets: their observations, what does not rotate, and the figures that are made of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spotcat.check.assess import COLUMNS, Figure, assess, coverage_together, covered, false_alarms
from spotcat.check.curves import NOMINAL, curves, held
from spotcat.check.observe import DOWNLINK, QUARTER, ROLL, SECTOR, offsets, schedule
from spotcat.check.populations import QUIET, SETS, population, sized
from spotcat.check.quiet import FAMILIES
from spotcat.check.simulate import simulate_star
from spotcat.check.sources import QUIET_NOISE
from spotcat.config import SimulateConfig
from spotcat.status import InputError, LifetimeFlag


def test_quarters_begin_with_a_gap_and_are_segments() -> None:
    time = np.arange(0, 400, 0.25)
    seen, segment = schedule("kepler", time, 0.05, np.random.default_rng(0))
    assert segment.tolist() == sorted(segment.tolist())
    assert set(segment) == {0, 1, 2, 3, 4}
    for number in range(5):
        own = time[seen[segment == number]]
        assert np.all(own // QUARTER == number)
        assert own[0] >= number * QUARTER + ROLL
    shift = offsets(segment, 2.0, np.random.default_rng(1))
    assert len(set(shift)) == 5
    assert not offsets(np.zeros(9, int), 2.0, np.random.default_rng(1)).any()


def test_a_sector_has_a_gap_in_its_middle() -> None:
    time = np.arange(0, 27, 0.01)
    seen, segment = schedule("tess", time, 0.0, np.random.default_rng(0))
    assert not segment.any()
    lost = np.setdiff1d(time, time[seen])
    assert lost.min() == pytest.approx(SECTOR / 2 - DOWNLINK / 2, abs=0.011)
    assert np.ptp(lost) == pytest.approx(DOWNLINK, abs=0.021)


@pytest.mark.parametrize("observatory", FAMILIES)
def test_families_are_finite_and_each_its_own(observatory: str) -> None:
    time = np.sort(np.random.default_rng(2).uniform(0, 27, 800))
    drawn = [family(time, np.random.default_rng(3)) for family in FAMILIES[observatory]]
    assert all(flux.shape == time.shape and np.all(np.isfinite(flux)) for flux in drawn)
    assert len({flux.tobytes() for flux in drawn}) == len(drawn)
    assert all(flux.std() > 0.01 for flux in drawn[1:])


def test_quiet_stars_have_a_family_and_no_period() -> None:
    config = replace(population("half-year" + QUIET), baseline=60.0)
    stars = [simulate_star(number, 1, config) for number in range(40)]
    assert {star.truth["family"] for star in stars} == {family.__name__ for family in FAMILIES["plain"]}
    assert all(np.isnan(star.truth["prot"]) and np.isnan(star.truth["peq"]) for star in stars)
    assert all(np.all(star.flux_err == QUIET_NOISE) for star in stars)


def test_butterfly_stars_come_from_the_other_package_and_leave_the_global_seed_alone() -> None:
    pytest.importorskip("butterpy")
    config = SimulateConfig(source="butterpy", baseline=60.0, cadence=1.0, period=(5.0, 10.0))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = (simulate_star(4, 1, config) for _ in range(2))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.testing.assert_array_equal(first.flux, again.flux)
    assert first.truth["peq"] <= first.truth["prot"] <= first.truth["peq"] / (1 - first.truth["kappa"])


def test_sets_are_known_by_name() -> None:
    assert set(SETS) == {"half-year", "sector", "mission", "butterfly"}
    with pytest.raises(InputError, match=r"no simulated set 'half-yaer'; did you mean 'half-year'\?"):
        population("half-yaer")


def _found(prot: np.ndarray, n: int) -> dict[str, np.ndarray]:
    found = {name: np.ones(n) for name in COLUMNS}
    found |= {"prot": prot, "p_ls": np.full(n, 99.0), "p_acf": np.full(n, 99.0), "rvar": np.arange(n, dtype=float)}
    for end, factor in (("lower", 0.9), ("upper", 1.1), ("lower95", 0.8), ("upper95", 1.2)):
        found[f"prot_{end}"] = prot * factor
        found[f"spot_lifetime_{end}"] = 20 * np.full(n, factor)
    found["spot_lifetime"], found["lifetime_flag"] = np.full(n, 20.0), np.full(n, LifetimeFlag.MEASURED)
    return found


def test_figures_of_a_set_that_can_be_counted_by_hand() -> None:
    true = np.full(6, 10.0)
    truth = {"prot": true, "peq": true, "spot_lifetime": np.array([20, 21, 25, 18, 30, 60.0])}
    found = _found(np.array([10, 10.5, 9.4, 11.5, 20, 5.0]), 6)
    found["rotating"] = np.array([1, 1, 1, 0, 0, 1.0])
    figures = {figure.name: figure for figure in assess("half-year", found, truth)}
    assert figures["periods within 10 %"].value == pytest.approx(0.5)
    assert figures["half or double period"].value == pytest.approx(2 / 6)
    assert figures["detected periods within 10 %"].value == pytest.approx(0.75)
    assert figures["detected with half or double period"].value == pytest.approx(0.25)
    assert figures["68 % intervals of prot that hold it"].value == pytest.approx(3 / 6)
    assert figures["95 % intervals of prot that hold it"].value == pytest.approx(4 / 6)
    assert figures["their median bias"].value == pytest.approx(np.median(20 / truth["spot_lifetime"]) - 1)
    assert not figures["periods within 10 %"].holds
    assert covered(found, "prot", "95", true).tolist() == [True, True, True, True, False, False]


def test_sets_judged_together_keep_their_own_thirds_of_amplitude() -> None:
    true = np.full(6, 10.0)
    truth = {"prot": true, "spot_lifetime": np.array([20, 20, 20, 20, 90, np.nan])}
    weak = _found(np.array([10, 10, 10, 10, 99, 99.0]), 6)
    strong = _found(np.array([99, 99, 10, 10, 10, 11.5]), 6)
    strong["rvar"] = strong["rvar"] + 100
    figures = {f.name: f.value for f in coverage_together([(weak, truth), (strong, truth)])}
    assert figures["68 % intervals of prot that hold it"] == pytest.approx(7 / 12)
    assert figures["95 % intervals of prot that hold it"] == pytest.approx(8 / 12)
    assert figures["68 % intervals of prot that hold it, weakest third"] == pytest.approx(2 / 4)
    assert figures["68 % intervals of prot that hold it, middle third"] == pytest.approx(4 / 4)
    assert figures["95 % intervals of prot that hold it, strongest third"] == pytest.approx(2 / 4)
    assert figures["68 % intervals of spot_lifetime that hold it"] == pytest.approx(8 / 10)
    assert figures["68 % intervals of spot_lifetime that hold it, strongest third"] == pytest.approx(0 / 2)


def test_curves_of_a_set_that_can_be_counted_by_hand() -> None:
    n = 80
    true = np.linspace(2.0, 20.0, n)
    truth = {"prot": true, "peq": true, "spot_lifetime": np.full(n, 20.0)}
    right, detected = true > 6, true > 10
    found = _found(np.where(right, true, 2.5 * true), n) | {"rotating": detected.astype(float)}
    found["reliability"] = np.where(right, 0.95, 0.3)
    found["lnl_rotation"] = true
    along = {curve.axis: curve for curve in curves("half-year", found, truth)}
    period = along["true period [d]"]
    assert period.n == [10] * 8
    place = np.arange(n) // 10
    assert period.within["spotcat"] == pytest.approx([right[place == i].mean() for i in range(8)], abs=1e-4)
    assert period.completeness == pytest.approx([detected[place == i].mean() for i in range(8)], abs=1e-4)
    assert period.within["Lomb-Scargle"] == [0.0] * 8
    assert np.isnan(period.reliability[0])
    assert period.reliability[-1] == 1.0
    score = along["reliability"]
    assert score.n[score.edges.index(0.0)] == n
    assert score.n[score.edges.index(0.9)] == right.sum()
    assert score.completeness[score.edges.index(0.9)] == pytest.approx(right.mean(), abs=1e-4)
    assert score.reliability[score.edges.index(0.2)] == pytest.approx(right.mean(), abs=1e-4)
    assert np.isnan(score.reliability[score.edges.index(0.98)])


def test_intervals_of_a_normal_error_hold_it_as_often_as_they_say() -> None:
    error = 0.02 * np.random.default_rng(4).standard_normal(20_000)
    found = {"prot": np.exp(error), "prot_lower": np.exp(error - 0.02), "prot_upper": np.exp(error + 0.02)}
    true = np.where(np.arange(20_000) % 2, 1.0, np.nan)
    share = held(found, "prot", true, "")
    # The interval of one standard error is the 68.3 % one; it is read as that of 68 %.
    np.testing.assert_allclose(share, NOMINAL, atol=0.015)
    assert held(found, "prot", np.full(20_000, np.nan), "") == []


def test_a_set_says_how_many_stars_it_has() -> None:
    assert sized("mission:300", 7) == ("mission", 300)
    assert sized("mission", 7) == ("mission", 7)
    for wrong in ("mission:", "mission:many", "mission:0"):
        with pytest.raises(InputError, match="NAME:NUMBER"):
            sized(wrong, 7)


def test_false_alarms_are_counted_by_family() -> None:
    found = _found(np.ones(4), 4) | {"rotating": np.array([1, 0, 0, 0])}
    figures = false_alarms(found, {"family": np.array(["red", "red", "white", "white"])})
    assert [(f.name, f.value, f.holds) for f in figures] == [
        ("called rotating", 0.25, False),
        ("of red called rotating", 0.5, True),
        ("of white called rotating", 0.0, True),
    ]
    assert Figure("x", 0.5, 0.4, 0.6).bounds() == "0.4 to 0.6"
    assert not Figure("x", np.nan, 0.4).holds
