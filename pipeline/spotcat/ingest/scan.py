"""A first look at every file: whose it is, what it is and where in the store it belongs.

Only headers of FITS files are read here; plain tables have none and are read whole.  The light curves
themselves follow campaign by campaign, so that memory never holds more than one block of them.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.config import CleanConfig
from spotcat.ingest.clean import Refusal
from spotcat.ingest.discover import TABLE_SUFFIXES, Source
from spotcat.ingest.identity import (
    Identity,
    file_identity,
    header_identity,
    parse_name,
    stem_of,
    table_identity,
)
from spotcat.ingest.products import K2, KEPLER, SPOC, TABLE, detect, extensions_missing, is_mission_file
from spotcat.ingest.read import missing_columns, read_curve, sniff, unreadable
from spotcat.status import Status

_DAY = 86400.0

# Folder of the store, form of the campaign's label, its card, the magnitude's card.
_CAMPAIGNS = {
    KEPLER: ("kepler", "q{:02d}", "QUARTER", "KEPMAG"),
    K2: ("k2", "c{:02d}", "CAMPAIGN", "KEPMAG"),
    SPOC: ("tess", "s{:04d}", "SECTOR", "TESSMAG"),
}
_OBSERVED_WITH = ("CHANNEL", "CAMERA", "CCD")


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What is known of a file before its light curve is read.

    ``product`` is empty where the file could not be recognised; ``group`` is its campaign in the store;
    ``start`` and ``stop`` are mission days; ``rank`` orders files of one star that cover the same time, the
    highest is the one to keep.
    """

    path: Path
    sha256: str
    identity: Identity
    product: str = ""
    refusal: Refusal | None = None
    group: str = ""
    n_rows: int = 0
    start: float = np.nan
    stop: float = np.nan
    rank: tuple[Any, ...] = ()
    version: str = ""
    observed: str = ""
    ra: float = np.nan
    dec: float = np.nan
    mag: float = np.nan
    crowding: float = np.nan

    @property
    def file(self) -> str:
        """Base name; the folder is never stored, so a survey may move."""
        return self.path.name


def checksum(path: Path) -> str:
    """SHA-256 of a file's bytes; empty where it cannot be read, which `scan` then reports."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def scan(source: Source, sha256: str, config: CleanConfig) -> FileInfo:
    """Recognise one file; whatever is wrong with it ends up in the result's ``refusal``."""
    is_table = source.path.name.lower().endswith(TABLE_SUFFIXES)
    info = FileInfo(source.path, sha256, _by_file_name(source, is_table))
    problem = sniff(source.path)
    if problem:
        return replace(info, refusal=problem)
    return _scan_table(info, config) if is_table else _scan_fits(info, source)


def _by_file_name(source: Source, is_table: bool) -> Identity:
    file = source.path.name
    return _as_listed(source, table_identity(stem_of(file)) if is_table else file_identity(file))


def _as_listed(source: Source, found: Identity) -> Identity:
    """The identity found, under the number and name a manifest gives the star."""
    if not source.name:
        return found
    known = found if found.mission else parse_name(source.name) or found
    return Identity(source.star_id, source.name, known.mission, known.mission_id)


def _scan_table(info: FileInfo, config: CleanConfig) -> FileInfo:
    curve = read_curve(info.path, TABLE, config)
    if isinstance(curve, Refusal):
        return replace(info, product=TABLE, refusal=curve)
    seconds = float(np.median(np.diff(curve.time))) * _DAY
    return replace(
        info,
        product=TABLE,
        # Two digits: the cadences of one survey differ a little from star to star.
        group=f"table/{max(1, int(float(f'{seconds:.1e}')))}s",
        n_rows=curve.time.size,
        start=float(curve.time[0]),
        stop=float(curve.time[-1]),
        rank=(curve.time.size,),
    )


def _scan_fits(info: FileInfo, source: Source) -> FileInfo:
    try:
        primary, extension, n_extensions = _headers(info.path)
    except MemoryError:
        raise
    # Damaged headers make astropy raise almost anything.
    except Exception as error:
        refusal = unreadable(error) if isinstance(error, PermissionError) else _TRUNCATED
        return replace(info, refusal=refusal)
    found = header_identity(primary)
    identity = _as_listed(source, found) if found else info.identity
    info = replace(info, identity=identity, ra=_number(primary.get("RA_OBJ")), dec=_number(primary.get("DEC_OBJ")))
    product = detect(info.file, primary, extension)
    if is_mission_file(product) and extensions_missing(primary, n_extensions):
        return replace(info, refusal=_TRUNCATED)
    if product not in _CAMPAIGNS:
        return replace(info, product=product, refusal=Refusal(Status.UNSUPPORTED, f"{product} is not supported"))
    named = parse_name(source.name)
    if named and found and (named.mission, named.mission_id) != (found.mission, found.mission_id):
        reason = f"its header says {found.name}, the manifest {source.name}"
        # The row is the manifest's star, so nothing of the other star may describe it.
        info = replace(info, identity=_as_listed(source, named), ra=np.nan, dec=np.nan)
        return replace(info, product=product, refusal=Refusal(Status.ID_CONFLICT, reason))
    return _official(info, product, primary, extension)


_TRUNCATED = Refusal(Status.UNREADABLE, "truncated or damaged")


def _headers(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any], int]:
    """Primary header, first extension's header (empty if none) and the number of extensions."""
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # products other than the missions' own bend the standard
        warnings.filterwarnings("error", message=".*truncated.*")
        with fits.open(path) as hdus:
            n_extensions = len(hdus) - 1  # counting reads every header, which finds a missing end
            return hdus[0].header, hdus[1].header if n_extensions else {}, n_extensions


def _official(info: FileInfo, product: str, primary: Mapping[str, Any], extension: Mapping[str, Any]) -> FileInfo:
    """Fill in what the headers of a mission's light curve say."""
    folder, label, card, mag_card = _CAMPAIGNS[product]
    names = [str(extension.get(f"TTYPE{i + 1}", "")) for i in range(int(extension.get("TFIELDS", 0)))]
    campaign = primary.get(card)
    start, stop, step = (_number(extension.get(name)) for name in ("TSTART", "TSTOP", "TIMEDEL"))
    problem = missing_columns(product, names)
    if not problem and not (isinstance(campaign, int) and np.isfinite([start, stop, step]).all()):
        problem = Refusal(Status.UNREADABLE, f"its header lacks one of {card}, TSTART, TSTOP, TIMEDEL")
    n_rows = int(extension.get("NAXIS2", 0))
    if not problem and n_rows == 0:
        problem = Refusal(Status.NO_FINITE_FLUX, "no measurements")
    info = replace(info, product=product, refusal=problem, mag=_number(primary.get(mag_card)))
    if problem:
        return info
    seconds = round(step * _DAY)
    version = str(primary.get("PROCVER", "")).strip()
    observed = [(name, primary.get(name)) for name in (card, *_OBSERVED_WITH)]
    return replace(
        info,
        group=f"{folder}/{label.format(campaign)}-{seconds}s",
        n_rows=n_rows,
        start=start,
        stop=stop,
        # The longer cadence of a campaign holds the same photons in fewer points.
        rank=(seconds, _integer(primary.get("DATA_REL")), [int(n) for n in re.findall(r"\d+", version)]),
        version=version,
        observed=" ".join(f"{name.lower()}={value}" for name, value in observed if isinstance(value, int)),
        crowding=_number(extension.get("CROWDSAP")),
    )


def _integer(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _number(value: Any) -> float:
    """A header value as a float, NaN where the card is absent or blank."""
    return float(value) if isinstance(value, (int, float)) else np.nan
