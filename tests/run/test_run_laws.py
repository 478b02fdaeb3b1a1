"""A survey with another envelope, visibility and law of latitudes than the default, from its recipe to its catalog."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spotcat import SpotEvolutionModel, simulate_stars
from spotcat.catalog.query import open_catalog
from spotcat.catalog.validate import validate
from spotcat.config import Recipe, Site, Spots, load_recipe
from spotcat.fit.buckets import choose_bucket
from spotcat.fit.engine import fit_stars
from spotcat.ingest.store import LightCurveStore
from spotcat.model.composite import covariance
from spotcat.model.grid import Grid
from spotcat.model.laws import envelope_of, latitude_of, visibility_of
from spotcat.report.fitted import load_fitted
from spotcat.run.stages import run_survey

LAWS = Spots("exponential", (), "limb-darkened", (0.4, 0.25), "belts", (25.0, 8.0))
STARS = ((4.0, 14.0), (6.0, 16.0), (8.0, 20.0))
"""Period and spot lifetime [d]."""
RECIPE = """
[survey]
name = "laws"
output = "{output}"
seed = 1
[input]
files = ["{stars}/*.csv"]
[fit]
envelope = "exponential"
visibility = "limb-darkened"
visibility_numbers = [0.4, 0.25]
latitude = "belts"
latitude_numbers = [25, 8]
n_period = 32
shears = [0.1]
lifetimes = [4.0, 12.0]
confirm_modes = 1
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe of a finished run of three stars that were made by its very laws."""
    folder = tmp_path_factory.mktemp("laws")
    (folder / "stars").mkdir()
    time = 0.5 * np.arange(190)
    for k, (period, life) in enumerate(STARS):
        envelope = envelope_of(LAWS)
        model = SpotEvolutionModel(
            envelope.make(*envelope.split(life, 0.5)),
            visibility_of(LAWS, period, 0.1, 1.2),
            0.01,
            latitude=latitude_of(LAWS),
        )
        flux = np.asarray(simulate_stars(model, time, 1, nspot_rate=0.2, seed=k).flux)[0]
        noise = 0.2 * flux.std()
        columns = np.column_stack([time, flux + noise * np.random.default_rng(k).normal(size=time.size)])
        table = np.column_stack([columns, np.full(time.size, noise)])
        np.savetxt(folder / f"stars/star{k}.csv", table, delimiter=",", header="time,flux,flux_err", comments="")
    path = folder / "laws.toml"
    path.write_text(RECIPE.format(output=folder / "run", stars=folder / "stars"))
    loaded = load_recipe(path)
    run_survey(loaded, Site(executor="serial"))
    return loaded


@pytest.mark.slow
def test_periods_and_lifetimes_are_found_and_the_catalog_names_the_laws(recipe: Recipe) -> None:
    path = Path(recipe.survey.output) / "catalog.zarr"
    assert not validate(path).problems
    catalog = open_catalog(path)
    words = {"envelope": ["exponential"], "visibility": ["limb-darkened", 0.4, 0.25], "latitude": ["belts", 25.0, 8.0]}
    assert catalog.attrs["spots"] == words == LAWS.words
    columns = ("prot", "spot_lifetime", "spot_lifetime_lower95", "spot_lifetime_upper95", "lspot", "tau_spot")
    order = np.argsort(catalog["name"].values)
    got = {name: catalog[name].values[order] for name in columns}
    period, life = np.transpose(STARS)
    print(got)
    np.testing.assert_allclose(got["prot"], period, rtol=0.1)
    assert not catalog["lifetime_flag"].values.any()
    assert np.all((got["spot_lifetime_lower95"] < life) & (life < got["spot_lifetime_upper95"]))
    assert np.exp(np.mean(np.log(got["spot_lifetime"] / life))) == pytest.approx(1, abs=0.3)
    # An exponential has no plateau; half its area goes by in ln 2 / 2 of its time on either side.
    assert not got["lspot"].any()
    np.testing.assert_allclose(got["spot_lifetime"], np.log(2) * got["tau_spot"])
    np.testing.assert_allclose(catalog["spot_support"].values, 10.85 * catalog["tau_spot"].values, rtol=1e-3)
    # The coordinate without effect stays where its prior, given the other, is highest.
    names = catalog.attrs["fit_parameters"]
    ratio = catalog["fit_vector"].values @ np.array([(n == "ln_tau_spot") - 1.0 * (n == "ln_lspot") for n in names])
    np.testing.assert_allclose(ratio, recipe.fit.prior_decay_ratio[0], atol=0.01)


@pytest.mark.slow
def test_a_batch_gives_what_one_by_one_gives(recipe: Recipe) -> None:
    folder = Path(recipe.survey.output)
    catalog, store = open_catalog(folder / "catalog.zarr"), LightCurveStore(folder / "lightcurves.zarr")
    (star,) = store.read([int(catalog["star_id"].values[1])])
    alone = fit_stars([star], choose_bucket(float(np.ptp(star.time)), 0.5, 1, recipe.fit), recipe.fit, len(STARS))
    for name in ("prot", "spot_lifetime", "spot_lifetime_upper", "sigma_k", "kappa", "lnl_rotation"):
        assert alone.columns[name][0] == pytest.approx(float(catalog[name].values[1]), rel=1e-6), name


@pytest.mark.slow
def test_a_star_is_drawn_with_the_covariance_of_its_laws(recipe: Recipe) -> None:
    star = load_fitted(Path(recipe.survey.output) / "catalog.zarr", "star0")
    layout = Grid(star.grid.y.size, star.dt).layout(recipe.fit)
    theta, other = star.row["fit_vector"], replace(layout, spots=Spots())
    with jax.enable_x64(True):
        fitted = jax.jit(covariance)
        own, default = (np.asarray(fitted(jnp.asarray(theta), star.grid.width, one)) for one in (layout, other))
    np.testing.assert_allclose(star.prediction.covariance, own, atol=1e-9 * own[0])
    assert np.max(np.abs(default - own)) > 0.01 * own[0]
