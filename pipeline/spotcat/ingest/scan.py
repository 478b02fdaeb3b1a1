"""A first look at every file: whose it is, what it is and where in the store it belongs.

Only headers of FITS files are read here; plain tables have none and are read whole.  The light curves
themselves follow campaign by campaign, so that memory never holds more than one block of them.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.config import CleanConfig
from spotcat.ingest.clean import Refusal
from spotcat.ingest.describe import FileInfo, cadence_label, describe, number
from spotcat.ingest.discover import TABLE_SUFFIXES, Source
from spotcat.ingest.formats import PRODUCTS, TABLE
from spotcat.ingest.identity import (
    Identity,
    archive_identity,
    file_identity,
    header_identity,
    parse_name,
    stem_of,
    table_identity,
)
from spotcat.ingest.products import detect, extensions_missing, is_mission_file, is_other_kind, kind_by_name
from spotcat.ingest.read import read_curve, sniff, unreadable
from spotcat.status import Status


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
    info = FileInfo(source.path, sha256, _by_file_name(source, is_table), label=source.label)
    problem = sniff(source.path)
    if problem:
        return replace(info, product=kind_by_name(source.path.name), refusal=problem)
    if is_table:
        return _scan_table(info, config)
    try:
        return _scan_fits(info, source)
    except MemoryError:
        raise
    # astropy reads cards when they are asked for, and raises almost anything at a damaged one.
    except Exception as error:
        problem = unreadable(error) if isinstance(error, PermissionError) else _TRUNCATED
        return replace(info, product=kind_by_name(source.path.name), refusal=problem)


def damage(path: Path, name: str = "") -> str:
    """Why a FITS file is not whole; empty if it is.  `name` is its base name, if `path` has another."""
    problem = sniff(path)
    if problem:
        return problem.reason
    try:
        primary, extension, n_extensions = _headers(path)
        mission_file = is_mission_file(detect(name or path.name, primary, extension))
    except MemoryError:
        raise
    except Exception:
        return _TRUNCATED.reason
    return _TRUNCATED.reason if mission_file and extensions_missing(primary, n_extensions) else ""


def _by_file_name(source: Source, is_table: bool) -> Identity:
    file = source.path.name
    name = stem_of(source.label or file)
    return _as_listed(source, table_identity(name) if is_table else file_identity(file, name))


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
    return replace(
        info,
        product=TABLE,
        group=f"table/{cadence_label(float(np.median(np.diff(curve.time))))}",
        n_rows=curve.time.size,
        start=float(curve.time[0]),
        stop=float(curve.time[-1]),
        rank=(curve.time.size,),
    )


def _scan_fits(info: FileInfo, source: Source) -> FileInfo:
    primary, extension, n_extensions = _headers(info.path)
    found = header_identity(primary)
    identity = _as_listed(source, found) if found else info.identity
    info = replace(info, identity=identity, ra=number(primary.get("RA_OBJ")), dec=number(primary.get("DEC_OBJ")))
    product = detect(info.path.name, primary, extension)
    if is_mission_file(product) and extensions_missing(primary, n_extensions):
        return replace(info, product=product if is_other_kind(product) else "", refusal=_TRUNCATED)
    if product not in PRODUCTS:
        words = "is no light curve" if is_other_kind(product) else "is not supported"
        return replace(info, product=product, refusal=Refusal(Status.UNSUPPORTED, f"{product} {words}"))
    named = parse_name(source.name) if source.name else archive_identity(info.path.name)
    if named and found and (named.mission, named.mission_id) != (found.mission, found.mission_id):
        reason = f"its header says {found.name}, {'the manifest' if source.name else 'its name'} {named.name}"
        # The row is the other star's, so nothing of this header may describe it.
        info = replace(info, identity=_as_listed(source, named), ra=np.nan, dec=np.nan)
        return replace(info, product=product, refusal=Refusal(Status.ID_CONFLICT, reason))
    return describe(replace(info, product=product), primary, extension)


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
