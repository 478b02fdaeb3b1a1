"""Readers by product: one file in, a clean light curve or the reason why there is none out.

The missions' files have a fast reader; lightkurve is the reference, and reads every other product.  A new product
needs a mark in :mod:`spotcat.ingest.products` and a line in :mod:`spotcat.ingest.formats`.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spotcat.config import CleanConfig
from spotcat.ingest.clean import CleanCurve, RawCurve, Refusal, clean
from spotcat.ingest.clip import Transit, clip, drop_transits
from spotcat.ingest.discover import TABLE_SUFFIXES
from spotcat.ingest.formats import KEPSEISMIC, PRODUCTS, TABLE
from spotcat.status import InputError, Status

if TYPE_CHECKING:
    import pandas as pd

_ORBIT_GAP = 0.5
"""TESS looks away for about a day between the two orbits of a sector."""
_SNIFFED = 512
_GZIP = b"\x1f\x8b"
_FITS = b"SIMPLE  ="


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file beforehand: first and last day that it can have, and transits of its star."""

    span: tuple[float, float] = (-np.inf, np.inf)
    transits: tuple[Transit, ...] = ()


_ANYTHING = Known()


def read_curve(
    path: Path, product: str, config: CleanConfig, reader: str = "fast", known: Known = _ANYTHING
) -> CleanCurve | Refusal:
    """Read and clean one file.

    Args:
        path: the file.
        product: ``TABLE`` or a key of ``PRODUCTS``.
        config: the steps of cleaning.
        reader: ``fast``, or ``lightkurve`` for the reference.
        known: what is known of the file.

    Raises:
        InputError: a Parquet file, but no library that reads it.
    """
    try:
        raw = _read_table(path) if product == TABLE else _read_fits(path, product, config.quality, reader)
    except (InputError, MemoryError):
        raise
    # Damaged files make the FITS and table libraries raise almost anything.
    except Exception as error:
        return unreadable(error)
    if isinstance(raw, Refusal):
        return raw
    kind = PRODUCTS.get(product)
    raw, n_in_transit = drop_transits(raw, known.transits, kind.reference if kind else 0.0)
    by_orbit = config.orbits and kind is not None and kind.campaign.folder == "tess"
    curve = clean(raw, min(config.gap, _ORBIT_GAP) if by_orbit else config.gap, known.span)
    if isinstance(curve, Refusal):
        return curve
    curve, n_clipped = clip(curve, config)
    return replace(curve, n_masked=raw.n_masked, n_clipped=n_clipped, n_in_transit=n_in_transit)


def unreadable(error: Exception) -> Refusal:
    """A refusal that names the cause but, unlike the error's own text, no path."""
    cause = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return Refusal(Status.UNREADABLE, f"cannot be read ({cause})")


def sniff(path: Path) -> Refusal | None:
    """Tell an empty file, a web page or a file that is not FITS from its first bytes."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_SNIFFED)
    except OSError as error:
        return unreadable(error)
    if not head:
        return Refusal(Status.UNREADABLE, "the file is empty")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return Refusal(Status.UNREADABLE, "a web page (HTML or XML) in place of the data")
    if not path.name.lower().endswith(TABLE_SUFFIXES) and not head.startswith((_FITS, _GZIP)):
        return Refusal(Status.UNREADABLE, "not a FITS file")
    return None


def read_times(path: Path, product: str) -> np.ndarray | Refusal:
    """The times [d] of a product's file, f8, NaN where there is none.

    Raises:
        Exception: almost any where the file is damaged.
    """
    from astropy.io import fits

    kind = PRODUCTS[product]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=False) as hdus:
            if product == KEPSEISMIC and hdus[0].data is not None:
                return np.array(hdus[0].data[:, 0], dtype=np.float64)
            problem = lacking((kind.time_column,), hdus[1].columns.names if len(hdus) > 1 else [])
            return problem or np.array(hdus[1].data[kind.time_column], dtype=np.float64) - kind.time_shift


def _read_fits(path: Path, product: str, quality: str, reader: str) -> RawCurve:
    from spotcat.ingest.official import read_official
    from spotcat.ingest.reference import read_reference

    curve = None
    if reader == "fast":
        # Whatever is odd about a file, the reference has the last word.
        with suppress(Exception):
            curve = read_official(path, product, quality)
    return read_reference(path, product, quality) if curve is None else curve


def _read_table(path: Path) -> RawCurve | Refusal:
    """A plain table with time [d], flux, and where present flux_err and segment; it has no quality mask."""
    table = _load_table(path)
    columns: dict[str, np.ndarray | None] = {"flux_err": None, "segment": None}
    problem = lacking(("time", "flux"), list(table.columns))
    if problem:
        return problem
    for name in ("time", "flux", "flux_err", "segment"):
        if name not in table.columns:
            continue
        if table[name].dtype.kind not in "iuf":
            return Refusal(Status.UNREADABLE, f"column {name!r} is not numeric")
        columns[name] = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    time, flux, segment = columns["time"], columns["flux"], columns["segment"]
    assert time is not None and flux is not None
    if segment is not None and not np.isfinite(segment).all():
        return Refusal(Status.UNREADABLE, "column 'segment' has missing values")
    return RawCurve(time, flux, columns["flux_err"], np.zeros(time.size, dtype=np.int32), segment)


def _load_table(path: Path) -> pd.DataFrame:
    import pandas as pd

    suffix = path.suffix.lower()
    if suffix == ".parquet":
        try:
            return pd.read_parquet(path)
        except ImportError:
            raise InputError(f"{path}: Parquet needs pyarrow; install spotcat with its 'parquet' extra") from None
    if suffix == ".ecsv":
        return _load_ecsv(path)
    # The default parser is off by one in the last place.
    return pd.read_csv(path, comment="#", skipinitialspace=True, float_precision="round_trip")


def _load_ecsv(path: Path) -> pd.DataFrame:
    from astropy.table import Table

    table = Table.read(path, format="ascii.ecsv")
    unit = getattr(table["time"], "unit", None) if "time" in table.colnames else None
    if unit is not None:
        table["time"] = table["time"] * unit.to("d")
    return table.to_pandas()


def lacking(wanted: tuple[str, ...], names: list[str]) -> Refusal | None:
    """A refusal that names the columns that a file does not have."""
    missing = [repr(name) for name in wanted if name not in names]
    return Refusal(Status.UNREADABLE, f"no column {', '.join(missing)}") if missing else None
