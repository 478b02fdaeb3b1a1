from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from catalog_samples import columns, content

from spotcat.catalog.ledger import Ledger
from spotcat.catalog.writer import write_part
from spotcat.status import InputError, RunError

FINGERPRINT = {"config": "aa", "code": "bb"}


def _finish(ledger: Ledger, chunk: str, first: int) -> str:
    checksum = write_part(ledger.part(chunk), columns(range(first, first + 3)), {})
    ledger.record(chunk, {first + k: f"star {first + k}" for k in range(3)}, checksum, 1.23456)
    return checksum


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "ledger", FINGERPRINT)
    _finish(ledger, "c0000", 0)
    _finish(ledger, "c0001", 3)
    return ledger


def test_recorded_chunks_are_done(ledger: Ledger) -> None:
    checksum = _finish(ledger, "c0002", 6)
    done = Ledger(ledger.folder, dict(reversed(FINGERPRINT.items()))).done()
    assert list(done) == ["c0000", "c0001", "c0002"]
    entry = done["c0002"]
    assert entry.stars == [(6, "star 6"), (7, "star 7"), (8, "star 8")]
    assert (entry.checksum, entry.fingerprint) == (checksum, FINGERPRINT)
    assert entry.seconds == pytest.approx(1.23456, abs=1e-3)


def test_stars_that_changed_since_are_told_apart(ledger: Ledger) -> None:
    (entry, _) = ledger.done().values()
    assert entry.unchanged({0: "star 0", 1: "another", 5: "star 5"}) == (0,)


def test_an_empty_ledger_has_nothing_done(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger", FINGERPRINT)
    ledger.check()
    ledger.sweep()
    assert ledger.done() == {}
    assert list(tmp_path.iterdir()) == []


def test_a_part_without_an_entry_is_not_done(ledger: Ledger) -> None:
    write_part(ledger.part("c0002"), columns(range(6, 9)), {})
    assert list(ledger.done()) == ["c0000", "c0001"]


def test_an_entry_without_its_part_is_not_done(ledger: Ledger) -> None:
    for path in ledger.part("c0000").iterdir():
        path.unlink()
    assert list(ledger.done()) == ["c0001"]


def test_an_entry_of_another_part_is_not_done(ledger: Ledger) -> None:
    other = columns(range(3))
    other["prot"] = np.arange(3.0)
    write_part(ledger.part("c0000"), other, {})
    assert list(ledger.done()) == ["c0001"]


def test_a_truncated_part_is_not_done(ledger: Ledger) -> None:
    (path,) = ledger.part("c0001").iterdir()
    path.write_bytes(path.read_bytes()[:-10])
    assert list(ledger.done()) == ["c0000"]


@pytest.mark.parametrize("damage", [b"", b'{"chunk": "c0000"', b"[1, 2]", b'{"chunk": "c0001"}', b"\xff\xfe"])
def test_a_damaged_entry_is_not_done(ledger: Ledger, damage: bytes) -> None:
    (ledger.folder / "c0000.json").write_bytes(damage)
    ledger.check()
    assert list(ledger.done()) == ["c0001"]


def test_an_entry_under_another_chunks_name_is_not_done(ledger: Ledger) -> None:
    (ledger.folder / "c0000.json").replace(ledger.folder / "c0009.json")
    assert list(ledger.done()) == ["c0001"]


@pytest.mark.parametrize("changed", [["code"], ["config"], ["code", "config"]])
def test_what_changed_is_named(ledger: Ledger, changed: list[str]) -> None:
    later = Ledger(ledger.folder, {**FINGERPRINT, **dict.fromkeys(changed, "new")})
    with pytest.raises(InputError) as caught:
        later.check()
    message = str(caught.value)
    assert f"began with something else ({', '.join(f'{key} {FINGERPRINT[key]} -> new' for key in changed)})" in message
    assert all(f"{key} " not in message for key in set(FINGERPRINT) - set(changed))
    assert "delete this folder" in message
    assert later.done() == {}
    Ledger(ledger.folder, FINGERPRINT).check()


def test_recording_again_replaces_the_entry(ledger: Ledger) -> None:
    ledger.record("c0000", {99: "new"}, "other", 2.0)
    assert json.loads((ledger.folder / "c0000.json").read_text())["stars"] == [[99, "new"]]
    assert len(list(ledger.folder.iterdir())) == 2


def test_sweeping_deletes_only_what_killed_writers_left(ledger: Ledger, tmp_path: Path) -> None:
    before = content(tmp_path)
    (ledger.folder / "c0000.json.17.partial").write_bytes(b"{")
    (ledger.part("c0001") / "part.zarr.zip.17.partial").write_bytes(b"PK")
    ledger.sweep()
    assert content(tmp_path) == before


@pytest.mark.parametrize("chunk", ["", "../c0", "a/b", ".hidden", "c 1"])
def test_a_chunk_name_must_be_a_file_name(ledger: Ledger, chunk: str) -> None:
    with pytest.raises(ValueError, match="not a chunk name"):
        ledger.record(chunk, {}, "aa", 0.0)


def test_a_ledger_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("a file in the way")
    with pytest.raises(RunError, match=r"ledger/c0\.json: cannot be written"):
        Ledger(tmp_path / "ledger", FINGERPRINT).record("c0", {}, "aa", 0.0)
