"""Walks through an ONNX graph in order and builds ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from archcost.ir import (
    FLOATS,
    ArchcostError,
    ArgumentError,
    Graph,
    GraphBuilder,
    GraphError,
    Op,
    Parameter,
    TensorType,
    Value,
)
from archcost.ir.names import UniqueNames
from archcost.ir.ops import make
from archcost.sources.errors import ModelFileError
from archcost.sources.onnx import (
    choosing,
    contrib,
    control,
    elementwise,
    layers,
    moving,
    quantized,
    sampling,
    windows,
)
from archcost.sources.onnx.call import OPERATORS, Call, Result, Unfit, place_of
from archcost.sources.onnx.file import MOST_NODES, inner_graphs
from archcost.sources.onnx.folding import BOUNDS, MOST_OF_A_WEIGHT, Folder
from archcost.sources.onnx.frames import Frame, domain_of, names_read, versions_of
from archcost.sources.onnx.inference import function_body, inferred_types
from archcost.sources.onnx.inputs import Declared, Resolved, dims_of
from archcost.sources.onnx.names import LONGEST, clean, parts, planned
from archcost.sources.onnx.rows import all_of, rows_of
from archcost.sources.onnx.tensors import (
    DTYPES,
    MOST_RANK,
    ON_INTEGERS,
    QUANTISED,
    Entry,
    Item,
    Known,
    Many,
    Stored,
    array_type,
    dense,
    held,
    learned,
    shown,
    stored,
)
from archcost.sources.onnx.weights import Weights

if TYPE_CHECKING:
    from onnx import (
        AttributeProto,
        FunctionProto,
        GraphProto,
        ModelProto,
        NodeProto,
        ValueInfoProto,
    )

MOST_LEVELS: Final = 32
"""Functions and branches within one another."""
MOST_ROOTS: Final = 1024
"""Stored tensors that another is made of; one of more is a node's output like any other."""
NEAR: Final = 8
"""Nodes behind a product among which that which adds its biases is looked for."""
MOST_NOTES: Final = 5
"""Notes of one kind; more are summed up."""

MOVING: Final = frozenset(
    {
        "Cast",
        "Concat",
        "DequantizeLinear",
        "Flatten",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
"""Operators that leave a stored tensor what it is: they are carried out only where somebody needs
it as a tensor, and a parameter that went through them is still that parameter."""

TRANSLATIONS: Final = (
    windows,
    layers,
    elementwise,
    moving,
    choosing,
    sampling,
    control,
    quantized,
    contrib,
)
"""The modules that fill :data:`OPERATORS`."""


class Reader:
    """Builds one graph of ours from ``model`` on inputs of given types."""

    def __init__(self, model: ModelProto, name: str, source: str) -> None:
        self.model = model
        self.source = source
        self.builder = GraphBuilder(name)
        self.names = UniqueNames()
        self.folder = Folder()
        self.functions: dict[tuple[str, str, str], FunctionProto] = {
            (domain_of(f.domain), f.name, _overload(f)): f for f in model.functions
        }
        self.symbols: dict[str, int] = {}
        self.changed = False
        self.notes: list[str] = []
        self.mismatches: list[str] = []
        self.weights = Weights()
        self._left = MOST_NODES
        self._kinds: dict[Any, Any] = {}

    # --- the whole graph ------------------------------------------------------------------------

    def graph(self, inputs: Sequence[Declared], resolved: Resolved) -> Graph:
        proto = self.model.graph
        self.symbols, self.changed = resolved.symbols, resolved.changed
        frame = Frame(versions_of(self.model.opset_import))
        for info, type_ in zip(inputs, resolved.types, strict=True):
            frame.define(info.name, self._input(info, type_))
        self._open(proto, frame)
        frame.infos.update((info.name, info) for info in proto.output if info.HasField("type"))
        self._run(proto.node, frame, [info.name for info in proto.output])
        outputs = {info.name: self._output(info.name, frame) for info in proto.output}
        if not outputs:
            raise ModelFileError("the graph has no outputs")
        metadata: dict[str, Any] = {"format": f"ONNX, opset {frame.versions.get('', '?')}"}
        made = (self.model.producer_name, self.model.producer_version)
        if made[0] and all(isinstance(part, str) for part in made):
            text = " ".join(filter(None, made))[:100]
            metadata["producer"] = "".join(c for c in text if c.isprintable())
        if notes := [*self.notes, *_summed_up(self.mismatches)]:
            metadata["assumptions"] = notes
        return self.builder.build(outputs, metadata, self.weights.unread())

    def _input(self, info: Declared, type_: TensorType) -> Value:
        name = self.names.take(clean(info.name)[:LONGEST] or "input")
        if type_.shape:
            return self.builder.input(name, type_)
        # Our graphs' inputs have a batch: a scalar is a setting, sampling rate or threshold.
        self.note(f"input {shown(info.name)} is a scalar: it is taken for a constant")
        (value,) = self.builder.add(make("constant", shape=(), dtype=type_.dtype), (), name)
        return value

    def _output(self, name: str, frame: Frame) -> Value:
        found, entry = frame.find(name)
        if not found:
            raise ModelFileError(f"no node gives the output {shown(name)}")
        if entry is None or isinstance(entry, Many):
            raise ModelFileError(f"the output {shown(name)} is no tensor that archcost reads")
        if isinstance(entry, Value):
            return entry
        from onnx import NodeProto

        call = Call(self, NodeProto(op_type="output"), 0, (), clean(name), {}, frame, 0)
        return self.value(entry, call)

    def note(self, sentence: str) -> None:
        """Something that was assumed, to be said beside the numbers."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    # --- graphs, branches, functions ------------------------------------------------------------

    def _open(self, graph: GraphProto, frame: Frame) -> None:
        """Take in what a graph stores and what it says of its tensors."""
        for tensor in graph.initializer:
            self._store(frame, tensor.name, partial(stored, tensor))
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            self.note(f"the sparse tensor {shown(name)} is counted as if it were dense")
            self._store(frame, name, partial(dense, sparse))
        frame.infos.update((info.name, info) for info in graph.value_info)

    def _store(self, frame: Frame, name: str, made: Callable[[], Stored]) -> None:
        frame.define(name, held(self.weights.kept((*frame.origin, name), made)))

    def branch(
        self,
        call: Call,
        attribute: str,
        given: Sequence[Entry | None] = (),
        part: str = "",
    ) -> list[Entry | None]:
        """The outputs of a graph inside a node on ``given``, its nodes as nodes of ours."""
        graph = call.subgraph(attribute)
        name = f"{call.name}/{part}" if part else call.name
        origin = (*call.frame.origin, call.at, attribute)
        frame = Frame(call.frame.versions, name, call.frame, call.frame.attributes, origin)
        self._deepen(call, frame)
        # A turn of a loop takes its time even where its body has no nodes.
        self._spend(1 + len(graph.initializer))
        if len(given) != len(graph.input):
            raise call.error(f"gives {len(given)} inputs to a graph of {len(graph.input)}")
        for info, entry in zip(graph.input, given, strict=True):
            frame.define(info.name, entry)
        self._open(graph, frame)
        names = [info.name for info in graph.output]
        self._run(graph.node, frame, names)
        return [self._entry(name, frame, call) for name in names]

    def function(
        self, call: Call, body: FunctionProto, origin: tuple[Any, ...]
    ) -> list[Entry | None]:
        """The outputs of a function on ``call``'s inputs, its nodes in its place."""
        attributes = {a.name: a for a in body.attribute_proto} | dict(call.attributes)
        versions = dict(call.frame.versions) | versions_of(body.opset_import)
        frame = Frame(versions, call.name, None, attributes, origin)
        frame.level = call.frame.level + 1
        self._deepen(call, frame)
        if len(call.inputs) > len(body.input):
            raise call.error(f"has {len(call.inputs)} inputs, its function takes {len(body.input)}")
        for at, name in enumerate(body.input):
            frame.define(name, call.inputs[at] if at < len(call.inputs) else None)
        self._run(body.node, frame, list(body.output))
        return [frame.find(name)[1] for name in body.output]

    def _deepen(self, call: Call, frame: Frame) -> None:
        if frame.level > MOST_LEVELS:
            raise call.error(f"functions and branches are nested more than {MOST_LEVELS} deep")

    def _spend(self, nodes: int) -> None:
        """Note that so many more ``nodes`` are gone through, or what takes as long."""
        self._left -= nodes
        if self._left < 0:
            raise ModelFileError(f"more than {MOST_NODES} nodes, functions and loops written out")

    def _entry(self, name: str, frame: Frame, call: Call) -> Entry | None:
        found, entry = frame.find(name)
        if not found:
            raise call.error(f"nothing in it gives its output {shown(name)}")
        return entry

    def _run(self, nodes: Sequence[NodeProto], frame: Frame, outputs: Iterable[str]) -> None:
        # Those inside nodes count, too: names are looked for in them each time.
        self._spend(len(nodes) + sum(len(graph.node) for graph in inner_graphs(nodes)))
        frame.nodes = nodes
        frame.plan = planned(nodes, frame.prefix)
        for name in names_read(nodes):
            frame.readers[name] = frame.readers.get(name, 0) + 1
        for name in outputs:
            frame.readers[name] = frame.readers.get(name, 0) + 2
        for at in range(len(nodes)):
            self._step(at, frame)

    # --- one node -------------------------------------------------------------------------------

    def _step(self, at: int, frame: Frame) -> None:
        node = frame.nodes[at]
        results: Sequence[Entry | None]
        if at in frame.done:
            results = [frame.done[at]]
        else:
            call = self._call(at, frame)
            results = self._carried_out(call)
        for place, name in enumerate(node.output):
            if not name:
                continue
            entry = results[place] if place < len(results) else None
            frame.define(name, entry)
            if isinstance(entry, Value) and name in frame.infos:
                self._compare(entry, frame.infos[name], node)

    def _call(self, at: int, frame: Frame) -> Call:
        node = frame.nodes[at]
        name = frame.plan[at]
        inputs: list[Entry | None] = []
        for read in node.input:
            found, entry = frame.find(read) if read else (True, None)
            if not found:
                raise ModelFileError(
                    f"{place_of(node, name)} reads {shown(read)}, which no node before it gives"
                )
            if isinstance(entry, Known):
                for root in entry.roots:
                    root.used = True
            inputs.append(entry)
        while inputs and inputs[-1] is None:
            inputs.pop()
        domain = domain_of(node.domain)
        version = frame.versions.get(domain)
        if version is None:
            # Files of ONNX' first days name no version; some writers forget others' domains.
            version = 1 if domain else max(frame.versions.get("ai.onnx", 1), 1)
        attributes = self._attributes(node, frame)
        return Call(self, node, version, inputs, name, attributes, frame, at)

    def _attributes(self, node: NodeProto, frame: Frame) -> dict[str, AttributeProto]:
        found = {}
        for attribute in node.attribute:
            if attribute.ref_attr_name:
                given = (frame.attributes or {}).get(attribute.ref_attr_name)
                if given is not None:
                    found[attribute.name] = given
            else:
                found[attribute.name] = attribute
        return found

    def _carried_out(self, call: Call) -> Sequence[Entry | None]:
        """What the node gives: worked out, put off, or as nodes of our graph."""
        try:
            known = [entry for entry in call.inputs if isinstance(entry, Known)]
            if known and len(known) == len([e for e in call.inputs if e is not None]):
                moved, worked_out = self._put_off(call, known), self._folded(call, known)
                for late, entry in zip(moved or (), worked_out or (), strict=False):
                    late.learn(entry)
                if results := moved or worked_out:
                    return results
            return self.translated(call)
        except RecursionError:
            raise call.error(
                "functions and branches, or what its constants are made of, are nested too deeply"
            ) from None
        except (ArgumentError, GraphError) as error:
            raise call.error(str(error)) from None
        except ArchcostError:
            raise
        except (ArithmeticError, LookupError, TypeError, ValueError):
            # An attribute or input with more, fewer or other numbers than the operator has.
            raise call.error("its attributes and inputs are none that it can have") from None

    def translated(self, call: Call) -> Sequence[Entry | None]:
        """``call`` as nodes of our graph."""
        key = domain_of(call.node.domain), call.op_type
        place = (*key, _overload(call.node))
        if (function := self.functions.get(place)) is not None:
            return self.function(call, function, place)
        reason = ""
        if (translation := OPERATORS.get(key)) is not None:
            try:
                return _listed(translation(call))
            except Unfit as unfit:
                reason = str(unfit)
        if (body := function_body(call)) is not None:
            return self.function(call, body, (*call.frame.origin, call.at))
        return self._opaque(call, reason)

    def _folded(self, call: Call, known: Sequence[Known]) -> list[Known] | None:
        """The values of ``call``'s outputs where all that it reads is small and known."""
        if call.op_type not in BOUNDS or domain_of(call.node.domain):
            return None
        if any(k.is_weight and k.type.numel > MOST_OF_A_WEIGHT for k in known):
            return None
        if call.op_type in ("Shape", "Size"):
            return None  # which need no values
        arrays = []
        for entry in call.inputs:
            values = entry.values if isinstance(entry, Known) else None
            if entry is not None and values is None:
                return None
            arrays.append(values)
        found = self.folder.outputs(call, arrays)
        if found is None:
            return None
        roots = tuple({id(r): r for k in known if k.is_weight for r in k.roots}.values())
        results = []
        for name, array in zip(call.node.output, found, strict=True):
            type_ = array_type(array)
            if type_ is None:
                return None
            results.append(Known(name, type_, values=array, roots=roots))
        return results

    def _put_off(self, call: Call, known: Sequence[Known]) -> list[Known] | None:
        """``call``'s outputs where it only moves the elements of stored tensors."""
        if call.op_type not in MOVING or not any(k.is_weight for k in known):
            return None
        types = inferred_types(call)
        if types is None or None in types:
            return None
        moved = known[:1] if call.op_type != "Concat" else known
        roots = tuple({id(root): root for k in moved for root in k.roots}.values())
        if len(roots) > MOST_ROOTS:
            return None
        elements = sum(root.type.numel for root in roots)
        rows = rows_of(call, moved, types)
        whole = all(k.whole for k in moved)
        return [
            Known(
                name,
                type_,
                roots=roots,
                whole=type_.numel == elements and (whole or all_of(rows[index], roots)),
                rows=rows[index],
                call=call,
                index=index,
            )
            for index, (name, type_) in enumerate(zip(call.node.output, types, strict=False))
            if type_ is not None
        ]

    def _opaque(self, call: Call, reason: str) -> list[Entry | None]:
        """A node of which only the types are known."""
        domain = domain_of(call.node.domain)
        name = f"{domain}::{call.op_type}" if domain else call.op_type
        types = self._types(call)
        if types is None:
            because = f" ({reason})" if reason else ""
            known = "this case of" if (domain, call.op_type) in OPERATORS else ""
            raise call.error(
                f"archcost does not know {known or 'the operator'} {shown(name)}{because}, and the "
                "file does not say what it gives. onnx.shape_inference.infer_shapes, or "
                "onnxruntime's symbolic_shape_infer, may write that into it; onnxsim may do "
                "without the operator"
            )
        inputs = []
        for entry in call.inputs:
            if isinstance(entry, Value) or (isinstance(entry, Known) and entry.is_weight):
                inputs.append(self.value(entry, call))
        given = [(type_.shape, type_.dtype) for type_ in types if type_ is not None]
        values = iter(
            self.add(call, "opaque", inputs, call.name, {}, {"name": clean(name), "types": given})
        )
        return [None if type_ is None else next(values) for type_ in types]

    def _types(self, call: Call) -> list[TensorType | None] | None:
        """The types of an unknown node's outputs, by its schema or by what the file says; None for
        an output that nobody asks for, None for all where one is not known."""
        inferred = inferred_types(call) or []
        types: list[TensorType | None] = []
        for at, name in enumerate(call.node.output):
            type_ = inferred[at] if at < len(inferred) else None
            if type_ is None and name in call.frame.infos:
                type_ = self._declared(call.frame.infos[name])
                if self.changed:
                    self.note(f"{call.place}: its result is taken to be as large as the file says")
            if type_ is None and name:
                return None
            types.append(type_)
        return types if any(types) else None

    def _declared(self, info: ValueInfoProto) -> TensorType | None:
        """The type that the file gives a tensor, where all its sizes are known."""
        shape = self._shape(info)
        dtype = DTYPES.get(info.type.tensor_type.elem_type)
        if shape is None or dtype is None or any(size is None for size in shape):
            return None
        return TensorType(tuple([size for size in shape if size is not None]), dtype)

    def _shape(self, info: ValueInfoProto) -> list[int | None] | None:
        if info.type.WhichOneof("value") != "tensor_type":
            return None
        dims = dims_of(info.type)
        if dims is None:
            return None
        return [self.symbols.get(dim) if isinstance(dim, str) else dim for dim in dims]

    def _compare(self, value: Value, info: ValueInfoProto, node: NodeProto) -> None:
        """Note where the file says of a tensor something else than we do."""
        if info.type.WhichOneof("value") != "tensor_type" or value.producer is None:
            return
        said = self._shape(info)
        if said is None or self.changed or not value.producer.op.known:
            return
        fits = len(said) == len(value.shape) and all(
            size is None or size == own for size, own in zip(said, value.shape, strict=True)
        )
        if not fits:
            text = ", ".join("?" if size is None else str(size) for size in said)
            self.mismatches.append(
                f"the file has {shown(info.name)} as ({text}); by its inputs it is "
                f"{value.shape}, which is what is counted"
            )

    # --- tensors and parameters -----------------------------------------------------------------

    def value(self, entry: Item, call: Call) -> Value:
        """``entry`` as a tensor of our graph, which ``call`` needs."""
        if isinstance(entry, Value):
            return entry
        if entry.value is None:
            entry.value = self._tensor(entry, call)
        return entry.value

    def _tensor(self, known: Known, call: Call) -> Value:
        if known.call is not None:
            if known.call.results is None:
                known.call.results = list(self.translated(known.call))
            result = known.call.results[known.index]
            assert isinstance(result, Value | Known)
            return self.value(result, call)
        type_ = known.type
        if not (known.roots and (type_.numel > 1 or known.is_weight)):
            return self._source(call, "constant", known, type_, {})
        shape = type_.shape
        if known.whole and len(known.roots) == 1 and (p := known.roots[0].parameter) is not None:
            shape = p.shape  # a linear layer has (out, in) of what is stored as (in, out)
        trainable = learned(type_) and not known.is_mask
        stored_ = self.weights.parameter(known, shape, trainable=trainable)
        assert stored_ is not None
        value = self._source(call, "weight", known, type_.with_shape(shape), {"value": stored_})
        if shape == type_.shape:
            return value
        if shape == type_.shape[::-1] and len(shape) == 2:
            return call.add("permute", value, part="transposed", dims=(1, 0))
        return call.add("view", value, part="view", shape=type_.shape)

    def _source(
        self,
        call: Call,
        kind: str,
        known: Known,
        type_: TensorType,
        share: Mapping[str, Parameter],
    ) -> Value:
        scope = call.name.rpartition("/")[0]
        origin = known.roots[0].name if len(known.roots) == 1 else known.name
        leaf = (parts(origin.rpartition("/")[2].rpartition("::")[2]) or (kind,))[-1]
        name = "/".join(filter(None, (scope, leaf)))
        arguments: dict[str, Any] = {"shape": type_.shape, "dtype": type_.dtype}
        if kind == "weight":
            arguments["trainable"] = share["value"].trainable
        return self.add(call, kind, (), name, share, arguments)[0]

    # --- nodes ----------------------------------------------------------------------------------

    def add(
        self,
        call: Call,
        kind: str,
        inputs: Sequence[Value],
        name: str,
        share: Mapping[str, Parameter],
        arguments: Mapping[str, Any],
    ) -> tuple[Value, ...]:
        try:
            op = make(kind, **arguments)
        except ArgumentError as error:
            raise call.error(str(error)) from None
        op = self._kinds.setdefault((type(op), op), op)  # one object, so that it is applied once
        if op.computes and inputs and inputs[0].type.dtype not in FLOATS:
            return self._on_integers(op, inputs, name, share)
        return self._added(op, inputs, name, share)

    def _added(
        self, op: Op, inputs: Sequence[Value], name: str, share: Mapping[str, Parameter]
    ) -> tuple[Value, ...]:
        unique = self.names.take(name[:LONGEST])
        outputs = self.builder.add(op, inputs, unique, share=share, source=self.source)
        if any(value.type.rank > MOST_RANK for value in outputs):
            raise ModelFileError(f"{unique} has more than {MOST_RANK} dimensions")
        self.weights.take(share.values())
        return outputs

    def _on_integers(
        self, op: Op, inputs: Sequence[Value], name: str, share: Mapping[str, Parameter]
    ) -> tuple[Value, ...]:
        """``op``, which computes with floating-point numbers in our graphs, between casts."""
        dtype = inputs[0].type.dtype
        if dtype in QUANTISED:
            self.note(ON_INTEGERS)
        numbers = [
            value
            if value.type.dtype in FLOATS
            else self._added(make("cast", dtype="fp32"), [value], f"{name}_cast{at}", {})[0]
            for at, value in enumerate(inputs)
        ]
        outputs = self._added(op, numbers, name, share)
        back = make("cast", dtype=dtype)
        return tuple(
            self._added(back, [value], f"{name}_back{at}", {})[0]
            if value.type.dtype == "fp32"
            else value
            for at, value in enumerate(outputs)
        )

    def follower(self, call: Call) -> tuple[int, Call] | None:
        frame = call.frame
        (output,) = call.node.output[:1]
        if frame.readers.get(output) != 1 or output in frame.entries:
            return None
        for at in range(call.at + 1, min(call.at + 1 + NEAR, len(frame.nodes))):
            node = frame.nodes[at]
            if output in node.input:
                break
        else:
            return None
        for name in node.input:
            if name and name != output and not frame.find(name)[0]:
                return None
        frame.entries[output] = None  # for as long as the call is made
        try:
            return at, self._call(at, frame)
        finally:
            del frame.entries[output]


def _listed(result: Result) -> Sequence[Entry | None]:
    return [result] if isinstance(result, Value | Known | Many) else result


def _overload(named: NodeProto | FunctionProto) -> str:
    """Which of several functions of one name; since IR version 10."""
    return str(getattr(named, "overload", ""))


def _summed_up(notes: Sequence[str]) -> list[str]:
    if len(notes) <= MOST_NOTES:
        return list(notes)
    return [*notes[:MOST_NOTES], f"{len(notes) - MOST_NOTES} more tensors differ from the file so"]
