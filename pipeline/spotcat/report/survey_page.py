"""The page of a survey: a folder that opens from disk, without a server and without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from spotcat.atomic import replacing_folder, write_file
from spotcat.catalog.published import Published, published_period, read_periods
from spotcat.catalog.query import located, open_catalog
from spotcat.catalog.selection import Catalog
from spotcat.report import html
from spotcat.report.diagrams import plot_against_period, plot_lifetimes, plot_periods
from spotcat.report.recovery_plot import plot_recovery
from spotcat.report.summary import Comparison, compare_literature, counts, table_script
from spotcat.report.trust import Trust, plot_curve, read_trust
from spotcat.status import InputError, LifetimeFlag

N_PAGES = 6
"""Stars that get a page of their own where none are named."""


def report(
    catalog_path: str | Path,
    out: str | Path,
    literature: str | Path | None = None,
    stars: Sequence[str] | None = None,
    validation: str | Path | None = None,
) -> Path:
    """Write the page of a survey, replacing an earlier one in one step.

    Args:
        catalog_path: the catalog, or its run folder.  Stars get pages where that folder, with the light curves, is
            around it.
        out: folder for the page.
        literature: CSV table of published periods, with the columns ``name``, ``period`` [d] and ``reference``.
        stars: names of the stars that get a page; the `N_PAGES` with the clearest rotation if None.
        validation: report of simulated surveys, as ``spotcat check recovery`` writes it.

    Returns:
        The page's ``index.html``.

    Raises:
        InputError: there is no such catalog, star, table or validation report, or `out` holds something else than
            a report.
        RunError: the page cannot be written.
    """
    catalog_path, out = Path(located(catalog_path)), Path(out)
    catalog = open_catalog(catalog_path)
    published = read_periods(literature) if literature else {}
    trust = read_trust(validation) if validation else None
    if out.exists() and any(out.iterdir()) and not (out / html.MARK).exists():
        raise InputError(f"{out}: holds something else than a report; give another folder")
    chosen = _chosen(catalog, catalog_path, stars)
    stems = _file_names(chosen)
    pages = {star_id: f"stars/{stem}.html" for star_id, stem in stems.items()}
    with replacing_folder(out) as folder:
        for name in (html.MARK, "report.css"):
            write_file(folder / name, files("spotcat.report").joinpath("assets", name).read_bytes())
        write_file(folder / "data.js", table_script(catalog, pages).encode("utf-8"))
        figures = _diagrams(catalog, folder / "figures")
        compared = compare_literature(catalog, published) if published else None
        figures |= _compared(compared, folder / "figures")
        recipe = catalog_path.parent / "recipe.toml"
        trusted = _trusted(trust, folder / "figures") if trust else ""
        told = json.dumps(catalog.attrs.get("recipe", ""), indent=1, ensure_ascii=False).strip('"')
        settings = recipe.read_text(encoding="utf-8") if recipe.exists() else told
        text = html.survey(catalog, counts(catalog), figures, compared, trusted, settings)
        write_file(folder / "index.html", text.encode("utf-8"))
        _star_pages(catalog, catalog_path, stems, published, folder / "stars")
    return out / "index.html"


def _chosen(catalog: Catalog, path: Path, stars: Sequence[str] | None) -> dict[int, str]:
    """The stars that get a page: names by star id, for a name may be that of two stars."""
    wanted = ["star_id", "name"]
    if stars is not None:
        rows = [catalog.star(name, wanted) for name in stars]
    elif (path.parent / "lightcurves.zarr").is_dir():
        fitted = catalog.query("isfinite(lnl_rotation)", [*wanted, "lnl_rotation"])
        rows = [fitted.sort("lnl_rotation", descending=True).head(N_PAGES)]
    else:
        rows = []
    return {
        int(star_id): str(name)
        for row in rows
        for star_id, name in zip(row.column("star_id"), row.column("name"), strict=True)
    }


def _file_names(names: Mapping[int, str]) -> dict[int, str]:
    """A file name for each star, no two of them the same on a disk that does not tell small letters from large."""
    found: dict[int, str] = {}
    taken: set[str] = set()
    for star_id, name in names.items():
        stem = html.file_name(name)
        found[star_id] = stem if stem.casefold() not in taken else f"{stem}-{star_id}"
        taken.add(found[star_id].casefold())
    return found


def _diagrams(catalog: Catalog, folder: Path) -> dict[str, str]:
    """Draw what there is to draw; captions by file."""
    wanted = ["prot", "rvar", "spot_lifetime", "spot_lifetime_lower", "lifetime_flag", "rotating"]
    found = catalog.query("isfinite(prot)", wanted)
    if not len(found):
        return {}
    prot, rotating = found.column("prot"), found.column("rotating").astype(bool)
    rvar, limited = found.column("rvar"), found.column("lifetime_flag") == LifetimeFlag.LOWER_LIMIT
    lifetime = np.where(limited, found.column("spot_lifetime_lower"), found.column("spot_lifetime"))
    plot_periods(prot, rotating, folder / "periods.png")
    captions = {"figures/periods.png": "Rotation periods; those of stars without a detection are candidates."}
    seen = rvar > 0
    if seen.any():
        plot_against_period(
            prot[seen], rvar[seen], rotating[seen], "amplitude (5 to 95 % range)", folder / "amplitudes.png"
        )
        captions["figures/amplitudes.png"] = "Amplitude of the light curve against rotation period."
    living = lifetime > 0
    if living.any():
        plot_lifetimes(prot[living], lifetime[living], limited[living], folder / "lifetimes.png")
        captions["figures/lifetimes.png"] = (
            "Spot lifetime of detected rotators against rotation period, lower limits as triangles; lines of 1, 3 and "
            "10 rotations."
        )
    return captions


def _compared(compared: Comparison | None, folder: Path) -> dict[str, str]:
    if compared is None or not len(compared.name):
        return {}
    title = f"{len(compared.name)} stars, {compared.within:.0%} within 10 %"
    plot_recovery(
        *(compared.published, compared.found, compared.rotating, title, folder / "literature.png"),
        reference="published period",
    )
    return {"figures/literature.png": "Periods against published ones."}


def _trusted(trust: Trust, folder: Path) -> str:
    """Draw the curves of a validation report, and put its part of the page together."""
    captions = {}
    for number, curve in enumerate(trust.curves):
        plot_curve(curve, folder / f"trust-{number:02d}.png")
        captions[f"figures/trust-{number:02d}.png"] = curve.words
    return html.trusted(trust, captions)


def _star_pages(
    catalog: Catalog, path: Path, stems: Mapping[int, str], published: dict[str, Published], folder: Path
) -> None:
    from spotcat.report.star_page import show

    for star_id, stem in stems.items():
        row = catalog.star(star_id, catalog.names)
        fitted = bool(np.isfinite(row.column("prot")[0]))
        if fitted:
            period = published_period(published, str(row.column("name")[0]))
            show(path, star_id, folder / f"{stem}.png", period)
        page = html.star(row, f"{stem}.png" if fitted else "")
        write_file(folder / f"{stem}.html", page.encode("utf-8"))
