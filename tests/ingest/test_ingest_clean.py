"""Cleaning of single light curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spotcat.ingest.clean import CleanCurve, RawCurve, Refusal, clean
from spotcat.status import Status


def raw(time: Any, flux: Any, flux_err: Any = None, segment: Any = None) -> RawCurve:
    time = np.asarray(time, dtype=np.float64)
    quality = np.arange(time.size, dtype=np.int32)
    errors = None if flux_err is None else np.asarray(flux_err)
    labels = None if segment is None else np.asarray(segment, dtype=np.float64)
    return RawCurve(time, np.asarray(flux), errors, quality, labels)


def cleaned(*args: Any, gap: float = 30.0, **kwargs: Any) -> CleanCurve:
    result = clean(raw(*args, **kwargs), gap)
    assert isinstance(result, CleanCurve), result
    return result


def refused(*args: Any, gap: float = 30.0, **kwargs: Any) -> Refusal:
    result = clean(raw(*args, **kwargs), gap)
    assert isinstance(result, Refusal)
    return result


def test_sorted_finite_and_unique() -> None:
    curve = cleaned([3, 1, np.nan, 2, 2, 0, np.inf, 4], [13.0, 11, 5, 12, 99, np.nan, 7, 14], np.full(8, 0.5))
    assert curve.time.tolist() == [1, 2, 3, 4]
    assert curve.flux.tolist() == [11, 12, 13, 14]
    assert curve.quality.tolist() == [1, 3, 0, 7]
    assert curve.segment.tolist() == [0, 0, 0, 0]
    assert not curve.errors_estimated


def test_delivered_precision_and_byte_order() -> None:
    flux = np.linspace(10, 11, 5, dtype=">f4")
    curve = cleaned(np.arange(5.0), flux, flux)
    assert curve.flux.dtype == np.dtype("=f4") and curve.flux_err.dtype == np.dtype("=f4")
    np.testing.assert_array_equal(curve.flux, flux)
    double = np.linspace(10, 11, 5)
    np.testing.assert_array_equal(cleaned(np.arange(5.0), double, double).flux, double)


@pytest.mark.parametrize("absent", ["no column", "all NaN"])
def test_absent_errors_come_from_the_scatter(absent: str) -> None:
    random = np.random.default_rng(5)
    time = np.arange(4000) * 0.02
    flux = 100 + np.sin(time / 10) + random.normal(0, 0.3, time.size)
    curve = cleaned(time, flux, None if absent == "no column" else np.full(time.size, np.nan))
    assert curve.errors_estimated
    assert np.all(curve.flux_err == curve.flux_err[0])
    assert curve.flux_err[0] == pytest.approx(0.3, rel=0.05)


def test_single_bad_errors_are_replaced_and_good_ones_kept() -> None:
    errors = np.array([0.1, np.nan, 0.2, -1.0, 0.0, 0.3])
    curve = cleaned(np.arange(6), [10.0, 11, 10, 11, 10, 11], errors)
    assert curve.errors_estimated
    assert curve.flux_err[[0, 2, 5]].tolist() == [0.1, 0.2, 0.3]
    assert np.all(curve.flux_err[[1, 3, 4]] > 0)


def test_coarse_flux_still_gets_positive_errors() -> None:
    flux = np.full(100, 50.0)
    flux[60] = 51
    assert np.all(cleaned(np.arange(100), flux).flux_err > 0)


def test_gaps_and_labels_make_segments() -> None:
    time = [0, 1, 2, 10, 11, 50, 51]
    assert cleaned(time, np.arange(7) + 5.0, gap=5).segment.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert cleaned(time, np.arange(7) + 5.0, gap=8).segment.tolist() == [0, 0, 0, 0, 0, 1, 1]
    labelled = cleaned(time, np.arange(7) + 5.0, gap=8, segment=[9, 9, 4, 4, 4, 4, 4])
    assert labelled.segment.tolist() == [0, 0, 1, 1, 1, 2, 2]


def test_refusals() -> None:
    time = np.arange(6.0)
    assert refused(time, np.full(6, np.nan)).status == Status.NO_FINITE_FLUX
    assert refused(np.full(6, np.nan), np.ones(6)).status == Status.NO_FINITE_FLUX
    assert refused([], []).status == Status.NO_FINITE_FLUX
    assert refused(time, np.full(6, 3.0)).status == Status.CONSTANT_FLUX
    assert refused(time, [1, 2.0, np.nan, np.nan, np.nan, np.nan]).status == Status.FEW_POINTS
    overlapping = refused(time, np.arange(6) + 1.0, segment=[0, 1, 0, 1, 0, 1])
    assert (overlapping.status, overlapping.reason) == (Status.UNSUPPORTED, "the segments overlap in time")


@pytest.mark.parametrize("offset", [0.0, -5.0, 0.5])
def test_differences_are_not_fluxes(offset: float) -> None:
    flux = np.sin(np.arange(500) * 0.3) * 3 + offset
    assert refused(np.arange(500.0), flux).status == Status.NO_FLUX_LEVEL


def test_deep_variability_is_a_flux() -> None:
    flux = np.abs(np.random.default_rng(2).normal(0, 1, 501))
    assert cleaned(np.arange(501.0), flux).flux.size == 501
