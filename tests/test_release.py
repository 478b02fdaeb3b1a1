"""What is said of a release in several files is the same in all, and its wheel runs a survey by itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from spotcat import __version__
from spotcat.citation import AUTHORS, CITATION, TITLE

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA: dict[str, Any] = yaml.safe_load((ROOT / "workflows/conda/recipe.yaml").read_text())
CITED: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text())

_FAST = """
[fit]
n_period = 32
lifetimes = [3.0]
shears = [0.0]
refine_steps = 4
confirm_steps = 1

[simulate]
folder = "stars"
n_stars = 3
baseline = 64.0
period = [3.0, 12.0]
"""


def test_there_is_one_version() -> None:
    assert "version" not in PROJECT["project"]
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "spotcat.__version__"}
    assert CITED["version"] == CONDA["context"]["version"] == __version__
    (newest, *_) = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert newest == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_it_is_cited_alike_everywhere() -> None:
    zenodo = json.loads((ROOT / ".zenodo.json").read_text())
    assert CITED["cff-version"] == "1.2.0"
    assert CITED["title"] == zenodo["title"] == TITLE
    assert [author["name"] for author in CITED["authors"]] == [one["name"] for one in zenodo["creators"]] == [AUTHORS]
    assert CITED["license"] == zenodo["license"] == PROJECT["project"]["license"] == CONDA["about"]["license"]
    assert CITED["keywords"] == zenodo["keywords"]
    assert CITATION.startswith(f"{AUTHORS}, {TITLE}, version {__version__}")
    quoted = (ROOT / "README.md").read_text().replace("\n> ", " ")
    assert CITATION.replace(__version__, "VERSION") in quoted


def test_the_conda_recipe_asks_for_what_the_package_does() -> None:
    project, requirements = PROJECT["project"], CONDA["requirements"]
    run = {one.name: one.specifier for one in map(Requirement, requirements["run"])}
    assert run.pop("python") == SpecifierSet(project["requires-python"])
    assert run == {one.name: one.specifier for one in map(Requirement, project["dependencies"])}
    host = {one.name: one.specifier for one in map(Requirement, requirements["host"])}
    assert host.pop("python") == SpecifierSet(project["requires-python"])
    assert host.pop("pip") == SpecifierSet()
    assert host == {one.name: one.specifier for one in map(Requirement, PROJECT["build-system"]["requires"])}
    scripts = [f"{name} = {place}" for name, place in project["scripts"].items()]
    assert CONDA["build"]["python"]["entry_points"] == scripts
    assert CONDA["about"]["summary"] == project["description"]
    source = (ROOT / "workflows/conda" / CONDA["source"]["path"]).resolve()
    assert (source / "pyproject.toml").is_file() and (source / CONDA["about"]["license_file"]).is_file()
    used = set(re.findall(r"\$\{\{ *(\w+) *\}\}", (ROOT / "workflows/conda/recipe.yaml").read_text()))
    assert used == {"version", "PYTHON"}


def test_the_paper_cites_what_its_list_has_and_tells_the_figures_of_the_readme() -> None:
    paper, listed = ((ROOT / "docs/paper" / name).read_text() for name in ("paper.md", "paper.bib"))
    _, head, body = paper.split("---\n", 2)
    assert yaml.safe_load(head)["authors"] == [{"name": AUTHORS}]
    assert yaml.safe_load(head)["title"] == TITLE
    keys = re.findall(r"^@\w+\{(\w+),", listed, flags=re.MULTILINE)
    assert len(keys) == len(set(keys))
    assert set(re.findall(r"@(\w+)", body)) == set(keys)
    readme = (ROOT / "README.md").read_text()
    table = [line for line in body.splitlines() if line.startswith("|")]
    assert len(table) > 4
    assert [line for line in table if line not in readme.splitlines()] == []
    told, known = (" ".join(text.split()) for text in (body, readme))
    for figure in ("24 ms of wall time on two cores, 153 times less", "(Lomb-Scargle 30, autocorrelation 29)"):
        assert figure in told and figure in known


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the checkout, built as pip does anywhere."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for name in ("pipeline", "workflows"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=unwanted)
    target = folder / "wheels"
    command = [sys.executable, "-m", "pip", "wheel", str(folder), "--no-deps", "--wheel-dir", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("no package index to take setuptools from")
    assert done.returncode == 0, done.stderr
    (path,) = target.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_has_the_version_and_every_file_of_the_package(wheel: Path) -> None:
    assert wheel.name == f"spotcat-{__version__}-py3-none-any.whl"
    package = ROOT / "pipeline/spotcat"
    wanted = {
        Path("spotcat", Path(parent).relative_to(package), name).as_posix()
        for parent, _, names in os.walk(package, followlinks=True)
        for name in names
        if "__pycache__" not in parent
    }
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == wanted


@pytest.mark.slow
def test_the_wheel_alone_runs_a_survey_outside_of_a_checkout(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env/bin/python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, capture_output=True, check=True)
    (home,) = (tmp_path / "env/lib").glob("python*/site-packages")
    # The dependencies are those of this environment; what it has installed as editable does not come along.
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (home / "dependencies.pth").write_text("".join(f"{path}\n" for path in sorted(paths)))
    desk = tmp_path / "desk"
    desk.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def spotcat(*arguments: str) -> str:
        command = [str(tmp_path / "env/bin/spotcat"), *arguments]
        done = subprocess.run(command, cwd=desk, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = [str(python), "-c", "import spotcat; print(spotcat.__file__)"]
    found = subprocess.run(where, cwd=desk, env=environment, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()) == home / "spotcat/__init__.py"
    assert spotcat("--version") == f"spotcat {__version__}\n"
    minimal = spotcat("recipe", "--minimal").replace("data/*.fits", "stars/*.ecsv")
    (desk / "survey.toml").write_text(minimal + _FAST)
    (desk / "serial.toml").write_text(spotcat("site", "serial"))
    spotcat("simulate", "survey.toml")
    assert "3 stars" in spotcat("run", "survey.toml", "--site", "serial.toml")
    catalog = "runs/minimal/catalog.zarr"
    assert spotcat("query", catalog, "prot > 0", "--count") == "3\n"
    spotcat("query", catalog, "--out", "stars.vot")
    assert CITATION in (desk / "stars.vot").read_text()
    (desk / "periods.csv").write_text("KIC,period\n1,2.0\n")
    spotcat("check", "literature", catalog, "--table", "mcquillan2014=periods.csv")
