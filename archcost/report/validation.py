"""What ``archcost validate`` shows: measured passes beside estimates, and their errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from archcost.ir import Shape, shape_text
from archcost.report.format import decimal_bytes, listed, seconds, share
from archcost.report.table import Column, Document, Section, Table

if TYPE_CHECKING:
    from archcost.validation.errors import Errors
    from archcost.validation.journal import Row, Session
    from archcost.validation.judging import Judged, Part
    from archcost.validation.result import Agreement, Validation, Verdict

SCHEMA: Final = "archcost.validation-report/1"
MOST_WORST: Final = 25
"""Networks that are listed as the worst."""
MOST_DIFFERING: Final = 20
BAR: Final = 40
"""Signs of the longest bar of a histogram."""
LAYER_KEYS: Final = ("mean_absolute_error", "median_absolute_error", "spearman")
NONE: Final = "–"
STYLES: Final[Mapping[str, str]] = {"met": "green", "not met": "bold red"}

WITHIN: Final = ("10 %", "25 %", "50 %")
PERCENTILES: Final = ("5th", "25th", "Median", "75th", "95th")
EDGES: Final = ("-75 %", "-50 %", "-25 %", "-10 %", "0 %", "+10 %", "+25 %", "+50 %", "+100 %")
"""As in archcost.validation.errors, of which a report knows the types alone; a test compares."""

ERROR_COLUMNS: Final = (
    Column("passes", "Passes", "integer"),
    Column("mean_absolute_error", "Mean abs. error", "share"),
    Column("median_absolute_error", "Median abs. error", "share"),
    *(
        Column(f"p{percent}_error", f"{label}" if percent == 50 else f"{label} pct.", "share", 2)
        for percent, label in zip((5, 25, 50, 75, 95), PERCENTILES, strict=True)
    ),
    *(Column(f"within_{text.split()[0]}_percent", f"Within {text}", "share", 2) for text in WITHIN),
    Column("spearman", "Spearman", "text", 1, missing=NONE),
    Column("kendall", "Kendall", "text", 2, missing=NONE),
)
NETWORK_COLUMNS: Final = (
    Column("network", "Network", "text"),
    Column("dtype", "Dtype", "text", 2),
    Column("batch", "Batch", "integer"),
    Column("measured_seconds", "Measured", "seconds"),
    Column("spread", "Spread", "share", 2),
    Column("runs", "Runs", "integer", 3),
    Column("estimated_seconds", "Estimated", "seconds"),
    Column("error", "Error", "share"),
    Column("bound", "Bound", "text", 3),
    Column("measured_peak_bytes", "Peak memory", "bytes", 2, missing=NONE),
    Column("estimated_peak_bytes", "Estimated", "bytes", 2),
    Column("peak_error", "Error", "share", 2, missing=NONE),
    Column("family", "Family", "text", 4),
    Column("macs", "MACs", "count", 4),
    Column("nodes", "Layers", "integer", 4),
    Column("q1_seconds", "25th pct.", "seconds", 4),
    Column("q3_seconds", "75th pct.", "seconds", 4),
    Column("live_bytes", "By liveness", "bytes", 4),
    Column("resident_bytes", "Resident", "bytes", 4),
    Column("between_layers_seconds", "Between layers", "seconds", 4),
    Column("fitted", "Fitted on", "text", 4),
)

PERCENTILES_NOTE: Final = (
    "Percentiles are of the signed error; Spearman and Kendall (tau-b) correlate the order of the "
    "networks by estimated and by measured time."
)
WORST_NOTE: Final = (
    "Of each network the pass with the largest error. Responsible are the kind of operator, and "
    "the layers of one operator and shape, whose measured and estimated times differ most in the "
    "direction of the whole error; the percentage is their part of it."
)
LAYERS_NOTE: Final = (
    "Seconds are sums over all passes. Errors of single layers are of those that take 20 µs and "
    "more, layers of a network that do the same counted once with their mean."
)
MEMORY_NOTE: Final = (
    "Measured is the most that torch's allocator had given out during a pass, weights and inputs "
    "among it. Liveness alone are the weights and the tensors alive at the highest point, as "
    "archcost report has them."
)
NOISE_TEXT: Final = (
    "networks, of all durations, were measured again after all others and in another order. What a "
    "second measurement says of the first one is as good as an estimate can be here: its errors, "
    "and those of the estimates of the same passes."
)


def validation_document(validation: Validation) -> Document:
    """Everything, for people."""
    return Document(
        f"Estimated and measured: {validation.device.title}",
        (
            Section("What this is", tuple(_introduction(validation))),
            bars_table(validation),
            Section("How it was measured", tuple(_method(validation))),
            _errors_by_setting(validation),
            _by_size(validation),
            _histogram(validation),
            *_noise(validation),
            *_worst(validation),
            *_layers(validation),
            *_memory(validation),
            *_held(validation),
            _by_family(validation),
            *_missing(validation),
            networks_table(validation),
        ),
    )


def _introduction(validation: Validation) -> Iterator[str]:
    judged = validation.judged
    settings = _settings_text(validation)
    yield (
        f"{len(validation.networks)} networks of the zoo, run as PyTorch modules {settings}: "
        f"{len(judged)} passes were measured, each beside what archcost estimated from the graph "
        "alone. An error is (estimated - measured) / measured, of the median pass: -20 % is an "
        "estimate that is a fifth too low."
    )
    fitted = sorted({one.model for one in judged if one.fitted})
    yield (
        "No coefficient of the estimates was fitted on a network: all networks are held out."
        if not fitted
        else f"Coefficients were fitted on {len(fitted)} of them ({', '.join(fitted)}), which are "
        "listed and nowhere else counted; all others are held out."
    )
    if validation.changed:
        yield (
            f"Left out are {listed(validation.changed)}: what the zoo has under these names now "
            "is not what was measured."
        )


def _settings_text(validation: Validation) -> str:
    dtypes = dict.fromkeys(one.dtype for one in validation.judged)
    batches = sorted({one.batch for one in validation.judged})
    return f"in {', '.join(dtypes)} at batch {', '.join(map(str, batches))}"


def bars_table(validation: Validation) -> Table:
    """What estimates are held to, and whether they keep to it."""
    columns = (
        Column("what", "Of the networks held out", "text"),
        Column("limit", "Bar", "text"),
        Column("found", "Found", "text"),
        Column("verdict", "Verdict", "text", 1, STYLES),
    )
    rows = tuple(_bar_row(verdict) for verdict in validation.verdicts)
    return Table("Against the bars", columns, rows)


def _bar_row(verdict: Verdict) -> tuple[str, ...]:
    bar, found = verdict.bar, verdict.found
    short = bar.quantity.replace("absolute", "abs.").replace("correlation", "corr.")
    what = f"{'peak memory' if bar.what == 'memory' else 'latency'}: {short}"
    where = "" if bar.batch is None else f", batch {bar.batch}, {bar.dtype}"
    correlation = bar.quantity == "rank correlation"
    limit = f"above {bar.limit:g}" if correlation else f"below {share(bar.limit)}"
    if found is None:
        return (what + where, limit, NONE, "not measured")
    shown = f"{found:.4f}" if correlation else share(found)
    return (what + where, limit, shown, "met" if verdict.met else "not met")


def _method(validation: Validation) -> Iterator[str]:
    session = validation.sessions[-1]
    where = session.environment
    yield (
        f"On {where.device}, {where.threads} threads of {where.cores} cores, "
        f"{decimal_bytes(where.memory_bytes) if where.memory_bytes else 'unknown memory'}, "
        f"{where.system}"
        + (f", driver {where.driver}, CUDA {where.cuda}, cuDNN {where.cudnn}" if where.cuda else "")
        + f"; Python {where.python}, PyTorch {where.torch}, archcost {where.archcost}; "
        f"{_sessions(validation.sessions)}. Settings: {_pairs(where.settings)}; clocks: "
        f"{_pairs(where.clocks)}."
    )
    yield f"Measured by: {session.command}." if session.command else "Measured from Python."
    yield _estimates(validation)
    runs = [one.timing.runs for one in validation.judged]
    few = [one for one in validation.judged if one.timing.runs < 3]
    yield (
        "Each pass is a forward pass in evaluation and inference mode on random inputs, with "
        "random weights that keep the numbers in range. It was warmed up, then repeated by "
        "torch.utils.benchmark (long passes one by one): the time is the median, and spread the "
        f"interquartile range over it. Between {min(runs)} and {max(runs):,} timed runs were made "
        f"of each, {len(few)} of them had fewer than three. Networks were measured in random "
        "order."
    )
    noise = validation.noise
    yield f"The median spread within a measurement is {share(noise.spread)}."


def _sessions(sessions: Sequence[Session]) -> str:
    first = sessions[0].started
    if len(sessions) == 1:
        return f"begun {first}"
    return f"begun {first}, gone on with {len(sessions) - 1} times, last {sessions[-1].started}"


def _pairs(mapping: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in mapping.items()) or "not known"


def _estimates(validation: Validation) -> str:
    device = validation.device
    if device.costs is None:
        return (
            f"Estimates are for {device.title}, with the coefficients of its class: it was not "
            "calibrated."
        )
    return (
        f"Estimates are for {device.title} as archcost calibrate found it by micro-benchmarks of "
        f"single operators ({_pairs(device.calibrated)})."
    )


# --- errors -------------------------------------------------------------------------------------


def error_cells(errors: Errors | None) -> tuple[Any, ...]:
    """The cells of :data:`ERROR_COLUMNS`."""
    if errors is None:
        return (0, *[None] * (len(ERROR_COLUMNS) - 1))
    return (
        errors.count,
        errors.mean_absolute,
        errors.median_absolute,
        *errors.percentiles,
        *errors.within,
        errors.spearman,
        errors.kendall,
    )


def _shown(cells: tuple[Any, ...]) -> tuple[Any, ...]:
    """``cells``, which end with correlations, as a table has them."""
    return (*cells[:-2], *map(_correlation, cells[-2:]))


def _correlation(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _error_table(
    title: str,
    label: str,
    groups: Mapping[str, Errors | None],
    total: Errors | None = None,
    notes: tuple[str, ...] = (),
) -> Table:
    columns = (Column("group", label, "text"), *ERROR_COLUMNS)
    rows = tuple((name, *_shown(error_cells(errors))) for name, errors in groups.items())
    last: tuple[Any, ...] | None = ("all", *_shown(error_cells(total))) if total else None
    return Table(title, columns, rows, last, notes)


def _errors_by_setting(validation: Validation) -> Table:
    groups = {
        f"{dtype}, batch {batch}": validation.latency(judged)
        for (dtype, batch), judged in validation.by_setting.items()
    }
    return _error_table(
        "Errors of the latency",
        "Passes",
        groups,
        validation.latency(),
        (PERCENTILES_NOTE,),
    )


def _by_size(validation: Validation) -> Table:
    groups = {name: validation.latency(judged) for name, judged in validation.by_size.items()}
    return _error_table("Errors by how long a pass takes", "Measured", groups)


def _by_family(validation: Validation) -> Table:
    groups = {name: validation.latency(judged) for name, judged in validation.by_family.items()}
    return _error_table("Errors by family", "Family", groups)


def _histogram(validation: Validation) -> Table:
    columns = (
        Column("error", "Error", "text"),
        Column("passes", "Passes", "integer"),
        Column("bar", "", "text", 2),
    )
    bins = validation.bins
    names = (
        f"below {EDGES[0]}",
        *(f"{low} to {high}" for low, high in pairwise(EDGES)),
        f"from {EDGES[-1]}",
    )
    most = max(bins)
    rows = tuple(
        (name, number, "█" * max(round(BAR * number / most), number > 0))
        for name, number in zip(names, bins, strict=True)
    )
    return Table("Distribution of the error of the latency", columns, rows)


def _noise(validation: Validation) -> Iterator[Section | Table]:
    noise = validation.noise
    if noise.again is None:
        yield Section("The machine's noise", ("Nothing was measured twice.",))
        return
    networks = len({first.key.model for first, _ in validation.repeated})
    yield Section("The machine's noise", (f"{networks} {NOISE_TEXT}",))
    yield _error_table(
        "", "Estimated by", {"measuring again": noise.again, "archcost": noise.estimate}
    )


# --- worst cases --------------------------------------------------------------------------------


def _worst(validation: Validation) -> Iterator[Section | Table]:
    columns = (
        Column("network", "Network", "text"),
        Column("dtype", "Dtype", "text", 2),
        Column("batch", "Batch", "integer"),
        Column("measured_seconds", "Measured", "seconds"),
        Column("estimated_seconds", "Estimated", "seconds"),
        Column("error", "Error", "share"),
        Column("why", "Responsible", "sentences"),
    )
    rows = tuple(
        (
            one.model,
            one.dtype,
            one.batch,
            one.measured,
            one.estimated,
            one.latency.error,
            tuple(_responsible(one)),
        )
        for one in validation.worst(MOST_WORST)
    )
    yield Table(
        "Worst cases",
        columns,
        rows,
        notes=(WORST_NOTE,),
    )
    if blame := validation.blame:
        title = "Operators with the largest part in a pass's error"
        kinds = (Column("kind", "Operator", "text"), Column("passes", "Passes", "integer"))
        yield Table(title, kinds, tuple(blame.items()))


def _responsible(one: Judged) -> Iterator[str]:
    if not one.parts:
        yield "layers were not timed"
        return
    if one.culprit_kind:
        yield _part_text(one, one.culprit_kind, f"all {one.culprit_kind.layers} {{}}")
    if one.culprit and (one.culprit_kind is None or one.culprit.layers < one.culprit_kind.layers):
        yield _part_text(one, one.culprit, "{}")
    between = one.between
    if between is not None and abs(between) > abs(one.estimated - one.measured) / 2:
        yield f"{seconds(between)} of the pass are in no layer"


def _part_text(one: Judged, part: Part, name: str) -> str:
    called = part.op if not part.output else f"{part.name} ({part.op}{_to(part.output)})"
    if part.output and part.layers > 1:
        called += f" and {part.layers - 1} alike"
    return (
        f"{name.format(called)}: {seconds(part.measured)} measured, {seconds(part.estimated)} "
        f"estimated ({share(one.share(part))})"
    )


def _to(output: Shape) -> str:
    return f" to {shape_text(output)}"


def _layers(validation: Validation) -> Iterator[Table]:
    if not validation.kinds:
        return
    columns = (
        Column("kind", "Operator", "text"),
        Column("layers", "Layers", "integer"),
        Column("measured_seconds", "Measured", "seconds"),
        Column("estimated_seconds", "Estimated", "seconds"),
        Column("error", "Error", "share", missing=NONE),
        Column("mean_absolute_error", "Mean abs. error", "share", missing=NONE),
        Column("median_absolute_error", "Median abs. error", "share", missing=NONE),
        Column("spearman", "Spearman", "text", missing=NONE),
    )
    rows = tuple(
        (
            kind.kind,
            kind.layers,
            kind.measured,
            kind.estimated,
            kind.estimated / kind.measured - 1 if kind.measured else None,
            *_layer_cells(kind.errors)[:-1],
            _correlation(_layer_cells(kind.errors)[-1]),
        )
        for kind in validation.kinds
    )
    yield Table(
        "Layers by operator",
        columns,
        rows,
        notes=(LAYERS_NOTE,),
    )


def _layer_cells(errors: Errors | None) -> tuple[float | None, ...]:
    if errors is None:
        return (None, None, None)
    return (errors.mean_absolute, errors.median_absolute, errors.spearman)


# --- memory -------------------------------------------------------------------------------------


def _memory(validation: Validation) -> Iterator[Section | Table]:
    if validation.memory() is None:
        return
    groups: dict[str, Errors | None] = {}
    for (dtype, batch), judged in validation.by_setting.items():
        groups[f"{dtype}, batch {batch}"] = validation.memory(judged)
        groups[f"{dtype}, batch {batch}, liveness alone"] = validation.live_memory(judged)
    yield _error_table(
        "Errors of the peak memory",
        "Passes",
        groups,
        validation.memory(),
        (MEMORY_NOTE,),
    )
    columns = (
        Column("network", "Network", "text"),
        Column("dtype", "Dtype", "text", 2),
        Column("batch", "Batch", "integer"),
        Column("measured", "Measured", "bytes"),
        Column("estimated", "Estimated", "bytes"),
        Column("live", "By liveness", "bytes"),
        Column("error", "Error", "share"),
    )
    with_memory = [(one, pair) for one in validation.held_out if (pair := one.memory)]
    with_memory.sort(key=lambda found: -abs(found[1].error))
    rows = tuple(
        (one.model, one.dtype, one.batch, one.measured_peak, one.peak, one.live, pair.error)
        for one, pair in with_memory[:MOST_DIFFERING]
    )
    yield Table("Worst cases of the peak memory", columns, rows)


def _held(validation: Validation) -> Iterator[Section | Table]:
    parameters = validation.agreement("parameters")
    if not parameters.checked:
        return
    activations = validation.agreement("activations")
    headers = validation.file_headers
    overheads = [extra for _, extra in headers]
    shares = [extra / one.expected.file for one, extra in headers if one.expected.file]
    largest = max(headers, key=lambda found: found[1])
    stored = (
        "Parameters and buffers of the module take as many bytes as the analysis says in "
        f"{parameters.equal} of {parameters.checked} networks (the count of batches that torch's "
        "normalisations keep is left out). The storages that its layers make in a pass take as "
        f"many bytes as the analysis says in {activations.equal} of {activations.checked}."
    )
    files = (
        "A file that torch.save writes of the module's state holds, beside the numbers "
        "themselves, names, shapes, alignment and what the normalisations count: between "
        f"{min(overheads):,} and {max(overheads):,} bytes ({largest[0].model}), in the median "
        f"{_median(shares):.3%} of what the numbers take."
    )
    yield Section("Parameters, activations and files", (stored, files))
    if activations.differing or parameters.differing:
        yield _differing(parameters, activations)


def _differing(parameters: Agreement, activations: Agreement) -> Table:
    columns = (
        Column("network", "Network", "text"),
        Column("dtype", "Dtype", "text", 2),
        Column("batch", "Batch", "integer"),
        Column("what", "What", "text"),
        Column("held", "Measured", "bytes"),
        Column("expected", "Computed", "bytes"),
        Column("difference", "Difference", "share"),
    )
    rows = [
        (one.model, one.dtype, one.batch, what, held, expected, _relative(expected, held))
        for what, agreement in (("parameters", parameters), ("activations", activations))
        for one in agreement.differing
        if (held := getattr(one.row.held, what)) is not None
        and (expected := getattr(one.expected, what)) is not None
    ]
    rows.sort(key=lambda row: -abs(row[-1] or 0.0))
    more = len(rows) - MOST_DIFFERING
    notes = (f"And {more} with smaller differences.",) if more > 0 else ()
    return Table("Bytes that differ", columns, tuple(rows[:MOST_DIFFERING]), notes=notes)


def _relative(expected: int, held: int) -> float | None:
    return expected / held - 1 if held else None


def _median(numbers: Sequence[float]) -> float:
    from statistics import median

    return median(numbers) if numbers else 0.0


# --- what there is ------------------------------------------------------------------------------


def _missing(validation: Validation) -> Iterator[Section | Table]:
    if not validation.missing:
        yield Section("Not measured", ("Every network was measured in every way.",))
        return
    columns = (
        Column("network", "Network", "text"),
        Column("dtype", "Dtype", "text"),
        Column("batch", "Batch", "integer"),
        Column("why", "Why", "sentences"),
    )
    rows = tuple(
        (row.key.model, row.key.dtype, row.key.batch, (_why(row),)) for row in validation.missing
    )
    yield Table("Not measured", columns, rows)


def _why(row: Row) -> str:
    return f"skipped, {row.skipped}" if row.skipped else f"failed, {row.failure}"


def networks_table(validation: Validation) -> Table:
    """One row a pass."""
    return Table(
        "Networks",
        NETWORK_COLUMNS,
        tuple(_network_row(one) for one in validation.judged),
        notes=("docs/validation.md tells how times and bytes are measured.",),
    )


def _network_row(one: Judged) -> tuple[Any, ...]:
    memory = one.row.memory
    return (
        one.model,
        one.dtype,
        one.batch,
        one.measured,
        one.timing.spread,
        one.timing.runs,
        one.estimated,
        one.latency.error,
        one.bound,
        one.measured_peak,
        one.peak,
        one.memory.error if one.memory else None,
        one.family,
        one.macs,
        one.nodes,
        one.timing.q1,
        one.timing.q3,
        one.live,
        memory.resident_bytes if memory else None,
        one.between,
        "yes" if one.fitted else "no",
    )


# --- data ---------------------------------------------------------------------------------------


def validation_data(validation: Validation) -> dict[str, Any]:
    """Everything as plain data."""
    noise = validation.noise
    return {
        "schema": SCHEMA,
        "device": validation.device.name,
        "device_title": validation.device.title,
        "calibrated": dict(validation.device.calibrated),
        "sessions": [asdict(session) for session in validation.sessions],
        "networks": len(validation.networks),
        "accuracy": validation.accuracy,
        "bars": [
            {**verdict.bar._asdict(), "found": verdict.found, "met": verdict.met}
            for verdict in validation.verdicts
        ],
        "latency_errors": {
            "all": _error_data(validation.latency()),
            "by_setting": [
                {"dtype": dtype, "batch": batch, **_error_data(validation.latency(judged))}
                for (dtype, batch), judged in validation.by_setting.items()
            ],
            "by_measured_time": _each(validation, validation.by_size),
            "by_family": _each(validation, validation.by_family),
        },
        "memory_errors": _error_data(validation.memory()),
        "liveness_errors": _error_data(validation.live_memory()),
        "noise": {
            "spread": noise.spread,
            "measured_again": _error_data(noise.again),
            "estimate_of_the_same": _error_data(noise.estimate),
        },
        "operators": [
            {
                "kind": kind.kind,
                "layers": kind.layers,
                "measured_seconds": kind.measured,
                "estimated_seconds": kind.estimated,
                "layers_judged": kind.errors.count if kind.errors else 0,
                **dict(zip(LAYER_KEYS, _layer_cells(kind.errors), strict=True)),
            }
            for kind in validation.kinds
        ],
        "worst": [_worst_data(one) for one in validation.worst(MOST_WORST)],
        "missing": [{**row.key._asdict(), "why": _why(row)} for row in validation.missing],
        "changed": list(validation.changed),
        "passes": [_pass_data(one) for one in validation.judged],
    }


def _each(validation: Validation, groups: Mapping[str, Sequence[Judged]]) -> list[dict[str, Any]]:
    return [
        {"name": name, **_error_data(validation.latency(judged))} for name, judged in groups.items()
    ]


def _error_data(errors: Errors | None) -> dict[str, Any]:
    cells = error_cells(errors)
    return {column.key: cell for column, cell in zip(ERROR_COLUMNS, cells, strict=True)}


def _worst_data(one: Judged) -> dict[str, Any]:
    return {
        **one.row.key._asdict(),
        "error": one.latency.error,
        "kind": one.culprit_kind and one.culprit_kind._asdict(),
        "layers": one.culprit and one.culprit._asdict(),
    }


def _pass_data(one: Judged) -> dict[str, Any]:
    data = dict(zip([column.key for column in NETWORK_COLUMNS], _network_row(one), strict=True))
    held = one.row.held
    return {
        **data,
        "fitted": one.fitted,
        "held_bytes": held and held._asdict(),
        "expected_bytes": one.expected._asdict(),
    }
