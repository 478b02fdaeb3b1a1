"""Every benchmark runs to its end at its smallest size, and RESULTS.md says of every table what made it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "benchmarks"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if 'if __name__ == "__main__":' in path.read_text())


@pytest.mark.slow
@pytest.mark.benchmark
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_benchmark_runs_to_its_end_and_prints_tables(script: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(script), "--smallest"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(f"`python tests/benchmarks/{script.name} --smallest`, commit ")
    tables = [part.splitlines() for part in run.stdout.split("\n\n") if part.startswith("|")]
    assert tables or "its part is left out" in run.stdout
    for _, rule, *rows in tables:
        assert rows
        assert {row.count("|") for row in rows} == {rule.count("|")}, rows


def test_results_name_every_script_and_the_commit_of_its_figures() -> None:
    rows = re.findall(r"^\| [^|]+ \| `([^`]+)` \| ([^|]+) \|", (FOLDER / "RESULTS.md").read_text(), re.MULTILINE)
    named = {word for command, _ in rows for word in command.split() if word.startswith("tests/benchmarks/")}
    assert named == {f"tests/benchmarks/{script.name}" for script in SCRIPTS}
    assert [made for _, made in rows if not re.fullmatch(r"[0-9a-f]{7} of \d{4}-\d\d-\d\d|none yet", made)] == []
