"""The picture of a validation: every quantity has its panel, and equal results give equal bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spotcat.report.validation_plots import plot_validation


def test_a_picture_shows_stars_curves_and_coverage(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    true = np.exp(rng.uniform(0, 3, 60))
    stars = {"true": true, "prot": np.where(rng.random(60) < 0.9, true, np.nan), "rotating": np.ones(60)}
    half = [1.0, 0.5]
    within = {"spotcat": half, "Lomb-Scargle": half, "autocorrelation": half}
    along = {"set": "a", "axis": "true period [d]", "edges": [1.0, 3.0, 20.0], "n": [30, 30], "within": within}
    along |= {"completeness": half, "reliability": [1.0, float("nan")]}
    score = {
        "axis": "reliability",
        "edges": [0.0, 0.5, 0.9, 1.0],
        "completeness": [0.9, 0.8, 0.4],
        "reliability": [0.9, 1, 1],
    }
    nominal = [0.25, 0.5, 0.75]
    coverage = {"prot": [0.25, 0.5, 0.75], "prot raw": [0.2, 0.4, 0.6]}
    pictures = [
        plot_validation(curves, stars, coverage, nominal, tmp_path / f"{i}.png").read_bytes()
        for i, curves in enumerate([[along, score], [score, along], [score]])
    ]
    assert pictures[0] == pictures[1]
    assert pictures[0] != pictures[2]
