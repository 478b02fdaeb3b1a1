"""Pictures and table of stars that a catalog has wrong, from a real run of the fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from spotcat.catalog.query import open_catalog
from spotcat.cli import main
from spotcat.report.fitted import load_fitted
from spotcat.report.missed import PER_PAGE, Missed, _draw, draw_missed
from spotcat.report.panels import fold
from spotcat.report.style import KNOWN, picture


def _lost(number: int) -> Missed:
    return Missed(f"star {number}", 3.0, "true 3 d, found no period (wrong), not called", "", None, "was not fitted")


def test_a_folded_light_curve_has_its_mean_by_phase(run: Path) -> None:
    star = load_fitted(run / "catalog.zarr", "sim-00001")
    axes = Figure().subplots()
    fold(axes, star, 7.3, KNOWN)
    points, mean = axes.lines
    time, y = star.time[star.seen] - star.time[star.seen[0]], star.grid.y[star.seen] - star.beside
    flux = 100 * star.scale * y
    assert "%" in axes.get_ylabel()
    n = flux.size
    np.testing.assert_allclose(points.get_xdata()[:n] * 7.3, time % 7.3, atol=1e-9)
    np.testing.assert_allclose(points.get_ydata(), np.r_[flux, flux])
    for place in (0, 7, 19):
        own = flux[(time % 7.3 >= 7.3 * place / 20) & (time % 7.3 < 7.3 * (place + 1) / 20)]
        assert mean.get_ydata()[place] == mean.get_ydata()[20 + place] == pytest.approx(own.mean())
    low, high = axes.get_ylim()
    assert low < np.nanmin(mean.get_ydata()) and np.nanmax(mean.get_ydata()) < high


def test_both_periods_are_marked_and_nothing_is_cut(run: Path, tmp_path: Path) -> None:
    star = load_fitted(run / "catalog.zarr", "sim-00001")
    found = float(star.row["prot"])
    with picture(tmp_path / "a.png", 10.65, 2.45) as figure:
        _draw(
            figure, Missed("$" * 300, 90.0, "true 90 d, found much less (wrong), not called", "flag; " * 80, star), 0.0
        )
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.texts]
        boxes += [axes.get_tightbbox() for axes in figure.axes]
        page = figure.bbox
        assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1 for box in boxes)
        *_, true, at_found, gain = figure.axes
        assert true.get_title() == "folded at the true 90 d"
        assert at_found.get_title() == f"folded at the found {found:.4g} d"
        marked = {line.get_xdata()[0]: line.get_color() for line in gain.lines if line.get_color() == KNOWN}
        assert list(marked) == [90.0]
        low, high = gain.get_xlim()
        assert low < found < 90 < high


def test_a_page_holds_a_few_and_pages_from_before_go(tmp_path: Path) -> None:
    many = draw_missed((_lost(n) for n in range(2 * PER_PAGE + 1)), tmp_path, "stars")
    assert [path.name for path in many] == ["stars-1.png", "stars-2.png", "stars-3.png"]
    heights = [matplotlib.image.imread(path).shape[0] for path in many]
    assert heights[0] == heights[1] > 3 * heights[2]
    (tmp_path / "stars-of-mine.png").touch()
    assert [path.name for path in draw_missed([_lost(0)], tmp_path, "stars")] == ["stars-1.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stars-1.png", "stars-of-mine.png"]
    assert draw_missed([], tmp_path, "stars") == []
    assert [path.name for path in tmp_path.iterdir()] == ["stars-of-mine.png"]


def _table(path: Path, *rows: tuple[str, str, float]) -> Path:
    lines = [f"{name},{kind},{period}" for name, kind, period in rows]
    path.write_text("\n".join(["name,kind,period_d", *lines]) + "\n")
    return path


def test_the_command_writes_a_row_a_star_and_a_picture_of_those_that_fall_short(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = open_catalog(run / "catalog.zarr").star("sim-00001")
    prot, low, high = (float(found.column(name)[0]) for name in ("prot", "prot_lower", "prot_upper"))
    stars = [("sim-00001", "rotator", 2 * prot), ("short", "rotator", 5.0), ("sim-00002", "unknown", 0.0)]
    table = _table(tmp_path / "stars.csv", *stars)
    out = tmp_path / "out"
    assert main(["check", "literature", str(run / "catalog.zarr"), str(table), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out / "real-stars.md")
    assert sorted(path.name for path in out.iterdir()) == ["real-stars-wrong-1.png", "real-stars.md"]
    text = (out / "real-stars.md").read_text()
    head, _, *rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in (head, *rows)}) == 1
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells[0][:2] == ["sim-00001", "rotator"]
    assert cells[0][3] == f"{prot:.4g} ({low:.4g} to {high:.4g})"
    assert cells[0][5] == "half"
    assert cells[1][:4] == ["short", "rotator", "5", ""] and cells[1][5] == "wrong" and "too few points" in cells[1][-1]
    assert cells[2][:2] == ["sim-00002", "unknown"]
    assert "![Stars that fall short](real-stars-wrong-1.png)" in text
    assert "rotators 2: right 0" in text
    image = matplotlib.image.imread(out / "real-stars-wrong-1.png")
    ink = image[..., :3].min(axis=-1) < 0.9
    half = image.shape[0] // 2
    assert ink[:half].mean() > 2 * ink[half:].mean() > 0  # the star without a fit has words alone


def test_a_catalog_away_from_its_light_curves_is_refused_only_for_pictures(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run / "catalog.zarr", tmp_path / "catalog.zarr")
    prot = float(open_catalog(run / "catalog.zarr").star("sim-00001").column("prot")[0])
    command = ["check", "literature", str(tmp_path / "catalog.zarr"), str(tmp_path / "stars.csv")]
    _table(tmp_path / "stars.csv", ("sim-00001", "rotator", 2 * prot))
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    assert "lightcurves.zarr: no light-curve store" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    _table(tmp_path / "stars.csv", ("sim-00001", "unknown", 0))
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["real-stars.md"]
