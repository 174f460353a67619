"""A prototxt's layers before any is built: which stay in a phase, what reads what, the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Final

from archcost.ir import Shape
from archcost.ir.arguments import LARGEST, is_int
from archcost.sources.caffe.fields import Fields, counted
from archcost.sources.caffe.layer import squashed
from archcost.sources.caffe.table import LAYERS, NAMES
from archcost.sources.errors import ModelFileError

PHASES: Final = {"TRAIN": 0, "TEST": 1}
SETTINGS: Final = ("phase", "stage", "level", "proposals")
PROPOSALS: Final = 300

MAX_LAYERS: Final = 20_000
MAX_BLOBS: Final = 1024
"""Most bottoms, and most tops, of one layer."""

LOSSES: Final = {
    "softmaxwithloss": "softmax",
    "softmaxloss": "softmax",
    "infogainloss": "softmax",
    "sigmoidcrossentropyloss": "sigmoid",
}
"""loss -> the layer in it, on its first bottom; other losses have none"""
JUDGES: Final = frozenset({"accuracy", "silence", "hdf5output", "detectionevaluate"})
"""Types that give nothing that a network is run for."""
RECURRENT: Final = frozenset({"lstm", "rnn"})


# --- phases -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """What the layers' rules are held against, and what else was set."""

    phase: str
    level: int
    stages: frozenset[str]
    proposals: int


def state_of(header: Fields, settings: Mapping[str, Any]) -> State:
    """From the file's ``state`` and the settings, which come first."""
    for name in settings:
        if name not in SETTINGS:
            near = get_close_matches(name, SETTINGS, n=1)
            raise ModelFileError(
                f"a prototxt has no parameter {name!r:.60}"
                + (f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(SETTINGS)}")
            )
    state = header.fields("state")
    phase = settings.get("phase", state.choice("phase", PHASES, "TEST"))
    if not isinstance(phase, str) or phase.upper() not in PHASES:
        raise ModelFileError(f"phase: expected test or train, found {phase!r:.40}")
    level = settings.get("level", state.integer("level", 0, -LARGEST))
    proposals = settings.get("proposals", PROPOSALS)
    if not is_int(level):
        raise ModelFileError(f"level: expected an integer, found {level!r:.40}")
    if not is_int(proposals) or not 1 <= proposals <= LARGEST:
        raise ModelFileError(f"proposals: expected an integer >= 1, found {proposals!r:.40}")
    stages = settings.get("stage", state.texts("stage"))
    stages = [stages] if isinstance(stages, str) else stages
    if not isinstance(stages, list | tuple) or not all(isinstance(s, str) for s in stages):
        raise ModelFileError(f"stage: expected a word, or a list of words, found {stages!r:.40}")
    return State(phase.upper(), level, frozenset(stages), proposals)


def _included(layer: Fields, state: State) -> bool:
    """Whether the layer's rules keep it: no rules, any ``include`` met, or no ``exclude`` met."""
    include, exclude = layer.each("include"), layer.each("exclude")
    if include and exclude:
        layer.wrong("a layer has either include or exclude, this one has both", None)
    if include:
        return any(_met(rule, state) for rule in include)
    return not any(_met(rule, state) for rule in exclude)


def _met(rule: Fields, state: State) -> bool:
    phase = rule.choice("phase", PHASES, state.phase)
    least = rule.integer("min_level", state.level, -LARGEST)
    most = rule.integer("max_level", state.level, -LARGEST)
    stages, without = rule.texts("stage"), rule.texts("not_stage")
    for entry in rule.others():
        rule.unlike(entry, "phase, min_level, max_level, stage or not_stage")
    return (
        phase == state.phase
        and least <= state.level <= most
        and state.stages.issuperset(stages)
        and state.stages.isdisjoint(without)
    )


def _divided(records: list[Record], state: State) -> tuple[list[Record], list[Record]]:
    """The layers that the state keeps, and of the others those that give data.

    The function in a loss is what a network gives once it is trained, so that a loss for TRAIN
    alone stays where nothing else for TEST stands in its place.
    """
    included = [_included(record.fields, state) for record in records]
    ended = {
        record.read[0]
        for record, kept in zip(records, included, strict=True)
        if kept and record.read and record.key in (*LOSSES, *LOSSES.values())
    }
    made = {
        top for record, kept in zip(records, included, strict=True) if kept for top in record.tops
    }
    kept, others = [], []
    for record, keep in zip(records, included, strict=True):
        if keep:
            kept.append(record)
        elif record.source:
            others.append(record)
        elif record.key in LOSSES and _ends(record, made, ended):
            kept.append(record)
    return kept, others


def _ends(record: Record, made: set[str], ended: set[str]) -> bool:
    """Whether the loss can be a network's end that has ``made`` these blobs, and lacks one."""
    first = record.read[:1]
    return (
        bool(first)
        and made.issuperset(first)
        and ended.isdisjoint(first)
        and made.isdisjoint(record.tops)
    )


# --- layers as the file has them ----------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """A layer of the file. ``type`` is as Caffe writes it today, if it is known at all."""

    fields: Fields
    name: str
    type: str
    bottoms: list[str]
    tops: list[str]

    @property
    def key(self) -> str:
        return squashed(self.type)

    @property
    def called(self) -> str:
        return f"{self.type} layer {self.name!r}"

    @property
    def source(self) -> bool:
        """Whether it gives data: it reads nothing, and is not one that stores what it gives."""
        return not self.bottoms and self.key not in LAYERS

    @property
    def left_out(self) -> bool:
        """Whether it goes: it judges what others give, or gives nothing, and computes no output."""
        if not self.tops or self.key in JUDGES:
            return True
        if self.key == "python":  # what others wrote is a loss where it has a weight
            return any(self.fields.numbers("loss_weight"))
        return self.key.endswith("loss") and self.key not in LOSSES

    @property
    def read(self) -> list[str]:
        """The bottoms that count: no labels, no markers of where sequences begin."""
        if self.key in RECURRENT:
            if len(self.bottoms) < 2:
                self.fields.wrong(f"{self.called} needs a bottom and markers of where it begins")
            return self.bottoms[:1] + self.bottoms[2:]
        return self.bottoms[:1] if self.key in LOSSES else self.bottoms


def records_of(header: Fields) -> list[Record]:
    """All layers in order, in today's notation (``layer``) and the older one (``layers``)."""
    layers = [*header.each("layer"), *header.each("layers")]
    layers.sort(key=lambda layer: (layer.line, layer.column))
    if not layers:
        if "net" in header or "train_net" in header or "base_lr" in header:
            header.wrong("this is a solver; the network is in the file that its net names")
        header.wrong("no layers: expected a network, layer { ... }")
    if len(layers) > MAX_LAYERS:
        header.wrong(f"more than {MAX_LAYERS} layers")
    return [_record(layer) for layer in layers]


def _record(layer: Fields) -> Record:
    if "layer" in layer:
        layer.wrong(
            "layers { layer { } } is the notation of 2013; Caffe's upgrade_net_proto_text "
            "makes it today's"
        )
    written = layer.word("type")
    if not written:
        layer.wrong("a layer needs a type")
    key = squashed(written)
    bottoms, tops = layer.labels("bottom"), layer.labels("top")
    if len(bottoms) > MAX_BLOBS or len(tops) > MAX_BLOBS:
        layer.wrong(f"more than {MAX_BLOBS} bottoms or tops")
    name = layer.label("name") or key
    if not tops and (key in LAYERS or key in LOSSES):
        tops = [name]  # as Caffe's losses have one if none is given
    return Record(layer, name, NAMES.get(key, written), bottoms, tops)


# --- inputs -------------------------------------------------------------------------------------


@dataclass
class Source:
    """A blob that comes from outside: its shape in the file, batch included, if that is told."""

    name: str
    shape: Shape | None
    fields: Fields
    assumption: str = ""


class Scan:
    """What flows from where to where, before anything is built.

    ``sources`` are the blobs from outside that a layer reads, in the order of the file, ``batch``
    the first size of the first of them; ``records`` the layers that stay; ``silenced`` what is
    made for nobody; ``called`` names of layers that are read as if they were blobs' -> the layer's
    first top; ``implicit`` the names of blobs that no layer has -> the blob whose shape they have.
    """

    def __init__(self, header: Fields, everything: list[Record], state: State) -> None:
        records, others = _divided(everything, state)
        self.records: list[Record] = []
        self.silenced: set[str] = set()
        self.called: dict[str, str] = {}
        self.sources: dict[str, Source] = {}
        self.recurrent = any(record.key in RECURRENT for record in records)
        declared = {source.name: source for source in _declared(header)}
        # Files that were cut down keep the data of the other phase only.
        spare = {source.name: source for record in others for source in _given(record)}
        made = {top: record for record in reversed(records) for top in record.tops}
        gone: set[str] = set()
        there: set[str] = set()
        named: dict[str, str] = {}
        for record in records:
            if record.source:
                declared |= {source.name: source for source in _given(record)}
                there.difference_update(record.tops)
                continue
            if record.left_out or gone.intersection(record.read):
                gone.update(record.tops)
                if record.key == "silence":
                    self.silenced.update(record.bottoms)
                continue
            for blob in record.read:
                if blob not in there and blob in named and named[blob] in there:
                    self.called[blob] = named[blob]
                elif blob not in there:
                    self._need(blob, record, declared, spare, made)
            there.update(record.tops)
            named.setdefault(record.name, record.tops[0])
            gone.difference_update(record.tops)
            self.records.append(record)
        order = {name: place for place, name in enumerate(declared)}
        self.sources = dict(sorted(self.sources.items(), key=lambda item: order[item[0]]))
        self.implicit = _implicit(everything, state, header.labels("input"))
        shapes = [source.shape for source in self.sources.values() if source.shape]
        self.batch = shapes[0][0] if shapes else None

    def _need(
        self,
        blob: str,
        record: Record,
        declared: dict[str, Source],
        spare: dict[str, Source],
        made: dict[str, Record],
    ) -> None:
        """``record`` reads ``blob``, which no layer before it makes."""
        if blob not in declared:
            if blob in made:
                record.fields.wrong(
                    f"{record.called} reads {blob!r}, which is made only in line "
                    f"{made[blob].fields.line}"
                )
            if blob in spare:
                declared[blob] = spare[blob]
            elif declared:
                near = get_close_matches(blob, made, n=1, cutoff=0.8)
                record.fields.wrong(
                    f"{record.called} reads {blob!r}, which nothing makes"
                    + (f"; did you mean {near[0]!r}?" if near else "")
                )
            declared.setdefault(blob, Source(blob, None, record.fields))
        self.sources.setdefault(blob, declared[blob])


def _implicit(everything: list[Record], state: State, inputs: list[str]) -> dict[str, str]:
    """Blobs without a layer of their name -> the blob whose shape they have: themselves or, where
    nothing is computed, what their layer gives or reads first. So too Netscope's own layers
    ``implicit``. Netscope sees the layers for TRAIN."""
    training = replace(state, phase="TRAIN")
    records = [record for record in everything if _included(record.fields, training)]
    names = {record.name for record in records if record.key != "implicit"} | {*inputs}
    result: dict[str, str] = {}
    for record in records:
        first = record.tops[0] if record.source and record.tops else None
        if record.left_out and record.bottoms:
            first = record.bottoms[0]
        for blob in [*record.tops, *([record.name] if record.key == "implicit" else [])]:
            if blob not in names:
                result.setdefault(blob, first or blob)
    return result


def _declared(header: Fields) -> list[Source]:
    """The inputs of a deploy file in its older notation: ``input``, and its sizes."""
    names = header.labels("input")
    sizes = header.integers("input_dim", 1)
    shapes = [shape.integers("dim", 1) for shape in header.each("input_shape")]
    if sizes and shapes:
        header.wrong("has both input_dim and input_shape")
    if sizes:
        if len(sizes) != 4 * len(names):
            found = counted(len(names), "input")
            header.wrong(f"{found} with {len(sizes)} of input_dim; each needs 4")
        shapes = [sizes[at : at + 4] for at in range(0, len(sizes), 4)]
    if shapes and len(shapes) != len(names):
        found = counted(len(names), "input")
        header.wrong(f"{found} with {len(shapes)} of input_shape; each needs one")
    return [
        Source(name, tuple(shapes[at]) if shapes else None, header) for at, name in enumerate(names)
    ]


def _given(record: Record) -> list[Source]:
    """What a data layer gives: its tops, with their shapes where the layer tells them."""
    layer = record.fields
    shapes: list[Shape | None] = list(_listed_shapes(layer))
    assumption = ""
    if len(shapes) == 1 and record.key in ("input", "dummydata"):
        shapes *= len(record.tops)
    if not shapes:
        shape, assumption = _image(layer)
        shapes = [shape]
    shapes += [None] * (len(record.tops) - len(shapes))
    return [
        Source(top, shape, layer, "" if at else assumption)
        for at, (top, shape) in enumerate(zip(record.tops, shapes, strict=False))
    ]


def _listed_shapes(layer: Fields) -> list[Shape]:
    """``input_param``'s or ``dummy_data_param``'s shapes, one for each top."""
    for name in ("input_param", "dummy_data_param"):
        shapes = [tuple(shape.integers("dim", 1)) for shape in layer.fields(name).each("shape")]
        if shapes:
            return shapes
    old = layer.fields("dummy_data_param")
    columns = [old.integers(name, 1) for name in ("num", "channels", "height", "width")]
    if not all(columns):
        return []
    most = max(map(len, columns))
    rows = [column * most if len(column) == 1 else column for column in columns]
    if {len(row) for row in rows} != {most}:
        old.wrong("dummy_data_param needs as many of num, channels, height and width")
    return list(zip(*rows, strict=True))


def _image(layer: Fields) -> tuple[Shape | None, str]:
    """The shape of the images of a data layer, if it tells it, and what that assumes."""
    memory = layer.fields("memory_data_param")
    if "channels" in memory:
        names = ("batch_size", "channels", "height", "width")
        return tuple(memory.required(name, "memory_data_param") for name in names), ""
    transform, image = layer.fields("transform_param"), layer.fields("image_data_param")
    places = [transform, image, layer.fields("data_param"), layer.fields("window_data_param")]
    batch = max([1, *(place.integer("batch_size", 1, 1) for place in places)])
    crop = max(place.integer("crop_size", 0) for place in places)
    sizes = [crop, crop] if crop else [image.integer(f"new_{side}", 0) for side in _SIDES]
    if not all(sizes):
        return None, ""
    gray = transform.boolean("force_gray", False) or not image.boolean("is_color", True)
    if gray:
        return (batch, 1, *sizes), ""
    return (batch, 3, *sizes), (
        f"images of 3 channels: the data layer in line {layer.line} tells their size alone"
    )


_SIDES: Final = ("height", "width")
