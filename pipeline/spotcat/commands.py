"""What each subcommand does; nothing is imported that it does not need.

Each function takes the parsed arguments of its subcommand, prints what there is to say and raises what `main` reports.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spotcat.status import InputError, RunError
from spotcat.text import argument_text, system_path, written

if TYPE_CHECKING:
    from spotcat.catalog.published import Labelled
    from spotcat.catalog.selection import Catalog
    from spotcat.run.stages import CatalogSummary


def run(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.run.stages import run_share, run_survey
    from spotcat.run.survey import Share

    recipe, site = load_recipe(options.recipe), load_site(options.site)
    if options.scheduler_file:
        site = replace(site, executor="scheduler", scheduler_file=options.scheduler_file)
    if options.share is None:
        _print_summary(run_survey(recipe, site, retry=options.retry_failed))
    elif options.retry_failed:
        raise InputError("--retry-failed is for a run that one process drives; leave --share out")
    elif (summary := run_share(recipe, site, Share.parse(options.share))) is not None:
        _print_summary(summary)


def ingest(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.run.stages import ingest_stage

    ingest_stage(load_recipe(options.recipe), load_site(options.site), options.append)


def fetch(options: argparse.Namespace) -> None:
    from spotcat.ingest.archive import BUCKET, Request
    from spotcat.ingest.download import Policy, Server
    from spotcat.ingest.fetch import MISSING, fetch, read_targets
    from spotcat.run.progress import Progress

    if options.jobs < 1 or options.retries < 0 or options.radius < 0 or min(options.rate, options.timeout) <= 0:
        raise InputError("--jobs, --rate and --timeout must be positive, --retries and --radius not negative")
    numbers = _listed(options.campaigns)
    if not all(number.isdecimal() for number in numbers):
        raise InputError(f"--campaigns must be numbers with commas between them, got {options.campaigns!r}")
    request = Request(options.author, tuple(map(int, numbers)), options.cadence, options.radius)
    server = Server(Policy(options.jobs, options.rate, options.timeout, options.retries))
    targets = read_targets(options.targets)
    with Progress("fetch", "files", 0) as progress:
        summary = fetch(targets, options.to, request, server, options.bucket or BUCKET, progress.update)
    if summary.missing:
        raise RunError(f"{summary.words}; {options.to / MISSING} lists them, the same command tries them again")
    print(f"{options.to}: {summary.words}")


def fit(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.run.again import fit_again
    from spotcat.run.stages import fit_stage

    recipe, site = load_recipe(options.recipe), load_site(options.site)
    stars = tuple(_stars(options.stars or ""))
    if stars:
        _print_summary(fit_again(recipe, site, options.sampler or "importance", stars))
    elif options.sampler:
        raise InputError("--sampler needs --stars: a survey's own sampler is its recipe's fit.sampler")
    else:
        fit_stage(recipe, site)


def finalise(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe
    from spotcat.run.stages import finalise_stage

    _print_summary(finalise_stage(load_recipe(options.recipe)))


def _listed(text: str) -> list[str]:
    """What stands between the commas of an option."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _stars(text: str) -> list[str]:
    """The names of stars that an option gives: a file with one a line, or what stands between its commas.

    A line that begins with ``#`` is a remark, and quotes keep a comma in a name: ``--stars '"HD 1, A",B'``.
    """
    path = Path(text)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines() if text and path.is_file() else None
        found = next(csv.reader([text], skipinitialspace=True), []) if lines is None else lines
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"--stars: {text!r} cannot be read ({error})") from None
    named = (written(argument_text(name.strip())) for name in found if lines is None or not name.startswith("#"))
    return [name for name in named if name]


def _print_summary(summary: CatalogSummary) -> None:
    counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.items())
    print(f"{summary.path}: {summary.n_stars} stars ({counts})")


def plan(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.run.forecast import forecast

    print("\n".join(forecast(load_recipe(options.recipe), load_site(options.site)).lines()))


def submit(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.run.slurm import pasted, submit

    recipe = load_recipe(options.recipe)
    submission = submit(recipe, load_site(options.site), dry_run=options.dry_run, retry=options.retry_failed)
    if options.dry_run:
        print(Path(submission.script).read_text(encoding="utf-8", errors="surrogateescape"), end="")
        return
    run = pasted(recipe.survey.output)
    print(f"job {submission.job}: {pasted(submission.script)}")
    print(f"spotcat status {run}    # how far it is")
    print(f"tail -F {run}/slurm/{submission.job}*.log    # what it says")
    print(f"spotcat cancel {run}    # end it; what is done is kept")


def cancel(options: argparse.Namespace) -> None:
    from spotcat.run.jobs import cancel

    print(f"job {cancel(_run_folder(options.run))} cancelled; submitting again goes on where it was")


def _run_folder(path: str) -> Path:
    """The run folder that a person names by itself or by its recipe."""
    from spotcat.config import load_recipe

    return Path(path) if Path(path).is_dir() else Path(system_path(load_recipe(path).survey.output))


def status(options: argparse.Namespace) -> None:
    from spotcat.run.folder import RunFolder
    from spotcat.run.jobs import job_states
    from spotcat.run.state import status_of

    folder = _run_folder(options.run)
    print("\n".join(status_of(folder).lines()))
    try:
        print("".join(f"{line}\n" for line in job_states(RunFolder(folder))), end="")
    except RunError as error:
        # The rest of the status needs no Slurm.
        print(f"its job is not known: {error}")


def query(options: argparse.Namespace) -> None:
    from spotcat.catalog.export import export, export_file, format_of
    from spotcat.catalog.request import Request, answer
    from spotcat.catalog.words import with_words

    form = options.format or (format_of(options.out) if options.out else "table")
    asked = ("expression", "columns", "star", "cone", "sort", "limit", "threshold", "preset")
    given = {name: getattr(options, name) for name in asked}
    given |= {name: argument_text(given[name]) for name in ("expression", "star") if given[name]}
    request = Request(**given, printed=form == "table")
    if options.count:
        print(len(answer(options.catalog, replace(request, columns="star_id"))))
        return
    rows = answer(options.catalog, request)
    if options.words and form != "table":
        rows = with_words(rows)
    if options.out is None:
        export(rows, form, sys.stdout)
    else:
        export_file(rows, form, options.out)


def validate(options: argparse.Namespace) -> None:
    from spotcat.catalog.validate import check

    verdict = check(options.catalog)
    print(f"{options.catalog}: sound; {verdict.n_stars} stars, {verdict.n_files} files")


def schema(options: argparse.Namespace) -> None:
    from spotcat.catalog.reference import schema_json, schema_markdown
    from spotcat.reference import settings_markdown
    from spotcat.verdict.reference import thresholds_markdown

    pages = {"json": schema_json, "markdown": schema_markdown}
    pages |= {"thresholds": thresholds_markdown, "settings": settings_markdown}
    print(pages[options.format](), end="")


def recipe(options: argparse.Namespace) -> None:
    _print_shipped("recipe", options)


def site(options: argparse.Namespace) -> None:
    _print_shipped("site", options)


def _print_shipped(kind: str, options: argparse.Namespace) -> None:
    from spotcat.reference import MINIMAL, full, listing, shipped

    if options.list:
        print(listing(kind), end="")
    else:
        print(full(kind) if options.full else shipped(kind, options.name or MINIMAL[kind]), end="")


def show(options: argparse.Namespace) -> None:
    from spotcat.catalog.published import published_period, read_periods
    from spotcat.report.star_page import show

    table = read_periods(options.literature) if options.literature else {}
    name = written(argument_text(options.name))
    show(options.catalog, name, options.out, published_period(table, name))


def report(options: argparse.Namespace) -> None:
    from spotcat.report.survey_page import report

    stars = None if options.stars is None else _stars(options.stars)
    print(report(options.catalog, options.out, options.literature, stars, options.validation))


def check_recovery(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.validation import check_recovery, table

    print(table(check_recovery(load_recipe(options.recipe), load_site(options.site))))


def check_calibrate(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.validation import check_calibrate

    check_calibrate(load_recipe(options.recipe), load_site(options.site), options.out)


def check_literature(options: argparse.Namespace) -> None:
    from spotcat.catalog.published import Source, read_labelled, read_periods, read_source
    from spotcat.catalog.query import open_catalog
    from spotcat.check.literature import agreement, in_words

    if options.stars is None and not options.table:
        raise InputError("nothing to compare with; give a TABLE, or --table NAME=FILE")
    labelled = read_labelled(options.stars) if options.stars else None
    if labelled is None and (options.list or options.out):
        raise InputError("--list and --out are for a TABLE with the column kind")
    catalog = open_catalog(options.catalog)
    if labelled is not None:
        _score(options, catalog, labelled)
    found = {name: catalog[name].values for name in ("name", "prot", "rotating", "flags")}
    if options.stars and labelled is None:
        source = Source(options.stars, "", "", "", "name", "period")
        print(in_words(source, agreement(found, read_periods(options.stars))))
    for pair in options.table:
        name, separator, file = pair.partition("=")
        if not separator:
            raise InputError(f"--table must be NAME=FILE, got {pair!r}")
        source = read_source(name)
        print(in_words(source, agreement(found, read_periods(file, source))))


def _score(options: argparse.Namespace, catalog: Catalog, labelled: list[Labelled]) -> None:
    """Print what became of stars of known kinds, and draw those that fall short."""
    from spotcat.check.score import COLUMNS, in_words, score, short_in_words

    result = score({name: catalog.column(name) for name in COLUMNS}, labelled)
    if options.list:
        print("".join(f"{line}\n" for line in short_in_words(result)), end="")
    print(in_words(result))
    if options.out:
        from spotcat.catalog.query import located
        from spotcat.validation import write_score

        print(write_score(Path(located(options.catalog)), result, options.out))


def simulate(options: argparse.Namespace) -> None:
    from spotcat.check.simulate import simulate_survey
    from spotcat.config import load_recipe

    print(simulate_survey(load_recipe(options.recipe)))
