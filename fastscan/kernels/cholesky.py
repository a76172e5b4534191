"""Cholesky's method for small systems of linear equations, one system in each lane."""

from fastscan.kernels.jit import inner
from fastscan.kernels.lanes import lanes_of, put_lanes, root, spread, where_above

LEFT = 1e-15  # smallest part of a diagonal element that elimination may leave: less is rounding, or negative


@inner
def factorise(matrix, size):
    """Replace symmetric matrices, which are positive definite but for rounding, by their Cholesky factors L.

    The diagonal receives 1 / L_jj in place of L_jj.

    Parameters
    ----------
    matrix : float64 (size * size, LANES)
        Row after row; only the lower triangle is read and overwritten.
    size : int
        Number of equations.
    """
    for j in range(size):
        least, over = LEFT * lanes_of(matrix, j * size + j), spread(0.0)
        for i in range(j, size):
            total = lanes_of(matrix, i * size + j)
            for k in range(j):
                total -= lanes_of(matrix, i * size + k) * lanes_of(matrix, j * size + k)
            if i == j:
                over = 1.0 / root(where_above(total, least, total, least))
            put_lanes(matrix, i * size + j, over if i == j else total * over)


@inner
def put_forward(factor, right, out):
    """Solve L y = right with the Cholesky factors L, see `factorise`.

    Parameters
    ----------
    factor : float64 (size * size, LANES)
    right, out : float64 (size, LANES)
        The right-hand side, and the array that receives the solution; both can be the same array.
    """
    size = right.shape[0]
    for i in range(size):
        total = lanes_of(right, i)
        for k in range(i):
            total -= lanes_of(factor, i * size + k) * lanes_of(out, k)
        put_lanes(out, i, total * lanes_of(factor, i * size + i))


@inner
def put_solution(factor, right, out):
    """Solve L L^T y = right with the Cholesky factors L; the arguments are as in `put_forward`."""
    size = right.shape[0]
    put_forward(factor, right, out)
    for i in range(size - 1, -1, -1):
        total = lanes_of(out, i)
        for k in range(i + 1, size):
            total -= lanes_of(factor, k * size + i) * lanes_of(out, k)
        put_lanes(out, i, total * lanes_of(factor, i * size + i))
