"""No two stars become one because their files are called alike, wherever those lie and however a disk spells them."""

from __future__ import annotations

import os
import random
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from ingest_files import (
    TWO_MINUTES,
    make_recipe,
    no_progress,
    run_ingest,
    signal,
    star_row,
    table_columns,
    write_csv,
    write_official,
)

from spotcat.config import InputConfig
from spotcat.ingest.discover import Source, discover
from spotcat.ingest.identity import stem_of
from spotcat.ingest.naming import labelled
from spotcat.ingest.pipeline import ingest
from spotcat.ingest.store import LightCurveStore
from spotcat.status import Flag, Status

NFC = "\u00e9toile"
NFD = unicodedata.normalize("NFD", NFC)


def names_of(folder: Path, files: Sequence[str | bytes], entries: Sequence[str] = (".",)) -> list[str]:
    """The stars' names of files below a folder, in their order; the files are put there."""
    paths = [folder / os.fsdecode(file) for file in files]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    config = InputConfig(tuple(str(folder / entry) for entry in entries))
    sources = labelled([(source, "0") for source in discover(config).sources])
    by_path = {source.path: stem_of(source.label) for source in sources}
    return [by_path[path] for path in paths]


LAYOUTS: dict[str, tuple[list[str | bytes], list[str]]] = {
    "other stems": (["a/x.csv", "b/y.csv"], ["x", "y"]),
    "a folder each": (["TIC_1001/lc.csv", "TIC_1002/lc.csv"], ["TIC_1001/lc", "TIC_1002/lc"]),
    "the name of a mission's star in the folder": (["TIC 5/lc.csv", "TIC 6/lc.csv"], ["TIC 5/lc", "TIC 6/lc"]),
    "only the shared stem has a path": (["a/lc.csv", "b/lc.csv", "b/x.csv"], ["a/lc", "b/lc", "x"]),
    "below what they have in common": (["s/1/p/lc.csv", "s/2/p/lc.csv", "x.csv"], ["1/p/lc", "2/p/lc", "x"]),
    "beside a folder": (["lc.csv", "a/lc.csv"], ["lc", "a/lc"]),
    "other suffixes": (["a/lc.csv", "b/lc.parquet", "c/lc.fits.gz"], ["a/lc", "b/lc", "c/lc"]),
    "two suffixes in a folder": (["a/lc.csv", "a/lc.ecsv"], ["lc", "lc"]),
    "two suffixes in a folder of two": (["a/lc.csv", "a/lc.ecsv", "b/lc.csv"], ["a/lc", "a/lc", "b/lc"]),
    "upper and lower case": (["a/LC.csv", "a/lc.csv"], ["LC", "lc"]),
    "names of missions": (["a/TIC 5.csv", "b/TIC 5.csv"], ["TIC 5", "TIC 5"]),
    "archive names": (["a/kplr000000005-1_llc.fits", "b/kplr000000005-1_llc.fits"], ["kplr000000005-1_llc"] * 2),
    "bytes that are not UTF-8": ([b"\xe9toile.csv", b"good.csv"], ["\\xe9toile", "good"]),
    "control characters": (["a\nb.csv", "a\tb.csv", "a\x07.csv"], ["a\\nb", "a\\tb", "a\\x07"]),
    "other scripts": (["\u03b2 Pic.csv", "\u661f.csv"], ["\u03b2 Pic", "\u661f"]),
    "decomposed letters": ([f"{NFD}.csv"], [NFC]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_of_files(tmp_path: Path, layout: str) -> None:
    files, names = LAYOUTS[layout]
    assert names_of(tmp_path, files) == names


@pytest.mark.parametrize(
    "files",
    [
        [f"{NFC}.csv", f"{NFD}.csv"],
        [b"\\xe9toile.csv", b"\xe9toile.csv"],
        ["a\\nb.csv", "a\nb.csv"],
        [f"{NFC}/lc.csv", f"{NFD}/lc.csv"],
        [f"{NFC}.csv", f"{NFD}.csv", f"x/{NFC}.csv"],
    ],
)
def test_two_spellings_of_one_name_are_two_stars(tmp_path: Path, files: list[str | bytes]) -> None:
    names = names_of(tmp_path, files)
    assert len(set(names)) == len(files)
    assert all(name.isprintable() for name in names)
    # The spelling that reads as it is on the disk keeps it.
    assert names[0] == stem_of(os.fsdecode(files[0]))


def test_the_order_of_a_disk_changes_no_name(tmp_path: Path) -> None:
    files = ["a/lc.csv", "b/lc.csv", "lc.csv", f"{NFC}.csv", f"{NFD}.csv", "b/lc.ecsv"]
    names_of(tmp_path, files)
    hashed = [(source, "0") for source in discover(InputConfig((str(tmp_path),))).sources]
    expected = {source.path: source.label for source in labelled(hashed)}
    for seed in range(5):
        random.Random(seed).shuffle(hashed)
        assert {source.path: source.label for source in labelled(hashed)} == expected


def test_two_entries_with_roots_of_their_own(tmp_path: Path) -> None:
    assert names_of(tmp_path, ["one/s/lc.csv", "two/s/lc.csv"], ("one", "two/s/*.csv")) == ["one/s/lc", "two/s/lc"]


def test_a_file_with_two_links_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "lc.csv").write_text("x")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "lc.csv").symlink_to(tmp_path / "a" / "lc.csv")
    (source,) = labelled([(source, "0") for source in discover(InputConfig((str(tmp_path),))).sources])
    assert source.label == "lc.csv"


def test_what_a_manifest_lists_shares_its_name_with_nobody(tmp_path: Path) -> None:
    for folder in "abc":
        (tmp_path / folder).mkdir()
    sources = [Source(tmp_path / "a/lc.csv", 7, "Sun"), Source(tmp_path / "b/lc.csv")]
    assert [source.label for source in labelled([(source, "0") for source in sources])] == ["lc.csv", "lc.csv"]
    sources.append(Source(tmp_path / "c/lc.csv"))
    labels = [source.label for source in labelled([(source, "0") for source in sources])]
    assert labels == ["lc.csv", "b/lc.csv", "c/lc.csv"]


@pytest.mark.parametrize("start", [0.0, 20.0, 400.0])
def test_two_tables_of_one_name_are_two_stars(tmp_path: Path, start: float) -> None:
    """The same days, some of them, and others."""
    columns = [table_columns(seed=0), table_columns(seed=1, start=start)]
    for k, values in enumerate(columns):
        (tmp_path / f"TIC_100{k}").mkdir()
        write_csv(tmp_path / f"TIC_100{k}" / "lc.csv", values)
    summary, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    assert summary.n_left_out == 0
    assert (
        "2 files share their names" in summary.remarks[0] and "TIC_1000/lc.csv, TIC_1001/lc.csv" in summary.remarks[0]
    )
    for k, values in enumerate(columns):
        row = star_row(store, f"TIC_100{k}/lc")
        assert (row["status"], row["flags"], row["n_points"], row["mission"]) == (Status.OK, 0, 100, "table")
        np.testing.assert_array_equal(store.read([row["star_id"]])[0].time, values["time"])


def test_fits_files_without_a_star_are_kept_apart(tmp_path: Path) -> None:
    for k, folder in enumerate(("one", "two", "three")):
        (tmp_path / folder).mkdir()
        name = tmp_path / folder / "lc.fits"
        star = {"OBJECT": "", "TICID": 5 if folder == "three" else None}
        write_official(name, "TESS", 5, 1, signal(start=1330, step=TWO_MINUTES, seed=k), **star)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "lc.fits").write_bytes(b"")
    summary, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    (remark,) = summary.remarks
    assert "3 files share" in remark and "(empty/lc.fits, one/lc.fits, two/lc.fits)" in remark
    found = dict(zip(store.stars["name"].tolist(), store.stars["status"].tolist(), strict=True))
    assert found == {"one/lc": 0, "two/lc": 0, "empty/lc": Status.UNREADABLE, "TIC 5": 0}
    assert star_row(store, "empty/lc")["reason"] == "empty/lc.fits: the file is empty"


def test_two_formats_of_one_table_are_not_joined_silently(tmp_path: Path) -> None:
    import pandas as pd

    write_csv(tmp_path / "lc.csv", table_columns())
    pd.DataFrame(table_columns()).to_parquet(tmp_path / "lc.parquet")
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    row = star_row(store, "lc")
    assert (row["status"], row["n_points"], row["flags"]) == (Status.OK, 100, Flag.FILES_REFUSED)
    assert store.left_out["reason"].tolist() == ["covers the same time as lc.csv"]


@pytest.mark.parametrize(
    ("stored", "later", "label"),
    [
        ("lc.csv", "s/b/lc.csv", "b/lc.csv"),
        ("lc.csv", "s/lc.csv", "s/lc.csv"),
        ("lc.csv", "lc.csv", "{root}/lc.csv"),
        ("lc.csv", "s/a/b/lc.csv", "b/lc.csv"),
        ("lc.csv", "s/b/lc.parquet", "b/lc.parquet"),
        ("a/lc.csv", "t/lc.csv", "t/lc.csv"),
        ("a/lc.csv", "b/s/a/lc.csv", "b/s/a/lc.csv"),
    ],
)
def test_a_file_that_comes_later_renames_no_star(tmp_path: Path, stored: str, later: str, label: str) -> None:
    """The store has ``s/a/lc.csv`` under one of its labels; the file that joins it has other bytes."""
    hashed = [(Source(tmp_path / later), "new"), (Source(tmp_path / "s/a/lc.csv"), "old")]
    new, old = (source.label for source in labelled(hashed, lambda: {(stored, "old")}))
    assert old == stored
    assert new == label.format(root=tmp_path.name)


def test_a_copy_that_comes_later_is_a_file_of_its_own(tmp_path: Path) -> None:
    hashed = [(Source(tmp_path / file), "same") for file in ("a/lc.csv", "b/lc.csv", "c/lc.csv")]
    labels = [source.label for source in labelled(hashed, lambda: {("lc.csv", "same"), ("b/lc.csv", "same")})]
    assert labels == ["lc.csv", "b/lc.csv", "c/lc.csv"]


def test_a_table_of_a_known_name_joins_a_store_as_a_star_of_its_own(tmp_path: Path) -> None:
    recipe, path = make_recipe(tmp_path / "data"), tmp_path / "store"
    for k, folder in enumerate("ab"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        write_csv(tmp_path / "data" / folder / "lc.csv", table_columns(seed=k))
        ingest(recipe, path, no_progress, append=True)
    store = LightCurveStore(path)
    assert sorted(store.stars["name"].tolist()) == ["b/lc", "lc"]
    assert store.stars["status"].tolist() == [0, 0]
    np.testing.assert_array_equal(store.read([star_row(store, "lc")["star_id"]])[0].time, table_columns(seed=0)["time"])
    assert ingest(recipe, path, no_progress).kept


def test_a_survey_of_paths_may_move_but_not_swap_its_folders(tmp_path: Path) -> None:
    for k in "ab":
        (tmp_path / "old" / k).mkdir(parents=True)
        write_csv(tmp_path / "old" / k / "lc.csv", table_columns(seed=ord(k)))
    run_ingest(make_recipe(tmp_path / "old"), tmp_path / "store")
    moved = (tmp_path / "old").rename(tmp_path / "new")
    assert run_ingest(make_recipe(moved), tmp_path / "store")[0].kept
    (moved / "a").rename(moved / "c")
    (moved / "b").rename(moved / "a")
    (moved / "c").rename(moved / "b")
    _, swapped = run_ingest(make_recipe(moved), tmp_path / "swapped")
    assert swapped.input_hash != LightCurveStore(tmp_path / "store").input_hash
