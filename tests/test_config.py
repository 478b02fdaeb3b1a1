from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lowest import lowest
from spotcat.config import (
    CleanConfig,
    FitConfig,
    InputConfig,
    Recipe,
    SimulateConfig,
    Site,
    SlurmConfig,
    Spots,
    SurveyConfig,
    digest,
    load_recipe,
    load_site,
    seconds,
    to_dict,
    write_config,
)
from spotcat.status import InputError, RunError

ROOT = Path(__file__).parent.parent
LEAST = '[survey]\nname = "demo"\noutput = "runs/demo"\nseed = 1\n'
FULL = Recipe(
    SurveyConfig('a "quoted" \\ name\nwith α', "runs/ä b", 2**40),
    InputConfig(("data/*.fits", "tables"), "list.csv", "SPOC"),
    CleanConfig("hardest", 0.1 + 0.2),
    FitConfig(shears=(0.1, 1 / 3), p_min=1e-3, p_max=1e300, n_modes=9),
    SimulateConfig("sims", 48, n_spots=(1, 1), period=(1 / 7, 20.0)),
)


def _recipe(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def test_the_smallest_recipe_has_every_default(tmp_path: Path) -> None:
    recipe = load_recipe(_recipe(tmp_path, LEAST + '[input]\nfiles = ["data/*.fits"]\n'))
    survey = SurveyConfig("demo", "runs/demo", 1)
    assert recipe == Recipe(survey, InputConfig(("data/*.fits",)))


def test_whole_numbers_are_taken_for_floats(tmp_path: Path) -> None:
    fit = load_recipe(_recipe(tmp_path, LEAST + "[fit]\np_max = 45\nlifetimes = [2, 4]\n")).fit
    assert (fit.p_max, fit.lifetimes) == (45.0, (2.0, 4.0))
    assert {type(value) for value in (fit.p_max, *fit.lifetimes)} == {float}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fitt]\n", "unknown key 'fitt'; did you mean 'fit'"),
        ("[fit]\nn_periods = 3\n", "unknown key 'fit.n_periods'; did you mean 'n_period'"),
        ("[clean]\nxyz = 3\n", "unknown key 'clean.xyz'; known: quality, gap"),
        ("[input]\nfiles = 'data'\n", "'input.files' must be a list, got 'data'"),
        ("[input]\nfiles = [3]\n", "'input.files' must be str, got 3"),
        ("[input]\nauthor = 3\n", "'input.author' must be str, got 3"),
        ("[fit]\nn_period = 160.0\n", "'fit.n_period' must be int, got 160.0"),
        ("[fit]\nn_period = true\n", "'fit.n_period' must be int, got True"),
        ("[fit]\np_max = true\n", "'fit.p_max' must be float, got True"),
        ("[fit]\np_max = '45'\n", "'fit.p_max' must be float, got '45'"),
        ("[fit]\np_max = inf\n", "'fit.p_max' must be finite, got inf"),
        ("[fit]\nlifetimes = [1.5, nan]\n", "'fit.lifetimes' must be finite, got nan"),
        ("[[fit]]\np_max = 3\n", "'fit' must be a section"),
        ("[simulate]\nperiod = [2.0]\n", "'simulate.period' must have 2 values, got 1"),
        ("[simulate]\nn_spots = [1, 2.5]\n", "'simulate.n_spots' must be int, got 2.5"),
        ("fit = 3\n", "unknown key 'survey.fit'"),
        ("[survey]\n", "not valid TOML"),
        ("x = \n", "not valid TOML"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused_by_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = _recipe(tmp_path, LEAST + text)
    with pytest.raises(InputError, match=message) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["name", "output", "seed"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    text = "".join(line for line in LEAST.splitlines(keepends=True) if not line.startswith(key))
    with pytest.raises(InputError, match=f"missing key 'survey.{key}'"):
        load_recipe(_recipe(tmp_path, text))


def test_a_missing_section_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing key 'survey'"):
        load_recipe(_recipe(tmp_path, "[input]\n"))


@pytest.mark.parametrize(
    ("section", "line", "words"),
    [
        ("clean", "quality = 'soft'", "clean.quality must be none, default, hard or hardest"),
        ("clean", "gap = 0", "clean.gap must be positive"),
        ("fit", "min_points = 19", "fit.min_points"),
        ("fit", "max_points = 127", "fit.max_points"),
        ("fit", "cadence_min = -0.1", "fit.cadence_min"),
        ("fit", "p_min = 0", "fit.p_min"),
        ("fit", "p_min = 100", "fit.p_min"),
        ("fit", "n_period = 15", "fit.n_period"),
        ("fit", "shears = []", "fit.shears"),
        ("fit", "shears = [0.9]", "fit.shears"),
        ("fit", "lifetimes = []", "fit.lifetimes"),
        ("fit", "lifetimes = [0.0]", "fit.lifetimes"),
        ("fit", "n_harm = 9", "fit.n_harm"),
        ("fit", "confirm_modes = 6", "fit.confirm_modes"),
        ("fit", "envelope = 'trapez'", "fit.envelope must be one of trapezoid, exp.*, not 'trapez'"),
        ("fit", "envelope_numbers = [1]", r"fit.envelope_numbers of 'trapezoid' must be empty, not \[1.0\]"),
        ("fit", "envelope = 'skewed-gaussian'", r"fit.envelope_numbers of 'skewed-gaussian' must be skewness in 0..20"),
        ("fit", "visibility = 'limb'", "fit.visibility must be one of small, limb-darkened, facular, not 'limb'"),
        (
            "fit",
            "visibility = 'limb-darkened'\nvisibility_numbers = [0.4]",
            "fit.visibility_numbers of 'limb-darkened'",
        ),
        ("fit", "latitude = 'belt'", "fit.latitude must be one of uniform, area, bands, belts, not 'belt'"),
        ("fit", "latitude = 'bands'\nlatitude_numbers = [40, 10]", "fit.latitude_numbers of 'bands' must be rising"),
        ("fit", "latitude = 'belts'\nlatitude_numbers = [20, 0]", r"fit.latitude_numbers of 'belts' must be centre"),
        ("fit", "n_modes = 2\nconfirm_modes = 1", "fit.n_modes"),
        ("fit", "refine_steps = 0", "fit.refine_steps"),
        ("simulate", "n_stars = -1", "simulate.n_stars"),
        ("simulate", "cadence = 150", "simulate.cadence"),
        ("simulate", "gaps = 1", "simulate.gaps"),
        ("simulate", "period = [3, 2]", "simulate.period"),
        ("simulate", "kappa = [0, 1]", "simulate.kappa"),
        ("simulate", "lspot = [-1, 2]", "simulate.lspot"),
        ("simulate", "tau_spot = [0, 2]", "simulate.tau_spot"),
        ("simulate", "n_spots = [0, 2]", "simulate.n_spots"),
        ("simulate", "noise = [0.4, 0.3]", "simulate.noise"),
    ],
)
def test_a_value_that_no_run_could_use_is_refused(tmp_path: Path, section: str, line: str, words: str) -> None:
    path = _recipe(tmp_path, f"{LEAST}[{section}]\n{line}\n")
    with pytest.raises(InputError, match=f"recipe.toml: {words}"):
        load_recipe(path)


@pytest.mark.parametrize("line", ["name = ''", "output = ''", "seed = -1"])
def test_an_unusable_survey_is_refused(tmp_path: Path, line: str) -> None:
    key = line.split()[0]
    text = "".join(old for old in LEAST.splitlines(keepends=True) if not old.startswith(key))
    with pytest.raises(InputError, match=f"survey.{key} must not be"):
        load_recipe(_recipe(tmp_path, f"{text}{line}\n"))


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "2026-W48-6", "20261128"])
def test_a_date_that_is_no_day_is_refused(tmp_path: Path, day: str) -> None:
    text = LEAST.replace("[survey]\n", f"[survey]\ndate = '{day}'\n")
    with pytest.raises(InputError, match=f"survey.date must be a day such as 2026-11-28, got '{day}'"):
        load_recipe(_recipe(tmp_path, text))
    assert load_recipe(_recipe(tmp_path, text.replace(day, "2026-11-28"))).survey.date == "2026-11-28"


def test_a_recipe_chooses_laws_by_name(tmp_path: Path) -> None:
    text = "[fit]\nenvelope = 'exponential'\nlatitude = 'belts'\nlatitude_numbers = [20, 5.5]\n"
    fit = load_recipe(_recipe(tmp_path, LEAST + text)).fit
    assert Spots.of(fit) == Spots("exponential", latitude="belts", latitude_numbers=(20.0, 5.5))
    assert Spots.of(FitConfig()) == Spots()


def test_a_recipe_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: cannot be read \(No such file"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path)


def test_a_recipe_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"recipe\.toml: not valid TOML"):
        load_recipe(path)


@pytest.mark.parametrize("recipe", [FULL, Recipe(SurveyConfig("a", "b", 0))], ids=["full", "least"])
def test_a_written_recipe_reads_back_equal_and_in_full(tmp_path: Path, recipe: Recipe) -> None:
    write_config(recipe, tmp_path / "recipe.toml")
    assert load_recipe(tmp_path / "recipe.toml") == recipe
    assert tomllib.loads((tmp_path / "recipe.toml").read_text()) == to_dict(recipe)
    assert set(to_dict(recipe)["fit"]) == set(FitConfig.__dataclass_fields__)
    before = (tmp_path / "recipe.toml").read_bytes()
    write_config(load_recipe(tmp_path / "recipe.toml"), tmp_path / "recipe.toml")
    assert (tmp_path / "recipe.toml").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


def test_a_recipe_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nowhere/recipe\.toml: cannot be written"):
        write_config(FULL, tmp_path / "nowhere" / "recipe.toml")


def test_a_digest_depends_on_every_value_and_on_nothing_else() -> None:
    base = FitConfig()
    assert digest(base) == digest(FitConfig()) == digest(to_dict(base))
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert len(digest(base)) == 16
    changed = [replace(base, n_modes=17), replace(base, p_min=0.2 + 1e-15), replace(base, shears=(0.2, 0.0))]
    assert len({digest(config) for config in (base, *changed)}) == 4


def test_a_batch_in_an_older_recipe_is_ignored_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "old.toml"
    path.write_text('[survey]\nname = "a"\noutput = "b"\nseed = 1\n[fit]\nbatch = 64\np_min = 0.5\n')
    recipe = load_recipe(path)
    assert recipe == load_recipe(path) == Recipe(SurveyConfig("a", "b", 1), fit=FitConfig(p_min=0.5))
    (said,) = caplog.messages
    assert said.startswith(f"{path}: fit.batch is ignored") and "batch = 64 in a site's file" in said


def test_a_digest_is_the_same_in_another_process() -> None:
    code = "from spotcat.config import FitConfig, digest; print(digest(FitConfig()))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert outputs == {digest(FitConfig())}


def test_a_site_has_defaults_and_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    assert load_site(None) == Site()
    path.write_text("executor = 'serial'\nworkers = 3\n")
    assert load_site(path) == Site("serial", 3)
    for text, message in (
        ("executor = 'cloud'", "executor must be .* not 'cloud'"),
        ("workers = -1", "workers must not be negative"),
        ("workers = 1.5", "'workers' must be int"),
        ("worker = 1", "unknown key 'worker'; did you mean 'workers'"),
        ("executor = 'scheduler'", "needs scheduler_file"),
        ("platform = 'tpu'", "platform must be cpu or cuda, not 'tpu'"),
        ("chunk_seconds = -1", "chunk_seconds must not be negative"),
        ("patience = 0", "patience must be positive"),
        ("[slurm]\nshape = 'pyramid'", "slurm.shape must be allocation or array, not 'pyramid'"),
        ("[slurm]\nnodes = 0", "slurm.nodes"),
        ("[slurm]\ncpus_per_worker = 0", "slurm.cpus_per_worker"),
        ("[slurm]\ngpus_per_node = -1", "slurm.gpus_per_node"),
        ("platform = 'cuda'\n[slurm]\nshape = 'array'", "cuda needs slurm.gpus_per_node"),
        ("[slurm]\nwalltime = '1 hour'", "slurm.walltime must be .* got '1 hour'"),
        ("[slurm]\nwalltime = '00:05:00'", "longer than slurm.drain"),
        ("[slurm]\nnode = 2", "unknown key 'slurm.node'; did you mean 'nodes'"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            load_site(path)


def test_a_written_site_reads_back_equal(tmp_path: Path) -> None:
    site = Site("local", 2, scratch="/a b", slurm=SlurmConfig("array", setup=("module load 'x y'",), nodes=3))
    write_config(site, tmp_path / "site.toml")
    assert load_site(tmp_path / "site.toml") == site


def test_a_walltime_in_seconds() -> None:
    assert [seconds(text) for text in ("00:00:09", "01:30:00", "2-00:00:01", "90", "1:2:3")] == [9, 5400, 172801, 0, 0]


@pytest.mark.parametrize("path", sorted((ROOT / "workflows").glob("recipes/*.toml")), ids=lambda path: path.name)
def test_the_recipes_that_come_along_are_sound(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.survey.output.startswith("runs/")


@pytest.mark.parametrize("path", sorted((ROOT / "workflows").glob("sites/*.toml")), ids=lambda path: path.name)
def test_the_sites_that_come_along_are_sound(path: Path) -> None:
    assert isinstance(load_site(path), Site)


def test_both_environments_ask_for_the_same_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    conda = {one.name: one.specifier for one in map(Requirement, environment["dependencies"])}
    pip = {one.name: one.specifier for one in map(Requirement, project["dependencies"])}
    assert conda.pop("python") == SpecifierSet(project["requires-python"])
    assert conda.pop("pip") == SpecifierSet()
    assert conda == pip


def test_every_dependency_has_a_lower_bound_that_the_tests_can_install() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = dict(line.split("==") for line in lowest())
    assert set(pinned) == {Requirement(one).name for one in asked}
    assert all(Requirement(one).specifier.contains(pinned[Requirement(one).name]) for one in asked)
