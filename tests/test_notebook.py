"""The reference workflow, cell by cell: a spot model, its equations, a light curve, a kernel."""

from __future__ import annotations

import re
import time

import matplotlib as mpl
import numpy as np
import pytest

MODEL_TEXT = """SpotEvolutionModel(
  envelope=TrapezoidSymmetricEnvelope({'lspot': 15.0, 'tau_spot': 5.0}),
  visibility=VisibilityFunction(peq=10.0, kappa=0.3, inc=1.047),
  sigma_k=0.01
)
"""


def test_notebook_runs_from_top_to_bottom(capsys: pytest.CaptureFixture[str]) -> None:
    mpl.use("Agg")
    import jax.numpy as jnp
    import matplotlib.pyplot as plt

    from spotcat import (
        AnalyticKernel,
        LightcurveModel,
        SpotEvolutionModel,
        TrapezoidSymmetricEnvelope,
        VisibilityFunction,
    )

    def printed() -> str:
        return capsys.readouterr().out

    np.random.seed(42)  # noqa: NPY002

    envelope = TrapezoidSymmetricEnvelope(lspot=15.0, tau_spot=5.0)
    print("param_dict :", envelope.param_dict)
    print("kernel_support:", envelope.kernel_support(), "days")
    assert printed() == "param_dict : {'lspot': 15.0, 'tau_spot': 5.0}\nkernel_support: 25.0 days\n"

    _ = envelope.get_sympy()
    text = printed()
    assert (
        r"\hat{\Gamma}(\omega) = \frac{4 \left(\omega \tau_{\rm spot} \cos{\left(\frac{\ell \omega}{2} \right)}" in text
    )
    assert r"\Gamma(t) = \begin{cases} 0 & \text{for}\: t < - \frac{\ell}{2} - \tau_{\rm spot} \\" in text
    assert r"R_{\Gamma}(\tau) = " in text
    assert "[numerical]" not in text

    t = np.linspace(-30, 30, 500)
    fig, axes = plt.subplots(1, 3, figsize=(14, 4))
    axes[0].plot(t, envelope.Gamma(jnp.array(t)))
    lag = np.linspace(0, 40, 500)
    axes[1].plot(lag, envelope.R_Gamma(jnp.array(lag)))
    omega = np.linspace(0, 5, 500)
    axes[2].plot(omega, envelope.Gamma_hat(jnp.array(omega)))
    fig.canvas.draw()

    visibility = VisibilityFunction(peq=10.0, kappa=0.3, inc=np.pi / 3)
    print("param_keys:", visibility.param_keys)
    print("param_dict:", visibility.param_dict)
    assert printed() == (
        "param_keys: ('peq', 'kappa', 'inc')\nparam_dict: {'peq': 10.0, 'kappa': 0.3, 'inc': 1.0471975511965976}\n"
    )
    _ = visibility.get_sympy()
    assert (
        r"\omega_0(\phi) = \frac{2 \pi \left(- \kappa \sin^{2}{\left(\phi \right)} + 1\right)}{P_{\rm eq}}" in printed()
    )

    model = SpotEvolutionModel(envelope=envelope, visibility=visibility, sigma_k=0.01)
    assert model.param_keys == ("peq", "kappa", "inc", "lspot", "tau_spot", "sigma_k")
    print(model)
    assert printed() == MODEL_TEXT
    _ = model.get_sympy()
    assert "  envelope  : TrapezoidSymmetricEnvelope\n  visibility: VisibilityFunction\n" in printed()

    lc = LightcurveModel.from_spot_model(
        spot_model=model, nspot=30, tsim=150, tsamp=0.5, lat=[-np.pi / 2, np.pi / 2], long=[0, 2 * np.pi]
    )
    print(f"Lightcurve: {len(lc.t)} points  [{lc.t[0]:.1f} - {lc.t[-1]:.1f} days]")
    assert printed() == "Lightcurve: 300 points  [0.0 - 149.5 days]\n"
    sigma_n = 0.3 * np.std(lc.flux)
    flux_obs = lc.flux + np.random.normal(0, sigma_n, lc.flux.shape)  # noqa: NPY002
    fig, ax = plt.subplots(figsize=(13, 4))
    ax.errorbar(lc.t, (flux_obs - 1) * 100, yerr=np.full_like(flux_obs, sigma_n) * 100, fmt=".k", ms=3, alpha=0.6)
    fig.canvas.draw()

    ak = AnalyticKernel(model).build_jax()
    assert re.fullmatch(r"JAX kernel compiled in \d+\.\d\ds\n", printed())
    lag = np.linspace(0, 3 * model.peq, 300)
    t0 = time.time()
    kernel = ak.kernel(lag)
    print(f"Kernel eval (post-compile): {(time.time() - t0) * 1e3:.1f} ms")
    assert kernel.shape == (300,)
    assert np.all(kernel[lag >= envelope.kernel_support()] == 0)
    assert np.argmax(kernel / kernel[0]) == 0
    plt.close("all")
