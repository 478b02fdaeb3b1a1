"""Block-banded Cholesky factorisation of a stationary covariance on a regular grid with missing points.

On a regular grid the covariance is Toeplitz, and with compact support it is banded.  Cut into blocks no narrower than
the band it is block tridiagonal, with equal blocks but for missing points and noise:

    S_1 = D_1,    L_i = chol(S_i),    W_i = B_i L_i^-T,    S_{i+1} = D_{i+1} - W_i W_i^T.

One block as wide as the grid is the dense factorisation.  Derivatives need the inverse only inside the band, which a
backward recursion gives (Takahashi's selected inverse).  A block is factored and its factor inverted together, by
halves, so that all but small leaves is matrix products: these are what processors and their libraries do fastest.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import solve_triangular

_LEAF, _LARGE = 64, 128


class Factor(NamedTuple):
    """The Cholesky factor L of a covariance, padded to whole blocks; leading axis of the arrays the block.

    Attributes:
        root: inverse of each diagonal block, shape (n, b, b).
        coupling: block to the left of each diagonal one, zero for the first, shape (n, b, b).
        log_det: logarithm of the covariance's determinant; NaN where it is not positive definite.
    """

    root: Array
    coupling: Array
    log_det: Array


def factorise(k: Array, noise: Array, mask: Array, block: int) -> Factor:
    """Factor ``mask T(k) mask + diag(noise)``.

    A missing point (mask 0) must have noise 1; it then stands apart from all others.

    Args:
        k: covariance at lags 0 .. M-1 grid steps; zero from `block` steps on unless `block` is M.
        noise: variance of every point, shape (M,).
        mask: 1 where there is a measurement, shape (M,).
        block: block width b.
    """
    near, far = _toeplitz_blocks(k, block)
    masks, noises = _blocks(mask, block), _blocks(noise, block, fill=1.0)
    if len(masks) == 1:
        root, log_det = _inverse_factor(near * mask[:, None] * mask[None, :] + jnp.diag(noise))
        return Factor(root[None], jnp.zeros((1, 1, 1)), log_det)

    def step(root: Array, x: tuple[Array, Array, Array]) -> tuple[Array, tuple[Array, Array, Array]]:
        m, m_before, v = x
        coupling = _upper_product(far * m[:, None] * m_before[None, :], root.T)
        root, log_det = _inverse_factor(near * m[:, None] * m[None, :] + jnp.diag(v) - _upper_square(coupling))
        return root, (root, coupling, log_det)

    before = jnp.concatenate([jnp.zeros_like(masks[:1]), masks[:-1]])
    root, coupling, log_det = jax.lax.scan(step, jnp.eye(block, dtype=k.dtype), (masks, before, noises))[1]
    return Factor(root, coupling, log_det.sum())


def whiten(factor: Factor, x: Array) -> Array:
    """``L^-1 x``; shape (M, c), c columns at once."""
    if len(factor.root) == 1:
        return factor.root[0] @ x

    def step(before: Array, item: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        root, coupling, part = item
        z = root @ (part - coupling @ before)
        return z, z

    parts = _blocks(x, factor.root.shape[1])
    z = jax.lax.scan(step, jnp.zeros_like(parts[0]), (factor.root, factor.coupling, parts))[1]
    return z.reshape(-1, x.shape[1])[: len(x)]


def unwhiten(factor: Factor, z: Array) -> Array:
    """``L^-T z``; shape (M, c)."""
    if len(factor.root) == 1:
        return factor.root[0].T @ z

    def step(pull: Array, item: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        root, coupling, part = item
        x = root.T @ (part - pull)
        return coupling.T @ x, x

    parts = _blocks(z, factor.root.shape[1])
    x = jax.lax.scan(step, jnp.zeros_like(parts[0]), (factor.root, factor.coupling, parts), reverse=True)[1]
    return x.reshape(-1, z.shape[1])[: len(z)]


def inverse_diagonals(factor: Factor, mask: Array) -> tuple[Array, Array]:
    """Sums of the covariance's inverse along its diagonals, and its main diagonal; missing points left out.

    Args:
        factor: of the covariance.
        mask: 1 where there is a measurement, shape (M,).

    Returns:
        Sums over both diagonals of each lag within the band, and the main diagonal; both of shape (M,).
    """
    m, block = len(mask), factor.root.shape[1]
    if len(factor.root) == 1:
        # With C^-1 = R^T R a sum along a diagonal is one over the autocorrelations of R's rows.
        root = factor.root[0]
        sums, diagonal = _triangular_sums(root), jnp.sum(root**2, axis=0)
    else:
        last = _gram(factor.root[-1])

        def step(carry: tuple[Array, Array, Array], item: tuple[Array, Array]) -> tuple[tuple, Array]:
            inverse, near, far = carry
            root, coupling = item
            reach = _upper_lower_product(coupling, root)
            across = -inverse @ reach
            here = _gram(root) - _symmetric_product(reach.T, across)
            return (here, near + here, far + across), jnp.diagonal(here)

        carry = (last, last, jnp.zeros_like(last))
        (_, near, far), rest = jax.lax.scan(step, carry, (factor.root[:-1], factor.coupling[1:]), reverse=True)
        sums = _diagonal_sums(near, 2 * far)
        sums = jnp.pad(sums, (0, max(m - 2 * block, 0)))[:m]
        diagonal = jnp.concatenate([rest.ravel(), jnp.diagonal(last)])[:m]
    diagonal = diagonal * mask
    return sums.at[0].set(diagonal.sum()), diagonal


def toeplitz_product(k: Array, x: Array) -> Array:
    """``T(k) x`` for covariances at lags 0 .. M-1 and vectors, both of shape (..., M), by fast Fourier transform."""
    m = x.shape[-1]
    circulant = jnp.concatenate([k, jnp.zeros_like(k[..., :1]), k[..., :0:-1]], axis=-1)
    return jnp.fft.irfft(jnp.fft.rfft(circulant).real * jnp.fft.rfft(x, 2 * m), 2 * m)[..., :m]


def autocorrelation_sums(x: Array) -> Array:
    """Sums of ``x x^T`` over both diagonals of each lag, added up over leading axes; shape (..., M) to (M,)."""
    m = x.shape[-1]
    power = jnp.abs(jnp.fft.rfft(x, 2 * m)) ** 2
    sums = jnp.fft.irfft(power.reshape(-1, m + 1).sum(0), 2 * m)[:m]
    return sums * jnp.where(jnp.arange(m) == 0, 1.0, 2.0)


def _blocks(x: Array, block: int, fill: float = 0.0) -> Array:
    """The first axis cut into blocks, the last one filled up."""
    missing = -len(x) % block
    padded = jnp.pad(x, [(0, missing)] + [(0, 0)] * (x.ndim - 1), constant_values=fill)
    return padded.reshape(-1, block, *x.shape[1:])


def _toeplitz_blocks(k: Array, block: int) -> tuple[Array, Array]:
    """Diagonal and sub-diagonal block of a banded Toeplitz matrix, each of shape (block, block)."""
    long = jnp.pad(k, (0, max(2 * block - len(k), 0)))
    nothing = jnp.zeros_like(k[:1])
    near = _toeplitz(jnp.concatenate([long[:block], nothing, long[block - 1 : 0 : -1]]))
    far = _toeplitz(jnp.concatenate([long[block:0:-1], nothing, long[2 * block - 1 : block : -1]]))
    return near, far


def _toeplitz(v: Array) -> Array:
    """The matrix of elements ``v[(j - i) mod 2 m]``, shape (2 m,) to (m, m), by a change of row length: no gather."""
    m = len(v) // 2
    return jnp.broadcast_to(v, (m, 2 * m)).ravel()[: m * (2 * m - 1)].reshape(m, 2 * m - 1)[:, :m]


def _inverse_factor(a: Array) -> tuple[Array, Array]:
    """``L^-1`` of a positive definite matrix ``L L^T``, and the logarithm of its determinant; of others NaN.

    By halves: with ``R_1`` and ``R_2`` of the upper left quarter and of what is left of the lower right one,

        L_21 = A_21 R_1^T,    A_22 - L_21 L_21^T = L_2 L_2^T,    R_21 = -R_2 L_21 R_1.
    """
    if not _has_halves(a):
        factor = jax.lax.linalg.cholesky(a, symmetrize_input=False)
        root = solve_triangular(factor, jnp.eye(len(a), dtype=a.dtype), lower=True)
        return root, 2 * jnp.sum(jnp.log(jnp.diagonal(factor)))
    (first, _), (corner, last) = _quarters(a)
    first, of_first = _inverse_factor(first)
    below = _right_transposed(corner, first)
    last, of_last = _inverse_factor(last - below @ below.T)
    corner = -_left_product(last, _right_product(below, first))
    return jnp.block([[first, jnp.zeros_like(corner)], [corner, last]]), of_first + of_last


def _right_product(x: Array, y: Array) -> Array:
    """``X Y`` for a lower triangular Y, by halves where that is large enough to pay."""
    if not _is_large(y):
        return x @ y
    h = len(y) // 2
    left = _right_product(x[:, :h], y[:h, :h]) + x[:, h:] @ y[h:, :h]
    return jnp.concatenate([left, _right_product(x[:, h:], y[h:, h:])], axis=1)


def _right_transposed(x: Array, y: Array) -> Array:
    """``X Y^T`` for a lower triangular Y, by halves where that is large enough to pay."""
    if not _is_large(y):
        return x @ y.T
    h = len(y) // 2
    right = x[:, :h] @ y[h:, :h].T + _right_transposed(x[:, h:], y[h:, h:])
    return jnp.concatenate([_right_transposed(x[:, :h], y[:h, :h]), right], axis=1)


def _left_product(x: Array, y: Array) -> Array:
    """``X Y`` for a lower triangular X, by halves where that is large enough to pay."""
    if not _is_large(x):
        return x @ y
    h = len(x) // 2
    below = x[h:, :h] @ y[:h] + _left_product(x[h:, h:], y[h:])
    return jnp.concatenate([_left_product(x[:h, :h], y[:h]), below])


def _triangular_sums(root: Array) -> Array:
    """``autocorrelation_sums`` of a lower triangular matrix: its upper rows are shorter."""
    m = len(root)
    if not _is_large(root):
        return autocorrelation_sums(root)
    upper = jnp.pad(_triangular_sums(root[: m // 2, : m // 2]), (0, m - m // 2))
    return upper + autocorrelation_sums(root[m // 2 :])


def _gram(root: Array) -> Array:
    """``R^T R`` of a lower triangular matrix, by halves."""
    if not _has_halves(root):
        return root.T @ root
    (first, _), (corner, second) = _quarters(root)
    across = second.T @ corner
    return jnp.block([[_gram(first) + corner.T @ corner, across.T], [across, _gram(second)]])


def _upper_product(x: Array, y: Array) -> Array:
    """``X Y`` of upper triangular matrices, itself one, by halves."""
    if not _has_halves(x):
        return x @ y
    (a, b), (_, c) = _quarters(x)
    (d, e), (_, f) = _quarters(y)
    return jnp.block([[_upper_product(a, d), a @ e + b @ f], [jnp.zeros_like(a), _upper_product(c, f)]])


def _upper_square(x: Array) -> Array:
    """``X X^T`` of an upper triangular matrix, by halves."""
    if not _has_halves(x):
        return x @ x.T
    (a, b), (_, c) = _quarters(x)
    across = c @ b.T
    return jnp.block([[_upper_square(a) + b @ b.T, across.T], [across, _upper_square(c)]])


def _upper_lower_product(x: Array, y: Array) -> Array:
    """``X Y`` of an upper and a lower triangular matrix, by halves."""
    if not _has_halves(x):
        return x @ y
    (a, b), (_, c) = _quarters(x)
    (d, _), (e, f) = _quarters(y)
    return jnp.block([[_upper_lower_product(a, d) + b @ e, b @ f], [c @ e, _upper_lower_product(c, f)]])


def _symmetric_product(x: Array, y: Array) -> Array:
    """``X Y`` where that is known to be symmetric: three quarters of it."""
    if not _has_halves(x):
        return x @ y
    h = len(x) // 2
    across = x[h:] @ y[:, :h]
    return jnp.block([[x[:h] @ y[:, :h], across.T], [across, x[h:] @ y[:, h:]]])


def _has_halves(x: Array) -> bool:
    return len(x) > _LEAF and len(x) % 2 == 0


def _is_large(x: Array) -> bool:
    return len(x) > _LARGE and len(x) % 2 == 0


def _quarters(x: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    h = len(x) // 2
    return (x[:h, :h], x[:h, h:]), (x[h:, :h], x[h:, h:])


def _diagonal_sums(near: Array, far: Array) -> Array:
    """Sums over both diagonals of each lag of the diagonal blocks and of the sub-diagonal ones, shape (2 block,)."""
    m = near.shape[0]
    below = _skewed_sum(near[::-1])  # lag j - i from 1 - m to m - 1
    sums = below[m - 1 :] + jnp.where(jnp.arange(m) == 0, 0.0, below[m - 1 :: -1])
    # The block to the left of the diagonal one has lag block + i - j, from 1 to 2 block - 1.
    across = jnp.concatenate([jnp.zeros(1), _skewed_sum(far[:, ::-1])])
    return across + jnp.pad(sums, (0, m))


def _skewed_sum(a: Array) -> Array:
    """Sums over ``i + j`` of a square matrix, shape (2 m - 1,), by a change of row length instead of a scatter."""
    m = a.shape[0]
    return jnp.pad(a, ((0, 0), (0, m))).ravel()[: m * (2 * m - 1)].reshape(m, 2 * m - 1).sum(axis=0)
