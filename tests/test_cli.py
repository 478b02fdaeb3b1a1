"""The command line as a person meets it: exit codes, one line per error, nothing that a query does not need."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spotcat import __version__
from spotcat.catalog.finalise import finalise
from spotcat.catalog.writer import write_part
from spotcat.status import Flag, Status, Verdict

N_STARS = 30


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog")
    number = np.arange(N_STARS)
    columns = {
        "star_id": 1_000_000_000_000 + number,
        "name": np.array([f"KIC {n}" for n in number]),
        "prot": np.where(number % 3 == 0, np.nan, number + 0.5),
        "ra": 290.0 + number,
        "dec": np.full(N_STARS, 44.0),
        "mission": np.full(N_STARS, "Kepler"),
        "mission_id": 2_157_300 + number,
        "verdict": np.where(number % 3 == 0, Verdict.NOT_MEASURABLE, Verdict.ROTATOR).astype("i1"),
        "flags": np.where(number == 4, int(Flag.FEW_CYCLES), 0).astype("i4"),
        "status": np.where(number % 3 == 0, Status.UNREADABLE, Status.OK).astype("i1"),
    }
    write_part(folder / "part", columns, {})
    finalise([folder / "part"], folder / "catalog.zarr", {})
    return folder / "catalog.zarr"


def _spotcat(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spotcat", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd)


def test_version_and_help() -> None:
    assert _spotcat("--version").stdout == f"spotcat {__version__}\n"
    words = _spotcat("--help").stdout
    for command in (
        "run",
        "ingest",
        "fit",
        "finalise",
        "status",
        "plan",
        "submit",
        "cancel",
        "query",
        "validate",
        "schema",
        "recipe",
        "site",
        "report",
        "show",
        "simulate",
    ):
        assert f"\n    {command} " in words
        assert _spotcat(command, "--help").returncode == 0


def test_query_prints_a_table(catalog: Path) -> None:
    done = _spotcat("query", catalog, "prot > 5 and prot < 10")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["name", "prot"]
    assert [line.split()[2] for line in lines[2:-1]] == ["5.5", "7.5", "8.5"]
    assert lines[-1] == "3 stars"


def test_query_gives_columns_in_the_order_asked_for(catalog: Path) -> None:
    done = _spotcat("query", catalog, "--columns", "prot, name", "--format", "csv", "--limit", 2)
    assert done.stdout == "prot,name\n,KIC 0\n1.5,KIC 1\n"


def test_query_finds_one_star(catalog: Path) -> None:
    done = _spotcat("query", catalog, "--star", "kic7", "--format", "json")
    (row,) = json.loads(done.stdout)
    assert (row["name"], row["prot"], row["star_id"]) == ("KIC 7", 7.5, 1_000_000_000_007)
    assert _spotcat("query", catalog, "prot > 9", "--star", "KIC 7", "--format", "csv").stdout.count("\n") == 1


def test_query_sorts_counts_and_searches_the_sky(catalog: Path) -> None:
    up = _spotcat("query", catalog, "prot < 5", "--sort", "prot", "--columns", "name", "--format", "csv")
    assert up.stdout.split("\n")[1:-1] == ["KIC 1", "KIC 2", "KIC 4"]
    down = _spotcat("query", catalog, "--sort=-prot", "--columns", "name", "--limit", 2, "--format", "csv")
    assert down.stdout.split("\n")[1:-1] == ["KIC 29", "KIC 28"]
    assert _spotcat("query", catalog, "prot < 5", "--count").stdout == "3\n"
    cone = _spotcat("query", catalog, "prot > 0", "--cone", "295,44,0.8", "--format", "json")
    rows = json.loads(cone.stdout)
    assert [row["name"] for row in rows] == ["KIC 4", "KIC 5"]
    assert rows[0]["separation"] == pytest.approx(0.7193, abs=1e-4)
    assert "separation" in _spotcat("query", catalog, "--cone", "295,44,0.8").stdout
    assert _spotcat("query", catalog, "--cone", "295,44,0.8", "--count").stdout == "3\n"


def test_query_takes_what_people_type(catalog: Path, tmp_path: Path) -> None:
    few = ("--columns", "name", "--format", "csv")
    assert _spotcat("query", catalog, "--sort", "-prot", "--limit", 1, *few).stdout == "name\nKIC 29\n"
    assert _spotcat("query", catalog, "--star", 2157307, *few).stdout == "name\nKIC 7\n"
    assert _spotcat("query", catalog, "mission == 'kepler' and prot < 3", *few).stdout == "name\nKIC 1\nKIC 2\n"
    assert _spotcat("query", catalog, *few, "prot < 2").stdout == "name\nKIC 1\n"
    assert _spotcat("query", catalog, "'few_cycles' in flags", *few).stdout == "name\nKIC 4\n"
    every = _spotcat("query", catalog, "--columns", "all", "--limit", 1).stdout.splitlines()[0].split()
    assert {"star_id", "verdict", "input_hash"} <= set(every)
    run = tmp_path / "run"
    run.mkdir()
    (run / "catalog.zarr").symlink_to(catalog)
    assert _spotcat("query", run, "--count").stdout == f"{N_STARS}\n"
    assert _spotcat("validate", run).returncode == 0


def test_query_has_words_where_asked(catalog: Path) -> None:
    asked = ("query", catalog, "prot < 5", "--columns", "name,verdict,flags")
    lines = _spotcat(*asked).stdout.splitlines()
    assert lines[-2].split() == ["KIC", "4", "rotator", "few_cycles"]
    assert _spotcat(*asked, "--format", "csv").stdout.splitlines()[-1] == "KIC 4,1,8"
    assert _spotcat(*asked, "--format", "csv", "--words").stdout.splitlines()[-1] == "KIC 4,rotator,few_cycles"


def test_query_looks_up_a_star_by_columns_that_it_does_not_give(catalog: Path) -> None:
    asked = ("--star", "kic 4", "--columns", "prot", "--sort", "dec", "--format", "csv")
    assert _spotcat("query", catalog, "ra > 290", *asked).stdout == "prot\n4.5\n"
    cone = ("--cone", "295,44,0.8")
    assert _spotcat("query", catalog, "separation > 0.7", *asked, *cone).stdout == "prot\n4.5\n"
    (row,) = json.loads(_spotcat("query", catalog, "--star", "kic 4", "--format", "json", *cone).stdout)
    assert list(row)[-1] == "separation"
    assert "no star 'kic 9'" in _spotcat("query", catalog, "--star", "kic 9", *cone).stderr


def test_query_keeps_reliable_detections(tmp_path: Path) -> None:
    reliability = np.array([0.8, 0.95, 0.999, np.nan, 0.5])
    columns = {"star_id": np.arange(5), "name": np.array(list("abcde")), "status": np.zeros(5, "i1")}
    columns |= {"reliability": reliability}
    write_part(tmp_path / "part", columns, {})
    finalise([tmp_path / "part"], tmp_path / "catalog.zarr", {})
    for threshold, expression, names in (("0.9", "", "bc"), ("0.99", "", "c"), ("0.9", "star_id < 2", "b")):
        done = _spotcat("query", tmp_path / "catalog.zarr", expression, "--threshold", threshold, "--format", "json")
        assert "".join(row["name"] for row in json.loads(done.stdout)) == names


@pytest.mark.parametrize("suffix", ["fits", "vot", "parquet", "ecsv"])
def test_query_writes_the_formats_of_the_field(catalog: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"rows.{suffix}"
    assert _spotcat("query", catalog, "prot < 5", "--out", out).returncode == 0
    assert b"KIC 4" in out.read_bytes()


def test_a_catalog_is_validated(catalog: Path, tmp_path: Path) -> None:
    done = _spotcat("validate", catalog)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{catalog}: sound; {N_STARS} stars, ")
    copy = tmp_path / "catalog.zarr"
    shutil.copytree(catalog, copy)
    (copy / "prot" / "c" / "0").write_bytes(b"x")
    done = _spotcat("validate", copy)
    assert done.returncode == 1
    assert "prot/c/0 differs from its checksum" in done.stderr


def test_the_schema_is_printed() -> None:
    assert json.loads(_spotcat("schema").stdout)["columns"][0]["name"] == "star_id"
    assert _spotcat("schema", "--format", "markdown").stdout.startswith("# Columns")
    assert _spotcat("schema", "--format", "thresholds").stdout.startswith("# Thresholds")


def test_query_writes_a_file_in_the_format_of_its_name(catalog: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    done = _spotcat("query", catalog, "status == 0", "--out", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert len(list(csv.DictReader(out.open()))) == 20


def test_query_loads_nothing_heavy(catalog: Path) -> None:
    heavy = ["jax", "distributed", "dask", "lightkurve", "matplotlib", "xarray", "pandas", "astropy"]
    code = (
        "import sys; from spotcat.cli import main; "
        f"assert not {{'numpy', 'xarray', 'zarr'}} & set(sys.modules); "
        f"assert main(['query', {str(catalog)!r}, 'prot > 5']) == 0; "
        f"assert not set({heavy}) & set(sys.modules), set({heavy}) & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(catalog: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "spotcat", "query", catalog], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdout is not None and run.stderr is not None
    run.stdout.close()
    assert run.stderr.read() == b""
    assert run.wait(60) == 0


_RECIPE = '[survey]\nname = "a"\noutput = "{output}"\nseed = 1\n[input]\nfiles = ["nothing/*.fits"]\n'

_MISTAKES: dict[str, tuple[list[str], str]] = {
    "no command": ([], "arguments are required: COMMAND; see `spotcat --help`"),
    "unknown command": (["fly"], "invalid choice: 'fly'"),
    "unknown option": (["query", "CATALOG", "--fast"], "unrecognized arguments: --fast"),
    "no recipe": (["run"], "RECIPE; see `spotcat run --help`"),
    "no such recipe": (["run", "none.toml"], "none.toml: cannot be read"),
    "not a recipe": (["run", "broken.toml"], "broken.toml: not valid TOML"),
    "unknown key": (["run", "typo.toml"], "typo.toml: unknown key 'survey.sed'; did you mean 'seed'?"),
    "no such site": (["run", "good.toml", "--site", "none.toml"], "none.toml: cannot be read"),
    "unknown executor": (["run", "good.toml", "--site", "site.toml"], "executor must be"),
    "no input": (["run", "good.toml"], "'nothing/*.fits' matches no file"),
    "fit before ingest": (["fit", "good.toml"], "no light-curve store; run `spotcat ingest` first"),
    "finalise before ingest": (["finalise", "good.toml"], "no light-curve store"),
    "unwritable output": (["run", "unwritable.toml"], "file/run: cannot be written"),
    "unwritable output, ingest": (["ingest", "unwritable.toml"], "file/run: cannot be written"),
    "bad share": (["run", "good.toml", "--share", "9/8"], "--share must be K/N with K in 1..N, such as 3/8, got '9/8'"),
    "no Slurm in the site": (["submit", "good.toml"], "[slurm] needs shape = 'allocation' or 'array'"),
    "nothing to cancel": (["cancel", "."], ".: no run here"),
    "no run": (["status", "."], ".: no run here"),
    "no run by recipe": (["status", "fresh.toml"], "fresh: no run here"),
    "no catalog": (["query", "none.zarr"], "none.zarr: no such catalog"),
    "not a catalog": (["query", "notes"], "notes: not a spotcat catalog"),
    "bad expression": (["query", "CATALOG", "prot >"], "expression 'prot >'"),
    "unknown column": (["query", "CATALOG", "prt > 5"], "unknown column 'prt'; did you mean 'prot'?"),
    "unknown column asked for": (["query", "CATALOG", "--columns", "prt"], "did you mean 'prot'?"),
    "no columns": (["query", "CATALOG", "--columns", ","], "--columns names no column"),
    "unknown format": (["query", "CATALOG", "--format", "jsn"], "did you mean 'json'?"),
    "unknown ending": (["query", "CATALOG", "--out", "rows.xlsx"], "rows.xlsx: no format ends in 'xlsx'; known: .csv,"),
    "unknown preset": (["query", "CATALOG", "--preset", "giro"], "--preset has no 'giro'; did you mean 'gyro'?"),
    "unknown word": (["query", "CATALOG", "verdict == 'rotater'"], "verdict has no 'rotater'; did you mean 'rotator'?"),
    "two conditions": (["query", "CATALOG", "prot > 5", "prot < 9"], "unrecognized arguments: prot < 9"),
    "no column to sort by": (["query", "CATALOG", "--sort", "-prt"], "did you mean 'prot'?"),
    "unknown star": (["query", "CATALOG", "--star", "KIC 99"], "no star 'KIC 99'"),
    "unknown column to sort by": (["query", "CATALOG", "--sort=-prt"], "did you mean 'prot'?"),
    "no reliability": (["query", "CATALOG", "--threshold", "2"], "--threshold takes a reliability from 0 to 1"),
    "no cone": (["query", "CATALOG", "--cone", "1,2"], "--cone takes RA,DEC,RADIUS in degrees"),
    "no position": (["query", "CATALOG", "--cone", "1,99,2"], "no position: ra 1, dec 99"),
    "binary to the screen": (["query", "CATALOG", "--format", "fits"], "fits is not text; name a file with --out"),
    "nothing to validate": (["validate", "none.zarr"], "none.zarr: no such catalog"),
    "negative limit": (["query", "CATALOG", "--limit", "-1"], "--limit must not be negative"),
    "no picture": (["show", "CATALOG", "KIC 1"], "--out; see `spotcat show --help`"),
    "no recipe to simulate": (["simulate", "none.toml"], "none.toml: cannot be read"),
}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with good and bad recipes."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "broken.toml").write_text("[survey\n")
    (tmp_path / "typo.toml").write_text(_RECIPE.format(output="out").replace("seed", "sed"))
    (tmp_path / "site.toml").write_text('executor = "cloud"\n')
    for name, output in (("good", "out"), ("unwritable", "file/run"), ("fresh", "fresh")):
        (tmp_path / f"{name}.toml").write_text(_RECIPE.format(output=output))
    return tmp_path


@pytest.mark.parametrize("mistake", _MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(mistake: str, desk: Path, catalog: Path) -> None:
    arguments, words = _MISTAKES[mistake]
    done = _spotcat(*[catalog if one == "CATALOG" else one for one in arguments], cwd=desk)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("spotcat: ")
    assert words in line


def test_a_file_that_cannot_be_written_is_exit_code_1(desk: Path, catalog: Path) -> None:
    done = _spotcat("query", catalog, "--out", "file/rows.csv", cwd=desk)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("spotcat: file/rows.csv: cannot be written")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_output_that_finds_no_room_is_exit_code_1(catalog: Path) -> None:
    command = [sys.executable, "-m", "spotcat", "query", str(catalog)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "spotcat: [Errno 28] No space left on device\n"


@pytest.mark.parametrize("place", [0, 3])
def test_debug_shows_the_traceback(desk: Path, place: int) -> None:
    arguments = ["query", "none.zarr", "--limit=1"]
    arguments.insert(place, "--debug")
    done = _spotcat(*arguments, cwd=desk)
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert done.stderr.splitlines()[-1] == "spotcat: none.zarr: no such catalog"
