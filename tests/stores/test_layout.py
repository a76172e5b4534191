"""The division of a cube: chunks no larger than asked for, and tasks with all points."""

import math

from hypothesis import given
from hypothesis import strategies as st

from fastscan.stores import layout

axis_sizes = st.lists(st.integers(1, 50), min_size=4, max_size=4)


@given(axis_sizes, st.integers(1, 10_000))
def test_chunks_hold_no_more_than_asked_and_keep_mass_whole(shape: list[int], points: int) -> None:
    chunks = layout.chunk_shape(shape, points)
    assert math.prod(chunks) <= points
    assert all(1 <= chunk <= size for chunk, size in zip(chunks, shape, strict=True))
    assert chunks[1] == shape[1] or chunks == (1, chunks[1], 1, 1)


@given(axis_sizes, st.integers(1, 10_000), st.integers(1, 20))
def test_tasks_have_all_points_together(shape: list[int], points: int, chunks_per_task: int) -> None:
    cut = layout.Layout(tuple(shape), layout.chunk_shape(shape, points), chunks_per_task, "float32", ("chi2",))
    most = min(cut.tasks, 50)
    each = [cut.points_of([task]) for task in range(most)]
    assert sum(each) == cut.points_of(range(most))
    assert cut.points == math.prod(shape) == cut.points_of(range(cut.tasks))
    assert most < cut.tasks or sum(each) == cut.points
