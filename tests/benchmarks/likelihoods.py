"""Our log-likelihood beside spotgp's on twenty curves of its own simulator, at the parameters that made them.

    python tests/benchmarks/likelihoods.py [CURVES] [--smallest]

Needs the ``bench`` extra, and has nothing to say without.  Prints a Markdown table; where spotgp's formulas hold and
the two are not equal to 1e-6 the exit code is 1.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import harness
import jax
from test_gp_spotgp import beside_spotgp, draw


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("curves", type=int, nargs="?", default=harness.size(20, 3))
    n_curves = parser.parse_args().curves
    harness.heading()
    if not harness.has("spotgp"):
        return
    with tempfile.TemporaryDirectory() as folder, jax.enable_x64(True):
        curves = beside_spotgp(draw(n_curves), Path(folder))
    harness.head("lspot", "tau_spot", "P", "kappa", "inc", "kernels differ by", "ln L differ by")
    equal = True
    for curve in curves:
        lspot, tau = curve.parameters[:2]
        apart = (f"{curve.kernel:.1e}", f"{curve.likelihood:.1e}") if lspot > tau else ("spotgp refuses", "")
        equal &= (curve.kernel < 1e-6 and curve.likelihood < 1e-6) == (lspot > tau)
        harness.row(*(f"{x:.2f}" for x in curve.parameters), *apart)
    sys.exit(not equal)


if __name__ == "__main__":
    main()
