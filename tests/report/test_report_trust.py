"""Validation reports on the survey page: what is read, what is drawn, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from spotcat.catalog.finalise import finalise
from spotcat.catalog.writer import write_part
from spotcat.report.survey_page import report
from spotcat.report.trust import read_trust
from spotcat.status import InputError

VALIDATION = Path(__file__).parents[2] / "catalogs" / "validation" / "validation.json"
CURVE: dict[str, Any] = {
    "set": "half-year",
    "axis": "period [d]",
    "edges": [2, 4, 8, 30],
    "completeness": [0.9, 0.7, None],
    "reliability": [1.0, 0.95, None],
    "n": [40, 20, 0],
}


def _report(path: Path, *curves: dict[str, Any]) -> Path:
    path.write_text(json.dumps(json.loads(VALIDATION.read_text()) | {"curves": list(curves)}))
    return path


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = json.loads(VALIDATION.read_text())
    trust = read_trust(_report(tmp_path / "v.json", CURVE))
    assert [(f.name, f.figure, f.value) for f in trust.figures] == [
        (f["set"], f["name"], f["value"]) for f in written["figures"]
    ]
    assert {figure.bounds for figure in trust.figures if figure.figure == "detected"} == {""}
    assert trust.figures[0].bounds == "≥ 0.8"
    (curve,) = trust.curves
    np.testing.assert_array_equal(curve.completeness, [0.9, 0.7, np.nan])
    assert curve.words == "half-year: completeness and reliability by period [d]."


def test_bins_without_an_end_are_as_wide_as_their_neighbours(tmp_path: Path) -> None:
    open_ended = CURVE | {"edges": [float("-inf"), 2, 5, float("inf")]}
    (curve,) = read_trust(_report(tmp_path / "v.json", open_ended)).curves
    assert curve.edges.tolist() == [-1, 2, 5, 8]


def test_the_page_shows_the_curves_that_are_there(tmp_path: Path) -> None:
    write_part(tmp_path / "part", {"star_id": [1], "name": ["KIC 1"], "status": [2]}, {})
    finalise([tmp_path / "part"], tmp_path / "catalog.zarr", {})
    gain = CURVE | {"set": "sector", "axis": "gain in ln likelihood <x>", "edges": [-1, 0, 5, 9]}
    page = report(tmp_path / "catalog.zarr", tmp_path / "page", validation=_report(tmp_path / "v.json", CURVE, gain))
    text = page.read_text()
    for words in ('id="trust"', '"#trust"', "sector: completeness and reliability by gain in ln likelihood &lt;x&gt;"):
        assert words in text
    pictures = [matplotlib.image.imread(page.parent / f"figures/trust-{k:02d}.png") for k in (0, 1)]
    assert all(picture.std() > 0.05 for picture in pictures)
    assert not np.array_equal(*pictures)
    without = report(tmp_path / "catalog.zarr", tmp_path / "page", validation=_report(tmp_path / "v.json")).read_text()
    assert "no curves" in without and "detected periods within 10 %" in without
    assert "trust" not in report(tmp_path / "catalog.zarr", tmp_path / "page").read_text()


@pytest.mark.parametrize(
    "change",
    [
        {"edges": [2, 4, 8]},
        {"edges": [2, 8, 4, 30]},
        {"edges": [float("-inf"), 4, float("inf"), float("inf")]},
        {"completeness": ["a", 1, 1]},
        {"n": None},
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"v\.json: not a validation report"):
        read_trust(_report(tmp_path / "v.json", CURVE | change))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read"):
        read_trust(tmp_path / "none.json")
    for text in ("[]", "{", '{"figures": 3}'):
        (tmp_path / "v.json").write_text(text)
        with pytest.raises(InputError, match=r"v\.json: not a validation report"):
            read_trust(tmp_path / "v.json")
