"""Toy runs: t of toys at each point of a cube, for limits and contours by Feldman and Cousins.

The random numbers of a point are seeded by the run's seed and by the point's place on the axes of the cube, so that
they depend neither on chunks nor on workers.
"""

from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray

from fastscan.kernels.jit import in_one_thread
from fastscan.limits.drawn import Truth, frames
from fastscan.limits.feldman_cousins import thrown_at
from fastscan.scans.threads import is_alone
from fastscan.stores.cube import Cube
from fastscan.stores.layout import Index


def toys_block(cube: Cube, index: Index) -> NDArray[np.floating]:
    """t of toys over the part of a cube that a chunk covers.

    Parameters
    ----------
    cube : Cube
        A cube with toys.
    index : tuple of int
        The chunk's index over the dimensions of the cube.

    Returns
    -------
    array, shape (rows, strength, sigma_sys, luminosity, toys), with a dimension for each row parameter
        Ascending at each point, in the cube's dtype.  Where a bin with data can't expect events, or expects too many
        for random numbers, no toys are thrown: t is -inf, so that the point is never accepted.
    """
    rows, strength, settings = cube.parts(index)
    out = np.empty(cube.layout.part_of("toys", index), cube.layout.dtype)
    points = out.reshape(rows.size, strength.stop - strength.start, *(each.stop - each.start for each in settings), -1)
    with nullcontext() if is_alone() else in_one_thread():
        for setting in np.ndindex(points.shape[2:-1]):
            place = [part.start + number for part, number in zip(settings, setting, strict=True)]
            truths = _truths(cube, rows.ravel().tolist(), place)
            for (row, each), column in zip(truths.items(), points, strict=False):
                for number, x in enumerate(cube.x[strength].tolist()):
                    others = [other for name, other in truths.items() if name != row]
                    column[number, *setting] = _thrown(cube, each, x, others, (row, strength.start + number, *place))
    return out


def _truths(cube: Cube, rows: list[int], place: list[int]) -> dict[int, Truth]:
    """A point in the column of each row at a setting: of these rows first, then of all others if the row is fitted."""
    run, likelihood = cube.toys, cube.likelihood
    assert run is not None, "the cube has toys"
    every, frame = rows, None
    if run.dof > 1:
        every = [*rows, *(row for row in range(likelihood.change.shape[1]) if row not in rows)]
        frame = frames(likelihood, cube.interaction, cube.channels, cube.row_values)
    settings = cube.settings_at([slice(number, number + 1) for number in place])
    columns, _ = likelihood.columns(np.array(every)[:, None, None], settings)
    return {
        row: Truth.unmoved(likelihood, columns.some(np.array([number])), 0.0, frame) for number, row in enumerate(every)
    }


def _thrown(cube: Cube, column: Truth, x: float, others: list[Truth], place: tuple[int, ...]) -> NDArray[np.floating]:
    """t of the toys of a point, ascending."""
    assert cube.toys is not None
    truth = column.of_data(x)
    if not truth.is_possible:
        return np.full(cube.toys.number, -np.inf)
    rows = others if cube.toys.dof > 1 else ()
    return np.sort(thrown_at(truth, cube.interaction.strength, cube.toys.number, cube.toys.seed, *place, rows=rows))
