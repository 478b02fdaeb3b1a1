"""What speaks for a rotation: more than its gain."""

from __future__ import annotations

import numpy as np
import pytest

from spotcat.config import FitConfig
from spotcat.verdict.calibration import N_EVIDENCE, calibrated, evidence_features, shipped
from spotcat.verdict.decision import detected, outside


def alike(**columns: list[float]) -> dict[str, np.ndarray]:
    """Fits that are the same but for some columns."""
    n = max(len(values) for values in columns.values())
    usual = {
        "lnl_rotation": 9.0, "baseline": 27.0, "longest_segment": 13.0, "rotating_share": 0.6, "amplitude": 1e-3,
        "white_noise": 1e-3, "prot": 4.0, "prot_lower": 3.95, "prot_upper": 4.05, "spot_lifetime": 20.0,
        "spot_lifetime_lower": 15.0, "spot_lifetime_upper": 26.0,
    }  # fmt: skip
    return {name: np.array(columns.get(name, [value] * n)) for name, value in usual.items()}


def test_features_are_what_they_say() -> None:
    known = alike(lnl_rotation=[-3.0, 20.0], amplitude=[1e-3, 8e-3], rotating_share=[0.0, 0.5], prot=[4.0, 13.0])
    features = evidence_features(known)
    assert features.shape == (2, N_EVIDENCE)
    np.testing.assert_allclose(features[0], [1, 0, 0, 0, np.log(1e-3), 0], atol=1e-12)
    np.testing.assert_allclose(features[1], [1, np.log(21), 2, np.log(8), np.log(0.5), np.log(2)])


@pytest.mark.parametrize("baseline", [27.0, 150.0, 1400.0])
def test_a_star_far_above_its_noise_is_less_of_a_false_alarm_at_the_same_gain(baseline: float) -> None:
    known = alike(amplitude=[2e-4, 1e-3, 5e-3], baseline=[baseline] * 3)
    alarm = calibrated(known, shipped())["false_alarm"]
    assert alarm[0] > alarm[1] > alarm[2]


@pytest.mark.parametrize("baseline", [27.0, 150.0, 1400.0])
def test_a_higher_gain_is_never_more_of_a_false_alarm(baseline: float) -> None:
    gain = np.linspace(0, 80, 50)
    alarm = calibrated(alike(lnl_rotation=gain.tolist(), baseline=[baseline] * 50), shipped())["false_alarm"]
    assert np.all(np.diff(alarm) <= 0)
    assert np.all((alarm >= 0) & (alarm <= 1))


def test_evidence_decides_between_stars_of_one_gain() -> None:
    config = FitConfig()
    gain = np.array([12.0, 12.0, 2.0])
    assert detected(gain, np.array([1e-4, 0.2, 1e-4]), np.full(3, 0.95), config).tolist() == [True, False, False]


def test_a_period_beyond_the_search_is_none() -> None:
    """A climb may leave the periods of the search; what it finds there is a slope, not a maximum among them."""
    periods = np.geomspace(0.2, 13.0, 64)
    peq = np.array([0.15, 0.195, 0.199, 5.0, 13.2, 14.0, np.nan])
    assert outside(peq, periods).tolist() == [True, True, False, False, False, True, False]
