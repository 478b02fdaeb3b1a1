"""The public names: there, documented, typed, and light to import."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import spotcat

ROOT = Path(__file__).parents[1]
NAMES = sorted(set(spotcat.__all__) - {"__version__"})
LIGHT = ["Flag", "InputError", "LeftOut", "LifetimeFlag", "ParameterFlag", "Recipe", "RunError", "Site", "SpotcatError"]


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(spotcat, name)
    assert found.__name__ == name
    assert found is getattr(import_module(found.__module__), name)
    assert inspect.getdoc(found)
    if inspect.isfunction(found):
        hints = found.__annotations__
        assert {*inspect.signature(found).parameters, "return"} == hints.keys()


def test_what_a_program_needs_beside_a_catalog_is_public() -> None:
    wanted = {"Catalog", "LightCurveStore", "Status", "load_recipe", "load_site", "open_catalog", "run_survey", *LIGHT}
    assert wanted <= set(spotcat.__all__)
    assert dir(spotcat) == spotcat.__all__ == sorted(spotcat.__all__)


def test_importing_the_package_loads_nothing_but_itself_and_its_codes_nothing_heavy() -> None:
    code = (
        "import sys\nbefore = set(sys.modules)\nimport spotcat\n"
        "assert {name for name in set(sys.modules) - before if name.startswith('spotcat')} == {'spotcat'}\n"
        f"for name in {[*LIGHT, 'Status', 'load_recipe', 'load_site']}:\n    getattr(spotcat, name)\n"
        "print({'numpy', 'xarray', 'zarr', 'jax', 'dask', 'lightkurve', 'pandas', 'astropy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_run_survey_is_found_without_jax() -> None:
    code = "import sys, spotcat\nspotcat.run_survey, spotcat.open_catalog, spotcat.Catalog\nprint('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'spotcat' has no attribute 'run_surveys'"):
        spotcat.run_surveys  # noqa: B018


def test_the_promise_names_every_exit_code_and_code_of_the_package() -> None:
    page = (ROOT / "docs/api-promise.md").read_text()
    for name in ("Status", "Flag", "LifetimeFlag", "ParameterFlag", "LeftOut", "Verdict"):
        assert f"`{name}`" in page
    from spotcat.status import RunStopped

    for error in (spotcat.SpotcatError, spotcat.InputError, RunStopped):
        assert f"{error.exit_code} " in page


@pytest.mark.slow
def test_the_public_names_are_typed_strictly(tmp_path: Path) -> None:
    """What JAX and NumPy leave untyped may be returned; nothing else is lax in the modules of the public names."""
    modules = {import_module(getattr(spotcat, name).__module__) for name in NAMES} | {spotcat}
    (tmp_path / "program.py").write_text(
        "import numpy as np\nimport spotcat\n"
        "catalog: spotcat.Catalog = spotcat.open_catalog('catalog.zarr')\n"
        "period: np.ndarray = catalog.query('prot > 5').column('prot')\n"
        "clean: bool = spotcat.Flag(int(catalog.column('flags')[0])) == spotcat.Flag.NONE\n"
        "recipe: spotcat.Recipe = spotcat.load_recipe('survey.toml')\n"
        "n_stars: int = spotcat.run_survey(recipe, spotcat.load_site(None)).n_stars\n"
    )
    options = ["--strict", "--no-warn-return-any", "--follow-imports=silent", f"--cache-dir={tmp_path / 'cache'}"]
    files = [*sorted(str(module.__file__) for module in modules), str(tmp_path / "program.py")]
    command = [sys.executable, "-m", "mypy", *options, *files]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout
