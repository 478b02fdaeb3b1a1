"""Which room may import which, and which room owns which library, held on the syntax trees of the package.

Imports inside functions and under TYPE_CHECKING count too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import spotcat
from spotcat.fit.programs import ROOMS
from spotcat.run.fingerprint import closure

PACKAGE = Path(spotcat.__file__).parent

EVERYWHERE = {"citation", "config", "scatter", "status", "text"}
ARROWS: dict[str, set[str]] = {
    "scatter": set(),
    "status": set(),
    "text": set(),
    "atomic": {"status"},
    "gaps": set(),
    "toml": {"status"},
    "settings": set(),
    "spots": {"toml", "settings"},
    "config": {"status", "toml", "settings", "spots"},
    "reference": {"status", "toml", "settings"},
    "citation": set(),
    "star": set(),
    "model": {"star", "gaps"},
    "gp": {"model", "star"},
    "verdict": {"model"},
    "fit": {"model", "gp", "star", "gaps", "verdict"},
    "ingest": {"atomic", "gaps"},
    "catalog": {"atomic"},
    "run": {"fit", "verdict", "ingest", "catalog", "atomic"},
    "check": {"star", "fit", "verdict", "ingest", "catalog", "atomic"},
    "report": {"star", "model", "ingest", "catalog", "atomic"},
    "validation": {"run", "check", "report", "ingest", "catalog", "atomic"},
    "commands": {"run", "check", "report", "catalog", "verdict", "ingest", "validation", "reference"},
    "cli": {"commands"},
    "__main__": {"cli"},
}
OWNERS: dict[str, set[str]] = {
    "jax": {"star", "model", "gp", "fit"},
    "jaxlib": {"star", "model", "gp", "fit"},
    "blackjax": {"star", "gp", "fit"},
    "dask": {"run"},
    "distributed": {"run"},
    "dask_jobqueue": {"run"},
    "lightkurve": {"ingest"},
    "xarray": {"ingest", "catalog", "report", "check"},
    "zarr": {"ingest", "catalog", "report", "check"},
    "numcodecs": {"ingest", "catalog", "report", "check"},
}


def violations(package: Path) -> list[str]:
    """Every import of a package that breaks a rule, as ``file:line: what``."""
    homes = _lazy_names(package / "__init__.py")
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        room = parts[0]
        if room not in (*ARROWS, "__init__"):
            found.append(f"{path.relative_to(package)}:0: {room} is no room")
            continue
        tree = ast.parse(path.read_text())
        exempt = _under_type_checking(tree) if parts == ("__init__",) else set()
        for node in ast.walk(tree):
            if id(node) in exempt:
                continue
            for name in _imported(node, [package.name, *parts]):
                wrong = _wrong(room, name.split("."), package.name, homes)
                if wrong:
                    found.append(f"{path.relative_to(package)}:{getattr(node, 'lineno', 0)}: {wrong}")
    return found


def _wrong(room: str, name: list[str], package: str, homes: dict[str, str]) -> str | None:
    """What is wrong with the import of a dotted name in a room, if anything."""
    if name == ["?"]:
        return None if room == "__init__" else "imports under a name that cannot be followed"
    if name[0] != package:
        owners = OWNERS.get(name[0])
        return f"{room} imports {name[0]}" if owners is not None and room not in owners else None
    if len(name) == 1 or name[1] in ("__file__", "__version__"):
        return None
    target = homes.get(name[1], name[1])
    if target == room:
        return None
    if target not in ARROWS:
        return f"{room} imports {target}, which is no room"
    return None if target in _allowed(room) else f"{room} imports {target}"


def _allowed(room: str) -> set[str]:
    own = ARROWS.get(room, set())
    return own if room in (*EVERYWHERE, "__init__") else own | EVERYWHERE


def _imported(node: ast.AST, module: list[str]) -> Iterator[str]:
    """Dotted names that a statement or call imports; ``?`` where they cannot be followed.

    What is taken from the top package as an attribute is imported by that, on first use.
    """
    if isinstance(node, ast.Import):
        yield from ("?" if alias.asname and alias.name == module[0] else alias.name for alias in node.names)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == module[0]:
        yield f"{module[0]}.{node.attr}"
    elif isinstance(node, ast.ImportFrom):
        base = module[: len(module) - node.level] if node.level else []
        base = [*base, *(node.module.split(".") if node.module else [])]
        yield from (".".join([*base, alias.name]) for alias in node.names)
    elif isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__"):
            first = node.args[0] if node.args else None
            name = first.value if isinstance(first, ast.Constant) else None
            yield name if isinstance(name, str) and not name.startswith(".") else "?"


def _under_type_checking(tree: ast.Module) -> set[int]:
    return {
        id(node)
        for branch in tree.body
        if isinstance(branch, ast.If) and isinstance(branch.test, ast.Name) and branch.test.id == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }


def _lazy_names(path: Path) -> dict[str, str]:
    """The room of every name that the top package imports on first use."""
    homes = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                    homes[str(key.value)] = str(value.value).split(".")[1]
    return homes


def test_the_package_holds_the_arrows_and_the_ownership_of_libraries() -> None:
    assert violations(PACKAGE) == []


def test_kept_programs_are_told_apart_by_the_sources_of_every_room_that_has_jax() -> None:
    assert set(ROOMS) == OWNERS["jax"]


def test_the_verdict_reaches_no_jax_through_any_module_that_it_imports() -> None:
    modules, others = closure(str(path.relative_to(PACKAGE)) for path in (PACKAGE / "verdict").glob("*.py"))
    assert PACKAGE / "model" / "grid.py" in modules
    assert not {"jax", "jaxlib", "blackjax"} & others
    names = [f"spotcat.verdict.{path.stem}" for path in sorted((PACKAGE / "verdict").glob("*.py"))]
    told = f"import sys, importlib\n[importlib.import_module(n) for n in {names}]\nprint('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "False\n"


def test_every_room_is_known_and_every_lazy_name_has_a_home() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or list(path.glob("*.py"))}
    assert rooms - {"__init__"} <= ARROWS.keys()
    homes = _lazy_names(PACKAGE / "__init__.py")
    assert set(spotcat.__all__) - {"__version__"} == homes.keys()
    assert set(homes.values()) <= ARROWS.keys()


INIT = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from pkg.gp.kernel import Kernel
    from pkg.run.driver import run
_HOMES = {"Kernel": "pkg.gp.kernel", "open_catalog": "pkg.catalog.query"}
def __getattr__(name):
    return import_module(_HOMES[name])
"""
SOUND = {
    "__init__.py": INIT,
    "config.py": "from pkg.status import InputError\nimport tomli_w",
    "status.py": "import enum",
    "star/envelope.py": "import jax\nfrom jax import numpy\nfrom pkg.star import latitude\nfrom pkg import config",
    "gp/kernel.py": "from pkg.star.envelope import a\nfrom .linalg import b\nfrom ..star import c\nimport numpy",
    "fit/engine.py": "from pkg.gp.kernel import a\nimport pkg.star.envelope\nfrom ..gp.kernel import b",
    "ingest/read.py": "def read():\n    import lightkurve\n    import zarr\nfrom pkg import __version__",
    "run/fingerprint.py": "import pkg\nprint(pkg.__file__, pkg.__version__)",
    "catalog/query.py": "import xarray\nfrom pkg.catalog.schema import COLUMNS\nfrom pkg.config import nearest",
    "run/driver.py": "import dask.array\nfrom distributed import Client\nfrom pkg import open_catalog\nimport pkg.fit",
    "commands.py": "from pkg.run.driver import run\nfrom pkg.status import InputError",
    "cli.py": "from pkg import commands\nfrom pkg.status import InputError",
    "__main__.py": "from pkg.cli import main",
}


def _tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / "pkg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "pkg"


def test_a_sound_package_passes(tmp_path: Path) -> None:
    assert violations(_tree(tmp_path, SOUND)) == []


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("gp/bad.py", "from pkg.fit.engine import a", "gp imports fit"),
        ("verdict/bad.py", "from pkg.fit.modes import Fit", "verdict imports fit"),
        ("verdict/bad.py", "def f():\n    import jax.numpy", "verdict imports jax"),
        ("star/bad.py", "import pkg.gp.kernel", "star imports gp"),
        ("star/bad.py", "from pkg import gp", "star imports gp"),
        ("star/bad.py", "from pkg import Kernel", "star imports gp"),
        ("star/bad.py", "from ..gp import kernel", "star imports gp"),
        ("star/bad.py", "from .. import gp", "star imports gp"),
        ("star/deep/bad.py", "from ...gp import kernel", "star imports gp"),
        ("star/__init__.py", "from pkg.gp.kernel import a", "star imports gp"),
        ("catalog/bad.py", "def f():\n    from pkg.run.driver import a", "catalog imports run"),
        ("catalog/bad.py", "if TYPE_CHECKING:\n    from pkg.ingest.read import a", "catalog imports ingest"),
        ("catalog/bad.py", "async def f():\n    with a:\n        import dask.array as d", "catalog imports dask"),
        ("catalog/bad.py", "import importlib\nimportlib.import_module('jax.numpy')", "catalog imports jax"),
        ("catalog/bad.py", "__import__('lightkurve')", "catalog imports lightkurve"),
        ("catalog/bad.py", "import_module('pkg.' + name)", "cannot be followed"),
        ("catalog/bad.py", "import_module('..gp', __package__)", "cannot be followed"),
        ("catalog/bad.py", "import pkg\npkg.Kernel()", "catalog imports gp"),
        ("catalog/bad.py", "import pkg as p\np.Kernel()", "cannot be followed"),
        ("run/bad.py", "import jax", "run imports jax"),
        ("run/bad.py", "import zarr", "run imports zarr"),
        ("run/bad.py", "from pkg.report import page", "run imports report"),
        ("report/bad.py", "from pkg.fit import engine", "report imports fit"),
        ("ingest/bad.py", "from pkg.catalog.schema import a", "ingest imports catalog"),
        ("fit/bad.py", "if TYPE_CHECKING:\n    import xarray", "fit imports xarray"),
        ("cli.py", "from pkg.run import driver", "cli imports run"),
        ("commands.py", "from pkg.gp import kernel", "commands imports gp"),
        ("cli.py", "import jaxlib", "cli imports jaxlib"),
        ("catalog/bad.py", "from pkg.settings import a", "catalog imports settings"),
        ("status.py", "from pkg.config import a", "status imports config"),
        ("config.py", "from pkg.catalog.schema import a", "config imports catalog"),
        ("cellar/bad.py", "from pkg.gp import a", "cellar is no room"),
        ("cli.py", "from pkg.cellar import a", "which is no room"),
        ("__init__.py", INIT + "\nfrom pkg.gp.kernel import a", "__init__ imports gp"),
        ("__init__.py", INIT + "\ndef f():\n    import jax", "__init__ imports jax"),
    ],
)
def test_an_offence_is_found(tmp_path: Path, file: str, text: str, message: str) -> None:
    (found,) = violations(_tree(tmp_path, {**SOUND, file: text}))
    assert found.startswith(file)
    assert message in found
