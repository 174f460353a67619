"""Tensors that come from nowhere in the graph, and operators that nobody knows."""

from __future__ import annotations

import pytest

from archcost.ir import ArgumentError, ShapeError, TensorType
from archcost.ir.op import Saved
from archcost.ir.ops import make
from archcost.ir.ops.source import Opaque


def test_a_constant_is_made_in_the_pass() -> None:
    application = make("constant", shape=[2, 3], dtype="int64").apply(())
    assert application.outputs == (TensorType((2, 3), "int64"),)
    assert (application.activations, application.written_bytes, application.read_bytes) == (
        6,
        48,
        0,
    )
    assert (application.flops, application.params) == (0, 0)
    assert make("constant", shape=(0,)).apply(()).activations == 0
    with pytest.raises(ShapeError, match="constant needs 0 inputs, not 1"):
        make("constant", shape=(2,)).apply((TensorType((2,)),))
    with pytest.raises(ArgumentError, match="shape: expected an integer >= 0"):
        make("constant", shape=(-1,))


def test_a_weight_is_a_view_of_what_is_stored() -> None:
    application = make("weight", shape=(1, 4, 8), dtype="bf16").apply(())
    assert application.outputs == (TensorType((1, 4, 8), "bf16"),)
    (stored,) = application.stored
    assert (stored.suffix, stored.shape, stored.dtype) == (".value", (1, 4, 8), "bf16")
    assert (application.params, application.buffers, application.parameter_bytes) == (32, 0, 64)
    assert (application.activations, application.read_bytes, application.written_bytes) == (0, 0, 0)
    buffer = make("weight", shape=(), dtype="int64", trainable=False).apply(())
    assert (buffer.params, buffer.buffers) == (0, 1)


def test_dtypes_of_what_comes_from_nowhere_follow_the_networks() -> None:
    for name in ("constant", "weight"):
        floating, whole = make(name, shape=(2,)), make(name, shape=(2,), dtype="int32")
        assert floating.with_dtype("fp16") == make(name, shape=(2,), dtype="fp16")
        assert whole.with_dtype("fp16") == whole
    opaque = Opaque("f", (TensorType((2,)), TensorType((2,), "bool")))
    assert opaque.with_dtype("bf16").types == (TensorType((2,), "bf16"), TensorType((2,), "bool"))


def test_an_opaque_operator_has_the_types_that_it_was_seen_to_give() -> None:
    op = make("opaque", name="torchvision::nms", types=[[[100], "int64"], [[0, 4], "fp32"]])
    assert (op.kind, op.known, op.in_specs) == ("torchvision::nms", False, False)
    assert op == make("opaque", **op.settings())
    assert op != make("opaque", name="torchvision::nms", types=[[[100], "int64"]])
    application = op.apply((TensorType((100, 4)), TensorType((100,))))
    assert application.outputs == (TensorType((100,), "int64"), TensorType((0, 4)))
    assert application.saved == Saved(inputs=True)
    assert (application.macs, application.flops, application.activations) == (0, 0, 100)
    assert (application.read_bytes, application.written_bytes) == (2000, 800)
    assert op.apply(()).read_bytes == 0


@pytest.mark.parametrize(
    ("name", "types", "message"),
    [
        ("", [[[1], "fp32"]], "name: expected a name of 1 to 200 printable characters"),
        ("x" * 201, [[[1], "fp32"]], "name: expected a name"),
        ("a\nb", [[[1], "fp32"]], "name: expected a name"),
        ("conv", [[[1], "fp32"]], "'conv' is an operator that archcost knows"),
        ("f", [], "types: expected a list of pairs of a shape and a dtype"),
        ("f", [[1, "fp32"]], "types: expected a list of sizes >= 0"),
        ("f", [[[1]]], "types: expected a list of pairs"),
        ("f", [[[1], "float32"]], "types: expected one of fp64, "),
        ("f", [[[-1], "fp32"]], "types: expected an integer >= 0"),
    ],
)
def test_wrong_opaque_operators(name: str, types: object, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make("opaque", name=name, types=types)


def test_only_some_operators_may_give_nothing() -> None:
    empty = TensorType((0, 3))
    with pytest.raises(ShapeError, match="empty output"):
        make("relu").apply((empty,))
