"""Figures of a one-star fit; each draws into given axes, or into new ones, and returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spotcat.gp.solver import GPSolver

DATA, MODEL = "0.25", "#b2352b"
_POINTS = 500


def plot_prediction(solver: GPSolver, theta: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
    """Measurements and the conditional mean with one and two standard deviations."""
    ax = _axes(ax, "time [d]", "relative flux")
    t = np.linspace(solver.x.min(), solver.x.max(), _POINTS)
    mean, sd = solver.predict(t, theta)
    ax.errorbar(solver.x, solver.y, solver.yerr, fmt=".", ms=2, lw=0.5, color=DATA, label="measured")
    ax.plot(t, mean, color=MODEL, lw=1, label="conditional mean")
    for n in (1, 2):
        ax.fill_between(t, mean - n * sd, mean + n * sd, color=MODEL, alpha=0.2, lw=0)
    ax.legend(frameon=False)
    return ax


def plot_acf(solver: GPSolver, theta: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
    """Autocovariance of the measurements, in bins of the median cadence, and of the model."""
    ax = _axes(ax, "lag [d]", "covariance")
    off = solver.y.copy()
    for k in range(solver.segment.max() + 1):
        off[solver.segment == k] -= off[solver.segment == k].mean()
    step = float(np.median(np.diff(np.sort(solver.x))))
    bins = np.rint(np.abs(solver.x[:, None] - solver.x[None, :]) / step).astype(int).ravel()
    longest = bins.max() // 2
    kept = bins <= longest
    count = np.bincount(bins[kept], minlength=longest + 1)
    total = np.bincount(bins[kept], np.outer(off, off).ravel()[kept], minlength=longest + 1)
    lag = np.arange(longest + 1) * step
    seen = count > 0
    ax.plot(lag[seen], total[seen] / count[seen], ".", ms=3, color=DATA, label="measured")
    ax.plot(lag, _evaluate(_covariance, solver, theta, lag), color=MODEL, lw=1, label="model")
    ax.legend(frameon=False)
    return ax


def plot_psd(solver: GPSolver, theta: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
    """Periodogram of the measurements and the model's spectrum plus white noise, against frequency."""
    from astropy.timeseries import LombScargle

    ax = _axes(ax, "frequency [1/d]", "power spectral density [d]")
    span, n = np.ptp(solver.x), solver.x.size
    frequency = np.arange(1, n // 2) / span
    power = LombScargle(solver.x, solver.y - solver.y.mean()).power(frequency, normalization="psd")
    step = span / max(n - 1, 1)
    white = step * (np.mean(solver.yerr**2) + float(solver._at(theta).white()))
    ax.loglog(frequency, power * step, color=DATA, lw=0.5, label="periodogram")
    model = _evaluate(_spectrum, solver, theta, 2 * np.pi * frequency)
    ax.loglog(frequency, model + white, color=MODEL, lw=1, label="model and noise")
    ax.legend(frameon=False)
    return ax


def plot_covariance(solver: GPSolver, theta: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
    """The covariance matrix of the measurements."""
    from spotcat.gp.dense import measured_covariance

    ax = _axes(ax, "measurement", "measurement")
    with jax.enable_x64(True):
        matrix = np.asarray(jax.jit(measured_covariance)(solver._at(theta), solver._data))
    matrix = matrix[: solver.x.size, : solver.x.size]  # what is padded has variance 1, far above any measurement
    largest = np.abs(matrix).max()
    image = ax.imshow(matrix, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="covariance")
    return ax


def _axes(ax: Axes | None, x: str, y: str) -> Axes:
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1]
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    return ax


def _evaluate(function: Any, solver: GPSolver, theta: ArrayLike | None, at: np.ndarray) -> np.ndarray:
    """A compiled function of the fitted term, on an array padded to a power of two."""
    padded = np.zeros(1 << (at.size - 1).bit_length())
    padded[: at.size] = at
    with jax.enable_x64(True):
        return np.asarray(function(solver._at(theta), padded))[: at.size]


_covariance = jax.jit(lambda term, lag: term.covariance(lag))
_spectrum = jax.jit(lambda term, omega: term.spectrum(omega))
