"""The recovery plot: stars land where their periods say."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from spotcat.report.recovery_plot import plot_recovery

TRUE = np.geomspace(2, 30, 12)


def _ink(path: Path) -> float:
    return float((matplotlib.image.imread(path)[..., :3] < 0.5).all(axis=-1).mean())


def test_detections_are_filled_and_others_open(tmp_path: Path) -> None:
    detected, missed = (
        plot_recovery(TRUE, TRUE, np.full(12, value), "title", tmp_path / f"{value}.png") for value in (True, False)
    )
    assert _ink(detected) > _ink(missed) > 0.01
    assert matplotlib.image.imread(detected).shape[:2] == (740, 720)


def test_stars_without_a_period_are_left_out(tmp_path: Path) -> None:
    found = np.where(np.arange(12) % 2, np.nan, TRUE)
    keep = np.isfinite(found)
    # The missing ones must not move the axes either, so their true periods are made extreme.
    extreme = np.where(keep, TRUE, 1e4)
    some = plot_recovery(extreme, found, np.where(keep, 1.0, np.nan), "t", tmp_path / "some.png")
    only = plot_recovery(TRUE[keep], TRUE[keep], np.ones(6), "t", tmp_path / "only.png")
    assert some.read_bytes() == only.read_bytes()


def test_nothing_to_plot_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no star has a period"):
        plot_recovery(TRUE, np.full(12, np.nan), np.zeros(12), "t", tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
