"""Figures of semi-real sets, counted by hand, and what classical methods detect at as many false alarms."""

from __future__ import annotations

import numpy as np
import pytest

from spotcat.check.assess import COLUMNS
from spotcat.check.assess_real import assess_real, false_alarms_real, lower_bound
from spotcat.check.classical import called_alike, strengths
from spotcat.check.curves import curves
from spotcat.ingest.lightcurve import LightCurve


def _found(prot: np.ndarray, **known: np.ndarray) -> dict[str, np.ndarray]:
    found = {name: np.ones(prot.size) for name in COLUMNS} | {"prot": prot, "p_ls": prot, "p_acf": 3 * prot}
    found |= {"prot_lower": 0.9 * prot, "prot_upper": 1.1 * prot}
    found |= {"prot_lower95": 0.8 * prot, "prot_upper95": 1.2 * prot}
    return found | known


def test_figures_that_can_be_counted_by_hand() -> None:
    true = np.full(10, 5.0)
    cycles = np.array([2.6, 3, 4, 5, 6, 7, 8, 9, 5, 5])
    strong = np.array([20, 20, 20, 20, 20, 20, 20, 20, 20, 9.0])
    truth = {"prot": true, "peq": true, "cycles": cycles, "amplitude_over_noise": strong}
    found = _found(np.array([5, 5, 5, 5, 5, 10, 2.5, 7, 7, 5.0]), rotating=np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 1.0]))
    called = {"Lomb-Scargle": np.arange(10) < 3, "autocorrelation": np.arange(10) < 9}
    figures = {f.name: f for f in assess_real("sector-real", found, truth, called)}
    value = {name: figure.value for name, figure in figures.items()}
    assert value["periods within 10 %"] == pytest.approx(0.6)
    assert value["the same by Lomb-Scargle"] == pytest.approx(0.6)
    assert value["the same by autocorrelation"] == 0
    assert value["detected"] == pytest.approx(0.6)
    assert value["detected periods within 10 %"] == pytest.approx(5 / 6)
    assert value["its 95 % lower bound"] == pytest.approx(lower_bound(5, 6))
    assert value["detected with half or double period"] == pytest.approx(1 / 6)
    assert value["detected with the right period"] == pytest.approx(0.5)
    assert figures["detected with the right period"].low == pytest.approx(0.3)
    assert value["the same by Lomb-Scargle at as many false alarms"] == pytest.approx(0.3)
    assert value["the same by autocorrelation at as many false alarms"] == 0
    clear = "of 6 stars of 3 to 7 cycles and 10 times the noise"
    assert value[f"{clear} within 10 %"] == pytest.approx(4 / 6)
    assert value[f"{clear} detected"] == pytest.approx(4 / 6)
    assert not figures["detected periods within 10 %"].holds
    assert not any("cycles" in f.name for f in assess_real("k2-real", found, truth))


def test_a_lower_bound_is_one_that_so_many_successes_seldom_come_from() -> None:
    from scipy.stats import binom

    for k, n in ((1, 3), (40, 50), (197, 200), (999, 1000)):
        assert binom.sf(k - 1, n, lower_bound(k, n)) == pytest.approx(0.05)
    assert lower_bound(0, 10) == 0
    assert np.isnan(lower_bound(0, 0))


def test_false_alarms_are_counted_by_background() -> None:
    truth = {"background": np.array(["a", "b", "b", "c"])}
    found = {"rotating": np.array([0, 1, 0, 0.0])}
    figures = {f.name: f.value for f in false_alarms_real(found, truth)}
    assert figures["called rotating"] == 0.25
    assert figures["of b called rotating"] == 0.5
    assert "of a called rotating" not in figures
    # One of four is more than three quarters of the stars would seldom show.
    assert 0.25 < figures["its 95 % upper bound"] < 1


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.05, 0.1, 0.5])
def test_no_more_quiet_stars_are_called_than_allowed_and_not_one_fewer(rate: float) -> None:
    rng = np.random.default_rng(0)
    quiet, strength = {"Lomb-Scargle": rng.uniform(size=40)}, {"Lomb-Scargle": rng.uniform(size=5000)}
    assert called_alike(quiet, quiet, rate)["Lomb-Scargle"].sum() == int(rate * 40)
    share = called_alike(strength, quiet, rate)["Lomb-Scargle"].mean()
    assert share == pytest.approx(
        np.mean(strength["Lomb-Scargle"] > np.sort(quiet["Lomb-Scargle"])[39 - int(rate * 40)])
    )


def _star(time: np.ndarray, flux: np.ndarray) -> LightCurve:
    return LightCurve(0, "s", time, flux, np.full(time.size, 1e-3), np.zeros(time.size, int), np.empty((time.size, 0)))


def test_strengths_are_those_of_the_catalogs_periods() -> None:
    rng = np.random.default_rng(3)
    time = np.arange(0, 27, 1 / 288)
    time = time[np.abs(time - 13.5) > 0.6]
    wave, noise = 1e-2 * np.sin(2 * np.pi * time / 3), 1e-3 * rng.standard_normal(time.size)
    stars = [_star(time, 1 + wave + noise), _star(time, 1 + noise), _star(time, 1 + wave), _star(time[:1], noise[:1])]
    periods = {
        "Lomb-Scargle": np.array([3.0, 3.0, 0.7, 3.0]),
        "autocorrelation": np.array([3.0, 3.0, 1.5, 3.0]),
    }
    got = strengths(stars, periods, 2048)
    assert got["Lomb-Scargle"][0] > 0.98
    # A Gaussian of a tenth of the period leaves that much of a sine.
    assert got["autocorrelation"][0] == pytest.approx(np.exp(-((0.2 * np.pi) ** 2) / 2), abs=0.03)
    assert np.all(np.abs([got[method][1] for method in got]) < 0.1)
    assert got["Lomb-Scargle"][2] < 0.05
    assert got["autocorrelation"][2] < -0.9
    assert all(np.isneginf(values[3]) for values in got.values())
    nothing = strengths(stars, {method: np.full(4, np.nan) for method in periods}, 2048)
    assert all(np.isneginf(values).all() for values in nothing.values())


def test_completeness_goes_by_amplitude_and_cycles_beside_the_classical_methods() -> None:
    n = 80
    true = np.linspace(1, 9, n)
    truth = {"prot": true, "peq": true, "spot_lifetime": np.full(n, np.nan)}
    truth |= {"amplitude_over_noise": np.linspace(0.5, 30, n), "cycles": 27 / true}
    found = _found(true, rotating=(np.arange(n) >= 20).astype(float), p_acf=true)
    called = {"Lomb-Scargle": np.arange(n) >= 40, "autocorrelation": np.zeros(n, bool)}
    along = {curve.axis: curve for curve in curves("sector-real", found, truth, called)}
    assert along["amplitude over noise"].completeness == [0, 0, 1, 1, 1, 1, 1, 1]
    assert along["amplitude over noise"].called == {
        "Lomb-Scargle": [0, 0, 0, 0, 1, 1, 1, 1],
        "autocorrelation": [0.0] * 8,
    }
    assert along["cycles in the baseline"].completeness == [1, 1, 1, 1, 1, 1, 0, 0]
    assert "amplitude over noise" not in {
        curve.axis
        for curve in curves("sector", found, {**truth, "cycles": true * np.nan, "amplitude_over_noise": true * np.nan})
    }
