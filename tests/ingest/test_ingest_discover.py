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


@pytest.mark.parametrize("entry", ["*.fts", "nothing", "nothing/*.fits"])
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
