"""The store on disk: whole or absent, the same bytes every time, damage noticed."""

from __future__ import annotations

import os
import shutil
import signal as signals
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ingest_files import (
    make_recipe,
    no_progress,
    run_ingest,
    star_row,
    table_columns,
    tree_bytes,
    write_csv,
    write_kepler,
)

from spotcat.ingest.clean import CleanCurve
from spotcat.ingest.fill import Row
from spotcat.ingest.identity import mission_identity
from spotcat.ingest.pipeline import ingest
from spotcat.ingest.scan import FileInfo
from spotcat.ingest.store import LEFT_OUT_COLUMNS, STAR_COLUMNS, LightCurveStore
from spotcat.ingest.tables import row_columns
from spotcat.ingest.writer import Block, StoreWriter, block_rows
from spotcat.status import InputError, RunError

N_TABLES = 60


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tables of two cadences, one of them bad."""
    folder = tmp_path_factory.mktemp("survey")
    for k in range(N_TABLES):
        write_csv(folder / f"star{k:03d}.csv", table_columns(n=300, seed=k, step=0.5 if k % 2 else 0.02))
    (folder / "bad.csv").write_text("time,flux\n")
    return folder


@pytest.fixture(scope="module")
def undisturbed(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("undisturbed") / "lightcurves.zarr"
    run_ingest(make_recipe(survey), path)
    return path


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    folder, moved = tmp_path / "here", tmp_path / "elsewhere"
    folder.mkdir()
    for k in range(10):
        write_csv(folder / f"star{k:03d}.csv", table_columns(seed=k, step=0.5 if k % 2 else 0.02))
    write_kepler(folder, 5)
    (folder / "kplr000000006-bad.fits").write_bytes(b"")
    run_ingest(make_recipe(folder), tmp_path / "first.zarr")
    # Another folder, another order of discovery and another hash seed must not show.
    shutil.copytree(folder, moved)
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[3])\n"
        "from ingest_files import make_recipe, run_ingest\n"
        "files = sorted(Path(sys.argv[1]).iterdir(), reverse=True)\n"
        "run_ingest(make_recipe(*files), Path(sys.argv[2]))\n"
    )
    again = tmp_path / "again.zarr"
    command = [sys.executable, "-c", code, str(moved), str(again), str(Path(__file__).parent)]
    subprocess.run(command, check=True, timeout=60, env=os.environ | {"PYTHONHASHSEED": "77"})
    first, second = tree_bytes(tmp_path / "first.zarr"), tree_bytes(again)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    assert not any(str(tmp_path).encode() in contents for contents in first.values())


def test_the_same_input_keeps_the_store(survey: Path, undisturbed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*")}
    fresh, _ = run_ingest(make_recipe(survey), undisturbed)
    assert fresh.kept
    assert (fresh.n_files, fresh.n_left_out, fresh.n_stars) == (N_TABLES + 1, 1, N_TABLES + 1)
    assert fresh.n_usable == N_TABLES
    assert {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*")} == before


def test_summaries_of_made_and_kept_stores_agree(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", table_columns())
    made, _ = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    kept, _ = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    assert (made.kept, kept.kept) == (False, True)
    assert made.n_files == kept.n_files == 1
    assert (made.n_left_out, made.n_stars, made.n_usable) == (kept.n_left_out, kept.n_stars, kept.n_usable)
    assert made.input_hash == kept.input_hash


@pytest.mark.parametrize("change", ["new file", "other contents", "other gap"])
def test_other_input_is_refused(tmp_path: Path, change: str) -> None:
    write_csv(tmp_path / "a.csv", table_columns())
    run_ingest(make_recipe(tmp_path), tmp_path / "store")
    before = tree_bytes(tmp_path / "store")
    if change == "new file":
        write_csv(tmp_path / "b.csv", table_columns())
    elif change == "other contents":
        write_csv(tmp_path / "a.csv", table_columns(seed=1))
    with pytest.raises(InputError, match=r"choose another survey\.output or delete"):
        run_ingest(make_recipe(tmp_path, gap=9.0 if change == "other gap" else 30.0), tmp_path / "store")
    assert tree_bytes(tmp_path / "store") == before


def test_a_foreign_folder_is_not_overwritten(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", table_columns())
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "precious").write_text("x")
    with pytest.raises(InputError, match="not a complete light-curve store"):
        run_ingest(make_recipe(tmp_path / "a.csv"), tmp_path / "store")
    assert (tmp_path / "store" / "precious").read_text() == "x"


def test_unwritable_output(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", table_columns())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot be written.*survey\.output"):
        run_ingest(make_recipe(tmp_path), tmp_path / "file" / "run" / "store")


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no light-curve store"):
        LightCurveStore(tmp_path / "nothing")


@pytest.mark.parametrize("kill_after", [2, 25, N_TABLES + 1])
def test_kill_and_run_again(survey: Path, undisturbed: Path, tmp_path: Path, kill_after: int) -> None:
    path = tmp_path / "lightcurves.zarr"
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[3])\n"
        "from ingest_files import make_recipe\n"
        "from spotcat.ingest.pipeline import ingest\n"
        "ingest(make_recipe(sys.argv[1]), Path(sys.argv[2]), lambda done, total: print(done, flush=True))\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(survey), str(path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= kill_after:
                break
        process.send_signal(signals.SIGKILL)
        assert process.wait(30) == -signals.SIGKILL
    partial = path.with_name(path.name + ".partial")
    if path.exists():
        # Only a kill after the last file can find the store finished; then it must be whole.
        assert kill_after == N_TABLES + 1
    else:
        assert partial.is_dir()
        for broken in (path, partial):
            with pytest.raises(InputError):
                LightCurveStore(broken)
    ingest(make_recipe(survey), path, no_progress)
    assert not partial.exists()
    assert tree_bytes(path) == tree_bytes(undisturbed)


def test_progress_counts_every_file_once(survey: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    ingest(make_recipe(survey), tmp_path / "store", lambda done, total: seen.append((done, total)))
    total = N_TABLES + 1
    assert seen == [(done, total) for done in range(1, total + 1)]


def test_many_rows_of_many_blocks(tmp_path: Path) -> None:
    """More rows than a shard, in precision and order, through the writer and back."""
    n_rows, n_points = 1100, 40
    random = np.random.default_rng(3)
    writer = StoreWriter(tmp_path / "store", "plan")
    group = writer.create("kepler/q01-1765s", (n_rows + 5, n_points), "f4", {"epoch": 130})
    size = block_rows(n_points)
    assert size < n_rows
    curves, rows = {}, []
    for start in range(0, n_rows, size):
        stop = min(start + size, n_rows)
        block = Block(writer.folder, group, start, stop - start)
        for k in range(start, stop):
            n = int(random.integers(3, n_points + 1))
            time = 131 + 0.02 * np.arange(n) + 1e-9 * k
            flux = (1000 + random.normal(0, 1, n)).astype(np.float32)
            error = np.full(n, 1 + k, dtype=np.float32)
            zeros = np.zeros(n)
            curve = CleanCurve(
                time, flux, error, zeros.astype(np.int32), zeros.astype(np.int16), zeros.astype(np.int8), False
            )
            info = FileInfo(Path(f"{k}.fits"), "0" * 64, mission_identity("KIC", k + 1), product="Kepler")
            block.put(k - start, curve)
            rows.append((k, info, Row(n, 1, time[0], time[-1], 0.02, n, *[0] * 4, "", *[0] * 6)))
            curves[info.identity.star_id] = curve
        block.write()
    writer.close(group, row_columns(rows))
    stars: dict[str, list[object]] = {
        name: ["x"] * n_rows if kind == "U" else [0] * n_rows for name, kind in STAR_COLUMNS.items()
    }
    stars["star_id"] = list(curves)
    attributes = {"input_hash": "0" * 16, "choices": "0" * 16}
    writer.finish(stars, {name: [] for name in LEFT_OUT_COLUMNS}, attributes)
    store = LightCurveStore(tmp_path / "store")
    assert store.n_rows == n_rows
    assert store.left_out["file"].size == 0
    asked = random.permutation(np.array(list(curves)))
    for star_id, curve in zip(asked, store.read(asked), strict=True):
        written = curves[int(star_id)]
        flux = written.flux.astype(float)
        assert curve.star_id == star_id
        np.testing.assert_array_equal(curve.time, written.time)
        np.testing.assert_array_equal(curve.flux, flux / np.median(flux))
        np.testing.assert_array_equal(curve.flux_err, written.flux_err / np.median(flux))


def _flip_a_bit(shard: Path) -> None:
    contents = bytearray(shard.read_bytes())
    contents[len(contents) // 3] ^= 16
    shard.write_bytes(bytes(contents))


@pytest.mark.parametrize("harm", [Path.unlink, _flip_a_bit], ids=["lost", "flipped"])
@pytest.mark.parametrize("array", ["time", "flux", "flux_err", "segment"])
def test_damage_is_noticed(undisturbed: Path, tmp_path: Path, array: str, harm: Callable[[Path], None]) -> None:
    path = tmp_path / "store"
    shutil.copytree(undisturbed, path)
    store = LightCurveStore(path)
    star_id = star_row(store, "star001")["star_id"]
    assert store.read([star_id])[0].time.size == 300
    harm(path / "table" / "43000s" / array / "c" / "0" / "0")
    with pytest.raises(RunError, match="damaged; delete the store"):
        LightCurveStore(path).read([star_id])
