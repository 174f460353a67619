"""Operators: written back as they were made, applied once, and the arithmetic of work."""

from __future__ import annotations

import inspect
from dataclasses import fields
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcost.ir import WORK_KINDS, ArgumentError, Op, ShapeError, TensorType, Work
from archcost.ir.arguments import BINARY, CHECKERS, REDUCTIONS, UNARY
from archcost.ir.ops import OPERATORS, make, operator_class
from archcost.ir.ops.activation import FORMULAS

IMAGE = TensorType((2, 4, 8, 8))

EXAMPLES: dict[str, list[dict[str, object]]] = {
    "conv": [
        {"out": 4},
        {"out": 8, "kernel": (3, 5), "stride": 2, "padding": ((1, 2), 0), "dilation": 2},
        {"out": 4, "kernel": 3, "padding": "same", "groups": 2, "bias": False},
        {"out": 2, "connections": ((0, 1), (3,)), "rounding": "ceil"},
    ],
    "depthwise_conv": [{}, {"kernel": 5, "multiplier": 2, "padding": 2, "bias": False}],
    "local_conv": [{"out": 4}, {"out": 4, "kernel": (3, 1), "stride": 2, "padding": 1}],
    "conv_transpose": [{"out": 3}, {"out": 4, "kernel": 4, "stride": 2, "output_padding": 1}],
    "dynamic_conv": [{"out": 4}, {"out": 8, "kernel": (3, 5), "padding": "same", "bias": False}],
    "dynamic_conv_transpose": [{"out": 3}, {"out": 4, "kernel": 4, "stride": 2, "groups": 2}],
    "deform_conv": [{"out": 4}, {"out": 4, "kernel": 3, "padding": 1, "offset_groups": 2}],
    "attention": [{}, {"causal": True, "scale": 0.5, "dropout": 0.1, "grouped": True}],
    "lstm": [{"hidden": 4}, {"hidden": 4, "layers": 2, "projection": 3, "bidirectional": True}],
    "gru": [{"hidden": 4}, {"hidden": 4, "bias": False, "batch_first": False}],
    "rnn_tanh": [{"hidden": 4}, {"hidden": 4, "layers": 2, "dropout": 0.5}],
    "rnn_relu": [{"hidden": 4}],
    "grid_sample": [{}, {"mode": "bicubic", "padding": "border", "align_corners": True}],
    "roi_align": [{"size": 7}, {"size": (7, 5), "samples": 2, "scale": 0.25, "aligned": True}],
    "linear": [{"out": 10}, {"out": 10, "bias": False, "flatten": False}],
    "matmul": [{}, {"transpose_b": True}],
    "rbf": [{"out": 10}, {"out": 10, "trainable": True}],
    "embedding": [{"count": 100, "width": 16}, {"count": 9, "width": 2, "dtype": "fp16"}],
    "embedding_bag": [{"count": 9, "width": 2}, {"count": 9, "width": 2, "mode": "sum"}],
    "max_pool": [{"kernel": 2}, {"kernel": (3, 2), "stride": 2, "padding": 1, "indices": True}],
    "avg_pool": [{"kernel": 2}, {"kernel": 3, "rounding": "ceil", "count_padding": False}],
    "sum_pool": [{"kernel": 2, "stride": 2}, {"kernel": 3, "padding": 1}],
    "lp_pool": [{"kernel": 2, "norm": 2}, {"kernel": 3, "norm": 1.5, "stride": 1}],
    "global_max_pool": [{}],
    "global_avg_pool": [{}],
    "adaptive_max_pool": [{"size": 2}, {"size": (3, 2)}],
    "adaptive_avg_pool": [{"size": 1}, {"size": (3, 2)}],
    "fractional_max_pool": [{"kernel": 2, "size": 3}, {"kernel": 2, "ratio": 0.5}],
    "max_unpool": [{"kernel": 2}, {"kernel": 3, "stride": 2, "padding": 1, "size": 16}],
    "batch_norm": [{}, {"affine": False, "track": False}, {"eps": 1e-3}],
    "layer_norm": [{}, {"dims": 3, "bias": False, "eps": 1e-6}],
    "rms_norm": [{}, {"dims": 2, "affine": False, "eps": 1e-5}],
    "group_norm": [{"groups": 2}, {"groups": 4, "affine": False, "eps": 1e-6}],
    "instance_norm": [{}, {"affine": True, "track": True, "eps": 0}],
    "lrn": [{}, {"size": 3, "alpha": 0.5, "k": 2, "region": "within"}],
    "scale_shift": [{}, {"bias": False}, {"per": "element"}],
    "prelu": [{}, {"shared": True}],
    "rescale": [{}, {"scale": -1, "shift": 1}],
    "maxout": [{"pieces": 2}],
    "softmax": [{}, {"dim": -1}],
    "log_softmax": [{}, {"dim": 2}],
    "dropout": [{}, {"rate": 0.0}, {"rate": 1, "per": "channel"}],
    "drop_path": [{"rate": 0.2}],
    "concat": [{}, {"dim": -1}],
    "sum": [{}],
    "product": [{}],
    "maximum": [{}],
    "mean": [{}],
    "identity": [{}],
    "pad": [{}, {"padding": (1, (0, 2)), "channels": (1, 2)}, {"padding": 1, "mode": "reflect"}],
    "crop": [{"size": 4}, {"size": (4, 2), "offset": (0, 1)}, {"offset": 2}],
    "upsample": [
        {"scale": 2},
        {"size": (16, 24), "mode": "bilinear", "align_corners": True},
        {"size": 3, "mode": "bicubic", "antialias": True},
    ],
    "reshape": [{"shape": (-1,)}, {"shape": (0, 64)}],
    "flatten": [{}, {"start": 2}, {"start": 0, "end": 1}],
    "permute": [{"dims": (0, 2, 3, 1)}],
    "slice": [{"dim": 1}, {"dim": -1, "start": 1, "stop": -1, "step": 2}],
    "split": [{"parts": 2}, {"sizes": (1, 3), "dim": -3}],
    "channel_shuffle": [{"groups": 2}],
    "pixel_shuffle": [{"factor": 2}, {"factor": 2, "inverse": True}],
    "constant": [{"shape": ()}, {"shape": (0, 3), "dtype": "int64"}],
    "weight": [{"shape": (1, 4)}, {"shape": (4,), "dtype": "bf16", "trainable": False}],
    "opaque": [
        {"name": "torchvision::nms", "types": (((100,), "int64"),)},
        {"name": "com.acme::Split 2", "types": (((), "fp32"), ((2, 0), "bool"))},
    ],
    "view": [{"shape": (-1,)}, {"shape": (0, 2)}],
    "expand": [{"shape": (2, -1)}],
    "squeeze": [{}, {"dims": (1, -1)}],
    "unsqueeze": [{"dim": -1}],
    "select": [{"dim": 1, "index": -1}],
    "windows": [{"dim": 2, "size": 3}, {"dim": 2, "size": 3, "step": 2}],
    "diagonal": [{}, {"offset": -1, "dim1": 2, "dim2": 3}],
    "as_strided": [
        {"shape": (2, 3), "strides": (2, 1)},
        {"shape": (4,), "strides": (1,), "offset": 2},
    ],
    "as_complex": [{}],
    "as_real": [{}],
    "grouped_matmul": [{}],
    "solve_triangular": [{"upper": True}, {"upper": False, "left": False, "unit": True}],
    "copy": [{}],
    "stack": [{}, {"dim": -1}],
    "repeat": [{"counts": (2, 1)}],
    "repeat_interleave": [{"count": 2, "dim": 1}],
    "roll": [{"shifts": (1, -1), "dims": (2, 3)}],
    "flip": [{"dims": (3,)}],
    "triangle": [{"upper": True}, {"upper": False, "diagonal": -1}],
    "pad_all": [
        {"pads": (1, -1)},
        {"pads": (1, 1), "value": -1.5},
        {"pads": (), "mode": "reflect"},
    ],
    "unfold": [{"kernel": 3}, {"kernel": 3, "stride": 2, "padding": 1, "dilation": 2}],
    "fold": [{"size": 8, "kernel": 3}, {"size": (8, 9), "kernel": 3, "padding": 1}],
    **{name: [{}] for name in UNARY},
    **{name: [{}, {"scalar": 0.5}] for name in BINARY},
    "less": [{"scalar": 2, "reverse": True}],
    "clamp": [{"low": 0}, {"low": -1.5, "high": 1}],
    "where": [{}],
    "masked_fill": [{}, {"value": -inf}],
    "cast": [{"dtype": "int64"}],
    **{f"reduce_{name}": [{}, {"dims": (-1,), "keep": True}] for name in REDUCTIONS},
    "reduce_max": [{"dims": (1,), "indices": True}],
    "reduce_var": [{"correction": 0}],
    **{f"cum{name}": [{"dim": 1}] for name in ("sum", "prod", "max", "min")},
    "sort": [{}, {"dim": 0, "descending": True}],
    "top_k": [{"k": 5}, {"k": 1, "dim": 1, "largest": False}],
    "gather": [{"dim": 1}],
    "index_select": [{"dim": 0}],
    "index": [{"dims": (0, 2)}],
    "index_put": [{"dims": (1,)}, {"dims": (1,), "accumulate": True}],
    "scatter": [{"dim": 0}, {"dim": 0, "reduction": "sum"}],
    "assign": [{}, {"part": ((0, 1, 1), (1, 4, 2))}],
    "nonzero": [{"count": 3}],
    "one_hot": [{"classes": 10}, {"classes": 10, "dtype": "fp32"}],
    **{name: [{}] for name in FORMULAS},
    "leaky_relu": [{}, {"slope": 0.2}],
    "elu": [{}, {"slope": 0.5}],
}
CASES = [
    pytest.param(name, arguments, id=f"{name}-{index}")
    for name, examples in EXAMPLES.items()
    for index, arguments in enumerate(examples)
]


def test_there_is_an_example_of_every_operator() -> None:
    assert set(EXAMPLES) == set(OPERATORS)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_an_operator_is_made_again_from_its_settings(
    name: str, arguments: dict[str, object]
) -> None:
    op = make(name, **arguments)
    assert op.kind == (name if op.known else op.name)
    again = make(name, **op.settings())
    assert again == op
    assert hash(again) == hash(op)
    assert again.kind == op.kind
    assert again.settings() == op.settings()


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_settings_leave_out_defaults_and_what_the_name_tells(
    name: str, arguments: dict[str, object]
) -> None:
    cls, fixed = operator_class(name)
    settings = make(name, **arguments).settings()
    assert not set(settings) & set(fixed)
    defaults = {field.name: field.default for field in fields(cls)}
    assert all(value != defaults[key] for key, value in settings.items())
    assert set(settings) <= set(arguments)


@pytest.mark.parametrize("name", OPERATORS)
def test_every_argument_has_a_checker(name: str) -> None:
    cls, fixed = operator_class(name)
    names = {field.name for field in fields(cls)}
    assert set(fixed) <= names
    assert cls.named_by is None or cls.named_by in names
    for field in fields(cls):
        annotation = str(field.type).removesuffix(" | None")
        assert annotation in CHECKERS or annotation.startswith("Literal["), field


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_every_operator_is_documented_and_cannot_be_changed(
    name: str, arguments: dict[str, object]
) -> None:
    op = make(name, **arguments)
    assert inspect.getdoc(type(op)) != inspect.getdoc(Op)
    for field in fields(op):
        with pytest.raises(AttributeError):
            setattr(op, field.name, getattr(op, field.name))
        with pytest.raises(AttributeError):
            delattr(op, field.name)
    least, most = op.arity
    assert least >= 0
    assert most is None or least <= most


def test_an_application_is_worked_out_once() -> None:
    op = make("conv", out=4, kernel=3)
    assert op.apply((IMAGE,)) is op.apply((TensorType((2, 4, 8, 8)),))
    assert op.apply((IMAGE,)) is not op.apply((TensorType((1, 4, 8, 8)),))


def test_a_failed_application_is_not_remembered_as_a_success() -> None:
    op = make("conv", out=4, kernel=9)
    for _ in range(2):
        with pytest.raises(ShapeError, match="window of 9"):
            op.apply((IMAGE,))


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("relu", 2, "relu needs 1 inputs, not 2"),
        ("matmul", 1, "matmul needs 2 inputs, not 1"),
        ("sum", 1, "sum needs 2 or more inputs, not 1"),
        ("crop", 3, "crop needs 1 to 2 inputs, not 3"),
        ("concat", 0, "concat needs 1 or more inputs, not 0"),
    ],
)
def test_the_number_of_inputs_is_checked(name: str, count: int, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        make(name).apply((IMAGE,) * count)


def test_an_empty_or_absurd_output_is_refused() -> None:
    with pytest.raises(ShapeError, match="empty output"):
        make("conv_transpose", out=1, padding=4).apply((TensorType((1, 1, 4)),))
    with pytest.raises(ShapeError, match=r"beyond 2\^53 elements"):
        make("upsample", scale=2**20).apply((TensorType((1, 1, 2**10, 2**10)),))
    with pytest.raises(ShapeError, match=r"parameter beyond 2\^53"):
        make("linear", out=2**30).apply((TensorType((1, 2**30)),))


def test_an_application_adds_up() -> None:
    application = make("conv", out=6, kernel=3, padding=1).apply((IMAGE,))
    assert application.params == 6 * 4 * 9 + 6
    assert application.macs == 2 * 6 * 64 * 4 * 9
    assert application.flops == 2 * application.macs + 2 * 6 * 64
    assert application.activations == 2 * 6 * 64
    assert application.read_bytes == 4 * (IMAGE.numel + application.params)
    assert application.written_bytes == 4 * application.activations
    norm = make("batch_norm").apply((IMAGE,))
    assert (norm.params, norm.buffers) == (8, 8)
    assert norm.parameter_bytes == 64


def test_a_view_materialises_and_moves_nothing() -> None:
    view = make("flatten").apply((IMAGE,))
    assert (view.activations, view.read_bytes, view.written_bytes, view.flops) == (0, 0, 0, 0)


def test_parameters_are_kept_in_the_dtype_of_the_input() -> None:
    half = make("linear", out=3).apply((TensorType((2, 5), "fp16"),))
    assert {stored.dtype for stored in half.stored} == {"fp16"}
    assert half.parameter_bytes == 2 * 18
    indices = TensorType((2, 5), "int64")
    assert make("embedding", count=7, width=2).apply((indices,)).stored[0].dtype == "fp32"


def test_an_operator_without_inference_says_which() -> None:
    with pytest.raises(NotImplementedError, match="Op.infer"):
        Op().infer((IMAGE,))


def test_making_a_wrong_operator() -> None:
    with pytest.raises(KeyError):
        make("convolution")
    with pytest.raises(TypeError):
        make("conv", out=3, size=3)
    with pytest.raises(TypeError):
        make("conv")
    with pytest.raises(ArgumentError, match="kernel: expected an integer >= 1"):
        make("conv", out=3, kernel=0)


works = st.builds(Work, **{kind: st.integers(0, 2**60) for kind in WORK_KINDS})


@given(works, works, st.integers(0, 1000))
def test_work_is_added_and_multiplied_kind_by_kind(a: Work, b: Work, count: int) -> None:
    assert (a + b).as_dict() == {k: v + b.as_dict()[k] for k, v in a.as_dict().items()}
    assert a.times(count).as_dict() == {k: v * count for k, v in a.as_dict().items()}
    assert (a + b).flops == a.flops + b.flops
    assert a.flops == 2 * a.mac + sum(v for k, v in a.as_dict().items() if k != "mac")
    assert a + Work() == a
    assert list(a.as_dict()) == list(WORK_KINDS)
