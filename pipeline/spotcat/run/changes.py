"""What differs between two recipes, in words that fit on a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spotcat.config import Recipe, to_dict

_KEYS, _LONG, _AROUND = 3, 60, 20
"""Most keys that are named; letters of a value that are shown, and of what it shares beside what differs in it."""


def differences(first: Recipe, second: Recipe) -> dict[str, tuple[Any, Any]]:
    """The dotted keys whose values differ between two recipes, with both values."""
    return _differences(to_dict(first), to_dict(second))


def _differences(first: Mapping[str, Any], second: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for key, value in first.items():
        if isinstance(value, dict):
            found |= _differences(value, second[key], f"{prefix}{key}.")
        elif value != second[key]:
            found[prefix + key] = (value, second[key])
    return found


def in_brief(changed: Mapping[str, tuple[Any, Any]]) -> str:
    """Differences in words, old and new, few and short enough for one line."""
    words = [f"{key} {' -> '.join(_shortened(*values))}" for key, values in changed.items()]
    more = f", and {len(words) - _KEYS} more keys" if len(words) > _KEYS else ""
    return ", ".join(words[:_KEYS]) + more


def _shortened(old: Any, new: Any) -> tuple[str, str]:
    """Two values in words, of long ones only where they differ."""
    if isinstance(old, list) and isinstance(new, list) and max(len(repr(old)), len(repr(new))) > _LONG:
        start, end = _shared(old, new)
        return _piece(old, start, end), _piece(new, start, end)
    texts = repr(old), repr(new)
    if max(map(len, texts)) <= _LONG:
        return texts
    start, end = _shared(*texts)
    # Some of what they share, so that a person finds the place.
    start, end = max(start - _AROUND, 0), max(end - _AROUND, 0)
    return _middle(texts[0], start, end), _middle(texts[1], start, end)


def _shared(first: Sequence[Any], second: Sequence[Any]) -> tuple[int, int]:
    """How much two sequences share at their start, and then at their end."""
    shortest = min(len(first), len(second))
    start = next((k for k in range(shortest) if first[k] != second[k]), shortest)
    end = next((k for k in range(shortest - start) if first[-1 - k] != second[-1 - k]), shortest - start)
    return start, end


def _piece(values: list[Any], start: int, end: int) -> str:
    own = values[start : len(values) - end]
    shown = ", ".join(_middle(repr(value), 0, 0) for value in own[:2])
    return f"{shown or 'none'}{', ...' if len(own) > 2 else ''} ({len(own)} of {len(values)})"


def _middle(text: str, start: int, end: int) -> str:
    middle = text[start : len(text) - end]
    if len(middle) > _LONG:
        middle = f"{middle[: _LONG // 2]}...{middle[-_LONG // 2 :]}"
    return f"{'...' if start else ''}{middle}{'...' if end else ''}"
