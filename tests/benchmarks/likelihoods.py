"""Our log-likelihood beside spotgp's on twenty curves of its own simulator, at the parameters that made them.

    python tests/benchmarks/likelihoods.py

Needs the ``bench`` extra.  Prints a Markdown table; where spotgp's formulas hold and the two are not equal to 1e-6 the
exit code is 1.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import jax

sys.path.insert(0, str(Path(__file__).parents[1] / "gp"))
from test_gp_spotgp import beside_spotgp, draw


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, jax.enable_x64(True):
        curves = beside_spotgp(draw(20), Path(folder))
    print("| lspot | tau_spot | P | kappa | inc | kernels differ by | ln L differ by |")
    print("|---|---|---|---|---|---|---|")
    equal = True
    for curve in curves:
        lspot, tau = curve.parameters[:2]
        apart = f"{curve.kernel:.1e} | {curve.likelihood:.1e}" if lspot > tau else "spotgp refuses | "
        equal &= (curve.kernel < 1e-6 and curve.likelihood < 1e-6) == (lspot > tau)
        print("|", " | ".join(f"{x:.2f}" for x in curve.parameters), f"| {apart} |")
    sys.exit(not equal)


if __name__ == "__main__":
    main()
