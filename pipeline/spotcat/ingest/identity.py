"""Who a star is: its number in the catalog, its name, and how a header or a file name tells.

``star_id`` is unique even where KIC, EPIC, TIC and plain tables share a catalog, because each catalog of
stars has its own range of numbers.  All are below 2^53, so that a float64, JavaScript and a spreadsheet keep them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spotcat.ingest.discover import SUFFIXES

_CATALOGS = {
    "KIC": ("Kepler", 1_000_000_000_000),
    "EPIC": ("K2", 2_000_000_000_000),
    "TIC": ("TESS", 3_000_000_000_000),
}
_RANGE = 1_000_000_000_000
_TABLE_BASE = _TABLE_RANGE = 4_000_000_000_000_000
_FIRST_EPIC = 200_000_000

# Archive file names, tried in order.  The look-arounds keep the Gaia numbers of some products from being taken
# for TIC numbers.
_FILE_NAMES = (
    ("KIC", re.compile(r"kplr(\d{9})(?!\d)")),
    ("EPIC", re.compile(r"ktwo(\d{9})(?!\d)")),
    ("TIC", re.compile(r"^tess\d+-s\d{4}-(\d{16})(?!\d)")),
    ("EPIC", re.compile(r"^hlsp_.*_k2_.*(?<!\d)(\d{9})-c\d+")),
    ("TIC", re.compile(r"^hlsp_.*tess.*(?<!\d)(?<!gaiaid-)(?<!gaiatwo)(\d{10,16})(?!\d)")),
)
_NAME = re.compile(r"(KIC|EPIC|TIC)\s*(\d{1,11})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Identity:
    """A star's number and name; ``mission`` is empty and ``mission_id`` -1 where neither is known."""

    star_id: int
    name: str
    mission: str
    mission_id: int


def mission_identity(catalog: str, number: int) -> Identity:
    """The star ``number`` of the KIC, EPIC or TIC.

    Raises:
        KeyError: `catalog` is none of the three.
    """
    mission, base = _CATALOGS[catalog]
    return Identity(base + number, f"{catalog} {number}", mission, number)


def table_identity(name: str) -> Identity:
    """A star known only by the name of its table."""
    return Identity(_named_id(name), name, "table", -1)


def parse_name(name: str) -> Identity | None:
    """The star meant by a name such as ``KIC 10002792``; None for any other form."""
    match = _NAME.fullmatch(name.strip())
    return mission_identity(match[1].upper(), int(match[2])) if match else None


def header_identity(header: Mapping[str, Any]) -> Identity | None:
    """The star a FITS primary header names (TICID, KEPLERID or OBJECT); None if it names none."""
    number = _catalog_number(header.get("TICID") or header.get("TIC_ID"))
    if number:
        return mission_identity("TIC", number)
    number = _catalog_number(header.get("KEPLERID"))
    if number:
        is_k2 = header.get("MISSION") == "K2" or number >= _FIRST_EPIC
        return mission_identity("EPIC" if is_k2 else "KIC", number)
    return parse_name(str(header.get("OBJECT", ""))) or _lightkurve_identity(header)


def archive_identity(file: str) -> Identity | None:
    """The star of a mission that a file name stands for, an archive's or such as ``KIC 5.fits``; None for others."""
    for catalog, pattern in _FILE_NAMES:
        match = pattern.search(file.lower())
        if match and _catalog_number(match[1]):
            return mission_identity(catalog, int(match[1]))
    return parse_name(stem_of(file))


def file_identity(file: str, name: str = "") -> Identity:
    """The star a file name stands for; any other file is of a star that is called as the file is.

    Args:
        file: base name.
        name: what such a star is called; the base name without its suffix if empty.
    """
    name = name or stem_of(file)
    return archive_identity(file) or Identity(_named_id(name), name, "", -1)


def stem_of(file: str) -> str:
    """A file name without its suffix, ``.fits.gz`` counting as one."""
    known = [suffix for suffix in SUFFIXES if file.lower().endswith(suffix)]
    return file[: -len(max(known, key=len))] if known else re.sub(r"\.[^.]*$", "", file)


def _lightkurve_identity(header: Mapping[str, Any]) -> Identity | None:
    """The star of a file that lightkurve wrote, which keeps the bare number."""
    catalog = {mission: catalog for catalog, (mission, _) in _CATALOGS.items()}.get(str(header.get("MISSION")))
    number = _catalog_number(header.get("TARGETID"))
    return mission_identity(catalog, number) if catalog and number else None


def _named_id(name: str) -> int:
    return _TABLE_BASE + int(hashlib.sha256(name.encode()).hexdigest()[:15], 16) % _TABLE_RANGE


def _catalog_number(value: Any) -> int:
    """A header value as a number of a star catalog, 0 where it is none; some products write numbers as text."""
    text = str(value).strip()
    number = int(text) if text.isdecimal() and len(text) < 20 else 0
    return number if number < _RANGE else 0
