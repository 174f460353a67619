"""The graph of a prototxt's layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from archcost.ir import Graph, GraphError, Shape, ShapeError, TensorType, Value, shape_text
from archcost.sources.caffe.fields import Fields, counted
from archcost.sources.caffe.forks import unknown
from archcost.sources.caffe.layer import Layer, Net
from archcost.sources.caffe.scan import LOSSES, Record, Scan, State, records_of, state_of
from archcost.sources.caffe.table import LAYERS
from archcost.sources.errors import ModelFileError
from archcost.sources.files import read_text
from archcost.sources.prototext import MAX_BYTES, parse

HEADER: Final = frozenset({"force_backward", "debug_info"})
COMMON: Final = frozenset(
    {
        "phase",
        "loss_weight",
        "blobs",
        "propagate_down",
        "blobs_lr",
        "weight_decay",
        "blob_share_mode",
        "transform_param",
        "loss_param",
    }
)
"""Fields of a layer that say how it is trained."""


def read(
    path: Path,
    *,
    inputs: list[Shape] | None = None,
    batch: int | None = None,
    dtype: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Graph:
    """The network in the file ``path``.

    Args:
        path: a network in protobuf's text format, in today's or in Caffe's older notation
            (``layers { type: CONVOLUTION }``).
        inputs: the inputs' shapes without the batch, in the order of the file; or those that the
            file does not tell.
        batch: samples at once; default 1.
        dtype: dtype of inputs and parameters; default fp32.
        settings: what else was asked for; see above.

    Raises:
        ModelFileError: the file, or what was asked for, is wrong; with the place.
        ShapeError: a layer cannot take what reaches it; with the place.
    """
    text = read_text(path, MAX_BYTES, "a prototxt")
    return network(
        text, path.name, inputs=inputs, batch=batch, dtype=dtype, settings=settings or {}
    )


def network(
    text: str,
    file: str,
    *,
    inputs: Sequence[Shape] | None = None,
    batch: int | None = None,
    dtype: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Graph:
    """The network that ``text`` describes, as :func:`read`; ``file`` is its name in messages."""
    header = Fields(parse(text, file), file, "")
    state = state_of(header, settings or {})
    scan = Scan(header, records_of(header), state)
    try:
        return _build(header, scan, inputs, batch, dtype or "fp32", state)
    except GraphError as error:
        raise ModelFileError(f"{file}: {error}") from None


def _types(
    header: Fields,
    scan: Scan,
    inputs: Sequence[Shape] | None,
    batch: int | None,
    dtype: str,
) -> dict[str, TensorType]:
    """The graph's inputs: blob -> type."""
    sources = list(scan.sources.values())
    unknown = [source for source in sources if source.shape is None]
    given: dict[str, Shape] = {}
    if inputs is not None:
        which = sources if len(inputs) == len(sources) else unknown
        if len(inputs) != len(which):
            names = ", ".join(source.name for source in sources[:8])
            found = counted(len(sources), "input")
            header.wrong(f"{found} ({names}), {counted(len(inputs), 'shape')} given")
        given = {source.name: shape for source, shape in zip(which, inputs, strict=True)}
    if scan.recurrent and batch is not None:
        header.wrong(
            "a network with LSTM or RNN layers keeps the file's batch: its first dimension is time"
        )
    types = {}
    for source in sources:
        own, shape = source.shape, given.get(source.name)
        if own is None and shape is None:
            source.fields.wrong(
                f"the file does not tell the shape of {source.name!r}; give it without the batch, "
                "like --input 3x224x224"
            )
        if own is not None and shape is not None and len(own) != len(shape) + 1:
            source.fields.wrong(
                f"{source.name!r} is {shape_text(own[1:])} without the batch; "
                f"{shape_text(shape)} has another number of sizes"
            )
        # Regions and the like are not as many as the images.
        keeps = own and (scan.recurrent or own[0] != scan.batch)
        first = own[0] if own and keeps else batch or 1
        rest = shape if shape is not None else own[1:] if own else ()
        types[source.name] = TensorType((first, *rest), dtype)
    return types


# --- the graph ----------------------------------------------------------------------------------


def _build(
    header: Fields,
    scan: Scan,
    inputs: Sequence[Shape] | None,
    batch: int | None,
    dtype: str,
    state: State,
) -> Graph:
    title = header.label("name")
    types = _types(header, scan, inputs, batch, dtype)
    net = Net(
        title or Path(header.file).stem,
        dtype,
        batch=next((type_.shape[0] for type_ in types.values()), 1),
        file_batch=scan.batch,
        proposals=state.proposals,
    )
    blobs = {name: net.builder.input(net.unique(name), type_) for name, type_ in types.items()}
    for source in scan.sources.values():
        if source.assumption and (inputs is None or len(inputs) < len(scan.sources)):
            net.assume(source.assumption)
    for layer, blob in scan.called.items():
        net.assume(f"{layer!r} is a layer's name where a blob's should be: {blob!r} is read")
    for record in scan.records:
        _add(net, record, blobs, scan.called)
    _check_header(net, header)
    metadata: dict[str, Any] = {"title": title or net.builder.name, "format": "caffe"}
    if net.assumptions:
        metadata["assumptions"] = net.assumptions
    implicit = {name: blobs[blob].name for name, blob in scan.implicit.items() if blob in blobs}
    if implicit:
        metadata["blobs"] = implicit
    return net.builder.build(_outputs(header, blobs, scan), metadata)


def _add(net: Net, record: Record, blobs: dict[str, Value], called: Mapping[str, str]) -> None:
    """Add the layer's nodes, and put what they give in ``blobs``."""
    inplace = record.bottoms[:1] == record.tops[:1] and bool(record.tops)
    bottoms = [blobs[name if name in blobs else called[name]] for name in record.read]
    layer = Layer(net, record.fields, record.type, bottoms, len(record.tops), inplace)
    key = LOSSES.get(record.key, record.key)
    try:
        outputs = LAYERS.get(key, unknown)(layer)
    except ShapeError as error:
        if error.node is None:  # an operator that was only tried
            layer.wrong(error.needs)
        raise
    if len(outputs) < len(record.tops) and record.key not in LOSSES:
        layer.wrong(f"has {len(record.tops)} tops, gives {len(outputs)}")
    blobs.update(zip(record.tops, outputs, strict=False))
    _check_fields(net, layer)


def _check_fields(net: Net, layer: Layer) -> None:
    """Refuse slips of the pen, and note what a fork may have added."""
    for section in layer.sections():
        for entry in section.others():
            net.left_out[f"{section.name}.{entry.name}"] += 1
    for entry in layer.fields.others(COMMON):
        if not entry.name.endswith("_param"):
            net.left_out[entry.name] += 1


def _check_header(net: Net, header: Fields) -> None:
    for entry in header.others(HEADER):
        net.left_out[entry.name] += 1
    if net.left_out:
        named = ", ".join(
            f"{name} ({count} times)" if count > 1 else name
            for name, count in list(net.left_out.items())[:8]
        )
        net.assume(f"not understood and left out: {named}")


def _outputs(header: Fields, blobs: dict[str, Value], scan: Scan) -> dict[str, Value]:
    """The blobs that no layer is left to read, by name."""
    last = {
        name: value
        for name, value in blobs.items()
        if not value.consumers and value.producer is not None
    }
    if not last:
        header.wrong("no layers are left in this phase that compute something")
    kept = {name: value for name, value in last.items() if name not in scan.silenced}
    unique = {value: name for name, value in reversed((kept or last).items())}
    return {name: value for value, name in reversed(unique.items())}
