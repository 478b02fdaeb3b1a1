"""Light curves read by lightkurve, the reference for every product that it knows."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.ingest.clean import RawCurve
from spotcat.ingest.daycount import stated_zero, to_count
from spotcat.ingest.formats import CDIPS, KEPSEISMIC, PRODUCTS, TASOC, TESS_MASKS, Product
from spotcat.ingest.official import mask_of


def read_reference(path: Path, product: str, quality: str) -> RawCurve:
    """Read one file.

    Args:
        path: a FITS file.
        product: a key of ``PRODUCTS``.
        quality: quality mask: none, default, hard or hardest.

    Returns:
        Time in the product's days [d], flux and flux_err as delivered, quality and cadence number of the measurements
        that are not masked.

    Raises:
        Exception: almost any where the file is damaged or not of this product.
    """
    kind = PRODUCTS[product]
    if product == KEPSEISMIC and (array := _primary_array(path)) is not None:
        return array
    with quiet_lightkurve() as lightkurve:
        curve = _open(lightkurve, path, product)
    good = _good(curve, kind, product, quality)
    time = _plain(curve.time.value)[good] - kind.time_shift
    days, converted = to_count(time, kind.reference, _stated_zero(path, kind))
    flux = _plain(curve.flux)[good]
    return RawCurve(
        time=days,
        # The archive's description: a gap that was not filled is 0 ppm.
        flux=np.where(flux == 0, np.nan, flux) if product == KEPSEISMIC else flux,
        flux_err=_plain(curve.flux_err)[good],
        quality=_quality(curve, kind)[good].astype(np.int32),
        segment=None,
        cadence_number=_cadence(curve, good),
        n_masked=int(np.count_nonzero(~good) + np.count_nonzero(~curve.meta.get("QUALITY_MASK", np.ones(0, bool)))),
        converted=converted,
    )


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


def _open(lightkurve: Any, path: Path, product: str) -> Any:
    """The file without a quality mask: lightkurve's own fails where the bits are shorter than its masks."""
    kind = PRODUCTS[product]
    options: dict[str, Any] = {} if kind.masks is None else {"quality_bitmask": "none"}
    if product == CDIPS:
        options["include_inst_errs"] = True
    # The format is named, because lightkurve's own guess may differ.
    curve = lightkurve.TessLightCurve if kind.campaign.folder == "tess" else lightkurve.KeplerLightCurve
    return curve.read(str(path), format=kind.reader, **options)


def _stated_zero(path: Path, kind: Product) -> float | None:
    from astropy.io import fits

    return stated_zero(fits.getheader(path, 1), kind.time_column)


def _good(curve: Any, kind: Product, product: str, quality: str) -> np.ndarray:
    """Rows without a bit of the mask and without a mark of their product."""
    good = (_quality(curve, kind) & mask_of(product, quality, curve.meta.get("SECTOR"))) == 0
    if quality == "none":
        return good
    if kind.bad and kind.bad in curve.colnames:
        good &= _plain(curve[kind.bad]) == 0
    if product == TASOC and "pixel_quality" in curve.colnames:
        good &= (_bits(curve["pixel_quality"]) & TESS_MASKS[quality]) == 0
    return good


def _quality(curve: Any, kind: Product) -> np.ndarray:
    """The quality bits; 0 where the product has none or keeps letters instead."""
    if kind.quality_column not in curve.colnames:
        return np.zeros(len(curve), dtype=np.int64)
    return _bits(curve[kind.quality_column])


def _bits(column: Any) -> np.ndarray:
    """Whole numbers as bits, the highest of which is no sign; 0 for letters."""
    values = _plain(column)
    if values.dtype.kind not in "iu":
        return np.zeros(values.shape, dtype=np.int64)
    return values.astype(f"u{values.dtype.itemsize}").astype(np.int64)


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
