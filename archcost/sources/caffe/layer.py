"""A layer while it is read, and the table of what reads each type.

A function of the table takes a :class:`Layer` and gives its outputs, one for each top. Sizes,
defaults and what excludes what are those of ``src/caffe/proto/caffe.proto`` and
``src/caffe/layers`` in BVLC's Caffe (https://github.com/BVLC/caffe at commit 9b89154);
:mod:`archcost.sources.caffe.forks` has types that other Caffes added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Final, NoReturn

from archcost.ir import ArgumentError, GraphBuilder, Op, Parameter, Shape, Value
from archcost.ir.names import UniqueNames
from archcost.ir.ops import make
from archcost.ir.types import bytes_for
from archcost.sources.caffe.fields import Fields, counted

Build = Callable[["Layer"], Sequence[Value]]
Step = tuple[str, dict[str, Any]]
"""An operator's kind and arguments."""

LAYERS: Final[dict[str, Build]] = {}
"""type, as :func:`squashed`, -> what builds it"""

NAMES: Final[dict[str, str]] = {}
"""type, as :func:`squashed`, -> as Caffe writes it"""


def squashed(name: str) -> str:
    """A layer's type without case and underscores: INNER_PRODUCT was InnerProduct's name once."""
    return name.replace("_", "").lower()


def layer_type(*names: str) -> Callable[[Build], Build]:
    """Register what builds the layers of these types."""

    def register(build: Build) -> Build:
        for name in names:
            LAYERS[squashed(name)] = build
            NAMES[squashed(name)] = name
        return build

    return register


class Net:
    """What the layers of one file share: the graph, tied parameters, what was assumed.

    ``left_out`` counts fields that are not known. ``batch`` is that of the graph, ``file_batch``
    that of the file, which sizes in it may repeat. A proposal layer gives ``proposals`` regions.
    """

    def __init__(
        self, name: str, dtype: str, batch: int, file_batch: int | None, proposals: int
    ) -> None:
        self.builder = GraphBuilder(name)
        self.dtype = dtype
        self.batch = batch
        self.file_batch = file_batch
        self.proposals = proposals
        self.assumptions: list[str] = []
        self.left_out: Counter[str] = Counter()
        self.tied: dict[str, Parameter] = {}
        self.unique = UniqueNames().take

    def assume(self, what: str) -> None:
        """Note something that the file does not say."""
        if what not in self.assumptions:
            self.assumptions.append(what)


class Layer:
    """A layer of the file, its bottoms read: what the functions of the table are given.

    ``tops`` is how many it has, ``inplace`` whether the first is the first bottom; ``checked`` says
    whether fields that nobody asked for are to be looked at.
    """

    def __init__(
        self,
        net: Net,
        fields: Fields,
        type_: str,
        bottoms: Sequence[Value],
        tops: int,
        inplace: bool,
    ) -> None:
        self.net = net
        self.fields = fields
        self.type = type_
        self.bottoms = list(bottoms)
        self.tops = tops
        self.inplace = inplace
        self.name = net.unique(fields.label("name") or type_.lower())
        self.checked = True
        self._ties = _ties(fields)
        self._sections: dict[str, Fields] = {}

    @property
    def called(self) -> str:
        """What messages call it."""
        return f"{self.type} layer {self.name!r}"

    @property
    def bottom(self) -> Value:
        """The first bottom."""
        if not self.bottoms:
            self.wrong("needs a bottom, has none")
        return self.bottoms[0]

    @property
    def rank(self) -> int:
        return len(self.bottom.shape)

    def wrong(self, what: str) -> NoReturn:
        """Raise the error that the layer ``what``."""
        self.fields.wrong(f"{self.called} {what}")

    def count(self, least: int, most: int | None = None) -> None:
        """Raise an error unless there are as many bottoms."""
        found = len(self.bottoms)
        if found < least or (most is not None and found > most):
            wanted = f"{least} or more bottoms" if most is None else f"{least} to {most} bottoms"
            if most == least:
                wanted = counted(least, "bottom")
            self.wrong(f"needs {wanted}, has {found}")

    def section(self, name: str) -> Fields:
        """The parameters in the field ``name``."""
        if name not in self._sections:
            self._sections[name] = self.fields.fields(name)
        return self._sections[name]

    def sections(self) -> list[Fields]:
        """The parameters that were asked for."""
        return list(self._sections.values()) if self.checked else []

    def axis(self, section: Fields, name: str, default: int, *, end: bool = False) -> int:
        """A dimension's index from the front; ``end``: one behind the last is one too."""
        axis = section.integer(name, default, low=-self.rank - end)
        index = axis + self.rank + end if axis < 0 else axis
        if index > self.rank - (not end):
            self.wrong(f"names axis {axis} of a bottom with {self.rank}")
        return index

    def make(self, kind: str, **arguments: Any) -> Op:
        """The operator ``kind``. Raises ModelFileError where it cannot have these arguments."""
        try:
            return make(kind, **arguments)
        except ArgumentError as error:
            self.wrong(f"has a wrong {error}")

    def op(self, kind: str, inputs: Sequence[Value] | None = None, **arguments: Any) -> list[Value]:
        """The layer as one node, on its bottoms if no others are given."""
        return self.node(self.name, self.make(kind, **arguments), inputs, inplace=self.inplace)

    def part(self, part: str, kind: str, inputs: Sequence[Value], **arguments: Any) -> Value:
        """One of several nodes that the layer becomes; its first output."""
        name = self.net.unique(f"{self.name}/{part}")
        return self.node(name, self.make(kind, **arguments), inputs)[0]

    def steps(self, *steps: Step) -> list[Value]:
        """Operators one behind the other, from the first bottom; alone it is the layer's node."""
        if len(steps) == 1:
            kind, arguments = steps[0]
            return self.op(kind, [self.bottom], **arguments)
        value = self.bottom
        for kind, arguments in steps:
            value = self.part(kind, kind, [value], **arguments)
        return [value]

    def integers(self, value: Value) -> Value:
        """``value`` as indices: Caffe's blobs hold floating-point numbers only."""
        if value.type.dtype == "int64":
            return value
        return self.part("indices", "cast", [value], dtype="int64")

    def weight(self, part: str, shape: Shape) -> Value:
        """A stored tensor of its own."""
        return self.part(part, "weight", [], shape=shape, dtype=self.net.dtype)

    def node(
        self,
        name: str,
        op: Op,
        inputs: Sequence[Value] | None = None,
        *,
        inplace: bool = False,
        share: Mapping[str, Parameter] | None = None,
    ) -> list[Value]:
        """A node called ``name``, on the bottoms if no inputs are given.

        Its parameters are those of ``share``, else those that bear the same names in the file,
        which the layer gives in order for all nodes that it becomes.
        """
        given = self.bottoms if inputs is None else inputs
        add = self.net.builder.add
        if share or not self._ties:
            return list(add(op, given, name, share=share, source=self.place, inplace=inplace))
        specs = op.apply(tuple([value.type for value in given])).parameters
        ties = dict(zip([spec.name for spec in specs], self._ties, strict=False))
        del self._ties[: len(specs)]
        tied = self.net.tied
        share = {role: tied[tie] for role, tie in ties.items() if tie in tied}
        outputs = add(op, given, name, share=share, source=self.place, inplace=inplace)
        for role, parameter in parameters_of(outputs[0]).items():
            if ties.get(role):
                tied.setdefault(ties[role], parameter)
        return list(outputs)

    @property
    def place(self) -> str:
        return f"{self.fields.file}:{self.fields.line}:{self.fields.column}"

    def parameter(self, role: str, shape: Shape) -> Parameter:
        """A parameter of its own, for a node that has it in several roles."""
        numel, dtype = prod(shape), self.net.dtype
        nbytes = bytes_for(numel, dtype)
        return Parameter(f"{self.name}.{role}", shape, dtype, True, numel, nbytes)

    def tied(self) -> bool:
        """Whether the file names the layer's first parameter, which others may have too."""
        return bool(self._ties and self._ties[0])

    def untie(self, count: int | None = None) -> list[str]:
        """Take the first ``count`` names that the file gives the layer's parameters; default all.

        What is not taken goes to the parameters of the nodes that the layer becomes, in order.
        """
        names, self._ties = self._ties[:count], self._ties[len(self._ties[:count]) :]
        return names


def parameters_of(output: Value) -> dict[str, Parameter]:
    """The parameters of the node that made ``output``, by their names within it."""
    node = output.producer
    assert node is not None
    roles = [spec.name for spec in node.application.parameters]
    return dict(zip(roles, node.parameters, strict=True))


def _ties(fields: Fields) -> list[str]:
    """The names of the layer's parameters, in order: ``param { name: "w" }``, ``param: "w"``."""
    entries = fields.entries("param")
    if entries and isinstance(entries[0].value, str):
        return fields.texts("param")
    return [spec.text("name") for spec in fields.each("param")]
