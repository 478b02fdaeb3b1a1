"""Columns that may be added to each segment with any coefficients, such as its slope or a mission's basis vectors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

LEAST_PER_COLUMN = 10
"""A segment of fewer measurements for each column has none."""


def segment_design(columns: np.ndarray, segment: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Columns made orthonormal and without mean within each segment; zero where they say nothing new.

    Args:
        columns: values at each grid point, shape (M, v).
        segment: segment number, shape (M,).
        mask: 1 where there is a measurement, shape (M,).

    Returns:
        Shape (M, v); zero throughout a segment of too few measurements to tell its columns from its signal.
    """
    design = np.zeros_like(columns, dtype=float)
    for own in segments_of(segment, mask) if design.size else ():
        if own.sum() < LEAST_PER_COLUMN * columns.shape[1]:
            continue
        u, size, _ = np.linalg.svd(columns[own] - columns[own].mean(axis=0), full_matrices=False)
        rank = int(np.sum(size > 1e-8 * max(size.max(initial=0.0), 1e-300)))
        design[own, :rank] = u[:, :rank]
    return design


def segments_of(segment: np.ndarray, mask: np.ndarray) -> Iterator[np.ndarray]:
    """Where the measurements of each segment are, truth values of shape (M,)."""
    for number in np.unique(segment[mask > 0]):
        yield (segment == number) & (mask > 0)
