"""TOML files as typed dataclasses; what does not fit is refused with the file, the key and the nearest known name."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from spotcat.status import InputError

T = TypeVar("T")
Rules: TypeAlias = Iterable[tuple[bool, str]]
"""What must hold, with the words for where it does not."""


def check(rules: Rules, path: str) -> None:
    """Refuse values that no run could use.

    Args:
        rules: what must hold.
        path: file that the error names.

    Raises:
        InputError: the first rule that does not hold.
    """
    for holds, words in rules:
        if not holds:
            raise InputError(f"{path}: {words}")


def nearest(name: str, known: list[str]) -> str:
    """A hint that names the closest known name, or lists them all."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def read_toml(path: str | Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        InputError: the file is missing or is not TOML.
    """
    try:
        with Path(path).open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML ({error})") from None


def build(cls: type[T], data: Mapping[str, Any], path: str, where: str = "") -> T:
    """Make a dataclass from a mapping, checking every key and type.

    Args:
        cls: the dataclass.
        data: its values; other dataclasses as mappings, tuples as lists.
        path: file that an error names.
        where: what an error puts before a key, such as ``fit.``.

    Raises:
        InputError: a key is unknown, missing or of the wrong type.
    """
    hints = get_type_hints(cls)
    known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            raise InputError(f"{path}: unknown key '{where}{key}'; {nearest(key, known)}")
    values = {}
    for f in fields(cls):  # type: ignore[arg-type]
        if f.name in data:
            values[f.name] = _convert(hints[f.name], data[f.name], path, where + f.name)
        elif f.default is MISSING and f.default_factory is MISSING:
            raise InputError(f"{path}: missing key '{where}{f.name}'")
    return cls(**values)


def _convert(kind: Any, value: Any, path: str, where: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise InputError(f"{path}: '{where}' must be a section, got {value!r}")
        return build(kind, value, path, where + ".")
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        if not isinstance(value, list):
            raise InputError(f"{path}: '{where}' must be a list, got {value!r}")
        if inner[-1] is not Ellipsis and len(value) != len(inner):
            raise InputError(f"{path}: '{where}' must have {len(inner)} values, got {len(value)}")
        return tuple(_convert(inner[0], item, path, where) for item in value)
    if kind is float and type(value) is int:
        value = float(value)
    if isinstance(kind, UnionType) or type(value) is not kind:
        raise InputError(f"{path}: '{where}' must be {kind.__name__}, got {value!r}")
    if kind is float and not math.isfinite(value):
        raise InputError(f"{path}: '{where}' must be finite, got {value!r}")
    return value
