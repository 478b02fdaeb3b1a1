"""The fast reader: four columns of an official light curve, straight from its bytes.

It reads only files laid out as the missions lay them out and declines every other, which lightkurve then judges.
Where it reads, it gives what lightkurve gives, to the last bit.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.ingest.clean import RawCurve
from spotcat.ingest.formats import ELEANOR, ELEANOR_LITE, FIRST_LATE_SECTOR, PRODUCTS, QLP

_WIDTHS = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8, "A": 1}
_FORM = re.compile(r"(\d*)([LBIJKEDA])")
_FORMS = ["D", "E", "E", "J"]
_TYPES = [">f8", ">f4", ">f4", ">i4"]
_NAMES = ["time", "flux", "flux_err", "quality"]
_CADENCE = "CADENCENO"
_SCALING = ("TSCAL", "TZERO", "TNULL", "TDIM")


def read_official(path: Path, product: str, quality: str) -> RawCurve | None:
    """Read one file.

    Args:
        path: a FITS file, gzipped or not.
        product: its product.
        quality: quality mask: none, default, hard or hardest.

    Returns:
        Time [d], flux and flux_err in the delivered unit, quality and cadence number of the measurements that are not
        masked; None where the file is not laid out as official ones are.

    Raises:
        Exception: almost any where the file is damaged.
    """
    official = PRODUCTS[product].official
    if official is None:
        return None
    contents = path.read_bytes()
    stream = BytesIO(gzip.decompress(contents) if contents.startswith(b"\x1f\x8b") else contents)
    primary, extension = _header(stream), _header(stream)
    sector = primary.get("SECTOR")
    dtype = _row_type(extension, official.of(sector)) if _is_plain_table(primary, extension) else None
    if dtype is None:
        return None
    rows = np.frombuffer(stream.getbuffer(), dtype, extension["NAXIS2"], stream.tell())
    if np.isinf(rows["time"]).any():
        return None
    good = (rows["quality"] & mask_of(product, quality, sector)) == 0
    timed = ~np.isnan(rows["time"])
    n_masked = int(np.count_nonzero(timed & ~good))
    rows = rows[timed & good]
    number = rows["cadence_number"] if "cadence_number" in (dtype.names or ()) else None
    return RawCurve(rows["time"], rows["flux"], rows["flux_err"], rows["quality"], None, n_masked, number)


def mask_of(product: str, quality: str, sector: Any) -> int:
    """The bits that a quality mask leaves out; 0 where lightkurve applies none."""
    masks = PRODUCTS[product].masks
    if masks is None:
        return 0
    mask = masks[quality]
    if product == QLP and quality in ("hard", "hardest"):
        # Points of low precision.
        mask |= 1 << (30 if isinstance(sector, int) and sector >= FIRST_LATE_SECTOR else 12)
    if product in (ELEANOR, ELEANOR_LITE) and quality == "hardest":
        # eleanor's own two bits.
        mask |= 1 << 17 | 1 << 18
    return mask


def _header(stream: BytesIO) -> Any:
    from astropy.io import fits

    return fits.Header.fromfile(stream)


def _is_plain_table(primary: Mapping[str, Any], extension: Mapping[str, Any]) -> bool:
    return (
        primary.get("NAXIS") == 0
        and extension.get("XTENSION") == "BINTABLE"
        and extension.get("TIMESYS") == "TDB"
        and extension.get("PCOUNT", 0) == 0
        and extension.get("NAXIS2", 0) > 0
    )


def _row_type(extension: Mapping[str, Any], wanted: tuple[str, ...]) -> np.dtype | None:
    """The table's rows as four fields and the cadence number, if it has one; None if one of the four is absent or of
    another kind than the missions'."""
    found: dict[str, tuple[int, str, int]] = {}
    offset = 0
    for i in range(1, extension["TFIELDS"] + 1):
        form = _FORM.fullmatch(extension[f"TFORM{i}"].strip())
        if not form:
            return None
        # A second column of a name is not the one that is meant.
        found.setdefault(extension[f"TTYPE{i}"].strip(), (i, form[2] if form[1] in ("", "1") else "", offset))
        offset += int(form[1] or 1) * _WIDTHS[form[2]]
    columns = [found.get(name, (0, "", 0)) for name in wanted]
    if offset != extension["NAXIS1"] or [form for _, form, _ in columns] != _FORMS:
        return None
    numbers = [i for i, _, _ in columns]
    # astropy converts times in any unit that is one, rather than a date to count from.
    if any(f"{card}{i}" in extension for card in _SCALING for i in numbers) or not _counts_days(extension, numbers[0]):
        return None
    offsets, names, types = [offset for _, _, offset in columns], _NAMES, _TYPES
    number, kind, place = found.get(_CADENCE, (0, "", 0))
    if kind == "J" and not any(f"{card}{number}" in extension for card in _SCALING):
        offsets, names, types = [*offsets, place], [*names, "cadence_number"], [*types, ">i4"]
    return np.dtype({"names": names, "formats": types, "offsets": offsets, "itemsize": offset})


def _counts_days(extension: Mapping[str, Any], i: int) -> bool:
    return str(extension.get(f"TUNIT{i}", "")).startswith("BJD - ")
