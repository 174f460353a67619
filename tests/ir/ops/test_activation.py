"""Activations: work as counting numbers count it, kept tensors and shapes as torch's."""

from __future__ import annotations

import inspect
import math
from dataclasses import asdict

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.ir import ArgumentError, ShapeError, TensorType, Work
from archcost.ir.ops import OPERATORS, make
from archcost.ir.ops.activation import FORMULAS, Activation, Maxout, PReLU, Softmax

quick = settings(max_examples=60, deadline=None)
shapes = st.lists(st.integers(1, 5), min_size=2, max_size=5).map(tuple)


class Counted:
    """A number that counts, in a tally that all its descendants share, what is done with it."""

    def __init__(self, value, tally):
        self.value, self.tally = value, tally

    def did(self, kind, value):
        self.tally[kind] = self.tally.get(kind, 0) + 1
        return Counted(value, self.tally)

    def __add__(self, other):
        return self.did("add", self.value + plain(other))

    def __rsub__(self, other):
        return self.did("add", other - self.value)

    def __sub__(self, other):
        return self.did("add", self.value - plain(other))

    def __mul__(self, other):
        return self.did("mul", self.value * plain(other))

    def __truediv__(self, other):
        return self.did("div", self.value / plain(other))

    def __rtruediv__(self, other):
        return self.did("div", other / self.value)

    def __neg__(self):  # free
        return Counted(-self.value, self.tally)

    def __abs__(self):  # free inside a formula
        return Counted(abs(self.value), self.tally)

    def max(self, other):
        return self.did("cmp", max(self.value, plain(other)))

    def min(self, other):
        return self.did("cmp", min(self.value, plain(other)))

    def positive_or(self, other):
        """self > 0 ? self : other"""
        return self.did("cmp", self.value if self.value > 0 else plain(other))

    def exp(self):
        return self.did("exp", math.exp(self.value))

    def log(self):
        return self.did("log", math.log(self.value))

    def erf(self):
        return self.did("erf", math.erf(self.value))


def plain(x):
    return x.value if isinstance(x, Counted) else x


def sigmoid(x):
    return 1 / ((-x).exp() + 1)


def tanh(x, factor=1.0):
    """tanh(factor * x)"""
    e = (x * (-2 * factor)).exp()
    return (1 - e) / (e + 1)


def softplus(x):
    return (x.exp() + 1).log()


def hard_sigmoid(x):
    return (x + 3).max(0).min(6) * (1 / 6)


def gelu_tanh(x):
    return (tanh(x + x * x * x * 0.044715, math.sqrt(2 / math.pi)) + 1) * (x * 0.5)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

WRITTEN = {
    "relu": lambda x: x.max(0),
    "relu6": lambda x: x.max(0).min(6),
    "leaky_relu": lambda x: x.positive_or(x * 0.01),
    "elu": lambda x: x.positive_or((x.exp() - 1) * 1.0),
    "selu": lambda x: x.positive_or((x.exp() - 1) * SELU_ALPHA) * SELU_SCALE,
    "celu": lambda x: x.positive_or(((x * (1 / 1.0)).exp() - 1) * 1.0),
    "gelu": lambda x: ((x * math.sqrt(0.5)).erf() + 1) * (x * 0.5),
    "gelu_tanh": gelu_tanh,
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * tanh(softplus(x)),
    "sigmoid": sigmoid,
    "log_sigmoid": lambda x: -((-x).exp() + 1).log(),
    "hard_sigmoid": hard_sigmoid,
    "hard_swish": lambda x: x * hard_sigmoid(x),
    "hard_tanh": lambda x: x.max(-1).min(1),
    "tanh": tanh,
    "scaled_tanh": lambda x: tanh(x, 2 / 3) * 1.7159,
    "softplus": softplus,
    "softsign": lambda x: x / (abs(x) + 1),
    "square": lambda x: x * x,
    "abs": lambda x: x.max(-x),
}

TORCH = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "sigmoid": torch.sigmoid,
    "log_sigmoid": F.logsigmoid,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
    "hard_tanh": F.hardtanh,
    "tanh": torch.tanh,
    "scaled_tanh": lambda x: 1.7159 * torch.tanh(x * (2 / 3)),
    "softplus": F.softplus,
    "softsign": F.softsign,
    "square": torch.square,
    "abs": torch.abs,
}


def packed(function, *inputs):
    """The output, and the tensors that autograd keeps."""
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = function(*inputs)
    return y, kept


def same_storage(kept, tensor):
    return any(t.data_ptr() == tensor.data_ptr() for t in kept)


def test_the_names_are_those_of_the_list_of_operators():
    named = {name for name, (_, cls, _) in OPERATORS.items() if cls == "Activation"}
    assert named == set(FORMULAS) == set(WRITTEN) == set(TORCH)
    for name in named:
        assert make(name).kind == name
    with pytest.raises(ArgumentError, match="one of relu, relu6"):
        Activation("swoosh")


@pytest.mark.parametrize("name", FORMULAS)
def test_the_formula_gives_torchs_value_and_our_count(name):
    points = torch.linspace(-7, 7, 29, dtype=torch.float64)
    expected = TORCH[name](points)
    for point, value in zip(points.tolist(), expected.tolist(), strict=True):
        tally = {}
        assert WRITTEN[name](Counted(point, tally)).value == pytest.approx(value, abs=1e-12)
        work = make(name).apply((TensorType((1, 1)),)).work
        assert {kind: n for kind, n in asdict(work).items() if n} == tally


@pytest.mark.parametrize("name", sorted(FORMULAS.keys() - {"scaled_tanh"}))
def test_autograd_keeps_what_we_say(name):
    x = torch.randn(3, 4, requires_grad=True)
    y, kept = packed(TORCH[name], x)
    keeps = make(name).keeps
    assert same_storage(kept, x) == (keeps == "inputs")
    # softsign is composed of several functions in torch, log_sigmoid is on a CPU: they keep more.
    if name not in ("softsign", "log_sigmoid"):
        assert same_storage(kept, y) == (keeps == "outputs")
        assert len(kept) == 1


@pytest.mark.parametrize("name", FORMULAS)
def test_inplace_where_the_framework_has_the_argument(name):
    names = {"hard_sigmoid": "hardsigmoid", "hard_swish": "hardswish", "hard_tanh": "hardtanh"}
    function = getattr(F, names.get(name, name), None)
    python = inspect.isfunction(function)
    has = python and "inplace" in inspect.signature(function).parameters
    assert make(name).inplace == has


@pytest.mark.parametrize("scale", [1, -1, 0.2, 3])
@pytest.mark.parametrize("shift", [0, 1, -0.5])
def test_rescale(scale, shift):
    tally = {}
    counted = Counted(0.75, tally)
    if scale != 1:
        counted = -counted if scale == -1 else counted * scale
    if shift:
        counted = counted + shift
    assert counted.value == scale * 0.75 + shift
    application = make("rescale", scale=scale, shift=shift).apply((TensorType((2, 3)),))
    assert application.outputs == (TensorType((2, 3)),)
    assert application.work == Work(**tally).times(6)
    x = torch.zeros(2, 3, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        x * scale + shift
    assert not any(t.dim() for t in kept)  # constants alone
    assert application.saved == (False, False, 0)


@quick
@given(shapes, st.sampled_from(sorted(FORMULAS)))
def test_an_activation_changes_no_shape_and_works_on_each_element(shape, name):
    application = make(name).apply((TensorType(shape, "fp16"),))
    assert application.outputs == (TensorType(shape, "fp16"),)
    assert application.params == application.macs == 0
    assert application.flops == FORMULAS[name].work.flops * math.prod(shape)


def test_slope():
    assert make("leaky_relu", slope=0.01) == make("leaky_relu")
    assert make("elu", slope=1) == make("elu")
    assert make("leaky_relu", slope=0.2).settings() == {"slope": 0.2}
    assert make("leaky_relu", slope=0).slope == 0
    with pytest.raises(ArgumentError, match="slope: relu has none"):
        make("relu", slope=0.1)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("relu", {}), ("elu", {"slope": 0.5}), ("softmax", {"dim": -1}), ("log_softmax", {})],
)
def test_an_operator_is_made_again_from_its_kind_and_settings(name, arguments):
    op = make(name, **arguments)
    assert op.settings() == arguments
    assert make(op.kind, **op.settings()) == op
    assert op.kind == name


@quick
@given(shapes, st.booleans())
def test_prelu(shape, shared):
    module = torch.nn.PReLU(1 if shared else shape[1])
    x = torch.randn(shape, requires_grad=True)
    y, kept = packed(module, x)
    op = PReLU(shared)
    application = op.apply((TensorType(shape),))
    assert application.outputs[0].shape == tuple(y.shape)
    assert [p.shape for p in application.parameters] == [tuple(module.weight.shape)]
    assert application.work.as_dict() | {"cmp": x.numel(), "mul": x.numel()} == (
        application.work.as_dict()
    )
    assert application.flops == 2 * x.numel()
    assert op.keeps == "inputs"
    assert same_storage(kept, x)


def test_prelu_of_vectors():
    assert PReLU(shared=True).apply((TensorType((4,)),)).params == 1
    with pytest.raises(ShapeError, match="needs an input"):
        PReLU().apply((TensorType((4,)),))


@quick
@given(shapes, st.integers(1, 4))
def test_maxout(shape, pieces):
    x = torch.randn(shape[0], shape[1] * pieces, *shape[2:], requires_grad=True)
    y, kept = packed(lambda t: t.unflatten(1, (-1, pieces)).max(2).values, x)
    application = Maxout(pieces).apply((TensorType(tuple(x.shape)),))
    assert application.outputs == (TensorType(tuple(y.shape)),)
    assert application.work.cmp == application.flops == x.numel() - y.numel()
    assert application.saved == (False, False, sum(t.nbytes for t in kept))


def test_maxout_needs_whole_pieces():
    with pytest.raises(
        ShapeError, match="maxout of 3 pieces needs channels divisible by it, has 4"
    ):
        Maxout(3).apply((TensorType((1, 4, 2, 2)),))
    with pytest.raises(ShapeError, match="N, C"):
        Maxout(1).apply((TensorType((4,)),))


def softmax_of(vector, log):
    """The softmax of one vector of Counted numbers."""
    top = vector[0]
    for x in vector[1:]:
        top = x.max(top)
    shifted = [x - top for x in vector]
    powers = [x.exp() for x in shifted]
    total = powers[0]
    for power in powers[1:]:
        total = total + power
    if log:
        normaliser = total.log()
        return [x - normaliser for x in shifted]
    return [power / total for power in powers]


@quick
@given(shapes, st.data(), st.booleans())
def test_softmax(shape, data, log):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    function = F.log_softmax if log else F.softmax
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    y, kept = packed(lambda t: function(t, dim), x)
    op = Softmax(dim, log)
    application = op.apply((TensorType(shape),))
    tally = {}
    vectors = x.detach().movedim(dim, -1).reshape(-1, shape[dim])
    results = [softmax_of([Counted(v, tally) for v in row], log) for row in vectors.tolist()]
    expected = y.detach().movedim(dim, -1).reshape(-1, shape[dim])
    assert torch.allclose(
        torch.tensor([[v.value for v in r] for r in results]).double(), expected, atol=1e-5
    )
    assert {kind: n for kind, n in asdict(application.work).items() if n} == tally
    assert application.outputs == (TensorType(shape),)
    assert same_storage(kept, y)
    assert not same_storage(kept, x)
    assert application.saved == (False, True, 0)


def test_softmax_needs_its_dimension():
    with pytest.raises(ShapeError, match="log_softmax names dimension 2 of an input with 2"):
        make("log_softmax", dim=2).apply((TensorType((1, 4)),))
    with pytest.raises(ShapeError, match="dimension -3"):
        make("softmax", dim=-3).apply((TensorType((1, 4)),))
