"""What onnx itself knows of an operator: the types that it gives, and what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from archcost.ir import TensorType
from archcost.sources.onnx.inputs import dims_of
from archcost.sources.onnx.tensors import DTYPES, MOST_RANK, Known, Many

if TYPE_CHECKING:
    from onnx import FunctionProto, NodeProto

    from archcost.sources.onnx.call import Call

MOST_DATA: Final = 1024
"""Elements of a known input that type inference gets to see."""
_CODES: Final = {dtype: code for code, dtype in reversed(DTYPES.items())}


def inferred_types(call: Call) -> list[TensorType | None] | None:
    """The types of the outputs by onnx's own schema; None for each that it cannot tell.

    Nothing is executed, and only this one node is looked at.
    """
    schema = _schema(call)
    if schema is None:
        return None
    import onnx
    from onnx.numpy_helper import from_array
    from onnx.shape_inference import infer_node_outputs

    types, data = {}, {}
    for at, entry in enumerate(call.inputs):
        if entry is None:
            continue
        if isinstance(entry, Many):
            return None
        types[f"x{at}"] = onnx.helper.make_tensor_type_proto(
            _CODES[entry.type.dtype], entry.type.shape
        )
        if isinstance(entry, Known) and entry.type.numel <= MOST_DATA:
            values = entry.values
            if values is not None:
                data[f"x{at}"] = from_array(values)
    imports = [onnx.helper.make_opsetid(d, v) for d, v in call.frame.versions.items()]
    try:
        found = infer_node_outputs(schema, alone(call), types, data, opset_imports=imports)
    except Exception:  # whatever onnx says of a node that does not fit its schema
        return None
    return [_type(found.get(f"y{at}")) for at in range(len(call.node.output))]


def function_body(call: Call) -> FunctionProto | None:
    """The operator as a function of simpler ones, where ONNX defines it as such."""
    schema = _schema(call)
    if schema is None or call.op_type in _NOT_AS_FUNCTIONS:
        return None
    from onnx import FunctionProto, helper

    version = call.frame.versions.get(call.node.domain, call.version)
    try:
        if schema.has_function:
            text: bytes = schema.get_function_with_opset_version(version)
        elif schema.has_context_dependent_function:
            types = []
            for entry in call.inputs:
                if entry is None or isinstance(entry, Many):
                    return None
                proto = helper.make_tensor_type_proto(_CODES[entry.type.dtype], entry.type.shape)
                types.append(proto.SerializeToString())
            node = alone(call).SerializeToString()
            text = schema.get_context_dependent_function_with_opset_version(version, node, types)
        else:
            return None
        body: FunctionProto = FunctionProto.FromString(text)
    except Exception:  # no function for this version, or a node that does not fit
        return None
    if not body.node:
        return None
    for name, attribute in schema.attributes.items():
        if name in body.attribute and attribute.default_value.name:
            body.attribute_proto.append(attribute.default_value)
    return body


_NOT_AS_FUNCTIONS: Final = frozenset({"Range", "SequenceMap", "LessOrEqual", "GreaterOrEqual"})
"""Operators whose function would be a loop, or no simpler."""


def _schema(call: Call) -> Any:
    from onnx import defs

    domain = "" if call.node.domain == "ai.onnx" else call.node.domain
    try:
        return defs.get_schema(call.op_type, call.version, domain)
    except Exception:  # onnx's SchemaError, which older versions keep elsewhere
        return None


def alone(call: Call) -> NodeProto:
    """The node with plain names, and with the attributes that a function was called with."""
    from onnx import NodeProto

    node = NodeProto(op_type=call.op_type, domain=call.node.domain, name="node")
    node.input.extend("" if entry is None else f"x{at}" for at, entry in enumerate(call.inputs))
    node.output.extend(f"y{at}" for at in range(len(call.node.output)))
    for name, attribute in call.attributes.items():
        copy = node.attribute.add()
        copy.CopyFrom(attribute)
        copy.name = name
    return node


def _type(proto: Any) -> TensorType | None:
    if proto is None or proto.WhichOneof("value") != "tensor_type":
        return None
    dims = dims_of(proto)
    dtype = DTYPES.get(proto.tensor_type.elem_type)
    if dims is None or dtype is None or len(dims) > MOST_RANK:
        return None
    sizes = tuple([dim for dim in dims if isinstance(dim, int)])
    return TensorType(sizes, dtype) if len(sizes) == len(dims) else None
