"""Readers by product: one file in, a clean light curve or the reason why there is none out.

lightkurve is the reference reader of the missions' files.  A new product needs a mark in
:mod:`spotcat.ingest.products` and a line in ``READERS``.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.config import CleanConfig
from spotcat.ingest.clean import CleanCurve, RawCurve, Refusal, clean
from spotcat.ingest.discover import TABLE_SUFFIXES
from spotcat.ingest.products import K2, KEPLER, SPOC, TABLE
from spotcat.status import InputError, Status

if TYPE_CHECKING:
    import pandas as pd

_SNIFFED = 512
_GZIP = b"\x1f\x8b"
_FITS = b"SIMPLE  ="
_FITS_COLUMNS = {KEPLER: "SAP_QUALITY", K2: "SAP_QUALITY", SPOC: "QUALITY"}


def read_curve(path: Path, product: str, config: CleanConfig) -> CleanCurve | Refusal:
    """Read and clean one file.

    Args:
        path: the file.
        product: a key of ``READERS``.
        config: quality mask and gap.

    Raises:
        InputError: a Parquet file, but no library that reads it.
    """
    try:
        raw = READERS[product](path, config.quality)
    except (InputError, MemoryError):
        raise
    # Damaged files make the FITS and table libraries raise almost anything.
    except Exception as error:
        return unreadable(error)
    return raw if isinstance(raw, Refusal) else clean(raw, config.gap)


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


def missing_columns(product: str, names: list[str]) -> Refusal | None:
    """A refusal where a mission's light curve lacks a column that is read."""
    wanted = ("TIME", "PDCSAP_FLUX", "PDCSAP_FLUX_ERR", _FITS_COLUMNS[product])
    return _lacking(wanted, names)


def _read_mission(path: Path, quality: str) -> RawCurve:
    """PDCSAP flux of an official Kepler, K2 or TESS light curve."""
    lightkurve = _lightkurve()
    with _quiet_lightkurve():
        curve = lightkurve.read(str(path), quality_bitmask=quality)
    return RawCurve(
        time=_plain(curve.time.value),
        flux=_plain(curve.flux.value),
        flux_err=_plain(curve.flux_err.value),
        quality=_plain(curve["quality"]),
        segment=None,
    )


def _plain(column: Any) -> np.ndarray:
    """A column as a bare array, masked values as NaN (only float columns have any)."""
    values = getattr(column, "value", column)
    return np.asarray(values.filled(np.nan) if getattr(values, "mask", np.False_).any() else values)


def _lightkurve() -> Any:
    with warnings.catch_warnings():
        # An optional part of lightkurve, not used here, warns at every import.
        warnings.filterwarnings("ignore", message=".*oktopus.*")
        import lightkurve
    return lightkurve


@contextmanager
def _quiet_lightkurve() -> Iterator[None]:
    """Hold back its log: it names every file that loses many cadences to the quality mask."""
    log = logging.getLogger("lightkurve")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _read_table(path: Path, _quality: str) -> RawCurve | Refusal:
    """A plain table with time [d], flux, and where present flux_err and segment; it has no quality mask."""
    table = _load_table(path)
    columns: dict[str, np.ndarray | None] = {"flux_err": None, "segment": None}
    problem = _lacking(("time", "flux"), list(table.columns))
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


def _lacking(wanted: tuple[str, ...], names: list[str]) -> Refusal | None:
    missing = [repr(name) for name in wanted if name not in names]
    return Refusal(Status.UNREADABLE, f"no column {', '.join(missing)}") if missing else None


READERS: dict[str, Callable[[Path, str], RawCurve | Refusal]] = {
    KEPLER: _read_mission,
    K2: _read_mission,
    SPOC: _read_mission,
    TABLE: _read_table,
}
"""The reader of every supported product: path and quality mask in, delivered light curve out."""
