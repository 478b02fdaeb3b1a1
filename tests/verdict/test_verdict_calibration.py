"""The calibration: learnt intervals hold the truth as often as they say, and the table is applied as it is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotcat.check.calibrate import BASELINE_EDGES, FEWEST, GAIN_EDGES, learn
from spotcat.config import FitConfig, Recipe, Site, SurveyConfig, load_recipe
from spotcat.run.fingerprint import fingerprint
from spotcat.run.stages import run_survey
from spotcat.status import InputError, LifetimeFlag
from spotcat.verdict.calibration import (
    LEVELS,
    N_EVIDENCE,
    QUANTITIES,
    Calibration,
    calibrated,
    calibration_of,
    content,
    differences,
    evidence_features,
    read,
    shipped,
)

BASELINES = np.array([27.0, 150.0, 1400.0])


def seen(rng: np.random.Generator, baseline: np.ndarray, above: float) -> dict[str, np.ndarray]:
    """What else speaks for a rotation, of an amplitude some `above` times the white noise of an hour."""
    n = baseline.size
    return {
        "baseline": baseline,
        "longest_segment": baseline,
        "amplitude": above * np.exp(rng.normal(0, 0.7, n)),
        "white_noise": np.ones(n),
        "rotating_share": rng.uniform(0.5, 1.0, n),
        "reliability": np.ones(n),
    }


def survey(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Stars whose raw intervals are too narrow, by a factor that depends on gain and baseline, with heavy tails."""
    gain, baseline = np.exp(rng.uniform(0, 7, n)), rng.choice(BASELINES, n)
    stars = {"lnl_rotation": gain, **seen(rng, baseline, 3.0)}
    stars["lifetime_flag"] = np.where(rng.random(n) < 0.7, LifetimeFlag.MEASURED, LifetimeFlag.LOWER_LIMIT)
    for name in QUANTITIES:
        half = rng.uniform(0.01, 0.05, n)
        truth = np.exp(rng.normal(2, 1, n))
        error = half * rng.standard_t(4, n) * np.where(gain < 12, 3.0, 1.2) * np.where(baseline > 500, 2.0, 1.0)
        value = truth * np.exp(error)
        stars |= {name: value, f"true_{name}": truth}
        stars |= {"true_peq": truth} if name == "prot" else {}
        stars |= {f"{name}_lower_raw": value * np.exp(-half), f"{name}_upper_raw": value * np.exp(half)}
    return stars


@pytest.fixture(scope="module")
def quiet() -> dict[str, np.ndarray]:
    """Gains twice as large in short light curves; none of the longest."""
    rng = np.random.default_rng(1)
    return without_rotation(rng, rng.exponential(1.5, 4000) * np.repeat([2, 1], 2000), np.repeat([27.0, 150.0], 2000))


def without_rotation(rng: np.random.Generator, gain: np.ndarray, baseline: np.ndarray) -> dict[str, np.ndarray]:
    """Stars without rotation: small amplitudes, periods of noise."""
    return {"lnl_rotation": gain, "prot": np.exp(rng.normal(1, 1, gain.size)), **seen(rng, baseline, 1.0)}


def evidence_of(stars: dict[str, np.ndarray], table: Calibration) -> np.ndarray:
    return evidence_features(stars) @ np.array(table.evidence)


def test_intervals_hold_the_truth_of_other_stars_as_often_as_they_say(quiet: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(2)
    table = learn(survey(rng, 6000), quiet, "test", FitConfig())
    fresh = survey(rng, 6000)
    raw = {f"{n}_{end}": fresh[f"{n}_{end}_raw"] for n in QUANTITIES for end in ("lower", "upper")}
    got = calibrated(fresh | raw, table)
    for name in QUANTITIES:
        sure = fresh["lifetime_flag"] == LifetimeFlag.MEASURED if name == "spot_lifetime" else np.full(6000, True)
        for level, ending in zip(LEVELS, ("", "95"), strict=True):
            low, high = got[f"{name}_lower{ending}"], got[f"{name}_upper{ending}"]
            inside = (low <= fresh[f"true_{name}"]) & (fresh[f"true_{name}"] <= high)
            for some in (
                sure,
                *(sure & (fresh["baseline"] == b) for b in BASELINES),
                sure & (fresh["lnl_rotation"] < 6),
            ):
                assert np.mean(inside[some]) == pytest.approx(level / 100, abs=0.04)
        np.testing.assert_array_equal(got[f"{name}_lower_raw"], raw[f"{name}_lower"])


def test_a_regime_with_few_stars_borrows_its_neighbours(quiet: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(3)
    stars = survey(rng, 3000)
    rare = (stars["lnl_rotation"] > GAIN_EDGES[-1]) & (stars["baseline"] == 27)
    keep = ~rare | (np.cumsum(rare) < FEWEST)
    table = learn({k: v[keep] for k, v in stars.items()}, quiet, "test", FitConfig())
    scores = np.abs(np.log(stars["prot"] / stars["true_prot"])) / np.log(stars["prot"] / stars["prot_lower_raw"])
    own = scores[keep & (stars["lnl_rotation"] > GAIN_EDGES[-2]) & (stars["baseline"] == 27)]
    assert own.size >= FEWEST
    assert table.factors["prot_68"][-1][0] == pytest.approx(np.quantile(own, 0.68), rel=0.02)


def test_nothing_is_learnt_of_lifetimes_that_are_all_limits(quiet: dict[str, np.ndarray]) -> None:
    stars = survey(np.random.default_rng(9), 500)
    limits = np.full(500, LifetimeFlag.LOWER_LIMIT)
    with pytest.raises(InputError, match=r"no star to learn intervals of spot_lifetime from; give more stars"):
        learn(stars | {"lifetime_flag": limits}, quiet, "test", FitConfig())


def test_the_false_alarm_probability_is_the_fraction_of_quiet_stars(quiet: dict[str, np.ndarray]) -> None:
    table = learn(survey(np.random.default_rng(4), 1000), quiet, "test", FitConfig())
    evidence = evidence_of(quiet, table)
    for length in (27.0, 150.0):
        own = evidence[quiet["baseline"] == length]
        for x in np.quantile(own, [0.5, 0.9, 0.97]):
            got = table.false_alarm(np.array([x]), np.array([length]))[0]
            assert got == pytest.approx(np.mean(own >= x), rel=0.2)
    middle = np.quantile(evidence, 0.7)
    long = table.false_alarm(np.array([middle]), np.array([1400.0]))[0]  # has none of its own
    assert long == pytest.approx(0.3, rel=0.1)
    beyond = table.false_alarm(np.array([-50.0, 8.0, 20.0, 100.0]), np.full(4, 150.0))
    assert beyond[0] == pytest.approx(1, abs=0.02)
    assert np.all(np.diff(beyond) < 0)


def test_what_the_verdict_refuses_is_no_false_alarm(quiet: dict[str, np.ndarray]) -> None:
    refused = quiet | {"reliability": (np.arange(4000) % 4 == 0).astype(float)}
    table = learn(survey(np.random.default_rng(4), 1000), refused, "test", FitConfig())
    assert table.false_alarm(np.array([-50.0]), np.array([150.0]))[0] == pytest.approx(0.25, rel=0.05)


def test_evidence_is_more_than_gain() -> None:
    """At equal gain an amplitude far above the noise, as rotators have and quiet stars have not, is seldom noise."""
    rng = np.random.default_rng(7)
    quiet = without_rotation(rng, rng.exponential(3.0, 4000), np.full(4000, 150.0))
    table = learn(survey(rng, 2000), quiet, "test", FitConfig())
    star = {key: values[:2].copy() for key, values in quiet.items()} | {"lnl_rotation": np.array([8.0, 8.0])}
    star |= {"rotating_share": np.ones(2), "amplitude": np.array([0.5, 8.0]), "prot": np.full(2, 5.0)}
    low, high = table.false_alarm(evidence_of(star, table), star["baseline"])
    assert high < 0.2 * low


def test_a_period_of_a_whole_segment_speaks_for_a_drift() -> None:
    star = {key: np.full(3, 1.0) for key in ("amplitude", "white_noise", "rotating_share")}
    star |= {"lnl_rotation": np.full(3, 20.0), "prot": np.array([5.0, 40.0, 90.0]), "longest_segment": np.full(3, 90.0)}
    features = evidence_features(star)
    assert features.shape == (3, N_EVIDENCE)
    np.testing.assert_allclose(features[:, 5], [0, 0, np.log(2)])


@pytest.mark.parametrize("baseline", [27.0, 150.0, 1460.0])
def test_the_shipped_table_lets_clear_rotators_be_detected(baseline: float) -> None:
    evidence = np.arange(-4.0, 30.0, 0.5)
    alarm = shipped().false_alarm(evidence, np.full(evidence.size, baseline))
    # The fraction of so many simulated stars may stand still between two of them.
    assert np.all(np.diff(np.log(alarm)) <= 0)
    clear = {key: np.ones(1) for key in ("white_noise", "rotating_share", "prot")}
    clear |= {"lnl_rotation": np.array([100.0]), "amplitude": np.array([10.0]), "longest_segment": np.array([13.0])}
    assert shipped().false_alarm(evidence_of(clear, shipped()), np.array([baseline]))[0] < 1e-3


def test_reliability_is_the_fraction_of_right_periods(quiet: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(6)

    def half_right(n: int) -> dict[str, np.ndarray]:
        """Wide intervals and small gains go with wrong periods."""
        stars = survey(rng, n)
        half = np.log(stars["prot_upper_raw"] / stars["prot"])
        right = rng.random(n) < 1 / (1 + (half / 0.03) ** 2 * (10 / stars["lnl_rotation"]))
        stars["prot"] = stars["true_prot"] * np.where(right, 1.0, 1.5)
        return stars | {"prot_lower": stars["prot"] * np.exp(-half), "prot_upper": stars["prot"] * np.exp(half)}

    table, fresh = learn(half_right(6000), quiet, "test", FitConfig()), half_right(6000)
    fresh |= {f"spot_lifetime_{end}": fresh[f"spot_lifetime_{end}_raw"] for end in ("lower", "upper")}
    fresh["prot_lower_raw"], fresh["prot_upper_raw"] = fresh["prot_lower"], fresh["prot_upper"]
    got = calibrated(fresh, table)
    right = np.abs(fresh["prot"] / fresh["true_prot"] - 1) < 0.1
    sure = got["reliability"] / (1 - got["false_alarm"])  # the false alarms are no part of this sample
    for low, high in ((0.2, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.0)):
        some = (sure >= low) & (sure < high)
        assert np.mean(right[some]) == pytest.approx(sure[some].mean(), abs=0.05)
    assert np.all(got["reliability"] <= 1 - got["false_alarm"])


def test_a_table_survives_its_text_and_the_shipped_one_is_whole(quiet: dict[str, np.ndarray]) -> None:
    table = learn(survey(np.random.default_rng(5), 500), quiet, "test", FitConfig())
    assert read(table.to_json()) == table
    own = shipped()
    for name in QUANTITIES:
        for level in LEVELS:
            assert np.shape(own.factors[f"{name}_{level}"]) == (len(own.gain) + 1, len(own.baseline) + 1)
        assert np.all(np.array(own.factors[f"{name}_95"]) >= np.array(own.factors[f"{name}_68"]))
    assert own.gain == GAIN_EDGES
    assert own.baseline == BASELINE_EDGES
    assert own.version
    assert own.is_whole


OTHERS = FitConfig(p_max=45.0, lifetimes=(2.0, 9.0))


@pytest.fixture(scope="module")
def learnt(quiet: dict[str, np.ndarray]) -> Calibration:
    """A table of settings that are not the default ones."""
    return learn(survey(np.random.default_rng(10), 500), quiet, "test", OTHERS)


def written(table: Calibration, path: Path, config: FitConfig = OTHERS) -> FitConfig:
    """A fit that names a table's file."""
    path.write_text(table.to_json())
    return replace(config, calibration=str(path))


def test_a_table_that_was_written_is_used_by_a_fit_of_its_settings(learnt: Calibration, tmp_path: Path) -> None:
    assert calibration_of(written(learnt, tmp_path / "table.json")) == learnt
    assert calibration_of(FitConfig()) is shipped()
    # What the fit is then made of, and which stars it is of, are one's own.
    own = replace(OTHERS, detection=5.0, false_alarm=0.1, reliability=0.5, stars=("a",), sampler="importance")
    assert calibration_of(written(learnt, tmp_path / "table.json", own)) == learnt
    # The shipped table fits the default settings.
    assert calibration_of(written(shipped(), tmp_path / "copy.json", FitConfig())) == shipped()


def test_the_shipped_table_was_learnt_with_the_default_settings() -> None:
    other = differences(shipped(), FitConfig())
    assert not other, (
        f"shipped: {', '.join(other)}: every star of a default run would be flagged as uncalibrated; learn the table "
        "again by the command in workflows/recipes/calibrate.toml"
    )
    assert differences(shipped(), OTHERS) == [
        "lifetimes = [1.5, 4.0, 12.0, 30.0] instead of [2.0, 9.0]",
        "p_max = 100.0 instead of 45.0",
    ]


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda table: table.pop(key)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without("factors"), "not a table as `spotcat check calibrate` writes it"),
        (without("fit"), "not a table as"),
        (without("spotcat"), "not a table as"),
        (lambda table: table["factors"].pop("prot_68"), "not a table as"),
        (lambda table: table["right"].pop(), "not a table as"),
        (lambda table: table["factors"]["prot_95"][1].append(2.0), "not a table as"),
        (lambda table: table["ln_alarm"][0].__setitem__(0, float("nan")), "not a table as"),
        (lambda table: table.update(gain="many"), "not a table as"),
        (lambda table: table.update(spotcat="0.0.9"), "learnt with spotcat 0.0.9, this is"),
        (lambda table: table["fit"].update(p_max=100.0), "learnt with p_max = 100.0 instead of 45.0; learn it again"),
        (
            lambda table: table["fit"].update(n_harm=3, envelope="exponential"),
            "learnt with envelope = 'exponential' instead of 'trapezoid', n_harm = 3 instead of 4; learn",
        ),
        (lambda table: table["fit"].pop("shears"), r"learnt with shears = None instead of \[0.0, 0.2\]; learn"),
        (lambda table: table["fit"].update(new=1), "learnt with new = 1 instead of None; learn"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    spoil: Callable[[dict[str, Any]], object], said: str, learnt: Calibration, tmp_path: Path
) -> None:
    path = tmp_path / "table.json"
    config = written(learnt, path)
    table = json.loads(path.read_text())
    spoil(table)
    path.write_text(json.dumps(table))
    with pytest.raises(InputError, match=f"^fit.calibration: .*table.json: {said}"):
        calibration_of(config)


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", "version,gain\n1,2\n", "\udcff"])
def test_a_file_that_is_no_table_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"table\.json: not a table as"):
        calibration_of(FitConfig(calibration=str(path)))
    with pytest.raises(InputError, match=r"none\.json: cannot be read \(No such file"):
        calibration_of(FitConfig(calibration=str(tmp_path / "none.json")))


def test_the_content_of_a_table_decides_a_result_and_not_its_place(learnt: Calibration, tmp_path: Path) -> None:
    def config_of(fit: FitConfig) -> str:
        return fingerprint(Recipe(SurveyConfig("name", "folder", 1), fit=fit))["config"]

    first, moved = (written(learnt, tmp_path / name) for name in ("one.json", "two.json"))
    assert config_of(first) == config_of(moved) != config_of(OTHERS)
    before = config_of(first)
    written(replace(learnt, alarm_evidence=tuple(x + 1 for x in learnt.alarm_evidence)), tmp_path / "one.json")
    assert config_of(first) != before
    assert content(OTHERS) == ""


def test_a_recipe_names_a_table_by_its_place_and_a_run_without_it_is_refused(
    learnt: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    survey = '[survey]\nname = "a"\noutput = "run"\nseed = 1\n[fit]\np_max = 45\nlifetimes = [2.0, 9.0]\n'
    Path("recipe.toml").write_text(survey + 'calibration = "table.json"\n')
    recipe = load_recipe("recipe.toml")
    with pytest.raises(InputError, match=r"fit\.calibration: .*table\.json: cannot be read"):
        run_survey(recipe, Site("serial"))
    assert not Path("run").exists()
    written(learnt, tmp_path / "table.json")
    monkeypatch.chdir("/")  # where a worker may be
    assert calibration_of(recipe.fit) == learnt
