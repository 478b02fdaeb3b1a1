"""Light curves read by lightkurve, the reference for every product that it knows."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.ingest.clean import RawCurve
from spotcat.ingest.formats import CDIPS, KEPSEISMIC, PRODUCTS, TASOC, TESS_MASKS, Product

_PPM = 1e-6
_MAG = 0.4 * np.log(10)


def read_reference(path: Path, product: str, quality: str) -> RawCurve:
    """Read one file.

    Args:
        path: a FITS file.
        product: a key of ``PRODUCTS``.
        quality: quality mask: none, default, hard or hardest.

    Returns:
        Time [d], flux and flux_err, quality and cadence number of the measurements that are not masked.  Magnitudes
        and ppm become relative flux; all other flux is as delivered.

    Raises:
        Exception: almost any where the file is damaged or not of this product.
    """
    kind = PRODUCTS[product]
    if product == KEPSEISMIC and (array := _primary_array(path)) is not None:
        return _relative(array, kind.unit)
    with quiet_lightkurve() as lightkurve:
        curve = _open(lightkurve, path, product, quality)
    good = _good(curve, kind, product, quality)
    raw = RawCurve(
        time=_plain(curve.time.value)[good] - kind.time_shift,
        flux=_plain(curve.flux)[good],
        flux_err=_plain(curve.flux_err)[good],
        quality=_quality(curve)[good],
        segment=None,
        cadence_number=_cadence(curve, good),
        n_masked=int(np.count_nonzero(~good) + np.count_nonzero(~curve.meta.get("QUALITY_MASK", np.ones(0, bool)))),
    )
    return _relative(raw, kind.unit)


@contextmanager
def quiet_lightkurve() -> Iterator[Any]:
    """lightkurve, with its log held back: it names every file that loses many cadences to the quality mask."""
    log = logging.getLogger("lightkurve")
    level = log.level
    try:
        with warnings.catch_warnings():
            # An optional part of lightkurve, not used here, warns at every import.
            warnings.simplefilter("ignore")
            import lightkurve

            log.setLevel(logging.ERROR)
            yield lightkurve
    finally:
        log.setLevel(level)


def _open(lightkurve: Any, path: Path, product: str, quality: str) -> Any:
    kind = PRODUCTS[product]
    options: dict[str, Any] = {} if kind.masks is None else {"quality_bitmask": quality}
    if product == CDIPS:
        options["include_inst_errs"] = True
    # The format is named, because lightkurve's own guess may differ.
    curve = lightkurve.TessLightCurve if kind.campaign.folder == "tess" else lightkurve.KeplerLightCurve
    return curve.read(str(path), format=kind.reader, **options)


def _good(curve: Any, kind: Product, product: str, quality: str) -> np.ndarray:
    """Rows without a mark of their product that lightkurve does not mask by."""
    good = np.ones(len(curve), dtype=bool)
    if quality == "none":
        return good
    if kind.bad and kind.bad in curve.colnames:
        good &= _plain(curve[kind.bad]) == 0
    if product == TASOC and "pixel_quality" in curve.colnames:
        good &= (_plain(curve["pixel_quality"]).astype(np.int64) & TESS_MASKS[quality]) == 0
    return good


def _quality(curve: Any) -> np.ndarray:
    """The quality bits; 0 where the product has none or keeps letters instead."""
    if "quality" not in curve.colnames:
        return np.zeros(len(curve), dtype=np.int32)
    values = _plain(curve["quality"])
    return values.astype(np.int32) if values.dtype.kind in "iu" else np.zeros(len(curve), dtype=np.int32)


def _cadence(curve: Any, good: np.ndarray) -> np.ndarray | None:
    """The mission's number of each measurement, where the product has it as a whole number."""
    values = _plain(curve["cadenceno"]) if "cadenceno" in curve.colnames else np.empty(0)
    return values[good] if values.dtype.kind in "iu" else None


def _plain(column: Any) -> np.ndarray:
    """A column as a bare array, masked floats as NaN."""
    values = getattr(column, "value", column)
    masked = getattr(values, "mask", np.False_)
    return np.asarray(values.filled(np.nan) if np.any(masked) and values.dtype.kind == "f" else values)


def _primary_array(path: Path) -> RawCurve | None:
    """The form with the light curve as an image: rows of time and flux, a flux of exactly 0 where there is none."""
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        array = hdus[0].data
    if array is None:
        return None
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError("an image that is no table of time and flux")
    flux = np.where(array[:, 1] == 0, np.nan, array[:, 1])
    return RawCurve(array[:, 0], flux, None, np.zeros(flux.size, dtype=np.int32), None)


def _relative(raw: RawCurve, unit: str) -> RawCurve:
    """Relative flux from magnitudes or ppm; any linear flux as it is."""
    if unit == "flux":
        return raw
    flux, errors = raw.flux.astype(np.float64), raw.flux_err
    if unit == "ppm":
        flux = 1 + _PPM * flux
        errors = None if errors is None else _PPM * errors.astype(np.float64)
    else:
        flux = np.exp(-_MAG * (flux - np.nanmedian(flux)))
        errors = None if errors is None else _MAG * flux * errors.astype(np.float64)
    return replace(raw, flux=flux, flux_err=errors)
