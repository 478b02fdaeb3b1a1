"""Three hundred seeded changes to plain tables: a right light curve, a flag that names the cause, or a refusal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from astropy.timeseries import LombScargle
from ingest_files import make_recipe, run_ingest
from mutations import Draft, good, write_mutation

from spotcat.ingest.store import LightCurve
from spotcat.status import Flag, Status

N_TABLES = 300
CAUSES = Flag.PLACEHOLDERS_LEFT_OUT | Flag.MEASUREMENTS_ODD | Flag.TIMES_CONVERTED
PERIODS = np.geomspace(0.5, 40, 1500)


def is_right(curve: LightCurve, draft: Draft) -> bool:
    """Whether a light curve has the period and the relative scatter that the draft began with."""
    if curve.time.size < 200:
        return False
    power = LombScargle(curve.time, curve.flux).power(1 / PERIODS)
    found, spread = PERIODS[np.argmax(power)], np.std(curve.flux) / draft.spread
    return bool(abs(found / draft.period - 1) < 0.1 and 0.85 < spread < 1.15)


def end_of(curve: LightCurve | None, flags: int, draft: Draft) -> str:
    """How a table ended: refused (no curve), right, flagged or wrong without a word."""
    if curve is None:
        return "refused"
    if is_right(curve, draft):
        return "right"
    return "flagged" if Flag(flags) & CAUSES else "wrong"


def test_no_changed_table_is_wrong_without_a_word(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    drafts = {}
    for k in range(N_TABLES):
        path, draft = write_mutation(folder, 20, k)
        drafts[path.name.partition(".")[0]] = draft
    _, store = run_ingest(make_recipe(folder), tmp_path / "store")
    assert store.stars["name"].tolist() and set(store.stars["name"].tolist()) == set(drafts)
    ends: dict[str, list[str]] = {"right": [], "flagged": [], "refused": [], "wrong": []}
    stars = store.stars
    for name, star_id, status, reason, flags in zip(
        *(stars[column].tolist() for column in ("name", "star_id", "status", "reason", "flags")), strict=True
    ):
        assert bool(reason) == (status != Status.OK)
        assert "(" not in reason or "Error)" not in reason, (name, reason)
        curve = store.read([star_id])[0] if status == Status.OK else None
        words = f"{name}: {drafts[name].done} {reason}"
        ends[end_of(curve, flags, drafts[name])].append(words)
    assert not ends["wrong"], "\n".join(ends["wrong"])
    counts = Counter({end: len(words) for end, words in ends.items()})
    assert counts["right"] > N_TABLES / 3 and counts["refused"] > N_TABLES / 6
    # A change that does no harm is not refused.
    harmless = {"rows_repeated", "rows_shuffled", "scaled", "names_in_capitals", "other_encoding", "quoted"}
    refused = [words for words in ends["refused"] if set(drafts[words[:4]].done) <= harmless]
    assert not refused, "\n".join(refused)


def _curve(time: np.ndarray, flux: np.ndarray) -> LightCurve:
    order = np.argsort(time, kind="stable")
    ones = np.ones(time.size)
    segment = np.zeros(time.size, dtype=np.int32)
    return LightCurve(1, "x", time[order], flux[order] / np.median(flux), ones, segment, np.empty((time.size, 0)))


@pytest.mark.parametrize("reading", ["right", "columns moved", "magnitudes", "seconds", "two stars", "placeholders"])
def test_a_wrong_reading_would_be_seen(reading: str) -> None:
    for seed in range(5):
        draft, other = good(np.random.default_rng([7, seed])), good(np.random.default_rng([8, seed]))
        time, flux = draft.time, draft.flux
        n = min(time.size, other.time.size)
        filled = flux.copy()
        filled[:30] = 0
        wrong = {
            "right": (time, flux),
            "columns moved": (flux, draft.flux_err),
            "magnitudes": (time, 12 - 2.5 * np.log10(flux)),
            "seconds": (time * 86400, flux),
            "two stars": (np.r_[time[:n], time[:n] + 0.013], np.r_[flux[:n], 1.5 * other.flux[:n]]),
            "placeholders": (time, filled),
        }[reading]
        assert end_of(_curve(*wrong), 0, draft) == ("right" if reading == "right" else "wrong")
