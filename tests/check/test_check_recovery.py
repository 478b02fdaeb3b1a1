"""Recovery of known periods, on numbers that can be worked out by hand and on a real catalog."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spotcat.catalog.finalise import finalise
from spotcat.catalog.query import open_catalog
from spotcat.catalog.writer import write_part
from spotcat.check.recovery import Recovery, found_for, read_truth, recovery, recovery_table
from spotcat.status import InputError

PEQ = np.full(8, 10.0)
PROT = np.full(8, 12.0)


def test_every_star_is_counted_once() -> None:
    #                 right by peq, by prot, too long, half, double, half of prot, none,   far off
    period = np.array([10.9, 13.1, 13.3, 4.6, 26.3, 6.5, np.nan, 100.0])
    assert recovery(period, PEQ, PROT) == Recovery(8, within=2 / 8, half=2 / 8, double=1 / 8)


@pytest.mark.parametrize("factor", [1.0, 0.5, 2.0])
def test_the_tolerance_is_a_tenth_on_both_sides(factor: float) -> None:
    errors = np.array([-0.101, -0.099, 0.099, 0.101])
    true = np.full(4, 10.0)
    found = recovery(factor * true * (1 + errors), true, true)
    assert (found.within, found.half, found.double) == tuple(0.5 * (factor == f) for f in (1.0, 0.5, 2.0))


def test_right_by_one_period_is_no_alias_of_the_other() -> None:
    found = recovery(np.array([10.0]), np.array([10.0]), np.array([19.0]))
    assert (found.within, found.half) == (1.0, 0.0)


def test_no_stars_have_no_recovery() -> None:
    with pytest.raises(ValueError, match="no stars"):
        recovery(np.array([]), np.array([]), np.array([]))


def test_the_table_lines_up() -> None:
    text = recovery_table({"spotcat": Recovery(48, 0.875, 0.0, 0.0208), "autocorrelation": Recovery(48, 1.0, 0.5, 0)})
    head, first, second = text.splitlines()
    assert len(head) == len(first) == len(second)
    assert first.split() == ["spotcat", "48", "88%", "0%", "2%"]
    assert second.split() == ["autocorrelation", "48", "100%", "50%", "0%"]


def test_truth_is_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("name,peq,prot\nb,1.5,2\na,3,nan\n")
    truth = read_truth(path)
    assert truth["name"].tolist() == ["b", "a"]
    np.testing.assert_array_equal(truth["peq"], [1.5, 3.0])
    np.testing.assert_array_equal(truth["prot"], [2.0, np.nan])


@pytest.mark.parametrize("text", ["", "name,peq\n", "peq,prot\n1,2\n", "name,peq\na,long\n", "name,peq\na\n"])
def test_a_table_that_is_no_truth_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"truth\.csv: not a table"):
        read_truth(path)


def test_a_missing_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"truth\.csv: cannot be read"):
        read_truth(tmp_path / "truth.csv")


def test_a_catalog_is_matched_by_name(tmp_path: Path) -> None:
    columns = {
        "star_id": np.array([1, 2, 3]),
        "name": np.array(["c", "a", "b"]),
        "prot": np.array([3.0, 1.0, np.nan]),
        "rotating": np.array([1, 0, 1], dtype="i1"),
        "status": np.zeros(3, dtype="i1"),
    }
    write_part(tmp_path / "part", columns, {})
    finalise([tmp_path / "part"], tmp_path / "catalog.zarr", {})
    found = found_for(open_catalog(tmp_path / "catalog.zarr"), ["a", "lost", "c", "b"], ["prot", "rotating"])
    np.testing.assert_array_equal(found["prot"], [1.0, np.nan, 3.0, np.nan])
    np.testing.assert_array_equal(found["rotating"], [0.0, np.nan, 1.0, 1.0])
