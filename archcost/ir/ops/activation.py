"""Activation functions, applied element by element, and the softmax.

Counts are upper counts: every element takes the whole formula, whichever branch of it applies.
Sign changes are free, the absolute value inside a formula among them, and constants are folded:
``exp(-2 * S * x)`` is one multiplication.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal, NamedTuple

from archcost.ir.arguments import Count, Dim, FunctionName, Number
from archcost.ir.errors import ArgumentError, ShapeError
from archcost.ir.op import Op, Saved, operator
from archcost.ir.ops.dimensions import dimension
from archcost.ir.types import ParameterSpec, TensorType, Work, bytes_for


class Formula(NamedTuple):
    """What one activation function does.

    ``work`` is for one element. ``keeps`` is what PyTorch's derivative asks for
    (derivatives.yaml) when the function is not applied in place. ``inplace`` says whether
    ``torch.nn.functional`` offers that. ``slope`` is the default of the argument of that name,
    None where there is none.
    """

    work: Work
    keeps: Literal["inputs", "outputs"]
    inplace: bool = False
    slope: float | None = None


FORMULAS: Final[dict[str, Formula]] = {
    # max(x, 0)
    "relu": Formula(Work(cmp=1), "outputs", inplace=True),
    # min(max(x, 0), 6)
    "relu6": Formula(Work(cmp=2), "inputs", inplace=True),
    # x > 0 ? x : slope * x
    "leaky_relu": Formula(Work(cmp=1, mul=1), "inputs", inplace=True, slope=0.01),
    # x > 0 ? x : slope * (exp(x) - 1)
    "elu": Formula(Work(cmp=1, exp=1, add=1, mul=1), "inputs", inplace=True, slope=1.0),
    # scale * elu(x)
    "selu": Formula(Work(cmp=1, exp=1, add=1, mul=2), "inputs", inplace=True),
    # x > 0 ? x : slope * (exp(x * (1 / slope)) - 1)
    "celu": Formula(Work(cmp=1, exp=1, add=1, mul=2), "inputs", inplace=True, slope=1.0),
    # 0.5 * x * (1 + erf(x * (1 / sqrt(2))))
    "gelu": Formula(Work(mul=3, erf=1, add=1), "inputs"),
    # 0.5 * x * (1 + tanh(c * (x + 0.044715 * x * x * x))), c = sqrt(2 / pi): the inner
    # polynomial 3 mul and 1 add; tanh as below, c in its 2; then 1 add and 2 mul
    "gelu_tanh": Formula(Work(mul=6, add=4, exp=1, div=1), "inputs"),
    # x * sigmoid(x)
    "silu": Formula(Work(mul=1, exp=1, add=1, div=1), "inputs", inplace=True),
    # x * tanh(softplus(x))
    "mish": Formula(Work(mul=2, exp=2, add=3, log=1, div=1), "inputs", inplace=True),
    # 1 / (1 + exp(-x))
    "sigmoid": Formula(Work(exp=1, add=1, div=1), "outputs"),
    # -log(1 + exp(-x)); on a CPU PyTorch keeps the exponential too
    "log_sigmoid": Formula(Work(exp=1, add=1, log=1), "inputs"),
    # min(max(x + 3, 0), 6) * (1 / 6)
    "hard_sigmoid": Formula(Work(add=1, cmp=2, mul=1), "inputs", inplace=True),
    # x * hard_sigmoid(x)
    "hard_swish": Formula(Work(add=1, cmp=2, mul=2), "inputs", inplace=True),
    # min(max(x, -1), 1)
    "hard_tanh": Formula(Work(cmp=2), "inputs", inplace=True),
    # (1 - e) / (1 + e), e = exp(-2 * x)
    "tanh": Formula(Work(mul=1, exp=1, add=2, div=1), "outputs"),
    # A * tanh(S * x), A = 1.7159, S = 2/3 (LeCun 1998); S goes into tanh's 2
    "scaled_tanh": Formula(Work(mul=2, exp=1, add=2, div=1), "outputs"),
    # log(1 + exp(x))
    "softplus": Formula(Work(exp=1, add=1, log=1), "inputs"),
    # x / (1 + |x|)
    "softsign": Formula(Work(add=1, div=1), "inputs"),
    # x * x
    "square": Formula(Work(mul=1), "inputs"),
    # max(x, -x)
    "abs": Formula(Work(cmp=1), "inputs"),
}
"""function -> what it does to one element, each count's formula above it."""


@operator
class Activation(Op):
    """The function of its name (:data:`FORMULAS`), element by element, on a tensor of any shape.

    An instance's ``kind`` is its function. ``slope`` is what the formula calls so: the slope of
    leaky_relu (default 0.01), the alpha of elu and celu (default 1). None is the default, and
    the default itself becomes None.
    """

    kind: ClassVar[str] = "activation"
    named_by: ClassVar[str | None] = "function"

    function: FunctionName
    slope: Number | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        formula = FORMULAS[self.function]
        if self.slope is not None and formula.slope is None:
            raise ArgumentError("slope", f"{self.function} has none")
        if self.slope == formula.slope:
            object.__setattr__(self, "slope", None)
        object.__setattr__(self, "kind", self.function)
        object.__setattr__(self, "keeps", formula.keeps)
        object.__setattr__(self, "inplace", formula.inplace)

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        return inputs

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        return FORMULAS[self.function].work.times(inputs[0].numel)


@operator
class PReLU(Op):
    """y = x > 0 ? x : w * x over (N, C, ...), with a learned w for each channel.

    ``shared``: one w for all channels.
    """

    kind: ClassVar[str] = "prelu"
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "inputs"

    shared: bool = False

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        if not self.shared and inputs[0].rank < 2:
            raise ShapeError("prelu with a weight for each channel needs an input (N, C, ...)")
        return inputs

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        return (ParameterSpec("weight", (1 if self.shared else inputs[0].channels,)),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        return Work(cmp=1, mul=1).times(inputs[0].numel)


@operator
class Rescale(Op):
    """y = scale * x + shift with constants, on a tensor of any shape (Caffe's Power of power 1).

    What stands between a residual branch and its sum, or makes the 1 - T of a gate. A sign change
    is free, and so are a scale of 1 and a shift of 0.
    """

    kind: ClassVar[str] = "rescale"
    computes: ClassVar[bool] = False  # of integers too
    inplace: ClassVar[bool] = True

    scale: Number = 1
    shift: Number = 0

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        return inputs

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        element = Work(mul=int(abs(self.scale) != 1), add=int(self.shift != 0))
        return element.times(inputs[0].numel)


@operator
class Maxout(Op):
    """(N, C, ...) -> (N, C / pieces, ...): the maximum of ``pieces`` neighbouring channels.

    Output channel c takes the input channels c * pieces to (c + 1) * pieces - 1. The backward
    pass needs only which of them won: an int64 index for each output element, as PyTorch's
    ``max`` over a dimension keeps.
    """

    kind: ClassVar[str] = "maxout"

    pieces: Count

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = inputs
        if x.rank < 2:
            raise ShapeError("maxout needs an input (N, C, ...)")
        if x.channels % self.pieces:
            raise ShapeError(
                f"maxout of {self.pieces} pieces needs channels divisible by it, has {x.channels}"
            )
        return (x.with_shape((x.shape[0], x.channels // self.pieces, *x.spatial)),)

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        return Work(cmp=self.pieces - 1).times(outputs[0].numel)

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        return Saved(extra=bytes_for(outputs[0].numel, "int64"))


@operator
class Softmax(Op):
    """y = exp(x - max x) / sum(exp(x - max x)) along dimension ``dim``, on a tensor of any shape.

    ``log`` gives its logarithm, x - max x - log(sum(exp(x - max x))); the instance's ``kind`` is
    then ``log_softmax``.
    """

    kind: ClassVar[str] = "softmax"
    named_by: ClassVar[str | None] = "log"
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "outputs"

    dim: Dim = 1
    log: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.log:
            object.__setattr__(self, "kind", "log_softmax")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        dimension(self.kind, self.dim, inputs[0])
        return inputs

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        # A vector of n: the maximum, n differences, n exponentials and their sum; then n
        # quotients, or one logarithm and n more differences.
        (x,) = inputs
        n = x.shape[self.dim]
        vector = Work(cmp=n - 1, add=n + n - 1, exp=n)
        vector += Work(log=1, add=n) if self.log else Work(div=n)
        return vector.times(x.numel // n)
