"""Reductions, running sums and sorting: types as torch's, work counted by doing it."""

from __future__ import annotations

import pytest
import torch
from against_torch import agrees, applied, check_reach, keeps_as_torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.ir import ArgumentError, Reach, ShapeError, Work
from archcost.ir.arguments import REDUCTIONS
from archcost.ir.ops import make

quick = settings(max_examples=60, deadline=None)
shapes = st.lists(st.integers(1, 4), min_size=1, max_size=5).map(tuple)
NUMBERS = [torch.float32, torch.float16, torch.int64, torch.int32]

TORCH = {
    "sum": torch.sum,
    "mean": torch.mean,
    "max": torch.amax,
    "min": torch.amin,
    "any": torch.any,
    "all": torch.all,
    "l1": lambda x, dim, keepdim: torch.linalg.vector_norm(x, 1, dim, keepdim),
    "l2": lambda x, dim, keepdim: torch.linalg.vector_norm(x, 2, dim, keepdim),
    "logsumexp": torch.logsumexp,
    "var": lambda x, dim, keepdim: torch.var(x, dim, correction=0, keepdim=keepdim),
    "std": lambda x, dim, keepdim: torch.std(x, dim, correction=0, keepdim=keepdim),
}
ALONG_ONE = {"prod": torch.prod, "argmax": torch.argmax, "argmin": torch.argmin}
OF_FRACTIONS = ("mean", "l1", "l2", "var", "std")


def test_every_reduction_is_tested() -> None:
    assert TORCH.keys() | ALONG_ONE.keys() == set(REDUCTIONS)


@quick
@given(st.sampled_from(sorted(TORCH)), shapes, st.data(), st.booleans())
def test_reductions_along_some_dimensions(function, shape, data, keep) -> None:
    dtype = data.draw(st.sampled_from(NUMBERS))
    if function in OF_FRACTIONS:
        dtype = torch.float16
    dims = data.draw(st.none() | st.lists(st.integers(-6, 5), min_size=1, max_size=3))
    given = list(range(len(shape))) if dims is None else dims
    agrees(
        lambda: make(f"reduce_{function}", dims=dims, keep=keep),
        lambda x: TORCH[function](x, dim=given, keepdim=keep),
        torch.ones(shape, dtype=dtype),
    )


@quick
@given(st.sampled_from(sorted(ALONG_ONE)), shapes, st.data(), st.booleans())
def test_reductions_along_one_dimension(function, shape, data, keep) -> None:
    dim = data.draw(st.integers(-6, 5))
    x = torch.ones(shape, dtype=data.draw(st.sampled_from(NUMBERS)))
    agrees(
        lambda: make(f"reduce_{function}", dims=[dim], keep=keep),
        lambda x: ALONG_ONE[function](x, dim, keep),
        x,
    )
    agrees(lambda: make(f"reduce_{function}"), ALONG_ONE[function], x)


@quick
@given(st.sampled_from(["max", "min"]), shapes, st.data(), st.booleans())
def test_extrema_with_their_places(function, shape, data, keep) -> None:
    dim = data.draw(st.integers(-6, 5))
    agrees(
        lambda: make(f"reduce_{function}", dims=[dim], keep=keep, indices=True),
        lambda x: getattr(torch, function)(x, dim, keep),
        torch.ones(shape, dtype=data.draw(st.sampled_from(NUMBERS))),
    )


def test_nothing_can_be_reduced() -> None:
    empty = torch.ones(2, 0)
    for function in ("sum", "prod", "any", "logsumexp"):
        application = applied(make(f"reduce_{function}", dims=[1]), empty)
        assert application.outputs[0].shape == (2,)
        assert all(count >= 0 for count in application.work.as_dict().values())
    for function in ("max", "argmin"):
        with pytest.raises(ShapeError, match="at least one element"):
            applied(make(f"reduce_{function}", dims=[1]), empty)
    assert applied(make("reduce_max", dims=[0]), empty).outputs[0].shape == (0,)


@pytest.mark.parametrize(
    ("function", "work"),
    [
        # Two rows of five.
        ("sum", Work(add=2 * 4)),
        ("mean", Work(add=2 * 4, div=2)),
        ("max", Work(cmp=2 * 4)),
        ("argmin", Work(cmp=2 * 4)),
        ("any", Work(cmp=2 * 4)),
        ("prod", Work(mul=2 * 4)),
        ("l1", Work(add=2 * 4)),
        ("l2", Work(mul=2 * 5, add=2 * 4, sqrt=2)),
        # The maximum; 5 differences, 5 exponentials, their sum; its logarithm plus the maximum.
        ("logsumexp", Work(cmp=2 * 4, add=2 * (5 + 4 + 1), exp=2 * 5, log=2)),
        # The mean; 5 differences and squares, their sum over 4.
        ("var", Work(add=2 * (4 + 5 + 4), mul=2 * 5, div=2 * 2)),
        ("std", Work(add=2 * (4 + 5 + 4), mul=2 * 5, div=2 * 2, sqrt=2)),
    ],
)
def test_work_of_a_reduction(function, work) -> None:
    assert applied(make(f"reduce_{function}", dims=[1]), torch.ones(2, 5)).work == work


@pytest.mark.parametrize("function", REDUCTIONS)
def test_reductions_keep_what_autograd_keeps(function) -> None:
    x = torch.rand(2, 5)
    in_torch = TORCH.get(function) or ALONG_ONE[function]
    keeps_as_torch(
        make(f"reduce_{function}", dims=[1]), lambda x: in_torch(x, dim=1, keepdim=False), x
    )


def test_extrema_with_their_places_keep_these() -> None:
    op = make("reduce_max", dims=[1], indices=True)
    keeps_as_torch(op, lambda x: torch.max(x, 1), torch.rand(2, 5))


def test_a_reduction_over_positions_reads_all_of_them() -> None:
    image = torch.ones(2, 3, 5, 7)
    op = make("reduce_mean", dims=[3], keep=True)
    check_reach(applied(op, image), lambda x: x.mean(3, keepdim=True))
    assert applied(make("reduce_mean"), image).reach == (Reach(0, 4, 5), Reach(0, 6, 7))
    assert applied(make("reduce_mean", dims=[1]), image).reach is None


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("reduce_sum", {"dims": []}, "dims: expected at least one"),
        ("reduce_sum", {"dims": [0], "indices": True}, "indices: only max and min"),
        ("reduce_max", {"indices": True}, "indices: only max and min along one dimension"),
        ("reduce_argmax", {"dims": [0, 1]}, "dims: argmax goes along one dimension"),
        ("reduce_mean", {"correction": 0}, "correction: only var and std"),
    ],
)
def test_wrong_arguments_of_a_reduction(kind, arguments, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        make(kind, **arguments)


def test_a_dimension_is_reduced_once() -> None:
    with pytest.raises(ShapeError, match=r"names a dimension twice in \[1, -1\]"):
        applied(make("reduce_sum", dims=[1, -1]), torch.ones(2, 3))


RUNNING = {"sum": torch.cumsum, "prod": torch.cumprod, "max": torch.cummax, "min": torch.cummin}


@quick
@given(st.sampled_from(sorted(RUNNING)), shapes, st.integers(-6, 5), st.sampled_from(NUMBERS))
def test_running_sums(function, shape, dim, dtype) -> None:
    x = torch.ones(shape, dtype=dtype)
    application = agrees(
        lambda: make(f"cum{function}", dim=dim), lambda x: RUNNING[function](x, dim), x
    )
    if application is None:
        return
    kind = {"sum": "add", "prod": "mul"}.get(function, "cmp")
    vectors = x.numel() // shape[dim]
    assert application.work == Work(**{kind: vectors * (shape[dim] - 1)})
    if dim % len(shape) < 2:
        assert application.reach is None


@pytest.mark.parametrize("function", RUNNING)
def test_running_sums_keep_what_autograd_keeps(function) -> None:
    op, in_torch = make(f"cum{function}", dim=1), RUNNING[function]
    keeps_as_torch(op, lambda x: in_torch(x, 1), torch.rand(2, 5))


def test_a_running_sum_reads_what_lies_before() -> None:
    check_reach(applied(make("cumsum", dim=2), torch.ones(1, 1, 5, 2)), lambda x: x.cumsum(2))


@quick
@given(shapes, st.integers(-6, 5), st.booleans())
def test_sort(shape, dim, descending) -> None:
    agrees(
        lambda: make("sort", dim=dim, descending=descending),
        lambda x: torch.sort(x, dim, descending),
        torch.ones(shape, dtype=torch.int32),
    )


@quick
@given(shapes, st.integers(1, 5), st.integers(-6, 5), st.booleans())
def test_top_k(shape, k, dim, largest) -> None:
    agrees(
        lambda: make("top_k", k=k, dim=dim, largest=largest),
        lambda x: torch.topk(x, k, dim, largest),
        torch.ones(shape, dtype=torch.float16),
    )


@pytest.mark.parametrize(("n", "levels"), [(1, 0), (2, 1), (3, 2), (8, 3), (9, 4)])
def test_work_of_sorting(n, levels) -> None:
    x = torch.rand(3, n)
    assert applied(make("sort"), x).work == Work(cmp=3 * n * levels)
    if n > 1:  # the best one: a comparison with each
        assert applied(make("top_k", k=1), x).work == Work(cmp=3 * n)
        assert applied(make("top_k", k=2), x).work == Work(cmp=3 * n * 2)


def test_merge_sort_takes_no_more_than_is_counted() -> None:
    def merge_sort(values):
        """The values in order, and how many comparisons that took."""
        if len(values) < 2:
            return values, 0
        half = len(values) // 2
        (left, a), (right, b) = merge_sort(values[:half]), merge_sort(values[half:])
        merged, count = [], a + b
        while left and right:
            count += 1
            merged.append((left if left[0] <= right[0] else right).pop(0))
        return merged + left + right, count

    for n in (1, 2, 5, 16, 31, 64):
        counted = applied(make("sort"), torch.rand(n)).work.cmp
        worst = max(merge_sort(torch.rand(n).tolist())[1] for _ in range(5))
        assert worst <= counted <= 2 * worst + 2


def test_sorting_keeps_the_places_and_reads_anywhere() -> None:
    x = torch.rand(1, 2, 4)
    keeps_as_torch(make("sort"), torch.sort, x)
    keeps_as_torch(make("top_k", k=2), lambda x: torch.topk(x, 2), x)
    assert applied(make("sort"), x).reach == (Reach(-3, 3, 1),)
    assert applied(make("top_k", k=2), x).reach == (Reach(-1, 3, 1),)
    assert applied(make("top_k", k=1), x).reach == (Reach(0, 3, 4),)
    assert applied(make("sort", dim=1), x).reach is None
