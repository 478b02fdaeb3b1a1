"""Block-banded Cholesky factorisation of a stationary covariance on a regular grid with missing points.

On a regular grid the covariance is Toeplitz, and with compact support it is banded.  Cut into blocks no narrower than
the band it is block tridiagonal, with equal blocks but for missing points and noise:

    S_1 = D_1,    L_i = chol(S_i),    W_i = B_i L_i^-T,    S_{i+1} = D_{i+1} - W_i W_i^T.

One block as wide as the grid is the dense factorisation.  Derivatives need the inverse only inside the band, which a
backward recursion gives (Takahashi's selected inverse), so a gradient costs about two more factorisations.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import solve_triangular


class Whitened(NamedTuple):
    """What a Gaussian likelihood needs of ``C = L L^T``.

    Attributes:
        gram: ``X^T C^-1 X`` for the columns ``X``, shape (c, c).
        log_det: ``ln det C``.
    """

    gram: Array
    log_det: Array


class _Factors(NamedTuple):
    """Blocks of the factor and whitened columns; leading axis the block."""

    diagonal: Array  # L_i
    coupling: Array  # W_{i-1}: the block to the left of L_i, zero for the first
    columns: Array  # L^-1 X


def toeplitz_blocks(k: Array, block: int) -> tuple[Array, Array]:
    """Diagonal and sub-diagonal block of a banded Toeplitz matrix.

    Args:
        k: covariance at lags 0 .. M-1 grid steps, zero from `block` steps on (or `block` = M).
        block: block width, a divisor of M.

    Returns:
        Two arrays of shape (block, block).
    """
    i = jnp.arange(block)
    near = k[jnp.abs(i[:, None] - i[None, :])]
    step = block + i[:, None] - i[None, :]
    far = jnp.where(step < k.shape[0], k[jnp.minimum(step, k.shape[0] - 1)], 0.0)
    return near, far


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def whiten(k: Array, noise: Array, mask: Array, columns: Array, block: int) -> Whitened:
    """Factor ``C = mask T(k) mask + diag(noise)`` and project columns on it, block by block.

    A missing point (mask 0) must have noise 1 and zero columns; it then changes nothing.

    Args:
        k: covariance at lags 0 .. M-1 grid steps; zero from `block` steps on unless `block` is M.
        noise: variance of every point, shape (M,).
        mask: 1 where there is a measurement, shape (M,); not differentiated.
        columns: shape (M, c).
        block: block width, a divisor of M.

    Returns:
        Gram matrix and log-determinant; NaN where the matrix is not positive definite.
    """
    return _whitened(_factor(k, noise, mask, columns, block))


def _factor(k: Array, noise: Array, mask: Array, columns: Array, block: int) -> _Factors:
    n_blocks, c = k.shape[0] // block, columns.shape[1]
    near, far = toeplitz_blocks(k, block)
    masks = mask.reshape(n_blocks, block)
    before = jnp.concatenate([jnp.zeros((1, block), mask.dtype), masks[:-1]])

    def step(carry: tuple[Array, Array], x: tuple[Array, ...]) -> tuple[tuple[Array, Array], _Factors]:
        factor, z = carry
        m, m_before, v, cols = x
        coupling = solve_triangular(factor, (far * m[:, None] * m_before[None, :]).T, lower=True).T
        factor = jnp.linalg.cholesky(near * m[:, None] * m[None, :] + jnp.diag(v) - coupling @ coupling.T)
        z = solve_triangular(factor, cols - coupling @ z, lower=True)
        return (factor, z), _Factors(factor, coupling, z)

    xs = (masks, before, noise.reshape(n_blocks, block), columns.reshape(n_blocks, block, c))
    if n_blocks == 1:
        factor = jnp.linalg.cholesky(near * mask[:, None] * mask[None, :] + jnp.diag(noise))
        z = solve_triangular(factor, columns, lower=True)
        return _Factors(factor[None], jnp.zeros((1, 1, 1)), z[None])
    return jax.lax.scan(step, (jnp.eye(block), jnp.zeros((block, c))), xs)[1]


def _whitened(factors: _Factors) -> Whitened:
    diagonal = jnp.diagonal(factors.diagonal, axis1=1, axis2=2)
    gram = jnp.einsum("bic,bid->cd", factors.columns, factors.columns)
    return Whitened(gram, 2 * jnp.sum(jnp.log(diagonal)))


def _whiten_forward(k: Array, noise: Array, mask: Array, columns: Array, block: int) -> tuple[Whitened, tuple]:
    factors = _factor(k, noise, mask, columns, block)
    return _whitened(factors), (factors, mask)


def _whiten_backward(block: int, saved: tuple[_Factors, Array], cotangent: Whitened) -> tuple:
    """With ``Y = C^-1 X``: the cotangent of ``C`` is ``log_det_bar C^-1 - Y gram_bar Y^T``, needed inside the band."""
    factors, mask = saved
    n_blocks, _, c = factors.columns.shape
    gram_bar = (cotangent.gram + cotangent.gram.T) / 2
    masks = mask.reshape(n_blocks, block)

    def combine(inverse: Array, left: Array, right: Array) -> Array:
        return cotangent.log_det * inverse - left @ gram_bar @ right.T

    last_inverse, last_solved = _inverse(factors.diagonal[-1]), _back(factors.diagonal[-1], factors.columns[-1])
    last = combine(last_inverse, last_solved, last_solved)
    near = last * masks[-1][:, None] * masks[-1][None, :]
    if n_blocks == 1:
        k_bar = _diagonal_sums(near)
        return k_bar, jnp.diagonal(last), jnp.zeros_like(mask), 2 * last_solved @ gram_bar

    def step(carry: tuple, x: tuple[Array, ...]) -> tuple[tuple, tuple[Array, Array]]:
        inverse, solved, near, far = carry
        factor, coupling, z, m, m_after = x
        solved_here = _back(factor, z - coupling.T @ solved)
        reach = solve_triangular(factor, coupling.T, lower=True, trans=1)  # L_i^-T W_i^T
        across = -inverse @ reach.T
        inverse_here = _inverse(factor) - reach @ across
        own = combine(inverse_here, solved_here, solved_here)
        near = near + own * m[:, None] * m[None, :]
        far = far + combine(across, solved, solved_here) * m_after[:, None] * m[None, :]
        return (inverse_here, solved_here, near, far), (jnp.diagonal(own), solved_here)

    xs = (factors.diagonal[:-1], factors.coupling[1:], factors.columns[:-1], masks[:-1], masks[1:])
    carry = (last_inverse, last_solved, near, jnp.zeros((block, block)))
    (_, _, near, far), (noise_bar, solved) = jax.lax.scan(step, carry, xs, reverse=True)
    k_bar = _diagonal_sums(near, 2 * far)[: n_blocks * block]
    k_bar = jnp.pad(k_bar, (0, n_blocks * block - k_bar.shape[0]))
    noise_bar = jnp.concatenate([noise_bar.ravel(), jnp.diagonal(last)])
    columns_bar = 2 * jnp.concatenate([solved.reshape(-1, c), last_solved]) @ gram_bar
    return k_bar, noise_bar, jnp.zeros_like(mask), columns_bar


def _back(factor: Array, z: Array) -> Array:
    """``L^-T z``."""
    return solve_triangular(factor, z, lower=True, trans=1)


def _inverse(factor: Array) -> Array:
    """``(L L^T)^-1``."""
    root = solve_triangular(factor, jnp.eye(factor.shape[0]), lower=True)
    return root.T @ root


def _diagonal_sums(near: Array, far: Array | None = None) -> Array:
    """Transpose of ``toeplitz_blocks``: sums over the diagonals of both blocks, shape (2 block - 1,) or (block,)."""
    m = near.shape[0]
    below = _skewed_sum(near[::-1])  # lag j - i from 1 - m to m - 1
    sums = below[m - 1 :] + jnp.where(jnp.arange(m) == 0, 0.0, below[m - 1 :: -1])
    if far is None:
        return sums
    # The block to the left of the diagonal one has lag block + i - j, from 1 to 2 block - 1.
    across = jnp.concatenate([jnp.zeros(1), _skewed_sum(far[:, ::-1])])
    return across + jnp.pad(sums, (0, m))


def _skewed_sum(a: Array) -> Array:
    """Sums over ``i + j`` of a square matrix, shape (2 m - 1,), by a change of row length instead of a scatter."""
    m = a.shape[0]
    return jnp.pad(a, ((0, 0), (0, m))).ravel()[: m * (2 * m - 1)].reshape(m, 2 * m - 1).sum(axis=0)


whiten.defvjp(_whiten_forward, _whiten_backward)
