"""What a chunk's bytes depend on, by name: what tells whether an unfinished run may go on."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import spotcat
from spotcat.config import Recipe, digest, to_dict
from spotcat.verdict.calibration import content

PACKAGE = Path(spotcat.__file__).parent
ROOTS = ("ingest/pipeline.py", "run/work.py", "catalog/finalise.py")
"""The modules that make the light curves, the parts and the catalog of a run."""
LIBRARIES = ("jax", "jaxlib", "numpy", "scipy", "astropy")
"""Those that compute what a row holds; what only reads or writes files is checked against what the files hold."""

_SECTIONS = ("input", "clean", "fit")


def fingerprint(recipe: Recipe, platform: str = "cpu") -> dict[str, str]:
    """Digests of the settings and the code, versions of the libraries that compute, and what they compute on.

    What is known of each star the ledger has star by star.  The name and the folder of a survey change no result, nor
    does the machine it runs on, but a GPU's last digits are not a CPU's.

    Args:
        recipe: the recipe.
        platform: cpu or cuda.

    Raises:
        InputError: the calibration that it names does not fit it.
    """
    settings = to_dict(recipe)
    settings["fit"]["calibration"] = content(recipe.fit)  # whatever the file is called
    used = [settings["survey"]["seed"], *(settings[section] for section in _SECTIONS)]
    libraries = (*LIBRARIES, *(["blackjax"] if recipe.fit.sampler == "nuts" else []))
    return {
        "config": digest(used),
        "code": _code(),
        "platform": platform,
        **{name: _version(name) for name in libraries},
    }


def closure(roots: Iterable[str], package: Path = PACKAGE) -> tuple[list[Path], set[str]]:
    """The modules of a package that some of them import, directly or through others, and what else these import.

    Imports inside functions and for type checkers count too.  The package's own top module is left out: it imports on
    first use what others ask of it, which those then import by name.

    Args:
        roots: paths of the first modules below the package.
        package: its folder.

    Returns:
        Paths, sorted, with the roots and the packages above each module; and the top names of other packages.
    """
    found: set[Path] = set()
    others: set[str] = set()
    waiting = [package / root for root in roots]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        for name in _imported(module, package):
            first, *rest = name.split(".")
            if first != package.name:
                others.add(first)
                continue
            # What a module is asked for may be a module below it, or anything else.
            parts = [package.joinpath(*rest[: k + 1]) for k in range(len(rest))]
            candidates = [file for part in parts for file in (part.with_suffix(".py"), part / "__init__.py")]
            waiting += [file for file in candidates if file.is_file()]
    return sorted(found), others


def _imported(module: Path, package: Path) -> Iterator[str]:
    """Dotted names that a module imports."""
    above = [package.name, *module.relative_to(package).parts[:-1]]
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = above[: len(above) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


@cache
def _code() -> str:
    """The version, with a digest of the sources that decide a result: a checkout changes without a version."""
    modules, _ = closure(ROOTS)
    # What they keep beside them, such as a calibration, decides as well.
    data = {path for folder in {module.parent for module in modules} for path in folder.glob("*.json")}
    total = hashlib.sha256()
    for path in sorted({*modules, *data}):
        source = path.read_bytes()
        total.update(f"{path.relative_to(PACKAGE).as_posix()}\n{len(source)}\n".encode())
        total.update(source)
    return f"{spotcat.__version__}-{total.hexdigest()[:16]}"


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"
