"""Arithmetic: types, and what is kept for training, as torch's; work by formulas."""

from __future__ import annotations

import operator
from functools import partial
from itertools import product
from math import inf

import pytest
import torch
from against_torch import agrees, applied, keeps_as_torch, type_of
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.ir import ArgumentError, ShapeError, TensorType, Work
from archcost.ir.arguments import BINARY, UNARY
from archcost.ir.ops import make
from archcost.ir.ops.arithmetic import BINARY_FUNCTIONS, POWERS, UNARY_FUNCTIONS

quick = settings(max_examples=60, deadline=None)
shapes = st.lists(st.sampled_from([1, 1, 2, 3, 0]), max_size=4).map(tuple)
NUMBERS = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int8]
DTYPES = [*NUMBERS, torch.bool]

ONE = {name: getattr(torch, name) for name in UNARY if hasattr(torch, name)} | {
    "not": torch.logical_not,
    "is_nan": torch.isnan,
    "is_inf": torch.isinf,
}
ROUNDING = ("floor", "ceil", "round", "trunc", "sign", "negative")

TWO = {
    "difference": operator.sub,
    "quotient": operator.truediv,
    "floor_quotient": operator.floordiv,
    "remainder": operator.mod,
    "power": operator.pow,
    "minimum": torch.minimum,
    "atan2": torch.atan2,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
}
LOGIC = {
    "and": (operator.and_, torch.logical_and),
    "or": (operator.or_, torch.logical_or),
    "xor": (operator.xor, torch.logical_xor),
}


def ones(shape, dtype=torch.float32):
    return torch.ones(shape, dtype=dtype)


def test_every_function_is_described() -> None:
    assert tuple(UNARY_FUNCTIONS) == UNARY
    assert tuple(BINARY_FUNCTIONS) == BINARY
    assert ONE.keys() == UNARY_FUNCTIONS.keys()
    assert TWO.keys() | LOGIC.keys() == BINARY_FUNCTIONS.keys()


@pytest.mark.parametrize("function", UNARY)
def test_a_function_of_one_tensor(function) -> None:
    for dtype, shape in product(DTYPES, [(), (0, 2), (2, 3, 4)]):
        if dtype == torch.bool and function in ROUNDING:
            continue  # torch has none, or not of every size
        application = agrees(lambda: make(function), ONE[function], ones(shape, dtype))
        assert application is not None
        work = UNARY_FUNCTIONS[function].work
        assert application.work == work.times(application.outputs[0].numel)


@pytest.mark.parametrize("function", UNARY)
def test_a_function_of_one_tensor_keeps_what_autograd_keeps(function) -> None:
    x = torch.rand(2, 3)
    keeps_as_torch(make(function), ONE[function], x)
    in_place = getattr(x, f"{function}_", None)
    assert make(function).inplace == (in_place is not None)


@quick
@given(st.sampled_from(sorted(TWO)), st.data())
def test_a_function_of_two_tensors(function, data) -> None:
    one, two = (ones(data.draw(shapes), data.draw(st.sampled_from(NUMBERS))) for _ in range(2))
    application = agrees(lambda: make(function), TWO[function], one, two)
    if application is not None:
        count = application.outputs[0].numel
        assert application.work == BINARY_FUNCTIONS[function].work.times(count)


@quick
@given(
    st.sampled_from(sorted(LOGIC)),
    shapes,
    st.lists(st.sampled_from(DTYPES), min_size=2, max_size=2),
)
def test_logic_is_of_bits_for_integers_alone(function, shape, dtypes) -> None:
    one, two = (ones(shape, dtype) for dtype in dtypes)
    bitwise, logical = LOGIC[function]
    fractions = one.is_floating_point() or two.is_floating_point()
    agrees(lambda: make(function), logical if fractions else bitwise, one, two)


def with_constant(function, scalar, reverse):
    """The function in torch of a tensor and a constant."""
    compute = TWO[function]
    return (lambda x: compute(scalar, x)) if reverse else (lambda x: compute(x, scalar))


@pytest.mark.parametrize("function", sorted(TWO.keys() - {"minimum", "atan2"}))
@pytest.mark.parametrize("reverse", [False, True])
def test_a_function_of_a_tensor_and_a_constant(function, reverse) -> None:
    for dtype, scalar, shape in product(NUMBERS, (2, 2.5), [(), (2, 3)]):
        op = partial(make, function, scalar=scalar, reverse=reverse)
        in_torch = with_constant(function, scalar, reverse)
        assert agrees(op, in_torch, ones(shape, dtype)) is not None


TRAINED = [
    (function, arguments)
    for function in TWO
    for arguments in ({}, {"scalar": 2.5}, {"scalar": 2.5, "reverse": True})
    if not (function in ("minimum", "atan2") and arguments)
]


@pytest.mark.parametrize(("function", "arguments"), TRAINED)
def test_a_function_of_two_keeps_what_autograd_keeps(function, arguments) -> None:
    tensors = (torch.rand(2, 3), torch.rand(2, 3))
    in_torch = TWO[function]
    if arguments:
        tensors = tensors[:1]
        in_torch = with_constant(function, arguments["scalar"], "reverse" in arguments)
    keeps_as_torch(make(function, **arguments), in_torch, *tensors)


def test_a_minimum_with_a_constant_is_a_clamp() -> None:
    x = torch.rand(2, 3)
    keeps_as_torch(make("minimum", scalar=0.5), lambda x: x.clamp(max=0.5), x)
    assert applied(make("minimum", scalar=0.5), x).work == Work(cmp=6)


@pytest.mark.parametrize("exponent", [*POWERS, 4, 1.5])
def test_powers_with_constant_exponents(exponent) -> None:
    application = applied(make("power", scalar=exponent), ones((2, 3)))
    assert application.work == POWERS.get(exponent, Work(pow=1)).times(6)
    assert applied(make("power", scalar=2, reverse=True), ones((2, 3))).work == Work(pow=6)


def test_wrong_arguments_of_a_pair() -> None:
    with pytest.raises(ShapeError, match="either two inputs or one and a scalar"):
        applied(make("difference"), ones(2))
    with pytest.raises(ShapeError, match="either two inputs or one and a scalar"):
        applied(make("difference", scalar=1), ones(2), ones(2))
    with pytest.raises(ArgumentError, match="reverse: needs a scalar"):
        make("difference", reverse=True)
    with pytest.raises(ShapeError, match="2x3 does not fit 2x2"):
        applied(make("less"), ones((2, 2)), ones((2, 3)))
    assert make("equal", scalar=1, reverse=True) == make("equal", scalar=1)
    assert make("less", scalar=1, reverse=True) != make("less", scalar=1)


@pytest.mark.parametrize("bounds", [(0, 1), (None, 0.5), (1, None), (0.5, 2), (-inf, 1)])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_clamp(bounds, dtype) -> None:
    op = make("clamp", low=bounds[0], high=bounds[1])
    x = ones((2, 3), dtype)
    application = agrees(lambda: op, lambda x: torch.clamp(x, *bounds), x)
    assert application is not None
    assert application.work == Work(cmp=6 * (2 - bounds.count(None)))
    if x.is_floating_point():
        keeps_as_torch(op, lambda x: torch.clamp(x, *bounds), x)


def test_clamp_needs_a_bound() -> None:
    with pytest.raises(ArgumentError, match="low: expected this, high, or both"):
        make("clamp")


@quick
@given(shapes, shapes, shapes, st.sampled_from(DTYPES), st.sampled_from(DTYPES))
def test_where(condition, a, b, one, other) -> None:
    tensors = (ones(condition, torch.bool), ones(a, one), ones(b, other))
    application = agrees(lambda: make("where"), torch.where, *tensors)
    assert application is None or application.work == Work()


def test_where_and_masked_fill_keep_what_chooses() -> None:
    mask, a, b = torch.rand(2, 3) > 0.5, torch.rand(2, 3), torch.rand(2, 3)
    keeps_as_torch(make("where"), torch.where, mask, a, b)
    keeps_as_torch(make("masked_fill"), lambda x, m: x.masked_fill(m, 0), a, mask)


@quick
@given(shapes, shapes, st.sampled_from(NUMBERS))
def test_masked_fill(shape, mask, dtype) -> None:
    tensors = (ones(shape, dtype), ones(mask, torch.bool))
    op = make("masked_fill", value=1)
    application = agrees(lambda: op, lambda x, m: torch.masked_fill(x, m, 1), *tensors)
    assert application is None or application.work == Work()


def test_masks_are_bool() -> None:
    x = ones((2, 3))
    for kind, tensors in (("where", (x, x, x)), ("masked_fill", (x, x))):
        with pytest.raises(ShapeError, match=f"{kind} needs a mask of bool, has fp32"):
            applied(make(kind), *tensors)


@pytest.mark.parametrize("to", DTYPES)
def test_cast(to) -> None:
    op = make("cast", dtype=type_of(ones((), to)).dtype)
    for dtype in DTYPES:
        application = agrees(lambda: op, lambda x: x.to(to), ones((2, 3), dtype))
        assert application is not None
        assert application.written_bytes == 6 * to.itemsize


def test_a_cast_to_fractions_follows_the_network() -> None:
    assert make("cast", dtype="fp32").with_dtype("bf16") == make("cast", dtype="bf16")
    assert make("cast", dtype="int64").with_dtype("bf16") == make("cast", dtype="int64")


@pytest.mark.parametrize(
    ("function", "work"),
    [
        # One element by hand, from the definition of each function.
        ("asinh", Work(mul=1, add=2, sqrt=1, log=1)),  # log(x + sqrt(x * x + 1))
        ("atanh", Work(add=2, div=1, log=1, mul=1)),  # 0.5 * log((1 + x) / (1 - x))
        ("rsqrt", Work(sqrt=1, div=1)),
        ("negative", Work()),
        ("tan", Work(trig=1)),
    ],
)
def test_work_of_one_element(function, work) -> None:
    assert make(function).apply((TensorType(()),)).work == work
