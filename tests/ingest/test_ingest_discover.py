"""Globs, folders and manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotcat.config import InputConfig
from spotcat.ingest.discover import discover
from spotcat.status import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.fits", "deep/er/c.parquet", "deep/d.fits.gz", "deep/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path


def names(config: InputConfig) -> list[str]:
    return [source.path.name for source in discover(config).sources]


def test_folders_globs_and_files(folder: Path) -> None:
    assert names(InputConfig((str(folder),))) == ["a.fits", "b.csv", "c.parquet", "d.fits.gz"]
    assert names(InputConfig((f"{folder}/*",))) == ["a.fits", "b.csv"]
    assert names(InputConfig((f"{folder}/**/*.parquet",))) == ["c.parquet"]
    assert names(InputConfig((f"{folder}/a.fits",))) == ["a.fits"]


def test_a_file_found_twice_is_one_file(folder: Path) -> None:
    entries = (str(folder), f"{folder}/*.csv", f"{folder}/deep/../b.csv")
    assert names(InputConfig(entries)).count("b.csv") == 1


def test_links_and_hidden_files(folder: Path) -> None:
    (folder / "deep" / "0.csv").symlink_to(folder / "b.csv")
    (folder / "deep" / "z.csv").symlink_to(folder / "b.csv")
    (folder / "._a.fits").write_text("x")
    assert names(InputConfig((str(folder),))) == ["0.csv", "a.fits", "c.parquet", "d.fits.gz"]


def paths(folder: Path, entry: str = "in") -> list[str]:
    return [str(source.path.relative_to(folder)) for source in discover(InputConfig((f"{folder}/{entry}",))).sources]


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """Folders ``in``, with a file, and ``far``, with one and one deeper."""
    for name in ("in/near.csv", "far/far.csv", "far/deep/deep.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    return tmp_path


@pytest.mark.parametrize("entry", ["in", "in/**/*.csv", "i*/**/*.csv", "in/**"])
@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ({}, ["in/near.csv"]),
        ({"in/link": "../far"}, ["in/link/deep/deep.csv", "in/link/far.csv", "in/near.csv"]),
        # Each real folder once, by whichever link comes first.
        ({"in/b": "../far", "in/a": "../far"}, ["in/a/deep/deep.csv", "in/a/far.csv", "in/near.csv"]),
        ({"in/a": "../far/deep", "in/b": "../far"}, ["in/a/deep.csv", "in/b/far.csv", "in/near.csv"]),
        ({"in/a": "../far", "far/on": "deep"}, ["in/a/deep/deep.csv", "in/a/far.csv", "in/near.csv"]),
        # Loops: to itself, upwards, into each other.
        ({"in/self": ".", "in/up": "..", "in/top": "../in"}, ["in/near.csv"]),
        ({"in/a": "../far", "far/back": "../in"}, ["in/a/deep/deep.csv", "in/a/far.csv", "in/near.csv"]),
        ({"in/a": "b", "in/b": "a"}, ["in/near.csv"]),
        ({"in/gone": "../nowhere"}, ["in/near.csv"]),
    ],
)
def test_links_to_folders_are_followed_once(
    linked: Path, entry: str, links: dict[str, str], expected: list[str]
) -> None:
    for link, target in links.items():
        (linked / link).symlink_to(target)
    assert sorted(paths(linked, entry)) == expected


def test_a_real_folder_comes_before_links_to_it(linked: Path) -> None:
    (linked / "in" / "a").symlink_to("zoo")
    (linked / "in" / "zoo").mkdir()
    (linked / "in" / "zoo" / "x.csv").write_text("x")
    assert paths(linked) == ["in/near.csv", "in/zoo/x.csv"]


def test_many_loops_end(linked: Path) -> None:
    for k in range(9):
        (linked / "far" / f"loop{k}").symlink_to("../in")
        (linked / "in" / f"loop{k}").symlink_to("../far")
    assert len(paths(linked, "in/**/*.csv")) == len(paths(linked)) == 3


@pytest.mark.parametrize("hidden", [".snapshot/near.csv", "a/.ipynb_checkpoints/near.csv", ".near.csv"])
@pytest.mark.parametrize("entry", ["in", "in/**/*.csv", "in/**"])
def test_hidden_folders_are_not_searched(linked: Path, hidden: str, entry: str) -> None:
    path = linked / "in" / hidden
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    assert paths(linked, entry) == ["in/near.csv"]


@pytest.mark.parametrize(
    ("others", "words"),
    [
        (["a.csv.xz", "b.csv.xz", "c.dat"], "not read: 2 .csv.xz, 1 .dat; light curves are read from .fits"),
        (["deep/A.FIT", "b.fits.bz2", "c.fits.fz"], "not read: 1 .fit, 1 .fits.bz2, 1 .fits.fz;"),
        (["a.tsv", "b.txt", "c.npz", "d.h5"], "not read: 1 .h5, 1 .npz, 1 .tsv, 1 .txt;"),
        (["Makefile", "a.py", "b.png", ".c.dat"], ""),
    ],
)
def test_files_that_nothing_reads_are_said_once(linked: Path, others: list[str], words: str) -> None:
    for name in others:
        (linked / "in" / name).parent.mkdir(exist_ok=True)
        (linked / "in" / name).write_text("x")
    entry = f"{linked}/in"
    remarks = discover(InputConfig((entry, f"{entry}/*", entry))).remarks
    assert [remark[: len(words)] for remark in remarks] == ([words] if words else [])


def test_a_link_that_leads_nowhere_is_said(linked: Path) -> None:
    for name in ("disk", "disk2"):
        (linked / "in" / name).symlink_to("/nowhere/at all")
    (remark,) = discover(InputConfig((f"{linked}/in",))).remarks
    assert remark == f"not searched, for it cannot be read: {linked}/in/disk, {linked}/in/disk2"


def test_a_folder_of_other_files_says_what_it_holds(linked: Path) -> None:
    (linked / "far" / "far.csv").rename(linked / "far" / "far.csv.bz2")
    with pytest.raises(InputError, match=r"matches no light curve \(.fits.*\); it matches 1 \.csv\.bz2$"):
        discover(InputConfig((f"{linked}/far/*",)))


@pytest.mark.parametrize("entry", ["*.fts", "nothing", "nothing/*.fits", "nothing/**/*.fits"])
def test_no_match(folder: Path, entry: str) -> None:
    with pytest.raises(InputError, match="matches no file") as error:
        discover(InputConfig((f"{folder}/{entry}",)))
    assert entry in str(error.value)


def test_only_other_files(folder: Path) -> None:
    with pytest.raises(InputError, match="matches no light curve"):
        discover(InputConfig((f"{folder}/deep/*.txt",)))


def test_no_input_at_all() -> None:
    with pytest.raises(InputError, match=r"input\.files"):
        discover(InputConfig())


def test_manifest_names_its_files_and_is_no_light_curve(folder: Path) -> None:
    manifest = folder / "manifest.csv"
    manifest.write_text("star_id,name,file,remark\n7,Sun,b.csv,ours\n7, Sun, deep/er/c.parquet,\n8,Moon,a.fits,\n")
    sources = {source.path.name: source for source in discover(InputConfig((str(folder),), str(manifest))).sources}
    assert sorted(sources) == ["a.fits", "b.csv", "c.parquet", "d.fits.gz"]
    assert (sources["b.csv"].star_id, sources["b.csv"].name) == (7, "Sun")
    assert (sources["c.parquet"].star_id, sources["c.parquet"].name) == (7, "Sun")
    assert (sources["a.fits"].star_id, sources["a.fits"].name) == (8, "Moon")
    assert (sources["d.fits.gz"].star_id, sources["d.fits.gz"].name) == (-1, "")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("star_id,file\n1,b.csv\n", 1, "no column 'name'"),
        ("", 1, "no column 'star_id', 'name', 'file'"),
        ("star_id,name,file\n1,Sun,b.csv\n2,Sun,a.fits\n", 3, "'Sun' has star_id 1"),
        ("star_id,name,file\n1,Sun,b.csv\n1,Moon,a.fits\n", 3, "belongs to 'Sun'"),
        ("star_id,name,file\n1,Sun,b.csv\n1,Sun,gone.csv\n", 3, "no file 'gone.csv'"),
        ("star_id,name,file\n1,Sun,b.csv\n1,Sun,b.csv\n", 3, "listed twice"),
        ("star_id,name,file\n1.5,Sun,b.csv\n", 2, "an integer from 0"),
        ("star_id,name,file\n-1,Sun,b.csv\n", 2, "an integer from 0"),
        (f"star_id,name,file\n{2**53},Sun,b.csv\n", 2, "2^53"),
        (f"star_id,name,file\n{'9' * 5000},Sun,b.csv\n", 2, "2^53"),
        ("star_id,name,file\n1,Sun\n", 2, "'file' is empty"),
        ("star_id,name,file\n1,Sun,deep/notes.txt\n", 2, "no light curve"),
    ],
)
def test_wrong_manifests(folder: Path, text: str, line: int, words: str) -> None:
    manifest = folder / "list.csv"
    manifest.write_text(text)
    with pytest.raises(InputError) as error:
        discover(InputConfig(manifest=str(manifest)))
    assert str(error.value).startswith(f"{manifest}, line {line}: ")
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("contents", "words"),
    [(None, "cannot be read"), (b"star_id,name,file\n", "lists no files"), (b"\xff\xfe\x00", "not a CSV file")],
)
def test_unusable_manifests(folder: Path, contents: bytes | None, words: str) -> None:
    manifest = folder / "list.csv"
    if contents is not None:
        manifest.write_bytes(contents)
    with pytest.raises(InputError, match=words):
        discover(InputConfig(manifest=str(manifest)))
