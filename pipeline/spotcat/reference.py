"""Every key of recipes and sites with its type, unit, default, meaning and an example, taken from `spotcat.settings`.

The page ``docs/settings.md`` and the commented files of ``spotcat recipe`` and ``spotcat site`` are made of them.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, get_args, get_type_hints

from spotcat import settings
from spotcat.settings import Recipe, Site
from spotcat.status import InputError
from spotcat.toml import nearest, read_toml

KINDS = {"recipe": Recipe, "site": Site}
MINIMAL = {"recipe": "minimal", "site": "local"}
"""The shortest of the files that come with the package."""
_EXAMPLES = "examples"
_WIDTH = 110
_WORDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}


class Key(NamedTuple):
    """One key of a recipe or a site.

    Attributes:
        section: the table of the TOML file that it is in; empty for the keys of a site outside of any.
        name: the key.
        type: what may be written: text, number, whole number, true or false, or a list of these.
        unit: VOUnit, or what is counted; empty for a pure number or text.
        default: the value where the key is left out; None where it must be given.
        meaning: what it says.
        example: another value, as TOML.
    """

    section: str
    name: str
    type: str
    unit: str
    default: Any
    meaning: str
    example: str


def keys(kind: str) -> list[Key]:
    """Every key of a ``recipe`` or a ``site``, in the order of `spotcat.settings`."""
    examples = read_toml(str(_shipped(kind)[_EXAMPLES]))
    return [key for section, cls in _sections(kind) for key in _keys(section, cls, examples)]


def settings_markdown() -> str:
    """All keys as a page of the documentation."""
    return "\n".join(_page()) + "\n"


def full(kind: str) -> str:
    """A ``recipe`` or ``site`` with every key at its default and its meaning above it; a run reads it as it is.

    The keys that have no default have the value of the minimal recipe.
    """
    least = read_toml(str(_shipped(kind)[MINIMAL[kind]]))
    lines = [f"# Every key of a {kind} at its default.  What is left out has the same value: keep what you change.", ""]
    section = ""
    for key in keys(kind):
        if key.section != section:
            section = key.section
            lines += ["", *_comment(_about(kind, section)), f"[{section}]"]
        default = least[section][key.name] if key.default is None else key.default
        unit = f"[{key.unit}] " if key.unit else ""
        lines += [*_comment(f"{unit}{key.meaning}"), f"{key.name} = {as_toml(default)}"]
    return "\n".join(lines) + "\n"


def shipped(kind: str, name: str) -> str:
    """The text of one of the recipes or sites that come with the package.

    Args:
        kind: ``recipe`` or ``site``.
        name: such as ``validate-quick``.

    Raises:
        InputError: there is none of that name.
    """
    found = _shipped(kind)
    if name not in found:
        raise InputError(f"no {kind} {name!r} comes with spotcat; {nearest(name, list(found))}")
    return str(found[name].read_text(encoding="utf-8"))


def listing(kind: str) -> str:
    """A line for each of the recipes or sites that come with the package: its name, and the first of what it says."""
    texts = {name: shipped(kind, name) for name in _shipped(kind)}
    width = max(map(len, texts))
    return "".join(f"{name:{width}}  {text.partition(chr(10))[0].lstrip('# ')}\n" for name, text in texts.items())


def as_toml(value: Any) -> str:
    """A value as TOML on one line: text, numbers, truth values, and tuples or lists of these."""
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, (bool, str)):
        # What JSON writes for text and for truth is TOML too.
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


def _shipped(kind: str) -> dict[str, Any]:
    folder = files("spotcat") / f"{kind}s"
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return {entry.name.removesuffix(".toml"): entry for entry in sorted(found, key=lambda entry: entry.name)}


def _sections(kind: str) -> Iterator[tuple[str, Any]]:
    """The sections of a file with their dataclasses; keys outside of any first, under an empty name."""
    top = KINDS[kind]
    inner = {name: cls for name, cls in get_type_hints(top).items() if is_dataclass(cls)}
    if len(inner) < len(fields(top)):
        yield "", top
    yield from inner.items()


def _keys(section: str, cls: Any, examples: dict[str, Any]) -> Iterator[Key]:
    hints = get_type_hints(cls, include_extras=True)
    given = examples[section] if section else examples
    for field in fields(cls):
        hint = hints[field.name]
        if is_dataclass(hint):
            continue
        meaning, unit = _meanings(cls)[field.name], _unit(hint)
        yield Key(section, field.name, _type(hint), unit, _default(field), meaning, as_toml(given[field.name]))


def _default(field: Field[Any]) -> Any:
    return None if field.default is MISSING else field.default


def _unit(hint: Any) -> str:
    """The unit that an annotated type carries, or that of a tuple's values."""
    if hasattr(hint, "__metadata__"):
        return str(hint.__metadata__[0])
    return next((unit for unit in map(_unit, get_args(hint)) if unit), "")


def _type(hint: Any) -> str:
    if hasattr(hint, "__metadata__"):
        return _type(hint.__origin__)
    inner = get_args(hint)
    if not inner:
        return _WORDS[hint.__name__]
    return f"list of {_type(inner[0])}s" if inner[-1] is Ellipsis else f"{len(inner)} {_type(inner[0])}s"


@cache
def _meanings(cls: type) -> dict[str, str]:
    """The text below each key of a dataclass, on one line."""
    (tree,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(tree, ast.ClassDef)
    pairs = zip(tree.body, tree.body[1:], strict=False)
    return {
        key.target.id: _plain(text.value.value)
        for key, text in pairs
        if isinstance(key, ast.AnnAssign)
        and isinstance(key.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _about(kind: str, section: str) -> str:
    return _plain((dict(_sections(kind))[section].__doc__ or "").partition("\n")[0])


def _plain(text: str) -> str:
    """Text of a docstring as it stands in a file: on one line, literals in single quotes of code."""
    return " ".join(text.split()).replace("``", "`")


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _page() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield "Every key of recipes, which say what to run, and of sites, which say where. A key that is left out has its"
    yield "default; one that is unknown, or has a value that no run could use, is refused with the nearest known name."
    yield "`spotcat recipe --full` and `spotcat site --full` print all of this as a file to change. This page is made"
    yield f"from `{settings.__name__}` by `make schema`."
    for kind in KINDS:
        yield from ("", f"## Keys of a {kind}")
        section = None
        for key in keys(kind):
            if key.section != section:
                section = key.section
                yield from ("", f"### `[{section}]`" if section else "### Outside of any section", "")
                yield from (_about(kind, section), "")
                yield from ("| key | type | unit | default | meaning | example |", "|---|---|---|---|---|---|")
            default = "must be given" if key.default is None else f"`{as_toml(key.default)}`"
            meaning = key.meaning.replace("|", "\\|")
            yield f"| `{key.name}` | {key.type} | {key.unit} | {default} | {meaning} | `{key.example}` |"
