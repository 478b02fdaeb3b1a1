"""What the columns of a fit say, and that they say nothing of a fit that is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from fit_samples import THETA, Star

from spotcat.config import FitConfig
from spotcat.fit.buckets import BucketSpec, grid_stars
from spotcat.fit.columns import FitTable, fit_table
from spotcat.fit.modes import Fit
from spotcat.fit.posterior import laplace_draws, quantities
from spotcat.fit.second import Second
from spotcat.model.outliers import MOST_OUTLIERS
from spotcat.status import Flag, LifetimeFlag, ParameterFlag, Status
from spotcat.verdict.calibration import settings, shipped
from spotcat.verdict.dips import dipping
from spotcat.verdict.flags import fit_flags

CONFIG = FitConfig()
SPEC = BucketSpec(128, 0.5, 1)
NAN = np.nan


@pytest.mark.parametrize(
    ("p_ls", "p_acf", "disagree"),
    [
        (8.1, 7.9, False),
        (8.1, 16.0, False),
        (3.0, 8.2, False),
        (8.1, NAN, False),
        (NAN, 8.1, False),
        (NAN, NAN, False),
        (3.0, 16.0, True),
        (3.0, NAN, True),
        (NAN, 16.0, True),
    ],
)
def test_methods_disagree_where_there_is_one_and_none_has_the_period(p_ls: float, p_acf: float, disagree: bool) -> None:
    columns = {"prot": 8.0, "peq": 7.5, "p_ls": p_ls, "p_acf": p_acf, "p_second": 3.0, "p_second_lnodds": -9.0}
    columns |= {"rotating": 1, "baseline": 60.0, "spot_lifetime": 20.0}
    never = np.array([False])
    flags = fit_flags({k: np.array([v]) for k, v in columns.items()}, never, never, never, np.geomspace(0.5, 30, 9))
    assert flags[0] == (Flag.METHODS_DISAGREE if disagree else 0)


def made_up(values: list[float], config: FitConfig = CONFIG) -> FitTable:
    """Fits with these log-posteriors of one lively star, the last constant; all look like poor fits of many flags."""
    rng, n = np.random.default_rng(1), len(values)
    time = 0.5 * np.arange(120)
    flux = 1 + 0.01 * np.sin(2 * np.pi * time / 3) + 0.004 * rng.normal(size=120) - 0.08 * (time % 11 < 0.5)
    star = Star(time, flux, np.full(120, 0.004), np.zeros(120, int))
    stars = [star] * (n - 1) + [star._replace(flux=np.ones(120))]
    layout = SPEC.layout(CONFIG)
    theta = np.repeat(THETA[None], n, axis=0)
    with jax.enable_x64(True):
        draws = laplace_draws(theta, np.repeat(30 * np.eye(layout.n_theta)[None], n, axis=0), layout)
    best = quantities(theta, np.ones(n), layout)
    fit = Fit(
        theta=theta,
        value=np.array(values),
        left=np.zeros(n),
        gain=np.full(n, 50.0),
        lnodds=np.full(n, -1.0),
        half_lnodds=np.full(n, -1.0),
        double_lnodds=np.full(n, NAN),
        dt=np.full(n, 0.5),
        outlier_time=np.full((n, MOST_OUTLIERS), NAN),
        signal=np.array([np.zeros((2, 1)) for _ in range(n)] + [None], dtype=object)[:n],
        best=best,
        draws=quantities(draws, np.ones((n, 1)), layout),
        second=best._replace(prot=best.prot / 2),
        **{name: np.full(n, NAN) for name in ("n_eff", "pareto_k", "r_hat", "n_divergent")},
    )
    dips = dipping(grid_stars(stars, SPEC.whole), SPEC.dt, best.prot, best.spot_lifetime, theta[:, layout.levels])
    none = Second(*np.full((3, n), NAN))
    return fit_table(fit, none, dips, np.zeros((n, CONFIG.n_period)), stars, SPEC, config)


def test_a_star_without_a_fit_has_a_status_and_no_word_on_the_fit() -> None:
    columns, arrays = made_up([5.0, NAN, np.inf, -np.inf, 5.0])
    assert columns["status"].tolist() == [Status.OK] + [Status.FIT_FAILED] * 3 + [Status.CONSTANT_FLUX]
    expected = Flag.NOT_DETECTED | Flag.ALIAS_POSSIBLE | Flag.METHODS_DISAGREE | Flag.ECLIPSES_SUSPECTED
    assert columns["flags"].tolist() == [expected, 0, 0, 0, 0]
    assert columns["rotating"].tolist() == [0] * 5
    for name, none in (
        ("lifetime_flag", LifetimeFlag.NOT_FITTED),
        ("kappa_flag", ParameterFlag.NOT_FITTED),
        ("inc_flag", ParameterFlag.NOT_FITTED),
    ):
        assert columns[name][0] != none
        assert columns[name][1:].tolist() == [none] * 4
    told = {"baseline", "duty", "longest_segment", "rvar", "sph", "dt"}
    for name, values in columns.items():
        if values.dtype.kind == "f":
            assert np.isfinite(values[1:]).all() == (name in told), name
    assert all(np.isnan(values[1:]).all() for values in arrays.values())


def test_a_fit_is_calibrated_by_the_table_that_its_settings_name(tmp_path: Path) -> None:
    factors = {key: [[3.0] * len(row) for row in rows] for key, rows in shipped().factors.items()}
    path = tmp_path / "table.json"
    alarm = ((-3.0,) * len(shipped().alarm_evidence),) * 3
    path.write_text(replace(shipped(), factors=factors, ln_alarm=alarm).to_json())
    own = made_up([5.0, 5.0], replace(CONFIG, calibration=str(path))).columns
    usual = made_up([5.0, 5.0]).columns
    half = 0.5 * np.log(usual["prot_upper_raw"] / usual["prot_lower_raw"])[0]
    assert own["prot_upper"][0] == pytest.approx(usual["prot"][0] * np.exp(3 * half))
    assert own["false_alarm"][0] == pytest.approx(np.exp(-3))
    assert usual["prot_upper"][0] != pytest.approx(own["prot_upper"][0], rel=1e-6)


def test_a_star_fitted_with_settings_that_the_shipped_table_does_not_know_is_flagged(tmp_path: Path) -> None:
    usual, other = CONFIG, replace(CONFIG, p_max=45.0)
    path = tmp_path / "table.json"
    path.write_text(replace(shipped(), fit=settings(other)).to_json())
    # What is made of a fit needs no other calibration, and one's own table knows one's own settings.
    known = [usual, replace(usual, detection=5.0, sampler="importance"), replace(other, calibration=str(path))]
    for config, flagged in [(other, True), *((one, False) for one in known)]:
        flags = made_up([5.0, 5.0, NAN, 5.0], config).columns["flags"]
        assert np.array_equal(flags & Flag.UNCALIBRATED != 0, [flagged, flagged, False, False])
