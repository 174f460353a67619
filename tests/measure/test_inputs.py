"""Random inputs: never zero, never past the end of a table."""

from __future__ import annotations

import pytest

import archcost
from archcost.ir import Graph, GraphBuilder, TensorType
from archcost.ir.ops import make
from archcost.ir.types import NUMPY_NAMES
from archcost.measure.inputs import random_inputs

torch = pytest.importorskip("torch")


def graph_of(*steps: tuple[str, dict[str, object]], given: TensorType) -> Graph:
    """Operators one after the other."""
    builder = GraphBuilder("chain")
    value = builder.input("x", given)
    for number, (kind, arguments) in enumerate(steps):
        (value,) = builder.add(make(kind, **arguments), [value], f"{kind}{number}")
    return builder.build({"y": value})


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16", "fp64"])
def test_numbers_are_random_and_none_is_zero(dtype: str) -> None:
    (x,) = random_inputs(archcost.load("lenet5").with_batch(8).with_dtype(dtype))
    assert x.shape == (8, 1, 32, 32)
    assert x.dtype == getattr(torch, NUMPY_NAMES[dtype])
    assert (x != 0).all()
    assert abs(float(x.float().mean())) < 0.1
    assert float(x.float().std()) == pytest.approx(1, abs=0.1)
    (again,) = random_inputs(archcost.load("lenet5").with_batch(8).with_dtype(dtype))
    assert torch.equal(x, again)


def test_indices_are_in_the_table() -> None:
    for count in (1, 2, 7):
        graph = graph_of(
            ("embedding", {"count": count, "width": 3}), given=TensorType((4, 50), "int64")
        )
        (x,) = random_inputs(graph)
        assert x.dtype == torch.int64
        assert int(x.max()) == count - 1
        assert int(x.min()) == min(1, count - 1)
        archcost.to_torch(graph)(x)


def test_indices_that_are_moved_before_they_are_used() -> None:
    graph = graph_of(
        ("flatten", {}),
        ("embedding", {"count": 5, "width": 2}),
        given=TensorType((2, 3, 4), "int32"),
    )
    (x,) = random_inputs(graph)
    assert int(x.max()) <= 4


def test_of_several_tables_the_smallest_counts() -> None:
    builder = GraphBuilder("two")
    x = builder.input("x", TensorType((1, 100), "int64"))
    found = [
        builder.add(make("embedding", count=count, width=2), [x], f"table{count}")[0]
        for count in (1000, 4)
    ]
    (y,) = builder.add(make("sum"), found, "sum")
    assert int(random_inputs(builder.build({"y": y}))[0].max()) == 3


def test_indices_of_a_dimension_and_beginnings_of_bags() -> None:
    builder = GraphBuilder("others")
    table = builder.input("table", TensorType((9, 4)))
    index = builder.input("index", TensorType((30,), "int64"))
    words = builder.input("words", TensorType((12,), "int64"))
    bags = builder.input("bags", TensorType((4,), "int64"))
    (chosen,) = builder.add(make("index_select", dim=0), [table, index], "chosen")
    (joined,) = builder.add(make("embedding_bag", count=6, width=4), [words, bags], "joined")
    graph = builder.build({"chosen": chosen, "joined": joined})
    inputs = random_inputs(graph)
    assert int(inputs[1].max()) == 8
    assert int(inputs[2].max()) <= 5
    assert inputs[3].tolist() == [0, 3, 6, 9]
    archcost.to_torch(graph)(*inputs)


def test_masks_images_and_complex_numbers() -> None:
    builder = GraphBuilder("others")
    for dtype in ("bool", "int64", "uint8", "complex64"):
        builder.input(dtype, TensorType((1, 200), dtype))
    x = builder.input("x", TensorType((1, 2)))
    (y,) = builder.add(make("relu"), [x], "relu")
    mask, whole, image, numbers, _ = random_inputs(builder.build({"y": y}))
    assert mask.all()
    assert (whole == 1).all()
    assert image.dtype == torch.uint8
    assert int(image.min()) >= 1
    assert int(image.max()) > 200
    assert numbers.is_complex()
