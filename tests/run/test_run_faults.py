"""What a run does when something dies, hangs or is asked to end; tests/slurm has what needs Slurm."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread, Timer

import pytest
from run_functions import device, hang_on_three, square
from run_surveys import content, spotcat, start, write_recipe, write_site

from spotcat.config import Site
from spotcat.run.cache import heal
from spotcat.run.cluster import interrupts_later
from spotcat.run.environment import ONE_GPU, check_device, dask_environment, prepared
from spotcat.run.events import read_events
from spotcat.run.executors import WorkerDied, make_executor
from spotcat.run.folder import RunFolder
from spotcat.run.plan import Chunk
from spotcat.run.watchdog import Terms, forget, guarded, hung
from spotcat.status import RunError, RunStopped


def _wait(holds: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _events(run: Path, name: str) -> list[dict[str, object]]:
    return [e for path in sorted(run.glob("events/*.jsonl")) for e in read_events(path) if e["event"] == name]


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[Path, list[subprocess.Popen[bytes]]]]:
    """A scheduler that wrote its file, and two workers: their processes in that order."""
    file = tmp_path / "scheduler.json"
    common = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    worker = ["--nthreads=1", "--memory-limit=0", "--no-dashboard", f"--scheduler-file={file}", "--death-timeout=60"]
    commands = [
        ["distributed.cli.dask_scheduler", f"--scheduler-file={file}", "--port=0", "--no-dashboard"],
        *[["distributed.cli.dask_worker", *worker]] * 2,
    ]
    with prepared(RunFolder(tmp_path)):
        os.environ |= dask_environment(Site(patience=3))
        os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        started = [subprocess.Popen([sys.executable, "-m", *command], **common) for command in commands]
        yield file, started
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_workers_that_joined_a_scheduler_do_the_work_until_it_dies(
    scheduler: tuple[Path, list[subprocess.Popen[bytes]]],
) -> None:
    file, (server, nanny, _) = scheduler
    with make_executor(Site("scheduler", scheduler_file=str(file), patience=60), 9) as executor:
        assert set(executor.run(square, range(9))) == {number**2 for number in range(9)}
        # A node that goes takes its worker with it, and the other does the rest.
        os.killpg(nanny.pid, signal.SIGKILL)
        assert set(executor.run(square, range(9))) == {number**2 for number in range(9)}
        with pytest.raises(RunStopped, match="scheduler of the workers died"):
            for done, _ in enumerate(executor.run(square, range(10**6))):
                if done == 20:
                    server.kill()


def test_no_worker_left_is_a_clear_end(scheduler: tuple[Path, list[subprocess.Popen[bytes]]]) -> None:
    file, (_, *nannies) = scheduler
    with (
        # The scheduler itself has three seconds' patience; here it and its workers may still be starting.
        make_executor(Site("scheduler", scheduler_file=str(file), patience=60), 9) as executor,
        pytest.raises(RunStopped, match="no worker process has been alive for 60 s"),
    ):
        for done, _ in enumerate(executor.run(square, range(10**6))):
            for nanny in nannies if done == 20 else []:
                os.killpg(nanny.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no scheduler wrote it"),
        (b"", "not what a scheduler writes"),
        (b'{"type": "Scheduler", "address": "tcp://127.0.', "not what a scheduler writes"),
        (b"\xff\xfe\x00", "not what a scheduler writes"),
        (b"[" * 100_000, "not what a scheduler writes"),
        (b"[1, 2]", "no address"),
        (b'{"address": 5}', "no address"),
        (b'{"address": "10.0.0.1"}', "no Dask scheduler answers at 10.0.0.1"),
        (b'{"address": "foo://1:2"}', "no Dask scheduler answers at foo"),
        (b'{"address": "tcp://127.0.0.1:9"}', "no Dask scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_a_file_that_names_no_scheduler_is_a_clear_end(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "scheduler.json"
    if content is not None:
        file.write_bytes(content)
    _ends_within_patience(file, words)


@pytest.mark.parametrize(
    "answer", [None, b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH\r\n" * 50, bytes(999), b"\xff" * 999]
)
def test_another_server_at_the_schedulers_address_is_a_clear_end(tmp_path: Path, answer: bytes | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        file = tmp_path / "scheduler.json"
        file.write_text(json.dumps({"address": f"tcp://127.0.0.1:{server.getsockname()[1]}"}))

        def speak() -> None:
            # What accepts and says nothing is the worst: whoever connected waits.
            with suppress(OSError):
                while answer is not None:
                    with server.accept()[0] as connection:
                        connection.sendall(answer)

        Thread(target=speak, daemon=True).start()
        _ends_within_patience(file, "no Dask scheduler answers at tcp://127")


def _ends_within_patience(file: Path, words: str) -> None:
    site, began = Site("scheduler", scheduler_file=str(file), patience=1), time.monotonic()
    with pytest.raises(RunStopped) as caught, make_executor(site, 1):
        pass
    # Dask is loaded meanwhile, on a machine that may be busy.
    assert time.monotonic() - began < 15
    assert str(caught.value).startswith(f"{file}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 75


def test_a_file_that_a_scheduler_writes_late_is_waited_for(
    tmp_path: Path, scheduler: tuple[Path, list[subprocess.Popen[bytes]]]
) -> None:
    file = tmp_path / "late.json"
    file.write_text('{"address"')
    _wait(lambda: scheduler[0].exists())
    Timer(1.5, lambda: file.write_bytes(scheduler[0].read_bytes())).start()
    with make_executor(Site("scheduler", scheduler_file=str(file), patience=60), 9) as executor:
        assert set(executor.run(square, range(3))) == {0, 1, 4}
    for process in scheduler[1][1:]:
        os.killpg(process.pid, signal.SIGKILL)
    with (
        pytest.raises(RunStopped, match="no worker has joined this scheduler within 2 s"),
        make_executor(Site("scheduler", scheduler_file=str(file), patience=2), 1),
    ):
        pass


def test_a_worker_that_hangs_is_ended_and_its_chunk_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    chunks = [Chunk(f"chunk-{number}", (number,), None) for number in range(1, 6)]
    run = partial(guarded, Terms(3, "cpu"), hang_on_three, tmp_path)
    with prepared(folder), make_executor(Site("local", workers=2), 5) as executor:
        outcomes = list(executor.run(run, chunks))
        assert [one for one in outcomes if isinstance(one, WorkerDied)] == [WorkerDied(chunks[2])]
        assert {one for one in outcomes if not isinstance(one, WorkerDied)} == {(1,), (2,), (4,), (5,)}
        assert "hang_on_three" in hung(folder, chunks[2])
        assert [path.name for path in folder.hung.iterdir()] == ["chunk-3.1-from-3.txt"]
        # Known to hang: costs no worker its time again, until it is forgotten.
        assert guarded(Terms(3, "cpu"), hang_on_three, tmp_path, chunks[2]) == WorkerDied(chunks[2])
        forget(folder, chunks[2])
        assert not hung(folder, chunks[2])


def test_each_gpu_has_a_worker_that_sees_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As Slurm names them; nothing computes, so they need not exist.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5a")
    with prepared(RunFolder(tmp_path)), make_executor(Site(platform="cuda"), 9) as executor:
        assert executor.n_workers == 2
        assert set(executor.run(device, range(4))) == {"3", "GPU-5a"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(RunError, match="no GPU is visible"), make_executor(Site(platform="cuda"), 9):
        pass


@pytest.mark.parametrize("seen", ["", "0,1"])
def test_a_worker_without_a_gpu_of_its_own_refuses(seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    check_device()
    monkeypatch.setenv(ONE_GPU, "1")
    with pytest.raises(RunError, match=f"must see one GPU, this one sees {len(seen.split(',')) if seen else 0}"):
        check_device()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    check_device()


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_waits_while_workers_start_and_is_not_for_them() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts_later():
        os.kill(os.getpid(), signal.SIGINT)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        os.kill(child.pid, signal.SIGINT)
        time.sleep(0.2)
        assert child.poll() is None
    child.kill()
    assert child.wait() == -signal.SIGKILL
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_programs_written_by_half_are_deleted(tmp_path: Path) -> None:
    heal(tmp_path / "missing")
    programs = tmp_path / "jax-1-1-cpu-01234567"
    programs.mkdir(parents=True)
    whole = zlib.compress(os.urandom(10_000))
    broken = {"cut": whole[:-1], "short": whole[:1], "flipped": whole[:50] + bytes([whole[50] ^ 1]) + whole[51:]}
    for name, data in {"whole": whole, "other": b"(\xb5/\xfd", **broken}.items():
        (programs / f"{name}-cache").write_bytes(data)
    heal(tmp_path)
    assert sorted(path.name for path in programs.iterdir()) == ["other-cache", "whole-cache"]


@pytest.mark.slow
def test_shares_of_which_one_is_asked_to_end_and_one_is_killed(tmp_path: Path, stars: Path, undisturbed: Path) -> None:
    recipe, run = write_recipe(tmp_path / "tiny.toml", stars, tmp_path / "run"), tmp_path / "run"
    site = write_site(tmp_path / "site.toml", "local", 1)
    shares = {number: start("run", recipe, "--site", site, "--share", f"{number}/2") for number in (1, 2)}
    _wait(lambda: _events(run, "chunk began"))
    # The first to come is at work on the first chunk; the other waits for it.
    (first,) = _events(run, "began")
    asked = int(str(first["share"])[0])
    os.kill(int(str(first["process"])), signal.SIGTERM)
    _, err = shares[asked].communicate(timeout=120)
    assert shares[asked].returncode == 75, err
    assert "asked to end; finishing the chunks at work" in err or "asked to end; the same" in err
    assert [event["chunk"] for event in _events(run, "chunk done")][:1] == ["chunk-00000"]
    os.killpg(shares[3 - asked].pid, signal.SIGKILL)
    shares[3 - asked].communicate()
    assert not (run / "catalog.zarr").exists()
    shares = {number: start("run", recipe, "--site", site, "--share", f"{number}/2") for number in (1, 2)}
    outputs = [share.communicate(timeout=300) for share in shares.values()]
    assert [share.returncode for share in shares.values()] == [0, 0], outputs
    # The last to end finalises; where both find nothing left, the second finds a catalog.
    assert 1 <= sum("12 stars" in out for out, _ in outputs) <= 2
    assert content(run / "catalog.zarr") == content(undisturbed / "catalog.zarr")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root can mount a small disk")
def test_a_full_or_read_only_disk_ends_the_run_with_the_path(tmp_path: Path, stars: Path, serial: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    recipe = write_recipe(tmp_path / "tiny.toml", stars, disk / "run")
    # Nothing that can be fitted, so that nothing takes long.
    recipe.write_text(recipe.read_text().replace("*.csv", "short.csv"))
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
    except subprocess.CalledProcessError:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        assert spotcat("ingest", recipe).returncode == 0
        with (disk / "filler").open("wb", buffering=0) as filler:
            while True:
                try:
                    filler.write(bytes(4096))
                except OSError:
                    break
        done = spotcat("run", recipe, "--site", serial)
        assert done.returncode == 1
        assert f"{disk}/run/" in done.stderr.splitlines()[-1]
        assert "No space left on device" in done.stderr.splitlines()[-1]
        (disk / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        done = spotcat("run", recipe, "--site", serial)
        assert done.returncode == 2
        assert f"{disk}/run: cannot be written (Read-only file system)" in done.stderr
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        done = spotcat("run", recipe, "--site", serial)
        assert (done.returncode, done.stdout) == (0, f"{disk}/run/catalog.zarr: 1 stars (1 few_points)\n")
    finally:
        subprocess.run(["umount", disk], check=True)
