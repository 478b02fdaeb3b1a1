"""Adding files to a store, and filling it by workers: nothing written again, the same bytes whoever works."""

from __future__ import annotations

import os
import shutil
import signal as signals
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ingest_files import (
    LONG_CADENCE,
    make_recipe,
    no_progress,
    run_ingest,
    star_row,
    table_columns,
    tree_bytes,
    write_csv,
    write_kepler,
)

from spotcat.config import Site
from spotcat.gaps import stretches_of
from spotcat.ingest.pipeline import IngestSummary, ingest
from spotcat.ingest.store import STAR_COLUMNS, LightCurveStore
from spotcat.ingest.writer import StoreWriter
from spotcat.run.executors import make_executor
from spotcat.status import InputError, Status


@pytest.fixture
def grown(tmp_path: Path) -> tuple[Path, Path, dict[str, bytes]]:
    """A folder that got new files since it was ingested, the store, and what that held."""
    folder, store = tmp_path / "in", tmp_path / "store"
    folder.mkdir()
    for number in (3, 5, 7):
        for quarter in (4, 5):
            write_kepler(folder, number, quarter, seed=number + quarter)
    (folder / "kplr000000009-bad_llc.fits").write_bytes(b"")
    run_ingest(make_recipe(folder), store)
    before = tree_bytes(store)
    write_kepler(folder, 5, 6, seed=1)
    write_kepler(folder, 5, 7, seed=2)
    write_kepler(folder, 4, 5, seed=3)
    write_kepler(folder, 9, 5, seed=4)
    return folder, store, before


def append(folder: Path, store: Path) -> tuple[IngestSummary, LightCurveStore]:
    summary = ingest(make_recipe(folder), store, no_progress, append=True)
    return summary, LightCurveStore(store)


def assert_same_stars(one: LightCurveStore, other: LightCurveStore) -> None:
    for column in STAR_COLUMNS:
        np.testing.assert_array_equal(one.stars[column], other.stars[column], err_msg=column)
    for column, values in one.left_out.items():
        np.testing.assert_array_equal(values, other.left_out[column], err_msg=column)
    assert one.input_hash == other.input_hash
    star_ids = one.stars["star_id"]
    for a, b in zip(one.read(star_ids), other.read(star_ids), strict=True):
        for name in ("time", "flux", "flux_err", "segment"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_new_files_join_and_nothing_is_written_again(
    tmp_path: Path, grown: tuple[Path, Path, dict[str, bytes]]
) -> None:
    folder, path, before = grown
    summary, store = append(folder, path)
    assert not summary.kept
    assert store.campaigns == (
        "kepler/q04-1765s",
        "kepler/q05-1765s",
        "kepler/q05-1765s-1",
        "kepler/q06-1765s-1",
        "kepler/q07-1765s-1",
    )
    after = tree_bytes(path)
    assert {name for name in before if after.get(name) != before[name]} == {"zarr.json"}
    _, at_once = run_ingest(make_recipe(folder), tmp_path / "at once")
    assert_same_stars(store, at_once)
    row = star_row(store, "KIC 5")
    assert (row["n_segments"], row["status"], row["flags"]) == (4, Status.OK, 0)


def test_appending_again_changes_nothing(grown: tuple[Path, Path, dict[str, bytes]]) -> None:
    folder, path, _ = grown
    append(folder, path)
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    for again in (append(folder, path)[0], run_ingest(make_recipe(folder), path)[0]):
        assert again.kept
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == before


def test_a_second_addition(tmp_path: Path, grown: tuple[Path, Path, dict[str, bytes]]) -> None:
    folder, path, _ = grown
    append(folder, path)
    write_kepler(folder, 3, 8, seed=9)
    _, store = append(folder, path)
    assert store.generation == 2 and "kepler/q08-1765s-2" in store.campaigns
    assert not (path / "stars").exists()
    _, at_once = run_ingest(make_recipe(folder), tmp_path / "at once")
    assert_same_stars(store, at_once)


def test_long_gaps_of_one_table_are_closed_like_those_between_tables(tmp_path: Path) -> None:
    parts = [table_columns(n=60, start=start, seed=1) for start in (0.0, 700.0, 731.0)]
    whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    write_csv(tmp_path / "whole.csv", whole)
    for k, part in enumerate(parts):
        write_csv(tmp_path / f"part{k}.csv", part)
    manifest = tmp_path / "stars.csv"
    manifest.write_text("star_id,name,file\n1,One,whole.csv\n" + "".join(f"2,Two,part{k}.csv\n" for k in range(3)))
    recipe = make_recipe(manifest=manifest)
    _, store = run_ingest(recipe, tmp_path / "store")
    one, two = star_row(store, "One"), star_row(store, "Two")
    assert one["span"] == two["span"] == stretches_of(whole["time"]).span < 200
    write_csv(tmp_path / "later.csv", table_columns(n=60, start=740.0, seed=2))
    manifest.write_text(manifest.read_text() + "3,Three,later.csv\n")
    ingest(recipe, tmp_path / "store", no_progress, append=True)
    assert star_row(LightCurveStore(tmp_path / "store"), "One")["span"] == one["span"]


def test_a_killed_addition_leaves_the_store_as_it_was(
    tmp_path: Path, grown: tuple[Path, Path, dict[str, bytes]]
) -> None:
    folder, path, before = grown
    code = (
        "import os, signal, sys; from pathlib import Path; sys.path.insert(0, sys.argv[3])\n"
        "from ingest_files import make_recipe\nfrom spotcat.ingest.pipeline import ingest\n"
        "def progress(done, total):\n"
        "    if done == total: os.kill(os.getpid(), signal.SIGKILL)\n"
        "ingest(make_recipe(sys.argv[1]), Path(sys.argv[2]), progress, append=True)\n"
    )
    command = [sys.executable, "-c", code, str(folder), str(path), str(Path(__file__).parent)]
    assert subprocess.run(command, env=os.environ.copy(), timeout=120).returncode == -signals.SIGKILL
    assert {name: tree_bytes(path)[name] for name in before} == before
    assert LightCurveStore(path).stars["star_id"].size == 4
    _, store = append(folder, path)
    _, at_once = run_ingest(make_recipe(folder), tmp_path / "at once")
    assert_same_stars(store, at_once)


@pytest.mark.parametrize("n_done", [4, 9, 13])
def test_a_killed_ingest_goes_on_where_it_stopped(tmp_path: Path, n_done: int) -> None:
    """Killed within a shard, between shards, and before the tables; whole shards are not written again."""
    folder, store = tmp_path / "in", tmp_path / "store"
    folder.mkdir()
    for number in (3, 5, 7):
        for quarter in (4, 5, 6, 7):
            write_kepler(folder, number, quarter, seed=number + quarter)
    (folder / "kplr000000009-bad_llc.fits").write_bytes(b"")
    (folder / "tess2019-s0014-0000000000000001-0100-s_lc.fits").write_bytes(b"")
    code = (
        "import os, signal, sys; from pathlib import Path; sys.path.insert(0, sys.argv[3])\n"
        "from ingest_files import make_recipe\nfrom spotcat.ingest.pipeline import ingest\n"
        "def progress(done, total):\n"
        "    if done >= int(sys.argv[4]): os.kill(os.getpid(), signal.SIGKILL)\n"
        "ingest(make_recipe(sys.argv[1]), Path(sys.argv[2]), progress)\n"
    )
    command = [sys.executable, "-c", code, str(folder), str(store), str(Path(__file__).parent), str(n_done)]
    assert subprocess.run(command, env=os.environ.copy(), timeout=120).returncode == -signals.SIGKILL
    partial = store.with_name("store.partial")
    left = {path: path.stat().st_mtime_ns for path in partial.rglob("c/0/0")}
    assert len(left) == 4 * {4: 1, 9: 3, 13: 4}[n_done]
    (partial / "kepler" / "left.partial").write_text("by a killed write")
    run_ingest(make_recipe(folder), store)
    assert not partial.exists()
    assert {path: (store / path.relative_to(partial)).stat().st_mtime_ns for path in left} == left
    run_ingest(make_recipe(folder), tmp_path / "at once")
    assert tree_bytes(store) == tree_bytes(tmp_path / "at once")


def test_what_a_killed_ingest_of_other_files_left_is_taken_away(tmp_path: Path) -> None:
    recipe = make_recipe(write_kepler(tmp_path, 3))
    StoreWriter(tmp_path / "store", "another plan").create("kepler/q09-1765s", (1, 10), "f4", {})
    assert (tmp_path / "store.partial" / "kepler").is_dir()
    run_ingest(recipe, tmp_path / "store")
    run_ingest(recipe, tmp_path / "at once")
    assert tree_bytes(tmp_path / "store") == tree_bytes(tmp_path / "at once")


def test_what_cannot_be_appended_is_refused(grown: tuple[Path, Path, dict[str, bytes]]) -> None:
    folder, path, _ = grown
    with pytest.raises(InputError, match="--append` adds the new files"):
        ingest(make_recipe(folder), path, no_progress)
    with pytest.raises(InputError, match="cleaned otherwise; choose another"):
        ingest(make_recipe(folder, gap=9.0), path, no_progress, append=True)
    newer = folder / "kplr000000003-2004000000001_llc.fits"
    shutil.copy(write_kepler(folder.parent, 3, 4, seed=99, DATA_REL=30), newer)
    with pytest.raises(InputError, match=r"kplr000000003-2004000000000_llc\.fits is stored, but has no place"):
        append(folder, path)
    newer.unlink()
    (folder / "kplr000000003-2004000000000_llc.fits").unlink()
    with pytest.raises(InputError, match="choose another"):
        append(folder, path)


def test_workers_give_the_same_bytes(tmp_path: Path) -> None:
    for k in range(70):
        step = 0.5 if k % 2 else LONG_CADENCE
        write_csv(tmp_path / f"star{k:03d}.csv", table_columns(n=100, seed=k, step=step))
    (tmp_path / "bad.csv").write_text("time,flux\n")
    recipe = make_recipe(tmp_path)
    run_ingest(recipe, tmp_path / "serial")
    seen: list[tuple[int, int]] = []
    with make_executor(Site(executor="local", workers=2), 4) as executor:
        ingest(recipe, tmp_path / "workers", lambda done, total: seen.append((done, total)), executor.run)
    assert tree_bytes(tmp_path / "workers") == tree_bytes(tmp_path / "serial")
    assert seen == [(done, 71) for done in range(1, 72)]


def test_reasons_are_counted(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text("time,flux\n1,2\n2,3\n" + ("3,4\n" if name == "c" else ""))
    (tmp_path / "d.fits").write_bytes(b"")
    (tmp_path / "e.csv").write_text("time,flux\n1,2\n")
    summary, _ = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    write_kepler(tmp_path, 5, CREATOR="k2sc")
    assert summary.reasons == {"N valid measurements": ["a.csv", "b.csv", "e.csv"], "the file is empty": ["d.fits"]}
    again, _ = run_ingest(make_recipe(tmp_path), tmp_path / "again")
    assert again.reasons["K2SC is not supported"] == ["kplr000000005-2005000000000_llc.fits"]
