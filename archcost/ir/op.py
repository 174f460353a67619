"""The base of all operators, and what applying one to given inputs costs."""

from __future__ import annotations

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, fields
from functools import cached_property
from math import prod
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar, dataclass_transform

from archcost.ir.arguments import check
from archcost.ir.errors import ShapeError
from archcost.ir.types import FLOATS, ParameterSpec, Shape, TensorType, Work, bytes_for

MAX_KEPT = 1024
"""Applications that an operator keeps, for as many types of inputs."""

MAX_ELEMENTS = 2**53
"""Largest tensor that is believed; beyond it a size is a slip of the pen."""


class Reach(NamedTuple):
    """Which input positions one output position reads along one spatial dimension.

    Output position ``u`` reads the input positions from ``u * stride + low`` to
    ``u * stride + high``. ``stride`` is a fraction below 1 where the operator upsamples.
    """

    low: float
    high: float
    stride: float


class Saved(NamedTuple):
    """What an operator keeps for its backward pass.

    ``inputs`` and ``outputs`` say whether its input and output tensors are kept (shared with
    whoever else keeps them; a tuple of indices: only those), ``extra`` is what it keeps besides,
    in bytes.
    """

    inputs: bool | tuple[int, ...] = False
    outputs: bool | tuple[int, ...] = False
    extra: int = 0


class Stored(NamedTuple):
    """A parameter of an application, resolved: ``suffix`` follows the node's name."""

    suffix: str
    shape: Shape
    dtype: str
    trainable: bool
    numel: int
    nbytes: int


class Application:
    """An operator applied to inputs of given types: its outputs, parameters and exact cost.

    Pure facts without a name or place, so that all nodes that do the same share one.
    """

    __slots__ = (
        "activations",
        "buffers",
        "flops",
        "inputs",
        "macs",
        "op",
        "output_bytes",
        "outputs",
        "parameter_bytes",
        "parameters",
        "params",
        "reach",
        "read_bytes",
        "saved",
        "stored",
        "work",
        "written_bytes",
    )

    def __init__(self, op: Op, inputs: tuple[TensorType, ...]) -> None:
        self.op = op
        self.inputs = inputs
        self.outputs = op.infer(inputs)
        least = 0 if op.may_be_empty else 1
        for output in self.outputs:
            if any(size < least for size in output.shape):
                raise ShapeError(f"gives an empty output of {output}; its input is too small")
            if output.numel > MAX_ELEMENTS:
                raise ShapeError(f"gives an output of {output}, beyond 2^53 elements")
        self.parameters = op.parameters(inputs)
        dtype = op.compute_dtype(inputs)
        self.stored = tuple(_stored(spec, spec.dtype or dtype) for spec in self.parameters)
        if any(p.numel > MAX_ELEMENTS for p in self.stored):
            raise ShapeError("needs a parameter beyond 2^53 elements")
        self.parameter_bytes = sum(p.nbytes for p in self.stored)
        self.work = op.work(inputs, self.outputs)
        self.reach = op.reach(inputs, self.outputs)
        self.saved = op.saved(inputs, self.outputs)

        self.params = sum(p.numel for p in self.stored if p.trainable)
        self.buffers = sum(p.numel for p in self.stored if not p.trainable)
        self.macs = self.work.mac
        self.flops = self.work.flops
        self.activations = 0 if op.view else sum(output.numel for output in self.outputs)
        self.read_bytes = 0
        if not op.view:
            self.read_bytes = op.read_bytes(inputs) + op.parameter_bytes_read(
                inputs, self.parameter_bytes
            )
        self.output_bytes = tuple(output.nbytes for output in self.outputs)
        self.written_bytes = 0 if op.view else sum(self.output_bytes)


def _stored(spec: ParameterSpec, dtype: str) -> Stored:
    numel = prod(spec.shape)
    return Stored(
        f".{spec.name}", spec.shape, dtype, spec.trainable, numel, bytes_for(numel, dtype)
    )


_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True)
def operator(cls: type[_Class]) -> type[_Class]:
    """Declare an operator: a frozen dataclass, whose methods are those of :class:`Op`.

    ``@dataclass(frozen=True)`` generates and compiles source for each class, which for the
    operators of one small network takes longer than all the rest of a report.
    """
    dataclass(init=False, repr=False, eq=False)(cls)
    cls._fields = fields(cls)  # type: ignore[attr-defined, arg-type]
    return cls


@operator
class Op:
    """An operator: everything that is intrinsic to it, and nothing else.

    A subclass is declared with :func:`operator`; its fields are its arguments, annotated with the
    names of :mod:`archcost.ir.arguments`; it overrides :meth:`infer` and, where not trivial,
    :meth:`parameters`, :meth:`work`, :meth:`reach` and :meth:`saved`. Shapes are batch first,
    channels second. An operator holds no shapes itself, so a graph can be rebuilt for other inputs.
    """

    kind: ClassVar[str]
    """The operator's name in specs, reports and JSON."""
    named_by: ClassVar[str | None] = None
    """The argument that its name already tells (``mode`` of ``global_avg_pool``)."""
    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    """Fewest and most inputs (None: any number); (0, 0) for one that reads nothing."""
    known: ClassVar[bool] = True
    """Whether its cost is known; of others only the types are, and reports name them."""
    in_specs: ClassVar[bool] = True
    """Whether a spec may use it; others come from files and modules alone."""
    may_be_empty: ClassVar[bool] = False
    """Whether a size of its outputs may be 0."""
    computes: ClassVar[bool] = True
    """Whether it computes with its inputs' values, which are then floating-point numbers; others
    only choose or move elements of any dtype."""
    weighted: ClassVar[bool] = False
    """Whether it is a layer in the papers' count of depth: convolutions and linear layers."""
    view: ClassVar[bool] = False
    """Whether a forward pass at inference hands on its first input's storage: nothing is
    computed and no tensor is materialised."""
    view_in_training: ClassVar[bool] = True
    """Whether a :attr:`view` is one in training too: dropout then makes a tensor of its own."""
    inplace: ClassVar[bool] = False
    """Whether it can write its result over its first input."""
    keeps: ClassVar[Literal["inputs", "outputs", "nothing"]] = "nothing"
    """What the backward pass needs again."""

    _fields: ClassVar[tuple[Field[Any], ...]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        if len(args) > len(self._fields):
            raise TypeError(f"{name} takes at most {len(self._fields)} arguments")
        given = dict(zip([field.name for field in self._fields], args, strict=False))
        if twice := given.keys() & kwargs.keys():
            raise TypeError(f"{name} got {', '.join(sorted(twice))} twice")
        given |= kwargs
        for field in self._fields:
            value = given.pop(field.name, field.default)
            if value is MISSING:
                raise TypeError(f"{name} needs {field.name!r}")
            self.__dict__[field.name] = value
        if given:
            raise TypeError(f"{name} has no argument {', '.join(map(repr, given))}")
        self.__post_init__()

    def __post_init__(self) -> None:
        for field in self._fields:
            name = field.name
            self.__dict__[name] = check(name, str(field.type), self.__dict__[name])

    def _values(self) -> tuple[Any, ...]:
        return tuple([self.__dict__[field.name] for field in self._fields])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        pairs = zip(self._fields, self._values(), strict=True)
        shown = ", ".join([f"{field.name}={value!r}" for field, value in pairs])
        return f"{type(self).__qualname__}({shown})"

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def infer(self, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        """The types of the outputs. Raises ShapeError saying what was needed."""
        raise NotImplementedError(f"{type(self).__name__}.infer")

    def parameters(self, inputs: tuple[TensorType, ...]) -> tuple[ParameterSpec, ...]:
        """The parameters and buffers that the operator stores."""
        return ()

    def work(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Work:
        """Elementary operations of one forward pass at inference."""
        return Work()

    def reach(
        self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> tuple[Reach, ...] | None:
        """What an output position reads, for each spatial dimension; None: just its own place."""
        return None

    def saved(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Saved:
        """What a training step keeps of this operator until its backward pass."""
        return Saved(inputs=self.keeps == "inputs", outputs=self.keeps == "outputs")

    def read_bytes(self, inputs: tuple[TensorType, ...]) -> int:
        """Bytes read of the inputs in one forward pass, each input once."""
        return sum(type_.nbytes for type_ in inputs)

    def parameter_bytes_read(self, inputs: tuple[TensorType, ...], nbytes: int) -> int:
        """Bytes read of its parameters, which take ``nbytes``: each once, if not overridden."""
        return nbytes

    def compute_dtype(self, inputs: tuple[TensorType, ...]) -> str:
        """The dtype of its parameters: that of its first floating-point input, else fp32."""
        return next((type_.dtype for type_ in inputs if type_.dtype in FLOATS), "fp32")

    def with_dtype(self, dtype: str) -> Op:
        """The same operator in a network of another floating-point dtype."""
        return self

    def apply(self, inputs: tuple[TensorType, ...]) -> Application:
        """This operator on inputs of these types, worked out once for each tuple of types.

        Raises:
            ShapeError: without node or source; the graph builder adds them.
        """
        try:
            return self._applications[inputs]
        except KeyError:
            pass
        least, most = self.arity
        if len(inputs) < least or (most is not None and len(inputs) > most):
            wanted = (
                f"{least}"
                if least == most
                else f"{least} or more"
                if most is None
                else (f"{least} to {most}")
            )
            raise ShapeError(f"{self.kind} needs {wanted} inputs, not {len(inputs)}")
        if self.computes and inputs and inputs[0].dtype not in FLOATS:
            raise ShapeError(f"{self.kind} needs an input of floating-point numbers")
        if len(self._applications) >= MAX_KEPT:
            self._applications.clear()
        application = self._applications[inputs] = Application(self, inputs)
        return application

    @cached_property
    def _applications(self) -> dict[tuple[TensorType, ...], Application]:
        # Results of a pure function of an immutable object, kept on the object: they live as long.
        return {}

    def settings(self) -> dict[str, Any]:
        """The arguments that differ from their defaults: what ``make(op.kind, ...)`` takes."""
        return {
            field.name: value
            for field in self._fields
            if field.name != self.named_by and (value := getattr(self, field.name)) != field.default
        }
