"""Writes ONNX nodes: their names, constants and stored tensors, and what ONNX takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from math import prod
from typing import Any, Final, NamedTuple

from onnx import NodeProto, TensorProto, defs, helper

from archcost.ir import NUMPY_NAMES, Node, Parameter, Shape, Value
from archcost.ir.names import UniqueNames
from archcost.targets import TargetError

OPSETS: Final = range(18, min(23, defs.onnx_opset_version()) + 1)
"""Versions of ONNX's operator set that can be written."""


@cache
def element_type(dtype: str) -> int:
    """ONNX's number for one of our dtypes."""
    import ml_dtypes  # noqa: F401 - teaches numpy bfloat16 and its like
    import numpy

    return int(helper.np_dtype_to_tensor_dtype(numpy.dtype(NUMPY_NAMES[dtype])))


def type_name(dtype: str) -> str:
    """``float`` for fp32: ONNX's word."""
    return str(TensorProto.DataType.Name(element_type(dtype))).lower()


class Signature(NamedTuple):
    """The types of an operator's inputs and outputs, each a type or a variable for one.

    The last of them stands for all further ones. ``allowed``: types that a variable stands for.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    allowed: dict[str, frozenset[str]]

    def variable(self, place: int) -> str:
        """What the input at ``place`` is."""
        return self.inputs[min(place, len(self.inputs) - 1)]

    def takes(self, place: int, type_: str) -> bool:
        """Whether the input at ``place`` may be a tensor of ``type_``."""
        variable = self.variable(place)
        return type_ in self.allowed.get(variable, (variable,))


@cache
def signature(op_type: str, opset: int) -> Signature | None:
    """That of an operator as ``opset`` has it; None where it has none of that name."""
    try:
        schema = defs.get_schema(op_type, opset)
    except defs.SchemaError:
        return None
    return Signature(
        tuple(_bare(one.type_str) for one in schema.inputs),
        tuple(_bare(one.type_str) for one in schema.outputs),
        {
            one.type_param_str: frozenset(map(_bare, one.allowed_type_strs))
            for one in schema.type_constraints
        },
    )


def _bare(type_: str) -> str:
    """``float`` for ``tensor(float)``."""
    return type_.removeprefix("tensor(").removesuffix(")")


class Part(NamedTuple):
    """A parameter as it lies in a stored tensor.

    ``order``: where the blocks of its rows come from, if they are in another order there; there
    are as many blocks, of as many rows each, as ``order`` has entries.
    """

    parameter: Parameter
    order: tuple[int, ...] = (0,)


class Stored(NamedTuple):
    """A stored tensor: one parameter, or several one behind the other."""

    name: str
    shape: Shape
    parts: tuple[Part, ...]

    @property
    def dtype(self) -> str:
        return self.parts[0].parameter.dtype

    @property
    def trainable(self) -> bool:
        return self.parts[0].parameter.trainable

    @property
    def nbytes(self) -> int:
        return sum(part.parameter.nbytes for part in self.parts)


class Writer:
    """The ONNX nodes of a graph, written one node of the graph after the other.

    Between :meth:`begin` and :meth:`finish` it writes those of one ``node``. Calling it adds an
    ONNX node: ``to("Add", a, b)`` gives the name of a + b.

    Attributes:
        opset: version of ONNX's operator set.
        outputs: the graph's tensors that are its outputs.
        nodes: the ONNX nodes.
        stored: the stored tensors that they read, by what is in them.
        values: the graph's tensors and their names.
        taken: the names of tensors of any kind.
    """

    def __init__(self, opset: int, outputs: Iterable[Value]) -> None:
        self.opset = opset
        self.outputs = frozenset(outputs)
        self.nodes: list[NodeProto] = []
        self.stored: dict[tuple[Part, ...], Stored] = {}
        self.values: dict[Value, str] = {}
        self.taken = UniqueNames([""])  # in ONNX the name of what is left out
        self.node: Node
        self._node_names = UniqueNames()
        self._types: dict[str, str] = {}
        self._first = 0
        self._constants: dict[tuple[Any, ...], str] = {}

    def declare(self, value: Value, name: str) -> None:
        """``value`` is called ``name``, which has been taken."""
        self.values[value] = name
        self._types[name] = type_name(value.type.dtype)

    def begin(self, node: Node) -> None:
        """What is added from here on belongs to ``node``."""
        self.node = node
        self._first = len(self.nodes)
        self._constants = {}

    def finish(self, results: Sequence[str], fixed: dict[Value, str]) -> None:
        """``results`` are the outputs of the node. Each gets the name in ``fixed``, or its
        value's own; what the node only handed on keeps the name it has."""
        made = {name for proto in self.nodes[self._first :] for name in proto.output}
        renamed: dict[str, str] = {}
        for value, result in zip(self.node.outputs, results, strict=True):
            if result in made and result not in renamed:
                renamed[result] = fixed.get(value) or self.taken.take(value.name)
                self.declare(value, renamed[result])
            elif value in fixed:
                self.nodes.append(helper.make_node("Identity", [result], [fixed[value]]))
                self.declare(value, fixed[value])
            else:
                self.declare(value, renamed.get(result, result))
        final = {self.values[value] for value in self.node.outputs}
        for proto in self.nodes[self._first :]:
            for names in (proto.input, proto.output):
                names[:] = [renamed.get(name, name) for name in names]
            main = not final.isdisjoint(proto.output)
            proto.name = self._node_names.take(
                self.node.name if main else f"{self.node.name}/{proto.op_type}"
            )

    def copy(self, value: Value, name: str) -> None:
        """``value`` under a second name, which has been taken."""
        proto = helper.make_node("Identity", [self.values[value]], [name])
        proto.name = self._node_names.take(name)
        self.nodes.append(proto)

    # --- what builders use ---------------------------------------------------------------------

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the node's inputs."""
        return tuple([self.values[value] for value in self.node.inputs])

    @property
    def x(self) -> str:
        """The name of the node's first input."""
        return self.values[self.node.inputs[0]]

    def __call__(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Adds an ONNX node with one output; an input of "" is left out."""
        return self.several(op_type, inputs, 1, **attributes)[0]

    def several(
        self, op_type: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        """Adds an ONNX node with ``outputs`` outputs.

        Raises:
            TargetError: ONNX has no such operator, or none that takes these dtypes.
        """
        known = signature(op_type, self.opset)
        if known is None:
            raise TargetError(self.node, self._lacking(op_type, op_type))
        variables = self._variables(op_type, known, inputs)
        names = [self.taken.take(f"{self.node.name}/{op_type}") for _ in range(outputs)]
        self.nodes.append(helper.make_node(op_type, inputs, names, **attributes))
        for place, name in enumerate(names):
            variable = known.outputs[min(place, len(known.outputs) - 1)]
            # Some variables, of outputs alone, stand for one type.
            (only, *_) = known.allowed.get(variable, (variable,))
            self._types[name] = variables.get(variable, only)
        return names

    def _variables(self, op_type: str, known: Signature, inputs: Sequence[str]) -> dict[str, str]:
        """What the variables in an operator's signature stand for with these inputs.

        Raises:
            TargetError: the operator does not take them.
        """
        variables: dict[str, str] = {}
        for place, name in enumerate(inputs):
            if not name:
                continue
            type_ = self._types[name]
            if not known.takes(place, type_):
                what = f"{op_type} of {type_}"
                raise TargetError(self.node, self._lacking(what, op_type, (place, type_)))
            other = variables.setdefault(known.variable(place), type_)
            if other != type_:
                raise self.lacks(f"{op_type} of {other} and {type_}")
        return variables

    def _lacking(self, what: str, op_type: str, takes: tuple[int, str] | None = None) -> str:
        """The message that ``what`` is not there, and which version has it."""
        for opset in OPSETS:
            known = signature(op_type, opset)
            if known is not None and (takes is None or known.takes(*takes)):
                return f"ONNX has {what} from operator set {opset} on, this is {self.opset}"
        return f"ONNX has no {what}"

    def lacks(self, what: str) -> TargetError:
        """The error that ONNX does not have ``what``."""
        return TargetError(self.node, f"ONNX has no {what}")

    def cast(self, x: str, dtype: str) -> str:
        """``x`` in one of our dtypes."""
        if self._types[x] == type_name(dtype):
            return x
        y = self("Cast", x, to=element_type(dtype))
        self._types[y] = type_name(dtype)
        return y

    def is_type(self, x: str, *types: str) -> bool:
        """Whether ``x`` is of one of these types, in ONNX's words."""
        return self._types[x] in types

    def ints(self, *values: int) -> str:
        """A constant vector of int64."""
        return self.constant(values, (len(values),), "int64")

    def number(self, value: float, like: str) -> str:
        """A constant scalar of the dtype of ``like``."""
        return self._constant([value], (), self._types[like])

    def filled(self, value: float, shape: Shape, like: str) -> str:
        """A constant tensor with one value everywhere, of the dtype of ``like``."""
        return self._constant([value] * prod(shape), shape, self._types[like])

    def constant(self, values: Sequence[float], shape: Shape, dtype: str) -> str:
        """A constant tensor, by its elements in row-major order."""
        return self._constant(values, shape, type_name(dtype))

    def _constant(self, values: Sequence[float], shape: Shape, type_: str) -> str:
        key = (tuple(values), shape, type_)
        if key not in self._constants:
            number = TensorProto.DataType.Value(type_.upper())
            name = self("Constant", value=helper.make_tensor("", number, shape, values))
            self._types[name] = type_
            self._constants[key] = name
        return self._constants[key]

    def zeros(self, shape: Shape, dtype: str) -> str:
        """A tensor of zeros, made when the network runs."""
        one = helper.make_tensor("", element_type(dtype), (1,), [0])
        name = self("ConstantOfShape", self.ints(*shape), value=one)
        self._types[name] = type_name(dtype)
        return name

    def shaped(self, x: str, *shape: int) -> str:
        """``x`` in another shape; 0 keeps a size, one -1 is what remains."""
        return self("Reshape", x, self.ints(*shape))

    def parameter(self, role: str) -> str:
        """The node's parameter of that name; "" where it has none."""
        found = self.parameters.get(role)
        return self.store(found.name, found.shape, Part(found)) if found else ""

    def optional(self, role: str) -> list[str]:
        """The node's parameter of that name; none where it has none."""
        name = self.parameter(role)
        return [name] if name else []

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The node's parameters by their names within it."""
        specs = self.node.application.parameters
        return {p.name: own for p, own in zip(specs, self.node.parameters, strict=True)}

    def store(self, name: str, shape: Shape, *parts: Part) -> str:
        """The stored tensor of these parts, which is called ``name`` if it is new."""
        if parts not in self.stored:
            self.stored[parts] = Stored(self.taken.take(name), shape, parts)
        stored = self.stored[parts]
        self._types[stored.name] = type_name(stored.dtype)
        return stored.name
