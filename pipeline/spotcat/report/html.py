"""The survey page's HTML.  Every text from a catalog passes through `escape`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from html import escape
from typing import Any

import numpy as np

from spotcat.catalog.escapes import as_line, as_unicode
from spotcat.catalog.selection import Catalog
from spotcat.catalog.words import has_words, in_words
from spotcat.report.summary import MOST_ROWS, Comparison, table_columns
from spotcat.report.trust import Trust
from spotcat.status import Flag, LifetimeFlag, Status, Verdict

MARK = "report.js"
"""The file by which a folder is known as a report."""

_LETTERS = 80
"""Letters of a name in a file name: a file system takes 255 bytes, of which a writer needs some."""
_WIDTHS = {"name": 9.5, "verdict": 9.5, "flags": 11, "lifetime_flag": 8, "spot_lifetime": 7, "lnl_rotation": 6.6}
"""Widths of the table's columns that need more than others [rem]."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{root}report.css">
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


_TO_TRUST = '<a href="#trust">Completeness</a>'


def file_name(name: str) -> str:
    """A star's name as a file name; one that loses something in it is told apart by a digest."""
    plain = re.sub(r"[^A-Za-z0-9_.+-]+", "-", name).strip("-.")[:_LETTERS] or "star"
    is_whole = plain == name.replace(" ", "-")
    return plain if is_whole else f"{plain}-{sha256(as_unicode(name).encode()).hexdigest()[:8]}"


def survey(
    catalog: Catalog,
    counts: Mapping[str, Sequence[tuple[str, int]]],
    figures: Mapping[str, str],
    compared: Comparison | None,
    trust: str,
    recipe: str,
) -> str:
    """The page of a survey.

    Args:
        catalog: all stars.
        counts: what `spotcat.report.summary.counts` returns.
        figures: captions by file.
        compared: the comparison with published periods, if there is one.
        trust: what `trusted` returns; empty without a validation report.
        recipe: the run's recipe; empty if unknown.
    """
    name = as_line(str(catalog.attrs.get("survey") or "survey"))
    parts = [
        f'<header class="page"><h1>{escape(name)}</h1>',
        f"<p>A spotcat catalog of {len(catalog):,} stars</p></header>",
        '<nav aria-label="Sections"><a href="#summary">Summary</a><a href="#diagrams">Diagrams</a>'
        f'{_TO_TRUST if trust else ""}<a href="#table">Stars</a><a href="#failures">Verdicts and flags</a>'
        '<a href="#provenance">Provenance</a></nav>',
        '<h2 id="summary">Summary</h2>',
        _numbers(catalog, compared),
        '<h2 id="diagrams">Diagrams</h2>',
        _figures(figures),
        _literature(compared),
        trust,
        '<h2 id="table">Stars</h2>',
        _table(catalog),
        '<h2 id="failures">Verdicts, failures and flags</h2><div class="columns">',
        _counts("Verdicts", counts["verdicts"], "none in this catalog"),
        _counts("Stars without a result, by reason", counts["reasons"], "every star has a finished fit"),
        _counts("Flags", counts["flags"], "no star has a flag"),
        _counts("What spot lifetimes are worth", counts["lifetimes"], "no lifetimes"),
        '</div><h2 id="provenance">Provenance</h2>',
        _provenance(catalog.attrs, recipe),
        '<script src="data.js"></script>\n<script src="report.js"></script>',
    ]
    return _PAGE.format(title=f"{escape(name)}: spotcat", root="", body="\n".join(parts))


def trusted(trust: Trust, figures: Mapping[str, str]) -> str:
    """The part of a survey's page that says what simulated surveys found.

    Args:
        trust: a validation report.
        figures: captions by file of its curves.
    """
    rows = "".join(
        f'<tr><td>{escape(f.name)}</td><td>{escape(f.figure)}</td><td class="number">{f.value:.3f}</td>'
        f"<td>{f.bounds}</td></tr>"
        for f in trust.figures
    )
    shown = _drawings(figures) if figures else "<p>This report has no curves of completeness and reliability.</p>"
    return (
        '<h2 id="trust">Completeness and reliability</h2>'
        f"<p>Of simulated surveys whose truth is known, fitted by spotcat {escape(trust.version)}.</p>{shown}"
        '<details><summary>All figures</summary><table class="plain"><thead><tr><th>set</th><th>figure</th>'
        f'<th class="number">value</th><th>wanted</th></tr></thead><tbody>{rows}</tbody></table></details>'
    )


def star(row: Catalog, picture: str) -> str:
    """The page of a star.

    Args:
        row: the star's columns.
        picture: the file beside the page; empty if there is none.
    """
    name = as_line(str(row.column("name")[0]))
    words = [Status(row.column("status")[0]).words, *Flag(int(row.column("flags")[0])).words]
    if "verdict" in row.names:
        words.insert(0, Verdict(row.column("verdict")[0]).words)
    text = "; ".join(word for word in words if word) or "no flags"
    image = (
        f'<figure><a href="{escape(picture)}"><img src="{escape(picture)}" alt="Light curve, periodogram, '
        f'autocorrelation, rotations and posterior of {escape(name)}"></a></figure>'
        if picture
        else f"<p>{escape(as_line(str(row.column('reason')[0])))}</p>"
    )
    parts = [
        f'<header class="page"><h1>{escape(name)}</h1><p>{escape(text)}</p></header>',
        '<nav aria-label="Back"><a href="../index.html#table">All stars</a></nav>',
        f'<div class="star">{image}<table class="plain"><thead><tr><th>column</th><th>value</th><th>what</th>'
        f"</tr></thead><tbody>{''.join(_star_rows(row))}</tbody></table></div>",
    ]
    return _PAGE.format(title=f"{escape(name)}: spotcat", root="../", body="\n".join(parts))


def _star_rows(row: Catalog) -> Iterable[str]:
    """One line for each column, with its 68 % interval where it has one."""
    for name in row.names:
        if name.endswith(("_lower", "_upper")):
            continue
        column = row.columns[name]
        shown = _shown(row, name)
        if f"{name}_lower" in row.names and shown == "–":
            shown = _limit(row, name)
        elif f"{name}_lower" in row.names:
            shown += f"<br><small>{_shown(row, f'{name}_lower')} … {_shown(row, f'{name}_upper')}</small>"
        unit = f"<br><small>[{escape(column.unit)}]</small>" if column.unit else ""
        yield (
            f'<tr><th scope="row"><code>{name}</code>{unit}</th>'
            f'<td class="number">{shown}</td><td>{escape(column.description)}</td></tr>'
        )


def _limit(row: Catalog, name: str) -> str:
    """What bounds a quantity without a value."""
    for end, sign in (("lower", "&gt;"), ("upper", "&lt;")):
        if (bound := _shown(row, f"{name}_{end}")) != "–":
            return f"{sign} {bound}"
    return "–"


def _shown(row: Catalog, name: str) -> str:
    column, value = row.columns[name], row.column(name)[0]
    if has_words(column):
        return str(in_words(column, row.column(name))[0]).replace("_", " ").replace("|", ", ")
    if isinstance(value, float | np.floating):
        return f"{value:.6g}" if np.isfinite(value) else "–"
    return escape(as_line(str(value)))


def _numbers(catalog: Catalog, compared: Comparison | None) -> str:
    status, told = catalog.column("status"), "verdict" in catalog.names
    verdict = catalog.column("verdict" if told else "rotating")  # where 1 is a rotator too
    rotating = verdict == Verdict.ROTATOR
    periods = catalog.column("prot")[rotating]
    measured = catalog.column("lifetime_flag") == LifetimeFlag.MEASURED
    facts = [
        (f"{len(catalog):,}", "stars"),
        (f"{np.count_nonzero(status == Status.OK):,}", "finished fits"),
        (f"{np.count_nonzero(rotating):,}", "rotators"),
        *([(f"{np.count_nonzero(verdict == Verdict.PROBABLE):,}", "probable ones")] if told else []),
        (f"{np.median(periods):.3g} d" if len(periods) else "–", "median period of those"),
        (f"{np.count_nonzero(measured):,}", "measured spot lifetimes"),
    ]
    if compared is not None:
        share = f"{compared.within:.0%}" if len(compared.name) else "–"
        facts.append((share, f"of {len(compared.name)} published periods within 10 %"))
    return f'<ul class="numbers">{"".join(f"<li><b>{n}</b><span>{words}</span></li>" for n, words in facts)}</ul>'


def _figures(figures: Mapping[str, str]) -> str:
    return _drawings(figures) if figures else "<p>No star has a period.</p>"


def _drawings(figures: Mapping[str, str]) -> str:
    shown = (
        f'<figure><img src="{file}" alt="{escape(words)}"><figcaption>{escape(words)}</figcaption></figure>'
        for file, words in figures.items()
    )
    return f'<div class="figures">{"".join(shown)}</div>'


def _literature(compared: Comparison | None) -> str:
    if compared is None or not 0 < len(compared.name) <= 50:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(as_line(str(name)))}</th><td class="number">{found:.4f} d</td>'
        f'<td class="number">{published:.4f} d</td><td class="number">{found / published - 1:+.1%}</td>'
        f"<td>{escape(as_line(reference))}</td></tr>"
        for name, found, published, reference in zip(
            compared.name, compared.found, compared.published, compared.reference, strict=True
        )
    )
    return (
        '<h2>Published periods</h2><table class="plain"><thead><tr><th>star</th><th class="number">here</th>'
        '<th class="number">published</th>'
        f'<th class="number">differs</th><th>reference</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _table(catalog: Catalog) -> str:
    heads, filters, widths = [], [], []
    for number, name in enumerate(table_columns(catalog)):
        column = catalog.columns[name]
        is_number = column.dtype != "str" and not has_words(column)
        kind = ' class="number"' if is_number else ""
        widths.append(f'<col style="width:{_WIDTHS.get(name, 6.2)}rem">')
        unit = f"<small>{escape(column.unit)}</small>" if column.unit else "<small>&nbsp;</small>"
        heads.append(
            f'<th scope="col" data-column="{number}" aria-sort="none"{kind} title="{escape(column.description)}">'
            f'<button type="button">{name}</button>{unit}</th>'
        )
        hint = "&gt;5, 5..10" if is_number else ""
        filters.append(f'<th><input data-column="{number}" aria-label="filter {name}" placeholder="{hint}"></th>')
    few = f" The table holds the {MOST_ROWS:,} clearest; query the catalog for all." if len(catalog) > MOST_ROWS else ""
    return (
        "<p>A name with a link has a page. Press / to search, Tab and Enter to sort; filters take a text or, of "
        f"numbers, &gt;5, &lt;=3, 5..10, and - for none.{few}</p>"
        '<div class="tools"><input id="search" type="search" placeholder="Search names, flags, missions" '
        'aria-label="search"><button type="button" id="clear">Clear</button>'
        '<output id="count" aria-live="polite"></output></div>'
        '<div id="view" tabindex="0" role="region" aria-label="table of stars"><table id="stars">'
        f"<colgroup>{''.join(widths)}</colgroup><thead><tr>{''.join(heads)}</tr><tr>{''.join(filters)}</tr></thead><tbody></tbody></table></div>"
    )


def _counts(title: str, rows: Sequence[tuple[str, int]], nothing: str) -> str:
    body = "".join(f'<tr><td>{escape(as_line(words))}</td><td class="number">{n:,}</td></tr>' for words, n in rows)
    table = f'<table class="plain"><tbody>{body}</tbody></table>' if rows else f"<p>{nothing}</p>"
    return f"<section><h3>{escape(title)}</h3>{table}</section>"


def _provenance(attrs: Mapping[str, Any], recipe: str) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td><code>'
        f"{escape(as_line(value) if isinstance(value, str) else json.dumps(value))}</code></td></tr>"
        for key, value in sorted(attrs.items())
        if key not in ("columns", "recipe")  # the recipe is below
    )
    shown = f"<details><summary>Recipe</summary><pre>{escape(recipe)}</pre></details>" if recipe else ""
    return f'<table class="plain"><tbody>{rows}</tbody></table>{shown}'
