"""The star that a person means: by its name, its star id, or its number in the mission's catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from spotcat.catalog.index import Index, plain_name
from spotcat.status import InputError

if TYPE_CHECKING:
    from spotcat.catalog.store import Source


def find_star(sources: Mapping[str, Source], index: Index | None, name: str | int) -> np.ndarray:
    """The row of a star.

    A number is first of all a star id, a text first of all a name; then comes a name but for case and spaces, and last
    the number of the KIC, EPIC or TIC.

    Args:
        sources: the catalog's columns.
        index: its side index, if it has one.
        name: what the star is called.

    Returns:
        One row number.

    Raises:
        InputError: no star or several stars match.
    """
    text = str(name).strip()
    found = _found(sources, index, text, is_id=not isinstance(name, str))
    if not len(found):
        raise InputError(f"no star {text!r} in the catalog")
    if len(found) > 1:
        ids = ", ".join(str(number) for number in sources["star_id"].read(found[:5]))
        raise InputError(f"{len(found)} stars are called {name!r}; give a star id: {ids}")
    return found


def _found(sources: Mapping[str, Source], index: Index | None, name: str, is_id: bool) -> np.ndarray:
    """Rows with this name unless it is a star id, else with this star id, nearly this name, or this number."""
    every = next(iter(sources.values())).shape[0]
    candidates = index.named(name) if index else np.arange(every)
    names = sources["name"].read(candidates)
    if len(exact := candidates[names == name]) and not is_id:
        return exact
    if name.isdecimal():
        rows = index.id_chunk(int(name)) if index else slice(0, every)
        numbered = np.flatnonzero(sources["star_id"].read(rows) == int(name)) + rows.start
        if len(numbered):
            return numbered
    plain = plain_name(name)
    near = candidates[[plain_name(other) == plain for other in names]] if len(names) else candidates
    return near if len(near) or not name.isdecimal() else _of_mission(sources, name)


def _of_mission(sources: Mapping[str, Source], number: str) -> np.ndarray:
    """Rows with a number of the KIC, EPIC or TIC."""
    if "mission_id" not in sources:
        return np.zeros(0, dtype=np.int64)
    found = np.flatnonzero(sources["mission_id"].read() == int(number))
    if len(found) > 1:
        names = ", ".join(repr(str(name)) for name in sources["name"].read(found[:5]))
        raise InputError(f"{len(found)} stars have the number {number}: {names}; give the name")
    return found
