"""What the translation of one ONNX node sees: its inputs and attributes, and a way to add nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from archcost.ir import Shape, TensorType, Value
from archcost.sources.errors import ModelFileError
from archcost.sources.onnx.names import clean
from archcost.sources.onnx.tensors import Entry, Item, Known, Many, shown

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, NodeProto

    from archcost.ir import Parameter
    from archcost.sources.onnx.frames import Frame
    from archcost.sources.onnx.reader import Reader
    from archcost.sources.onnx.tensors import Array


class Unfit(Exception):
    """This node is a case of its operator that the translation does not know."""


Result = Entry | Sequence[Entry | None]
Translation = Callable[["Call"], Result]

OPERATORS: Final[dict[tuple[str, str], Translation]] = {}
"""(domain, type) -> how a node of it becomes nodes of ours."""

F = TypeVar("F", bound=Translation)


def translates(*types: str, domain: str = "") -> Callable[[F], F]:
    """Declare the translation of some ONNX operators."""

    def declare(function: F) -> F:
        for type_ in types:
            OPERATORS[domain, type_] = function
        return function

    return declare


class Call:
    """One node at its place: its operator's version, and its inputs as they stand."""

    def __init__(
        self,
        reader: Reader,
        node: NodeProto,
        version: int,
        inputs: Sequence[Entry | None],
        name: str,
        attributes: Mapping[str, AttributeProto],
        frame: Frame,
        at: int,
    ) -> None:
        self.reader = reader
        self.frame = frame
        self.at = at
        self.node = node
        self.version = version
        self.inputs = inputs
        self.name = name
        self.attributes = attributes
        self.results: list[Entry | None] | None = None

    @property
    def op_type(self) -> str:
        return str(self.node.op_type)

    @property
    def place(self) -> str:
        """What messages call it."""
        return place_of(self.node, self.name)

    def error(self, message: str) -> ModelFileError:
        # Which may hold a list of any length out of the file.
        return ModelFileError(f"{self.place}: {message:.1000}")

    # --- attributes -----------------------------------------------------------------------------

    def has(self, attribute: str) -> bool:
        return attribute in self.attributes

    def _attribute(self, name: str, kind: str) -> Any:
        proto = self.attributes.get(name)
        if proto is None:
            return None
        from onnx import AttributeProto

        codes = AttributeProto.AttributeType
        if proto.type != codes.Value(kind):
            known = proto.type in codes.values()
            found = codes.Name(proto.type).lower() if known else f"type {proto.type}"
            raise self.error(f"attribute {shown(name)} is of {found}, expected {kind.lower()}")
        return proto

    def integer(self, name: str, default: int | None = None) -> int:
        proto = self._attribute(name, "INT")
        if proto is None and default is None:
            raise self.error(f"lacks the attribute {shown(name)}")
        return int(default if proto is None else proto.i)  # type: ignore[arg-type]

    def integers(self, name: str) -> list[int] | None:
        proto = self._attribute(name, "INTS")
        return None if proto is None else list(proto.ints)

    def real(self, name: str, default: float) -> float:
        proto = self._attribute(name, "FLOAT")
        return default if proto is None else _plain(proto.f)

    def reals(self, name: str) -> list[float] | None:
        proto = self._attribute(name, "FLOATS")
        return None if proto is None else list(proto.floats)

    def text(self, name: str, default: str = "") -> str:
        proto = self._attribute(name, "STRING")
        return default if proto is None else str(proto.s, "utf-8", "replace")

    def texts(self, name: str) -> list[str] | None:
        proto = self._attribute(name, "STRINGS")
        return None if proto is None else [str(s, "utf-8", "replace") for s in proto.strings]

    def tensor(self, name: str) -> Any:
        proto = self._attribute(name, "TENSOR")
        return None if proto is None else proto.t

    def subgraph(self, name: str) -> GraphProto:
        proto = self._attribute(name, "GRAPH")
        if proto is None:
            raise self.error(f"lacks the attribute {shown(name)}")
        graph: GraphProto = proto.g
        return graph

    # --- inputs ---------------------------------------------------------------------------------

    def given(self, index: int) -> bool:
        """Whether there is an input ``index``; optional ones may be left out."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def item(self, index: int) -> Item:
        if not self.given(index):
            raise self.error(f"lacks its input {index + 1}")
        found = self.inputs[index]
        if isinstance(found, Many):
            raise self.error(f"its input {index + 1} is a sequence, not a tensor")
        assert found is not None
        return found

    def type_of(self, index: int) -> TensorType:
        return self.item(index).type

    def shape(self, index: int) -> Shape:
        return self.type_of(index).shape

    def value(self, index: int) -> Value:
        """Input ``index`` as a tensor of the graph."""
        return self.tensor_of(self.item(index))

    def tensor_of(self, item: Item) -> Value:
        return self.reader.value(item, self)

    def known(self, index: int) -> Known | None:
        """Input ``index`` where it does not depend on the graph's inputs."""
        found = self.inputs[index] if self.given(index) else None
        return found if isinstance(found, Known) else None

    def array(self, index: int) -> Array | None:
        """The values of an input; None where it is left out.

        Raises:
            Unfit: they are not known before the pass. To be asked for before any node is added.
        """
        if not self.given(index):
            return None
        known = self.known(index)
        values = None if known is None else known.values
        if values is None:
            raise Unfit(f"its input {index + 1} is not known before the pass")
        return values

    def numbers(self, index: int) -> list[int] | None:
        """The values of an input of integers, in a row. Raises Unfit as :meth:`array`."""
        values = self.array(index)
        return None if values is None else [int(number) for number in values.reshape(-1).tolist()]

    def scalar(self, index: int) -> int | float | None:
        """The value of an input of one element, where it is known."""
        known = self.known(index)
        if known is None or known.type.numel != 1 or known.values is None:
            return None
        number = known.values.reshape(-1).tolist()[0]
        if isinstance(number, bool):
            return int(number)
        if isinstance(number, int):
            return number
        # ml_dtypes' scalars, of which some numpy arrays consist, are floats; a complex is none.
        return None if isinstance(number, complex) else _plain(number)

    def is_named(self, index: int) -> bool:
        """Whether the file asks for output ``index``."""
        return index < len(self.node.output) and bool(self.node.output[index])

    def is_read(self, index: int) -> bool:
        """Whether anything reads output ``index``."""
        return self.is_named(index) and self.node.output[index] in self.frame.readers

    # --- parameters -----------------------------------------------------------------------------

    def weight(
        self,
        index: int,
        shape: Shape | None = None,
        *,
        trainable: bool = True,
    ) -> Parameter | None:
        """Input ``index`` as a parameter of ``shape`` (default: its own).

        None where it is not stored, has not as many elements, or is a parameter of another
        shape already.
        """
        known = self.known(index)
        if known is None:
            return None
        shape = known.type.shape if shape is None else shape
        return self.reader.weights.parameter(known, shape, trainable=trainable)

    def follower(self) -> tuple[int, Call] | None:
        """The node that alone reads this one's only output, where it follows in the same graph and
        all its other inputs are there already; with its place in the graph."""
        return self.reader.follower(self)

    def take_over(self, at: int, value: Value) -> None:
        """Say that this node does what the one at place ``at`` should do: it gives ``value``."""
        self.frame.done[at] = value

    # --- nodes ----------------------------------------------------------------------------------

    def add(
        self,
        kind: str,
        *inputs: Value,
        share: Mapping[str, Parameter | None] | None = None,
        part: str = "",
        **arguments: Any,
    ) -> Value:
        """A node of one output."""
        return self.add_all(kind, *inputs, share=share, part=part, **arguments)[0]

    def add_all(
        self,
        kind: str,
        *inputs: Value,
        share: Mapping[str, Parameter | None] | None = None,
        part: str = "",
        **arguments: Any,
    ) -> tuple[Value, ...]:
        """A node of the operator ``kind``, under this one's name; ``part`` of it, if given."""
        given = {role: p for role, p in (share or {}).items() if p is not None}
        name = f"{self.name}_{part}" if part else self.name
        return self.reader.add(self, kind, inputs, name, given, arguments)


def place_of(node: NodeProto, name: str) -> str:
    """What messages call a node that we call ``name``."""
    return f"node {shown(node.name or name)} ({clean(node.op_type)[:60]})"


def _plain(number: Any) -> float:
    """A number of single precision as it was meant: 0.1, not 0.10000000149011612."""
    return float(f"{float(number):.7g}")
