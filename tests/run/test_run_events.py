"""Events, what a status makes of them, and the division into shares."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from spotcat.run.events import Events, is_open, read_events, recorded
from spotcat.run.folder import RunFolder
from spotcat.run.state import Activity, RunStatus, activity
from spotcat.run.stop import stoppable
from spotcat.run.survey import Share
from spotcat.status import InputError, RunError, RunStopped


def test_events_are_lines_of_json_and_say_who_is_alive(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), recorded(tmp_path / "events", survey="tiny") as events:
        events.note("ingested", stars=3)
        (path,) = (tmp_path / "events").iterdir()
        assert is_open(path)
        raise ZeroDivisionError("no")
    assert not is_open(path)
    began, ingested, ended = read_events(path)
    assert (began["event"], began["survey"], began["process"]) == ("began", "tiny", os.getpid())
    assert (ingested["event"], ingested["stars"]) == ("ingested", 3)
    assert ended["error"] == "ZeroDivisionError: no"
    assert datetime.fromisoformat(began["time"]) <= datetime.now(UTC)
    # A driver that was killed leaves half a line.
    path.write_text(path.read_text() + '{"time": "2026')
    assert len(read_events(path)) == 3


def test_events_that_cannot_be_written_are_named_or_lost(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("in the way")
    with pytest.raises(RunError, match=r"events/.*cannot be written"), recorded(tmp_path / "events"):
        pass
    if Path("/dev/full").exists():
        with suppress(OSError), Path("/dev/full").open("w") as full:
            Events(full).note("lost")


def test_the_activity_of_drivers(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with recorded(folder.events):
        pass
    (dead,) = folder.events.iterdir()
    lines = [
        {"event": "chunk began", "chunk": "c0", "stars": 4},
        {"event": "fitting", "workers": 7},
        {"event": "chunk done", "chunk": "c0", "stars": 4, "n_failed": 2, "n_deadly": 1},
        {"event": "chunk began", "chunk": "c1", "stars": 4},
    ]
    now = datetime.now(UTC).isoformat()
    dead.write_text("".join(json.dumps({"time": now, **line}) + "\n" for line in lines))
    with recorded(folder.events) as events:
        events.note("fitting", workers=2)
        for name in ("c1", "c2", "c3"):
            events.note("chunk began", chunk=name, stars=4)
        events.note("workers died", chunk="c3")
        events.note("chunk done", chunk="c1", stars=4, n_failed=1, n_deadly=0)
        found = activity(folder, {"c0", "c1"})
        assert (found.drivers, found.n_running, found.n_failed, found.n_deadly) == (1, 4, 3, 1)
        assert found.rate > 0
        assert found.n_workers == 2
        assert (found.spent.keys(), found.recent, found.results.keys()) == ({"c2"}, {"c1"}, {"c0", "c1"})
        assert 0 <= found.spent["c2"] < 60
        # What the ledger does not have does not count.
        assert activity(folder, {"c1"}).n_failed == 1
    found = activity(folder, {"c0", "c1"})
    assert found == Activity(n_failed=3, n_deadly=1, results=found.results)


def test_a_status_in_words() -> None:
    status = RunStatus("tiny", True, 20, 8, 5, 2, 61.0, False, "", Activity(2, 8, 3, 1, 0.5), 24.2)
    assert status.lines() == [
        "tiny: 8 of 20 stars and 2 of 5 chunks fitted in 61 s of work; at work",
        "8 stars at work under 2 drivers",
        "3 stars failed, 1 of them quarantined",
        "0.5 stars/s so far, about 0:00:24 left",
    ]
    begun = replace(status, activity=Activity(2, 8), left=60.0)
    assert begun.lines()[2:] == ["about 0:01:00 left"]
    ended = replace(status, running=False, left=None)
    assert ended.lines()[2] == (
        "3 stars failed, 1 of them quarantined; `spotcat run RECIPE --retry-failed` fits them again"
    )
    assert RunStatus("tiny", False).lines() == ["tiny: nothing ingested yet"]


def test_shares_hold_every_chunk_once() -> None:
    chunks: list = list(range(11))
    shares = [Share.parse(f"{number}/4").of(chunks) for number in (1, 2, 3, 4)]
    assert shares[0] == [0, 4, 8]
    assert sorted(chunk for share in shares for chunk in share) == chunks
    for text in ("0/4", "5/4", "4", "a/b", "-1/4", "1/0"):
        with pytest.raises(InputError, match="must be K/N"):
            Share.parse(text)


def test_a_request_to_end_is_noted_where_someone_looks_and_ends_all_else() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stoppable() as stop, stop.awaited():
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested
        with pytest.raises(RunStopped, match="asked to end"):
            os.kill(os.getpid(), signal.SIGTERM)
    with stoppable() as stop, pytest.raises(RunStopped, match="goes on from here"):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
