"""Fetching from a local archive that serves files and misbehaves."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import signal as signals
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from archive_server import Archive, serving
from astropy.table import MaskedColumn, Table
from ingest_files import TWO_MINUTES, make_recipe, run_ingest, signal, write_kepler, write_official

from spotcat.cli import main
from spotcat.ingest.archive import MAST, Bucket, Request, is_in_bucket, remotes_of
from spotcat.ingest.checksums import CHECKSUMS
from spotcat.ingest.download import Policy, Remote, Server, download
from spotcat.ingest.fetch import MISSING, FetchSummary, fetch, read_targets
from spotcat.ingest.reference import quiet_lightkurve
from spotcat.status import InputError, Status

POLICY = Policy(jobs=4, rate=500.0, timeout=0.8, retries=2, pause=0.02)
ENDS = {5: "2010174085026", 6: "2010265121752", 7: "2010355172524", 8: "2011073133259"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Two Kepler stars, one of them with short cadence too, and a TESS star in two sectors, by bucket key."""
    folder = tmp_path_factory.mktemp("archive")
    found = {}
    for number in (8264588, 757076):
        for quarter, end in ENDS.items():
            path = write_kepler(folder, number, quarter)
            key = f"kepler/public/lightcurves/{number:09d}"[:-5] + f"/{number:09d}/kplr{number:09d}-{end}_llc.fits"
            found[key] = path.read_bytes()
    found[key.replace("llc", "slc")] = path.read_bytes()
    for sector in (14, 15):
        path = folder / f"s{sector}.fits"
        write_official(path, "TESS", 37542201, sector, signal(start=1700 + 27 * sector, step=TWO_MINUTES))
        name = f"tess2019000000000-s{sector:04d}-0000000037542201-0100-s_lc.fits"
        found[f"tess/public/tid/s{sector:04d}/0000/0000/3754/2201/{name}"] = path.read_bytes()
    return found


@pytest.fixture
def archive(files: dict[str, bytes]) -> Iterator[Archive]:
    with serving(Archive(dict(files))) as served:
        yield served


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


def run_fetch(archive: Archive, folder: Path, *targets: str, request: Request | None = None) -> FetchSummary:
    return fetch(targets, folder, request or Request(), Server(POLICY), archive.url, no_progress)


def held(folder: Path) -> dict[str, bytes]:
    """The light curves of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.fits")}


def key_of(archive: Archive, *parts: str) -> str:
    (key,) = [key for key in archive.files if all(part in key for part in parts)]
    return key


def test_stars_by_number_come_whole_and_are_ingested(tmp_path: Path, archive: Archive) -> None:
    summary = run_fetch(archive, tmp_path / "mirror", "KIC 8264588", "KIC 757076", "TIC 37542201")
    assert (summary.n_targets, summary.n_fetched, summary.n_kept, summary.missing) == (3, 10, 0, ())
    assert summary.words == "3 targets: 10 files fetched, 0 there before"
    expected = {key: contents for key, contents in archive.files.items() if "slc" not in key}
    assert held(tmp_path / "mirror") == expected
    _, store = run_ingest(make_recipe(tmp_path / "mirror"), tmp_path / "store")
    assert store.stars["name"].tolist() == ["KIC 757076", "KIC 8264588", "TIC 37542201"]
    assert store.stars["status"].tolist() == [Status.OK] * 3


@pytest.mark.parametrize(
    ("target", "request_", "n_files"),
    [
        ("KIC 8264588", Request(campaigns=(5, 7, 12)), 2),
        ("TIC 37542201", Request(campaigns=(15,)), 1),
        ("KIC 757076", Request(cadence="short"), 1),
        ("TIC 37542201", Request(cadence="short"), 0),
        ("KIC 1", Request(), 0),
        ("sector 15", Request(), 1),
        ("Sector 99", Request(), 0),
    ],
)
def test_campaigns_and_cadence_are_chosen(
    tmp_path: Path, archive: Archive, target: str, request_: Request, n_files: int
) -> None:
    summary = run_fetch(archive, tmp_path, target, request=request_)
    assert summary.n_fetched == n_files
    assert [missing.reason for missing in summary.missing] == ([] if n_files else ["no light curve found"])


TROUBLES = ("slow", "stalls", "cut", "hangs up", "error", "busy", "page", "short", "long", "flipped")
REASONS = {
    "slow": "no answer within 0.8 s",
    "stalls": "no answer within 0.8 s",
    "cut": "bytes in place of",
    "hangs up": "the connection failed (RemoteDisconnected)",
    "error": "HTTP 500",
    "busy": "HTTP 503",
    "page": "bytes in place of",
    "short": "bytes in place of",
    "long": "bytes in place of",
    "flipped": "the checksum is wrong",
    "forbidden": "HTTP 403",
}


def test_passing_trouble_is_waited_out(tmp_path: Path, archive: Archive) -> None:
    keys = [key for key in sorted(archive.files) if "slc" not in key]
    archive.trouble = {key: (kind, 1) for key, kind in zip(keys, TROUBLES, strict=True)}
    summary = run_fetch(archive, tmp_path, "KIC 8264588", "KIC 757076", "TIC 37542201")
    assert (summary.n_fetched, summary.missing) == (10, ())
    assert held(tmp_path) == {key: archive.files[key] for key in keys}
    assert all(archive.requests[key] == 2 for key in keys)


@pytest.mark.parametrize("kind", REASONS)
def test_lasting_trouble_is_reported_and_harms_nothing_else(tmp_path: Path, archive: Archive, kind: str) -> None:
    bad = key_of(archive, "kplr008264588", ENDS[6])
    archive.trouble = {bad: (kind, 99)}
    summary = run_fetch(archive, tmp_path, "KIC 8264588", request=Request(campaigns=(6, 7)))
    assert summary.n_fetched == 1
    (missing,) = summary.missing
    assert (missing.target, missing.file) == ("KIC 8264588", bad) and REASONS[kind] in missing.reason
    assert archive.requests[bad] == (1 if kind == "forbidden" else 3)
    assert not (tmp_path / bad).exists() and not list(tmp_path.rglob("*.partial"))
    with (tmp_path / MISSING).open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["file"], row["reason"]) == (bad, missing.reason)
    # The same call later brings what is missing and no more.
    archive.trouble = {}
    again = run_fetch(archive, tmp_path, "KIC 8264588", request=Request(campaigns=(6, 7)))
    assert (again.n_fetched, again.n_kept, again.missing) == (1, 1, ())
    assert not (tmp_path / MISSING).exists()


def test_whole_files_are_kept_and_damaged_ones_fetched_again(tmp_path: Path, archive: Archive) -> None:
    run_fetch(archive, tmp_path, "KIC 8264588")
    paths = sorted(tmp_path.rglob("*.fits"))
    paths[0].write_bytes(paths[0].read_bytes()[:20000])
    paths[1].write_bytes(b"<html>" + paths[1].read_bytes()[6:])
    before = archive.requests.copy()
    summary = run_fetch(archive, tmp_path, "KIC 8264588")
    assert (summary.n_fetched, summary.n_kept) == (2, 2)
    asked = archive.requests - before
    assert sorted(key for key in asked if key) == [str(path.relative_to(tmp_path)) for path in paths[:2]]
    assert all(path.read_bytes() == archive.files[str(path.relative_to(tmp_path))] for path in paths)


def sums(files: dict[str, bytes]) -> str:
    return "".join(f"{hashlib.sha256(files[key]).hexdigest()}  {key}\n" for key in sorted(files))


def test_checksums_are_noted_and_a_single_flipped_bit_is_fetched_again(tmp_path: Path, archive: Archive) -> None:
    run_fetch(archive, tmp_path, "KIC 8264588")
    expected = {key: contents for key, contents in archive.files.items() if "8264588" in key}
    assert (tmp_path / CHECKSUMS).read_text() == sums(expected)
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", CHECKSUMS], cwd=tmp_path, check=True)
    path = min(tmp_path.rglob("*.fits"))
    contents = bytearray(path.read_bytes())
    contents[12_000] ^= 1
    path.write_bytes(contents)
    summary = run_fetch(archive, tmp_path, "KIC 8264588", "KIC 757076")
    assert (summary.n_fetched, summary.n_kept) == (5, 3)
    assert held(tmp_path)[str(path.relative_to(tmp_path))] == archive.files[str(path.relative_to(tmp_path))]
    assert (tmp_path / CHECKSUMS).read_text() == sums(held(tmp_path))


def test_what_came_before_the_list_joins_it_and_torn_lines_do_no_harm(tmp_path: Path, archive: Archive) -> None:
    run_fetch(archive, tmp_path, "KIC 8264588")
    whole = (tmp_path / CHECKSUMS).read_text()
    (tmp_path / CHECKSUMS).write_text(whole[:-100])
    assert run_fetch(archive, tmp_path, "KIC 8264588").n_kept == 4
    assert (tmp_path / CHECKSUMS).read_text() == whole
    (tmp_path / CHECKSUMS).unlink()
    assert run_fetch(archive, tmp_path, "KIC 8264588").n_kept == 4
    assert (tmp_path / CHECKSUMS).read_text() == whole


def test_a_kept_file_of_unknown_size_must_be_whole(tmp_path: Path, archive: Archive) -> None:
    """Without a listing only the file itself tells that it is cut."""
    key = key_of(archive, "kplr008264588", ENDS[6])
    remote = Remote(f"{archive.url}/{key}", "a/b.fits")
    server = Server(POLICY)
    assert download([remote], tmp_path, server, no_progress) == (1, 0, [])
    assert download([remote], tmp_path, server, no_progress) == (0, 1, [])
    path = tmp_path / "a" / "b.fits"
    path.write_bytes(path.read_bytes()[:-2880])
    assert download([remote], tmp_path, server, no_progress) == (1, 0, [])
    assert hashlib.md5(path.read_bytes()).digest() == hashlib.md5(archive.files[key]).digest()


def test_jobs_and_rate_are_bounded(tmp_path: Path, archive: Archive) -> None:
    remotes = [Remote(f"{archive.url}/{key}", key) for key in sorted(archive.files)]
    archive.trouble = dict.fromkeys(archive.files, ("lag", 1))
    server = Server(Policy(jobs=3, rate=1000.0, timeout=5.0, retries=0))
    assert download(remotes, tmp_path / "a", server, no_progress)[0] == len(remotes)
    assert archive.most_at_once == 3
    archive.times.clear()
    started = time.monotonic()
    download(remotes, tmp_path / "b", Server(Policy(jobs=8, rate=20.0)), no_progress)
    assert time.monotonic() - started >= (len(remotes) - 1) / 20


def test_a_killed_fetch_goes_on(tmp_path: Path, archive: Archive) -> None:
    archive.trouble = {key: ("lag", 1) for key in archive.files if ENDS[8] in key}
    command = [sys.executable, "-m", "spotcat", "fetch", "KIC 8264588", "KIC 757076", "--to", str(tmp_path / "mirror")]
    options = ["--bucket", archive.url, "--rate", "500", "--timeout", "5"]
    with subprocess.Popen([*command, *options], env=os.environ.copy()) as process:
        while len(list(tmp_path.rglob("*_llc.fits"))) < 4:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signals.SIGKILL)
    for path in tmp_path.rglob("*_llc.fits"):
        assert path.read_bytes() == archive.files[str(path.relative_to(tmp_path / "mirror"))]
    assert (tmp_path / "mirror" / CHECKSUMS).read_text().count("_llc.fits") >= 3
    summary = run_fetch(archive, tmp_path / "mirror", "KIC 8264588", "KIC 757076")
    assert summary.n_kept >= 4 and summary.n_kept + summary.n_fetched == 8 and not summary.missing


def test_the_command_line(tmp_path: Path, archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "targets.txt").write_text("target\n# two stars\nKIC 8264588, a remark\n\nKIC 757076  # another\n")
    options = ["--to", str(tmp_path / "mirror"), "--bucket", archive.url, "--campaigns", "5,6", "--rate", "500"]
    assert main(["fetch", str(tmp_path / "targets.txt"), *options]) == 0
    assert capsys.readouterr().out.strip() == f"{tmp_path / 'mirror'}: 2 targets: 4 files fetched, 0 there before"
    assert main(["fetch", "KIC 8264588", "KIC 999", *options]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "2 targets: 0 files fetched, 2 there before, 1 missing (1 no light curve found)" in line
    assert main(["fetch", "KIC 8264588", *options, "--campaigns", "a"]) == 2
    assert main(["fetch", "KIC 8264588", *options, "--jobs", "0"]) == 2


def test_no_server_is_one_line_per_target(tmp_path: Path) -> None:
    with serving(Archive({})) as gone:
        pass
    summary = run_fetch(gone, tmp_path, "KIC 8264588", "KIC 757076")
    assert [missing.reason for missing in summary.missing] == [
        "the bucket cannot be listed: the connection failed (ConnectionRefusedError)"
    ] * 2


def test_a_folder_that_cannot_be_written(tmp_path: Path, archive: Archive) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        run_fetch(archive, tmp_path / "file", "KIC 8264588")


def test_only_what_the_bucket_holds_is_looked_up_there() -> None:
    assert (
        is_in_bucket("sector 15", Request())
        and is_in_bucket("KIC 8264588", Request())
        and is_in_bucket("tic 5", Request(author="SPOC"))
    )
    for target, request in [
        ("GJ 1243", Request()),
        ("290.5 44.1", Request()),
        ("EPIC 201000001", Request()),
        ("TIC 5", Request(author="QLP")),
        ("TIC 5", Request(radius=30.0)),
    ]:
        assert not is_in_bucket(target, request)


@pytest.mark.parametrize(
    ("end", "cadence", "quarter"),
    [("2010009091648", "l", 4), ("2010078095331", "l", 4), ("2009231120729", "s", 2), ("2013131215648", "l", 17)],
)
def test_the_end_of_a_file_tells_its_quarter(
    tmp_path: Path, files: dict[str, bytes], end: str, cadence: str, quarter: int
) -> None:
    """Months of short cadence, and the quarter in which a part of the focal plane failed, end on days of their own."""
    key = f"kepler/public/lightcurves/0000/000000005/kplr000000005-{end}_{cadence}lc.fits"
    kind = "long" if cadence == "l" else "short"
    with serving(Archive({key: next(iter(files.values()))})) as archive:
        bucket = Bucket(archive.url, Server(POLICY))
        for asked in (quarter - 1, quarter, quarter + 1):
            found = bucket.find("KIC 5", Request(campaigns=(asked,), cadence=kind))
            assert isinstance(found, list) == (asked == quarter)


def test_no_targets(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("# none\n")
    with pytest.raises(InputError, match="no targets"):
        read_targets([str(tmp_path / "empty.txt")])


def test_the_files_of_a_search_are_those_asked_for() -> None:
    rows = [
        ("Kepler", "Kepler Quarter 05", "Kepler", "kplr000000005", 1800.0, "kplr000000005-2010174085026_llc.fits"),
        ("Kepler", "Kepler Quarter 06", "Kepler", "kplr000000005", 1800.0, "kplr000000005-2010265121752_llc.fits"),
        ("Kepler", "Kepler Quarter 05", "Kepler", "kplr000000005", 60.0, "kplr000000005-2010174085026_slc.fits"),
        ("HLSP", "TESS Sector 05", "QLP", "../77", 1800.0, "hlsp_qlp_tess_ffi_s0005-0077_tess_v01_llc.fits"),
    ]
    names = ("obs_collection", "mission", "author", "target_name", "exptime", "productFilename")
    table = Table(rows=rows, names=names)
    table["dataURI"] = [f"mast:x/{name}" for name in table["productFilename"]]
    table["size"], table["distance"], table["t_min"] = 1000, 0.0, 55000.0
    table["sequence_number"] = MaskedColumn(np.zeros(4, dtype=int), mask=True)
    with quiet_lightkurve() as lightkurve:
        result = lightkurve.SearchResult(table)
    found = remotes_of(result, "x", Request(campaigns=(5,)))
    assert [remote.file for remote in found] == [
        "Kepler/Kepler/kplr000000005/kplr000000005-2010174085026_llc.fits",
        "HLSP/QLP/_._77/hlsp_qlp_tess_ffi_s0005-0077_tess_v01_llc.fits",
    ]
    assert found[0].url == f"{MAST}?uri=mast%3Ax%2Fkplr000000005-2010174085026_llc.fits" and found[0].size == 1000
    assert len(remotes_of(result, "x", Request())) == 3
    (short,) = remotes_of(result, "x", Request(cadence="short"))
    assert short.file.endswith("_slc.fits")
