"""Stars of known kinds against a catalog: counted by hand, and as the script does that first counted them."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spotcat.catalog.finalise import finalise
from spotcat.catalog.published import KINDS, Labelled, read_labelled
from spotcat.catalog.writer import write_part
from spotcat.check.score import COLUMNS, in_words, score, short_in_words, table_in_markdown
from spotcat.cli import main
from spotcat.status import Flag, InputError, Status

FLAGS = [Flag.NONE, Flag.NOT_DETECTED, Flag.ECLIPSES_SUSPECTED, Flag.STRICTLY_PERIODIC, Flag.STEPS_SUSPECTED]


def _found(names: list[str], prot: list[float], rotating: list[int], flags: list[int]) -> dict[str, np.ndarray]:
    n = len(names)
    period = np.array(prot, float)
    numbers = {"prot_lower": 0.99 * period, "prot_upper": 1.01 * period, "p_ls": period, "p_acf": 2 * period}
    codes = {
        "rotating": np.array(rotating, np.int8),
        "flags": np.array(flags, np.int32),
        "status": np.zeros(n, np.int8),
    }
    return {"star_id": np.arange(1, n + 1), "name": np.array(names), "prot": period, **numbers, **codes}


def _random(seed: int, n: int = 400) -> tuple[dict[str, np.ndarray], list[Labelled]]:
    """Stars of every kind and every verdict; some that the catalog lacks, some without a period."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.3, 40, n)
    factor = rng.choice([1, 1, 1, 0.5, 2, 1.4, np.nan], n) * rng.uniform(0.88, 1.12, n)
    names = [f"KIC {number}" for number in range(n)]
    called, flags = rng.integers(0, 2, n), rng.choice([int(flag) for flag in FLAGS], n)
    found = _found(names, (true * factor).tolist(), called.tolist(), flags.tolist())
    found["p_ls"] = true * rng.choice([1, 0.5, np.nan], n)
    stars = [Labelled(name, str(rng.choice(KINDS)), period) for name, period in zip(names, true, strict=True)]
    return {column: values[: n - 20] for column, values in found.items()}, stars


def _write(path: Path, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return path


def _table(path: Path, stars: list[Labelled]) -> Path:
    return _write(path, ("name", "kind", "period_d"), [(*star[:2], repr(float(star.period))) for star in stars])


def test_every_verdict_by_hand() -> None:
    names = ["KIC 1", "KIC 2", "KIC 3", "KIC 4", "KIC 5", "TIC 1", "TIC 2", "TIC 3", "TIC 4", "TIC 5"]
    flags = [0, 0, 1, 0, 0, 0, 1, Flag.STRICTLY_PERIODIC, Flag.STEPS_SUSPECTED, 0]
    found = _found(
        names, [10.5, 5.2, 19, 13, 9.5, 3, 3, 3, 3, 3], [1, 1, 0, 1, 0, 1, 0, 1, 1, 1], [int(f) for f in flags]
    )
    kinds = ["rotator"] * 5 + ["negative", "negative", "pulsator", "eclipsing", "unknown"]
    stars = [Labelled(name, kind, 10.0) for name, kind in zip(names, kinds, strict=True)]
    result = score(found, [*stars, Labelled("KIC 9", "rotator", 1.0), Labelled("KIC 8", "unknown", 1.0)])
    verdicts = ["right", "half", "double", "wrong", "right", "called", "not called", "flagged", "called without a flag"]
    assert [star.verdict for star in result.stars] == [*verdicts, "not judged"]
    assert [star.star.name for star in result.short] == ["KIC 2", "KIC 3", "KIC 4", "KIC 5", "TIC 1", "TIC 4"]
    assert in_words(result).splitlines() == [
        "not in the catalog: 1: KIC 9",
        "rotators 5: right 2 (40%; Lomb-Scargle 40%, autocorrelation 20%), half 1, double 1, wrong 1; "
        "called rotating 3, of these right 1; negatives 2: called 1; eclipsing or pulsating 2: called without a flag 1",
    ]
    lines = short_in_words(result)
    assert lines[0] == "KIC 2: true 10 d, found 5.2 d (half), called rotating; no flags"
    assert lines[1] == "KIC 3: true 10 d, found 19 d (double), not called; rotation not detected"
    assert lines[4] == "TIC 1: nothing rotates visibly, called rotating at 3 d; no flags"
    assert lines[5].startswith("TIC 4: eclipsing, called rotating at 3 d without a flag; sudden steps")


def test_stars_without_a_period_are_wrong_and_say_why() -> None:
    found = _found(["a"], [np.nan], [0], [0])
    found["status"][:] = Status.FEW_POINTS
    result = score(found, [Labelled("A", "rotator", 1.0)])
    assert short_in_words(result) == [f"A: true 1 d, found no period (wrong), not called; {Status.FEW_POINTS.words}"]
    assert in_words(score(found, [])).startswith("rotators 0: right 0 (0%;")


def test_names_match_as_those_of_a_catalog_do() -> None:
    found = _found(["KIC 1", "kic 1", "TIC 2"], [1, 2, 3], [1, 1, 1], [0, 0, 0])
    result = score(found, [Labelled("KIC 1", "negative", 0), Labelled("tic2", "negative", 0)])
    assert [star.row["prot"] for star in result.stars] == [1, 3]
    with pytest.raises(InputError, match=r"2 stars of the catalog are called 'Kic 1' \(star ids 1, 2\)"):
        score(found, [Labelled("Kic 1", "negative", 0)])


@pytest.mark.parametrize("suffix", ["csv", "ecsv"])
def test_a_table_of_kinds_is_read(tmp_path: Path, suffix: str) -> None:
    from astropy.table import Table

    rows = [("KIC 1", "rotator", 2.5), ("KIC 2", "negative", np.nan), ("KIC 3", "pulsator", 0.1)]
    path = tmp_path / f"t.{suffix}"
    Table(rows=rows, names=("name", "kind", "period_d")).write(path)
    stars = read_labelled(path)
    assert stars is not None
    assert [star[:2] for star in stars] == [row[:2] for row in rows]
    assert stars[0].period == 2.5 and np.isnan([star.period for star in stars[1:]]).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "name,kind,period_d\nA,rotator,2\n\nB,rotater,2\n",
            "line 4: kind 'rotater' of B; use one of rotator, negative",
        ),
        ("name,kind,period_d\nA,,2\n", "line 2: kind '' of A"),
        ("name,kind,period_d\nA,rotator,\n", "line 2: the rotator A needs a period_d above 0, got ''"),
        ("name,kind,period_d\nA,rotator,-3\n", "line 2: the rotator A needs"),
        ("name,kind,period_d\nA,rotator\n", "line 2: the rotator A needs a period_d above 0, got None"),
        ("name,kind,period_d\n,negative,\n", "line 2: the star has no name"),
        ("name,kind,period_d\nKIC 1,negative,\nkic1,negative,\n", "line 3: kic1 is there twice"),
        ("name,kind,period\nA,rotator,2\n", "no column 'period_d'; did you mean 'period'"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"t\.csv: {words}"):
        read_labelled(path)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A catalog of made-up stars, and the table that says what they are."""
    folder = tmp_path_factory.mktemp("score")
    found, stars = _random(3)
    n = found["name"].size
    rest = {"mission": np.full(n, "Kepler"), "reason": np.full(n, "")}
    write_part(folder / "part", found | rest, {})
    finalise([folder / "part"], folder / "catalog.zarr", {"survey": "made up"})
    return folder / "catalog.zarr", _table(folder / "stars.csv", stars)


@pytest.mark.real
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_script_of_the_real_stars_counts_the_same(tmp_path: Path, real_data: Path, seed: int) -> None:
    script = real_data.parent / "tools" / "score_real.py"
    if not script.is_file():
        pytest.skip("no score_real.py beside the real light curves")
    found, stars = _random(seed)
    rows = [tuple(found[column][i].item() for column in COLUMNS) for i in range(found["name"].size)]
    table = _table(tmp_path / "stars.csv", stars)
    command = [sys.executable, script, _write(tmp_path / "found.csv", COLUMNS, rows), table, "--list"]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    labelled = read_labelled(table)
    assert labelled is not None
    result = score(found, labelled)
    ours = in_words(result).splitlines()
    assert theirs[-len(ours) :] == ours
    named = [line.partition(":")[0] for line in theirs[: -len(ours)]]
    assert len(named) > 50
    assert named == [line.partition(":")[0] for line in short_in_words(result)]


def test_the_command_prints_the_counts(catalog: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    path, table = catalog
    found, stars = _random(3)
    result = score(found, stars)
    assert main(["check", "literature", str(path), str(table)]) == 0
    assert capsys.readouterr().out == in_words(result) + "\n"
    assert main(["check", "literature", str(path), str(table), "--list"]) == 0
    assert capsys.readouterr().out.splitlines() == [*short_in_words(result), *in_words(result).splitlines()]


def test_without_kinds_periods_are_compared_as_before(
    catalog: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = catalog
    found, stars = _random(3)
    called = np.flatnonzero((found["rotating"] == 1) & np.isfinite(found["prot"]))[:10]
    rows = [(stars[i].name, repr(float(found["prot"][i]))) for i in called]
    table = _write(tmp_path / "periods.csv", ("name", "period"), rows)
    assert main(["check", "literature", str(path), str(table)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{table}: 10 common stars, 10 called rotators",
        "  within 5% 100.0%, within 10% 100.0%, half 0.0%, double 0.0%",
    ]
    for option in (["--list"], ["--out", str(tmp_path / "out")]):
        assert main(["check", "literature", str(path), str(table), *option]) == 2
        assert "--list and --out are for a TABLE with the column kind" in capsys.readouterr().err
    assert main(["check", "literature", str(path)]) == 2
    assert "nothing to compare with; give a TABLE, or --table NAME=FILE" in capsys.readouterr().err


def test_a_name_that_markdown_would_take_for_cells_stays_one() -> None:
    found = _found(["a|b\nc"], [2.0], [1], [0])
    (row,) = [
        line
        for line in table_in_markdown(score(found, [Labelled("a|b\nc", "rotator", 2.01)]), []).splitlines()
        if line.startswith("| a")
    ]
    assert row.startswith("| a\\|b\\nc | rotator | 2.01 | 2 (1.98 to 2.02) | yes | right | 2 | 4 |")


def test_the_table_says_how_many_intervals_hold_the_period() -> None:
    found = _found(["A", "B", "C"], [2.0, 2.0, 9.0], [1, 1, 1], [0, 0, 0])
    stars = [Labelled("A", "rotator", 2.01), Labelled("B", "rotator", 2.1), Labelled("C", "rotator", 2.0)]
    assert "of 2 right periods it holds the true one of 1" in table_in_markdown(score(found, stars), [])
