"""The command line: one subcommand per stage, errors as one line, nothing imported that a command does not need."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from spotcat import __version__
from spotcat.status import InputError, RunError, SpotcatError

if TYPE_CHECKING:
    from spotcat.run.stages import CatalogSummary

_INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: those of the command line if None.

    Returns:
        The exit code: 0, 1 for a run that failed, 2 for bad usage or bad input, 130 after Ctrl-C.
    """
    debug = "--debug" in (sys.argv if arguments is None else arguments)
    try:
        options = _parser().parse_args(arguments)
        options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        _drop_output()
    except KeyboardInterrupt:
        print("spotcat: interrupted; the same command goes on from here", file=sys.stderr)
        return _INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        text = str(error)
        if isinstance(error, OSError):
            _drop_output()
        elif not isinstance(error, SpotcatError):
            text = f"internal error: {type(error).__name__}: {text} (--debug tells more)"
        print(f"spotcat: {' '.join(text.split())}", file=sys.stderr)
        return error.exit_code if isinstance(error, SpotcatError) else 1
    return 0


def _drop_output() -> None:
    """Forget what is left of the output; Python would complain again when it closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see `{self.prog} --help`")


def _parser() -> argparse.ArgumentParser:
    common = _Parser(add_help=False)
    # Accepted before and after the command; the default must not undo what was said before it.
    common.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks of errors")
    parser = _Parser(prog="spotcat", description="Rotation and starspot catalogs of surveys.", parents=[common])
    parser.add_argument("--version", action="version", version=f"spotcat {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, command: object, words: str) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = commands.add_parser(
            name, help=words, description=words[0].upper() + words[1:] + ".", parents=[common]
        )
        sub.set_defaults(command=command)
        return sub

    run = add("run", _run, "ingest, fit and finalise a survey, or go on where it was left")
    _add_stages(run, site=True)
    run.add_argument("--share", metavar="K/N", help="fit each N-th chunk from the K-th on; others do the rest")
    run.add_argument("--scheduler-file", metavar="FILE", help="use the workers of this Dask scheduler")
    _add_fetch(add("fetch", _fetch, "bring light curves from the public archives into a folder"))
    ingest = add("ingest", _ingest, "read a survey's light curves into its store")
    _add_stages(ingest, site=True)
    ingest.add_argument("--append", action="store_true", help="add new files to the store, writing nothing again")
    _add_stages(add("fit", _fit, "fit the stars of an ingested survey"), site=True)
    _add_stages(add("finalise", _finalise, "join the fitted stars into a catalog"), site=False)
    status = add("status", _status, "say how far a run is")
    status.add_argument("run", metavar="RUN", help="run folder, or recipe")
    _add_stages(add("plan", _plan, "say what the rest of an ingested survey will take"), site=True)
    submit = add("submit", _submit, "run a survey as a Slurm job")
    _add_stages(submit, site=True)
    submit.add_argument("--dry-run", action="store_true", help="write the job's script and show it, no more")
    add("cancel", _cancel, "cancel a run's Slurm job").add_argument("run", metavar="RUN", help="run folder, or recipe")
    _add_query(add("query", _query, "select stars of a catalog"))
    check = add("validate", _validate, "check every byte, column and count of a catalog")
    check.add_argument("catalog", metavar="CATALOG")
    schema = add("schema", _schema, "print the columns of catalogs")
    schema.add_argument("--format", choices=("json", "markdown"), default="json")
    show = add("show", _show, "draw a star: light curve, periodogram, autocorrelation")
    show.add_argument("catalog", metavar="CATALOG")
    show.add_argument("name", metavar="NAME", help="such as 'KIC 10002792'")
    show.add_argument("--out", metavar="FILE", type=Path, required=True, help="PNG, PDF or SVG file to write")
    show.add_argument("--literature", metavar="CSV", help="table of published periods: name, period [d], reference")
    page = add("report", _report, "write a survey page that opens from disk: diagrams, table, pages of stars")
    page.add_argument("catalog", metavar="CATALOG")
    page.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write")
    page.add_argument("--literature", metavar="CSV", help="table of published periods: name, period [d], reference")
    page.add_argument("--validation", metavar="JSON", help="report of `spotcat check recovery` to draw")
    page.add_argument("--stars", metavar="A,B", help="stars with a page (default: the clearest six)")
    _add_stages(add("simulate", _simulate, "make a survey with known truth"), site=False)
    _add_check(add("check", None, "fit simulated surveys, or compare with published periods"))
    return parser


def _add_check(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(metavar="WHAT", required=True)
    recovery = kinds.add_parser("recovery", help="simulated surveys against the truth")
    recovery.set_defaults(command=_check_recovery)
    calibrate = kinds.add_parser("calibrate", help="learn the calibration of the fit from simulated surveys")
    calibrate.set_defaults(command=_check_calibrate)
    calibrate.add_argument("--out", metavar="FILE", type=Path, required=True, help="table to write")
    for kind in (recovery, calibrate):
        _add_stages(kind, site=True)
    literature = kinds.add_parser("literature", help="a catalog against published tables")
    literature.set_defaults(command=_check_literature)
    literature.add_argument("catalog", metavar="CATALOG")
    words = "table of periods; NAME is a file of catalogs/literature, without .toml, or a path"
    literature.add_argument("--table", metavar="NAME=FILE", action="append", required=True, help=words)


def _add_stages(parser: argparse.ArgumentParser, *, site: bool) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="TOML file that says what to run")
    if site:
        parser.add_argument("--site", metavar="SITE", help="TOML file that says where (default: this machine)")


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    words = "'KIC 8264588', 'sector 15', a name, 'RA DEC' in degrees, or a file with one of these a line"
    parser.add_argument("targets", metavar="TARGET", nargs="+", help=words)
    parser.add_argument("--to", metavar="FOLDER", type=Path, required=True, help="where to")
    parser.add_argument("--author", default="", help="such as QLP (default: the missions' own files)")
    parser.add_argument("--campaigns", metavar="N,N", default="", help="quarters, campaigns or sectors (default: all)")
    parser.add_argument("--cadence", choices=("long", "short"), default="long")
    parser.add_argument("--radius", metavar="ARCSEC", type=float, default=0.0, help="all stars of a cone")
    parser.add_argument("--jobs", metavar="N", type=int, default=4, help="files at a time")
    parser.add_argument("--rate", metavar="N", type=float, default=10.0, help="most requests a second")
    parser.add_argument("--timeout", metavar="S", type=float, default=60.0)
    parser.add_argument("--retries", metavar="N", type=int, default=4)
    parser.add_argument("--bucket", metavar="URL", help="address of the bucket (default: the archive's own)")


def _add_query(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("catalog", metavar="CATALOG", help="folder, or URL such as https://...")
    parser.add_argument("expression", metavar="EXPR", nargs="?", default="", help="such as 'prot > 5'")
    parser.add_argument("--columns", metavar="A,B", help="columns to give, in that order")
    parser.add_argument("--star", metavar="NAME", help="one star, by name or star id")
    parser.add_argument("--cone", metavar="RA,DEC,RADIUS", help="stars around a position, all in degrees")
    parser.add_argument(
        "--threshold", metavar="R", type=float, help="only stars of at least this reliability, such as 0.95"
    )
    parser.add_argument("--sort", metavar="COLUMN", help="order by a column; --sort=-COLUMN from high to low")
    parser.add_argument("--limit", metavar="N", type=int, help="give the first N stars only")
    parser.add_argument("--count", action="store_true", help="print only how many stars there are")
    formats = "table|csv|ecsv|fits|votable|parquet|json"
    parser.add_argument("--format", metavar=formats, help="default: the suffix of --out, or table")
    parser.add_argument("--out", metavar="FILE", type=Path, help="file to write instead of standard output")


def _run(options: argparse.Namespace) -> None:
    from dataclasses import replace

    from spotcat.config import load_recipe, load_site
    from spotcat.run.stages import run_share, run_survey
    from spotcat.run.survey import Share

    recipe, site = load_recipe(options.recipe), load_site(options.site)
    if options.scheduler_file:
        site = replace(site, executor="scheduler", scheduler_file=options.scheduler_file)
    if options.share is None:
        _print_summary(run_survey(recipe, site))
    elif (summary := run_share(recipe, site, Share.parse(options.share))) is not None:
        _print_summary(summary)


def _ingest(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.run.stages import ingest_stage

    ingest_stage(load_recipe(options.recipe), load_site(options.site), options.append)


def _fetch(options: argparse.Namespace) -> None:
    from spotcat.ingest.archive import BUCKET, Request
    from spotcat.ingest.download import Policy, Server
    from spotcat.ingest.fetch import MISSING, fetch, read_targets
    from spotcat.run.progress import Progress
    from spotcat.status import RunError

    if options.jobs < 1 or options.retries < 0 or options.radius < 0 or min(options.rate, options.timeout) <= 0:
        raise InputError("--jobs, --rate and --timeout must be positive, --retries and --radius not negative")
    numbers = [number.strip() for number in options.campaigns.split(",") if number.strip()]
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


def _fit(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.run.stages import fit_stage

    fit_stage(load_recipe(options.recipe), load_site(options.site))


def _finalise(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe
    from spotcat.run.stages import finalise_stage

    _print_summary(finalise_stage(load_recipe(options.recipe)))


def _print_summary(summary: CatalogSummary) -> None:
    counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.items())
    print(f"{summary.path}: {summary.n_stars} stars ({counts})")


def _plan(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.run.forecast import forecast

    print("\n".join(forecast(load_recipe(options.recipe), load_site(options.site)).lines()))


def _submit(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.run.slurm import submit

    recipe = load_recipe(options.recipe)
    submission = submit(recipe, load_site(options.site), dry_run=options.dry_run)
    if options.dry_run:
        print(Path(submission.script).read_text(), end="")
        return
    run = recipe.survey.output
    print(f"job {submission.job}: {submission.script}")
    print(f"spotcat status {run}    # how far it is")
    print(f"tail -F {run}/slurm/{submission.job}*.log    # what it says")
    print(f"spotcat cancel {run}    # end it; what is done is kept")


def _cancel(options: argparse.Namespace) -> None:
    from spotcat.run.slurm import cancel

    print(f"job {cancel(_run_folder(options.run))} cancelled; submitting again goes on where it was")


def _run_folder(path: str) -> Path:
    """The run folder that a person names by itself or by its recipe."""
    from spotcat.config import load_recipe

    return Path(path) if Path(path).is_dir() else Path(load_recipe(path).survey.output)


def _status(options: argparse.Namespace) -> None:
    from spotcat.run.folder import RunFolder
    from spotcat.run.slurm import job_states
    from spotcat.run.state import status_of

    folder = _run_folder(options.run)
    print("\n".join(status_of(folder).lines()))
    try:
        print("".join(f"{line}\n" for line in job_states(RunFolder(folder))), end="")
    except RunError as error:
        # The rest of the status needs no Slurm.
        print(f"its job is not known: {error}")


def _query(options: argparse.Namespace) -> None:
    from spotcat.catalog.export import export, export_file, format_of
    from spotcat.catalog.request import Request, answer

    form = options.format or (format_of(options.out) if options.out else "table")
    asked = ("expression", "columns", "star", "cone", "sort", "limit", "threshold")
    request = Request(**{name: getattr(options, name) for name in asked}, printed=form == "table")
    if options.count:
        print(len(answer(options.catalog, replace(request, columns="star_id"))))
        return
    rows = answer(options.catalog, request)
    if options.out is None:
        export(rows, form, sys.stdout)
    else:
        export_file(rows, form, options.out)


def _validate(options: argparse.Namespace) -> None:
    from spotcat.catalog.validate import check

    verdict = check(options.catalog)
    print(f"{options.catalog}: sound; {verdict.n_stars} stars, {verdict.n_files} files")


def _schema(options: argparse.Namespace) -> None:
    from spotcat.catalog.reference import schema_json, schema_markdown

    print(schema_json() if options.format == "json" else schema_markdown(), end="")


def _show(options: argparse.Namespace) -> None:
    from spotcat.catalog.published import published_period, read_periods
    from spotcat.report.star_page import show

    table = read_periods(options.literature) if options.literature else {}
    show(options.catalog, options.name, options.out, published_period(table, options.name))


def _report(options: argparse.Namespace) -> None:
    from spotcat.report.survey_page import report

    stars = None if options.stars is None else [name.strip() for name in options.stars.split(",") if name.strip()]
    print(report(options.catalog, options.out, options.literature, stars, options.validation))


def _check_recovery(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.validation import check_recovery, table

    print(table(check_recovery(load_recipe(options.recipe), load_site(options.site))))


def _check_calibrate(options: argparse.Namespace) -> None:
    from spotcat.config import load_recipe, load_site
    from spotcat.validation import check_calibrate

    check_calibrate(load_recipe(options.recipe), load_site(options.site), options.out)


def _check_literature(options: argparse.Namespace) -> None:
    from spotcat.catalog.published import read_periods, read_source
    from spotcat.catalog.query import open_catalog
    from spotcat.check.literature import agreement, in_words

    catalog = open_catalog(options.catalog)
    found = {name: catalog[name].values for name in ("name", "prot", "rotating", "flags")}
    for pair in options.table:
        name, separator, file = pair.partition("=")
        if not separator:
            raise InputError(f"--table must be NAME=FILE, got {pair!r}")
        source = read_source(name)
        print(in_words(source, agreement(found, read_periods(file, source))))


def _simulate(options: argparse.Namespace) -> None:
    from spotcat.check.simulate import simulate_survey
    from spotcat.config import load_recipe

    print(simulate_survey(load_recipe(options.recipe)))
