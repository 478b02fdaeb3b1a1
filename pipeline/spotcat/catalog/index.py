"""The side index of a catalog: which rows carry a name, and which lie near a position.

It is a zarr group of its own inside the catalog, which readers of the columns never meet.  Two small lists
carry a hash of every name, sorted, and its row; four carry the positions, sorted by zone.  The first entry of
every chunk is an attribute, so a look-up reads one chunk, wherever the catalog lies.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.catalog.escapes import as_unicode
from spotcat.catalog.schema import Column
from spotcat.catalog.sky import ra_ranges, separation, sky_order, zones_near

if TYPE_CHECKING:
    import zarr

GROUP = "index"
INDEXED = ("star_id", "name", "ra", "dec")
"""The columns from which the index is made."""

_NAME_HASH = Column("name_hash", "u8", "", "", "Hashes of the names, sorted", 0, ("entry",))
_NAME_ROW = Column("name_row", "i8", "", "", "Row of each hash", 0, ("entry",))
_SKY_RA = Column("sky_ra", "f8", "deg", "", "Right ascensions, sorted by zone, then by themselves", 0, ("position",))
_SKY_DEC = Column("sky_dec", "f8", "deg", "", "Declinations in that order", 0, ("position",))
_SKY_ROW = Column("sky_row", "i8", "", "", "Row of each position", 0, ("position",))


def plain_name(name: str) -> str:
    """A name without the differences that people do not see: spaces, case and how accents are composed."""
    return "".join(unicodedata.normalize("NFC", name).split()).casefold()


def index_arrays(columns: Mapping[str, np.ndarray], rows: int) -> tuple[dict[Column, np.ndarray], dict[str, Any]]:
    """What the index of a catalog holds.

    Args:
        columns: the catalog's columns of `INDEXED`.
        rows: entries in a chunk.

    Returns:
        The lists, and the attributes of the group.
    """
    star_id, name, ra, dec = (columns[key] for key in INDEXED)
    hashes = np.array([_hash(one) for one in name], dtype=np.uint64)
    by_name = np.argsort(hashes, kind="stable")
    by_place, starts = sky_order(ra, dec)
    lists = {
        _NAME_HASH: hashes[by_name],
        _NAME_ROW: by_name.astype(np.int64),
        _SKY_RA: ra[by_place] % 360,
        _SKY_DEC: dec[by_place],
        _SKY_ROW: by_place.astype(np.int64),
    }
    attributes = {
        "first_star_id": star_id[::rows].tolist(),
        "first_name_hash": hashes[by_name][::rows].tolist(),
        "zone_start": starts.tolist(),
    }
    return lists, attributes


class Index:
    """The side index of an open catalog.

    Args:
        group: the catalog's group ``index``.
        rows: stars in a chunk.
    """

    def __init__(self, group: zarr.Group, rows: int) -> None:
        self._group = group
        self._rows = rows
        attributes: dict[str, Any] = dict(group.attrs)
        self._first_id: list[int] = attributes["first_star_id"]
        self._first_hash = np.array(attributes["first_name_hash"], dtype=np.uint64)
        self._zone_start: list[int] = attributes["zone_start"]

    def id_chunk(self, star_id: int) -> slice:
        """The rows among which a star id would be."""
        chunk = max(int(np.searchsorted(self._first_id, star_id, side="right")) - 1, 0)
        return slice(chunk * self._rows, (chunk + 1) * self._rows)

    def named(self, name: str) -> np.ndarray:
        """Rows whose name may be this one, whatever its spaces and case; sorted."""
        wanted = _hash(name)
        first = int(np.searchsorted(self._first_hash, np.uint64(wanted), side="left")) - 1
        last = int(np.searchsorted(self._first_hash, np.uint64(wanted), side="right"))
        entries = slice(max(first, 0) * self._rows, last * self._rows)
        here = self._read(_NAME_HASH, entries) == np.uint64(wanted)
        if not here.any():
            return np.zeros(0, dtype=np.int64)
        return np.sort(self._read(_NAME_ROW, entries)[here])

    def near(self, ra: float, dec: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
        """Rows within a cone, sorted, and their separations [deg] from its axis; all angles in degrees."""
        zones = zones_near(dec, radius)
        begin, end = self._zone_start[zones.start], self._zone_start[zones.stop]
        every_ra = self._read(_SKY_RA, slice(begin, end))
        inside = []
        for zone in zones:
            first, last = self._zone_start[zone] - begin, self._zone_start[zone + 1] - begin
            for low, high in ra_ranges(ra, dec, radius):
                edges = np.searchsorted(every_ra[first:last], [low, high], side="left") + first
                edges[1] += np.searchsorted(every_ra[edges[1] : last], high, side="right")
                inside.append(np.arange(edges[0], edges[1]))
        place = np.unique(np.concatenate(inside)) if inside else np.zeros(0, dtype=np.int64)
        if not len(place):
            return place, np.zeros(0)
        window = slice(begin + int(place[0]), begin + int(place[-1]) + 1)
        away = separation(every_ra[place], self._read(_SKY_DEC, window)[place - place[0]], ra, dec)
        rows = self._read(_SKY_ROW, window)[place - place[0]]
        order = np.argsort(rows)
        order = order[away[order] <= radius]
        return rows[order], away[order]

    def _read(self, column: Column, entries: slice) -> np.ndarray:
        from spotcat.catalog.store import Stored

        array: Any = self._group[column.name]
        return Stored(column, array).read(entries)


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(as_unicode(plain_name(name)).encode("utf-8"), digest_size=8).digest(), "big")
