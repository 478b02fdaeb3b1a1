"""Which product a FITS file is, told from its headers and name before any reader sees it.

The archive's products copy each other's cards: many carry the CREATOR of the file they were made from.  So
marks of a derived product come first, and an official light curve must also look like one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from spotcat.ingest.formats import (
    CDIPS,
    EVEREST,
    K2,
    K2SFF,
    KEPLER,
    KEPSEISMIC,
    LIGHTKURVE,
    PATHOS,
    PRODUCTS,
    QLP,
    SPOC,
    TABLE,
    TASOC,
    TGLC,
)

# (product, 0 for the primary header or 1 for the first extension, card, text within its lower-case value)
_MARKS = (
    (QLP, 0, "ORIGIN", "mit/qlp"),
    (CDIPS, 0, "ORIGIN", "cdips"),
    (TASOC, 0, "ORIGIN", "tasoc"),
    (TGLC, 0, "ORIGIN", "tglc"),
    (KEPSEISMIC, 0, "ORIGIN", "cea & ssi"),
    ("ELEANOR", 0, "GITHUB", "eleanor"),
    ("K2SC", 0, "CREATOR", "k2sc"),
    (EVEREST, 0, "COMMENT", "everest"),
    (K2SFF, 1, "EXTNAME", "bestaper"),
    ("K2VARCAT", 1, "TTYPE2", "aptflux"),
    (LIGHTKURVE, 0, "CREATOR", "lightkurve."),
)
_DERIVED_FILE = re.compile(r"^hlsp_([a-z0-9-]+)_")
_OFFICIAL_HLSP = "tess-data-alerts"  # SPOC's own light curves of the first two sectors, before their release
_PATHOS_COLUMNS = {"PSF_FLUX_RAW", "PSF_FLUX_COR", "AP4_FLUX_RAW", "AP4_FLUX_COR", "SKY_LOCAL"}

_OTHER = "a "
"""Begins the words for a file that bears no other maker's mark."""

_KINDS = {
    "target pixel file": (("PIXELS", "TARGETTABLES"), re.compile(r"[-_](fast-)?tpf?\.fits|_[ls]pd-targ\.fits")),
    "file of basis vectors": (("CBV.", "MODOUT_"), re.compile(r"[-_]cbv\.fits")),
    "data validation file": (("TCE_",), re.compile(r"[-_]dv[a-z]\.fits")),
}
"""What else than light curves the archives keep: how the name of the first extension begins, and the file's ends."""


def detect(file: str, primary: Mapping[str, Any], extension: Mapping[str, Any]) -> str:
    """The product's name: one of ``PRODUCTS``, or words for a person.

    Args:
        file: base name.
        primary: header of the primary HDU.
        extension: header of the first extension, empty where there is none.
    """
    telescope = str(primary.get("TELESCOP", "")).strip()
    first = str(extension.get("EXTNAME", "")).strip()
    for kind, (extensions, _) in _KINDS.items():
        if first.startswith(extensions):
            return f"{_OTHER}{telescope} {kind}" if telescope else _OTHER + kind
    derived = _derived(file, (primary, extension))
    if derived:
        return derived
    creator = str(primary.get("CREATOR", "")).strip().lstrip("0123456789 ")
    if not telescope and not creator:
        return f"{_OTHER}FITS file without TELESCOP and CREATOR"
    if telescope in ("Kepler", "TESS") and _is_light_curve(creator, extension):
        return SPOC if telescope == "TESS" else _kepler_mission(primary)
    if telescope in ("Kepler", "TESS") and "targetpixel" in creator.lower():
        return f"{_OTHER}{telescope} target pixel file"
    return f"{_OTHER}{telescope or 'FITS'} product by {creator or 'an unnamed program'}"


def kind_by_name(file: str) -> str:
    """What else than a light curve a file is that only its name tells of; empty for anything else."""
    return next((_OTHER + kind for kind, (_, ends) in _KINDS.items() if ends.search(file.lower())), "")


def is_other_kind(product: str) -> bool:
    """Whether a product of `detect` is one that holds no light curve, by its own mark."""
    return product.startswith(_OTHER) and product.endswith(tuple(_KINDS))


def is_by_others(product: str) -> bool:
    """Whether a product of `detect` is the light curve of an author without a reader."""
    return bool(product) and product not in PRODUCTS and not product.startswith((_OTHER, LIGHTKURVE, TABLE))


def is_mission_file(product: str) -> bool:
    """Whether the file claims to be as a mission wrote it, all its extensions included."""
    return product in (KEPLER, K2, SPOC) or product.startswith(_OTHER)


def extensions_missing(primary: Mapping[str, Any], found: int) -> bool:
    """Whether a mission's file ends before its last extension, as an interrupted download does."""
    promised = primary.get("NEXTEND")
    return isinstance(promised, int) and found < promised


def column_names(extension: Mapping[str, Any]) -> list[str]:
    """The columns that the header of a table names."""
    return [str(extension.get(f"TTYPE{i + 1}", "")).strip() for i in range(int(extension.get("TFIELDS", 0)))]


def _derived(file: str, headers: tuple[Mapping[str, Any], Mapping[str, Any]]) -> str:
    """The name of a product that others made from a mission's data; empty for none."""
    match = _DERIVED_FILE.match(file.lower())
    if match and match[1] != _OFFICIAL_HLSP:
        return _BY_LOWER.get(match[1], match[1].upper())
    for product, hdu, card, mark in _MARKS:
        if mark in str(headers[hdu].get(card, "")).lower():
            return product + (_mission(headers[0]) if product == LIGHTKURVE else "")
    return PATHOS if set(column_names(headers[1])) >= _PATHOS_COLUMNS else ""


_BY_LOWER = {name.lower(): name for name in PRODUCTS}


def _is_light_curve(creator: str, extension: Mapping[str, Any]) -> bool:
    by_exporter = "fluxexporter" in creator.lower() or "lightcurve" in creator.lower()
    return by_exporter and str(extension.get("EXTNAME", "")).strip() == "LIGHTCURVE"


def _kepler_mission(primary: Mapping[str, Any]) -> str:
    return K2 if str(primary.get("MISSION", "")).strip() == "K2" else KEPLER


def _mission(primary: Mapping[str, Any]) -> str:
    return str(primary.get("MISSION") or primary.get("TELESCOP") or "unknown").strip()
