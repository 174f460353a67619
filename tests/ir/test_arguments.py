"""What arguments may be, and their one canonical spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcost.ir import ArgumentError
from archcost.ir.arguments import CHECKERS, LARGEST, check

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("annotation", "value", "canonical"),
    [
        ("Size", 3, 3),
        ("Size", [3, 3], 3),
        ("Size", [3], 3),
        ("Size", [3, 5], (3, 5)),
        ("Size", 3.0, 3),
        ("Offset", [0, 0, 0], 0),
        ("Padding", 1, 1),
        ("Padding", "same", "same"),
        ("Padding", [1, 2], (1, 2)),
        ("Padding", [1, 1], 1),
        ("Padding", [[1, 1], [1, 1]], 1),
        ("Padding", [[0, 1], [0, 1]], ((0, 1), (0, 1))),
        ("Padding", [[0, 1], 2], ((0, 1), 2)),
        ("Count", LARGEST, LARGEST),
        ("Natural", 0, 0),
        ("Dim", -8, -8),
        ("Index", -LARGEST, -LARGEST),
        ("Index | None", None, None),
        ("Ints", [1, -2], (1, -2)),
        ("Number", 0.5, 0.5),
        ("Fraction", 1, 1.0),
        ("DTypeName", "bf16", "bf16"),
        ("Table", [[0], [1, 2]], ((0,), (1, 2))),
        ("bool", True, True),
        ("Rounding", "ceil", "ceil"),
        ('Literal["a", "b"]', "b", "b"),
        ("Literal['a'] | None", None, None),
    ],
)
def test_accepted(annotation: str, value: object, canonical: object) -> None:
    found = check("x", annotation, value)
    assert found == canonical
    assert type(found) is type(canonical)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        ("Size", 0, "an integer >= 1, found 0"),
        ("Size", True, "found True"),
        ("Size", 1.5, "found 1.5"),
        ("Size", [], "1 to 3 spatial dimensions"),
        ("Size", [1, 1, 1, 1], "1 to 3 spatial dimensions"),
        ("Size", "3", "an integer >= 1"),
        ("Size", LARGEST + 1, f"an integer >= 1, up to {LARGEST}, found"),
        ("Padding", "valid", "or same"),
        ("Padding", [[1, 2, 3]], "before, after"),
        ("Padding", -1, "an integer >= 0"),
        ("Padding", [], "one (or a pair"),
        ("Count", None, "found None"),
        ("Natural", -1, "an integer >= 0"),
        ("Dim", -9, "a dimension's index"),
        ("Ints", [1.0], "a list of integers"),
        ("Ints", [2**31], "integers up to"),
        ("Ints", list(range(17)), "a list of integers, 16 at the most"),
        ("Parts", [], "a list of sizes >= 1, 4096 at the most"),
        ("Parts", [1] * 4097, "a list of sizes >= 1, 4096 at the most"),
        ("Parts", [1, 0], "an integer >= 1"),
        ("Number", float("nan"), "a number"),
        ("Number", "1", "a number"),
        ("Fraction", 1.01, "a number from 0 to 1"),
        ("DTypeName", "float32", "one of fp64, fp32"),
        ("Table", [], "a list of lists"),
        ("Table", [[]], "a list of lists"),
        ("Table", [[-1]], "an integer >= 0"),
        ("bool", 1, "true or false"),
        ("Rounding", "down", "one of floor, ceil"),
        ('Literal["a", "b"]', ["a"], "one of a, b"),
        ("Size", "y" * 1000, "..."),
    ],
)
def test_refused(annotation: str, value: object, message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        check("size", annotation, value)
    assert caught.value.argument == "size"
    assert str(caught.value).startswith("size: expected ")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 250


@given(st.sampled_from(sorted(CHECKERS)), anything)
def test_a_checker_refuses_or_gives_a_canonical_hashable_value(kind: str, value: object) -> None:
    try:
        found = check("x", kind, value)
    except ArgumentError:
        return
    hash(found)
    assert check("x", kind, found) == found
