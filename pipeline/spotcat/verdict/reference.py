"""The thresholds as a page of the documentation: ``docs/thresholds.md``."""

from __future__ import annotations

from collections.abc import Iterator

from spotcat.verdict.thresholds import CALIBRATE, Record, records

_HEADS = {
    "decision": "Whether a fit is a rotation",
    "flags": "What qualifies a result",
    "classical": "Classical periods",
    "dips": "Narrow dips, as of eclipses and transits",
    "steps": "Steps at even intervals, as of momentum dumps",
    "strictness": "Several strict frequencies, as of a pulsating star",
}


def thresholds_markdown() -> str:
    """Every threshold with its value, meaning and source, as a page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Thresholds"
    yield ""
    yield "What a fit is judged by. This page is made from the package by `make schema`. `detection`, `false_alarm`"
    yield "and `reliability` are settings of a recipe; factors of intervals, false-alarm probabilities and the"
    yield f"`reliability` of a star are learnt by `{CALIBRATE}`."
    yield "What is *chosen* no paper gives and no command learns."
    for group, head in _HEADS.items():
        yield from ("", f"## {head}", "", "| name | value | meaning | what it was learnt from | source |")
        yield "|---|---|---|---|---|"
        for own in records():
            if own.group == group:
                yield f"| `{own.name}` | {_value(own)} | {own.meaning} | {own.learnt} | {_source(own.source)} |"


def _value(own: Record) -> str:
    values = own.value if isinstance(own.value, tuple) else (own.value,)
    return f"{', '.join(f'{value:g}' for value in values)} {own.unit}".rstrip()


def _source(source: str) -> str:
    return f"`{source}`" if source.startswith(("spotcat ", "tests/")) else source
