"""What ``archcost speeds`` shows: passes that others measured and published, beside estimates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from archcost.report.format import exact, share
from archcost.report.table import Column, Document, Section, Table

if TYPE_CHECKING:
    from archcost.published.speeds import PublishedSpeed, Run, SpeedSource
    from archcost.validation.errors import Errors
    from archcost.validation.published import JudgedSpeed, PublishedValidation

SCHEMA: Final = "archcost.published-speeds/1"
MOST_WORST: Final = 20
"""Passes that are listed as the worst."""
NONE: Final = "–"

ERROR_COLUMNS: Final = (
    Column("passes", "Passes", "integer"),
    Column("median_error", "Median error", "error"),
    Column("mean_absolute_error", "Mean abs. error", "share"),
    Column("median_absolute_error", "Median abs.", "share", 2),
    Column("p5_error", "5th pct.", "error", 3),
    Column("p95_error", "95th pct.", "error", 3),
    Column("within_25_percent", "Within 25 %", "share", 2),
    Column("spearman", "Spearman", "number", 1, missing=NONE),
)
PASS_COLUMNS: Final = (
    Column("source", "Source", "text", 2),
    Column("device", "Device", "text"),
    Column("dtype", "Dtype", "text"),
    Column("layout", "Layout", "text", 3),
    Column("fused", "Fused", "text", 2),
    Column("framework", "Framework", "text", 4),
    Column("printed_name", "Printed name", "text", 3),
    Column("network", "Network", "text"),
    Column("side", "Input", "integer"),
    Column("batch", "Batch", "integer"),
    Column("measured_seconds", "Measured", "seconds"),
    Column("estimated_seconds", "Estimated", "seconds", missing=NONE),
    Column("error", "Error", "error", missing=NONE),
    Column("bound", "Bound", "text", 3),
)
ERRORS_NOTE: Final = (
    "An error is (estimated - measured) / measured. Spearman correlates the order by estimated and "
    "by measured time."
)
AGAIN_NOTE: Final = (
    "Two runs of one source on the same device, in the same dtype and layout, with other software: "
    "the errors of taking the later one for an estimate of the earlier. No estimate that knows "
    "nothing of the software can be closer to both."
)


def _by_run(one: JudgedSpeed) -> tuple[str, ...]:
    run = one.speed.run
    return (one.speed.source, run.device, run.dtype, _layout(run), _fused(run), run.framework)


Grouping = tuple[tuple[Column, ...], Callable[["JudgedSpeed"], tuple[str, ...]]]
GROUPINGS: Final[Mapping[str, Grouping]] = {
    "run": (PASS_COLUMNS[:6], _by_run),
    "device": (
        tuple(PASS_COLUMNS[i] for i in (1, 2, 4)),
        lambda one: (one.speed.run.device, one.speed.run.dtype, _fused(one.speed.run)),
    ),
    "source": ((PASS_COLUMNS[0]._replace(rank=1),), lambda one: (one.speed.source,)),
    "dtype": ((PASS_COLUMNS[2],), lambda one: (one.speed.run.dtype,)),
    "network": ((PASS_COLUMNS[7],), lambda one: (one.speed.network.model,)),
    "family": ((Column("family", "Family", "text"),), lambda one: (one.family,)),
    "bound": ((Column("bound", "Bound", "text"),), lambda one: (one.bound,)),
}
"""What passes are summed up by: the columns that tell groups apart, and a pass's cells of them."""
TITLES: Final = {
    "run": "Errors by run",
    "device": "Errors by device",
    "source": "Errors by source",
    "dtype": "Errors by dtype",
    "network": "Errors by network",
    "family": "Errors by family",
    "bound": "Errors by what the estimate says holds up the pass",
}


def groups_table(found: PublishedValidation, by: str) -> Table:
    """The errors of the passes in groups by ``by``, a key of :data:`GROUPINGS`, and of all."""
    columns, key = GROUPINGS[by]
    rows = tuple(
        (*name, *_error_cells(found.errors(judged))) for name, judged in found.groups(key).items()
    )
    total = ("all", *[""] * (len(columns) - 1), *_error_cells(found.errors()))
    return Table(
        TITLES[by],
        (*columns, *ERROR_COLUMNS),
        rows,
        total if len(rows) > 1 else None,
        (ERRORS_NOTE,),
    )


def passes_table(found: PublishedValidation) -> Table:
    """Every published pass with its estimate."""
    return Table("", PASS_COLUMNS, tuple(map(_pass_row, found.judged)))


def speeds_document(found: PublishedValidation, sources: Sequence[SpeedSource]) -> Document:
    """Everything but the single passes, for people."""
    return Document(
        "Published speeds beside estimates",
        (
            Section("What this is", tuple(_introduction(found, sources))),
            groups_table(found, "device"),
            *(
                groups_table(found, by)._replace(notes=())
                for by in ("source", "run", "family", "bound")
            ),
            *_again(found),
            _worst(found),
            *_missing(found),
            *(Section(source.title, tuple(_about(source))) for source in sources),
        ),
    )


def speeds_data(
    found: PublishedValidation, sources: Sequence[SpeedSource], *, version: str
) -> dict[str, Any]:
    """Everything, as JSON has it."""
    return {
        "schema": SCHEMA,
        "archcost": version,
        "errors": _error_data(found.errors()),
        "accuracy": found.accuracy,
        **{
            f"by_{by}": [
                {**_keyed(columns, name), **_error_data(found.errors(judged))}
                for name, judged in found.groups(key).items()
            ]
            for by, (columns, key) in GROUPINGS.items()
        },
        "again": [
            {
                "device": again.earlier.device,
                "earlier": again.earlier.framework,
                "later": again.later.framework,
                **_error_data(again.errors),
            }
            for again in found.again
        ],
        "sources": [_source_data(source) for source in sources],
        "runs": [
            {"source": source, **run._asdict()}
            for source, run in dict.fromkeys(map(_run, found.judged))
        ],
        "passes": _passes_data(found.judged),
    }


def _run(one: JudgedSpeed) -> tuple[str, Run]:
    return one.speed.source, one.speed.run


def _passes_data(judged: Sequence[JudgedSpeed]) -> list[dict[str, Any]]:
    """Each pass; ``run`` is the place in ``runs``, ``why`` is there where no estimate is."""
    numbers = {run: number for number, run in enumerate(dict.fromkeys(map(_run, judged)))}
    return [
        {
            "run": numbers[_run(one)],
            "network": one.speed.network.printed_name,
            "side": one.speed.side,
            "batch": one.speed.batch,
            "measured_seconds": one.speed.seconds,
            "estimated_seconds": one.estimated,
            **({"why": one.why} if one.why else {"bound": one.bound}),
        }
        for one in judged
    ]


def _introduction(found: PublishedValidation, sources: Sequence[SpeedSource]) -> Iterator[str]:
    total = found.errors()
    networks = {one.speed.network.identity for one in found.judged}
    devices = {one.speed.run.device for one in found.judged}
    yield (
        f"{exact(len(found.judged))} times of forward passes that others measured and published: "
        f"{len(networks)} networks of the zoo on {len(devices)} devices, from {len(sources)} "
        "sources. Each stands beside what archcost estimates from the network's graph and the "
        "device's figures. archcost measured none of them, and no coefficient of an estimate was "
        "fitted on any network."
    )
    if total is not None:
        yield (
            f"Of the {exact(total.count)} passes that there is an estimate for, the mean absolute "
            f"error is {share(total.mean_absolute)}, the median {share(total.median_absolute)}. "
            "How the sources measured differs, and so does what ran: libraries of ten years, "
            "eager frameworks, compilers and inference engines. An estimate knows only whether "
            "operators were fused."
        )
    said = [one for source in sources for n in source.networks.values() for one in n.statements()]
    agree = sum(one.agrees for one in said)
    yield (
        "That a network is the zoo's is checked on what its source says of it: parameters, "
        f"multiply-accumulates, activations or bytes, {exact(agree)} of {exact(len(said))} numbers "
        "are archcost's own at the printed precision. Networks for which a number differs are left "
        "out, as is said below."
    )


def _again(found: PublishedValidation) -> Iterator[Table]:
    columns = (
        Column("device", "Device", "text"),
        Column("dtype", "Dtype", "text"),
        Column("fused", "Fused", "text", 2),
        Column("earlier", "Earlier", "text"),
        Column("later", "Later", "text"),
        *ERROR_COLUMNS,
    )
    rows = tuple(
        (
            again.earlier.device,
            again.earlier.dtype,
            _fused(again.earlier),
            again.earlier.framework,
            again.later.framework,
            *_error_cells(again.errors),
        )
        for again in found.again
    )
    if rows:
        yield Table("Measured twice", columns, rows, notes=(AGAIN_NOTE,))


def _worst(found: PublishedValidation) -> Table:
    def size(one: JudgedSpeed) -> float:
        return abs(one.error or 0.0)

    worst = sorted(found.estimated, key=size, reverse=True)[:MOST_WORST]
    return Table("The largest errors", PASS_COLUMNS, tuple(map(_pass_row, worst)))


def _missing(found: PublishedValidation) -> Iterator[Table]:
    columns = (
        Column("device", "Device", "text"),
        Column("source", "Source", "text"),
        Column("passes", "Passes", "integer"),
        Column("why", "Why", "sentences"),
    )
    rows = []
    for why, judged in found.missing.items():
        places = [(one.speed.run.device, one.speed.source) for one in judged]
        rows += [(*place, places.count(place), (why,)) for place in dict.fromkeys(places)]
    if rows:
        yield Table("Without an estimate", columns, tuple(rows))


def _about(source: SpeedSource) -> Iterator[str]:
    yield f"{source.url}: {source.measured}"
    for name, why in source.left_out.items():
        yield f"Left out, {name}: {why.rstrip('.')}."


def _pass_row(one: JudgedSpeed) -> tuple[Any, ...]:
    speed: PublishedSpeed = one.speed
    return (
        *_by_run(one),
        speed.network.printed_name,
        speed.network.model,
        speed.side,
        speed.batch,
        speed.seconds,
        one.estimated,
        one.error,
        one.bound,
    )


def _layout(run: Run) -> str:
    return "channels last" if run.channels_last else "channels first"


def _fused(run: Run) -> str:
    return "fused" if run.fused else "eager"


def _error_cells(errors: Errors | None) -> tuple[Any, ...]:
    if errors is None:
        return (0, *[None] * (len(ERROR_COLUMNS) - 1))
    low, _, middle, _, high = errors.percentiles
    return (
        errors.count,
        middle,
        errors.mean_absolute,
        errors.median_absolute,
        low,
        high,
        errors.within[1],
        errors.spearman,
    )


def _error_data(errors: Errors | None) -> dict[str, Any]:
    return _keyed(ERROR_COLUMNS, _error_cells(errors))


def _keyed(columns: Iterable[Column], cells: Iterable[Any]) -> dict[str, Any]:
    return {column.key: cell for column, cell in zip(columns, cells, strict=True)}


def _source_data(source: SpeedSource) -> dict[str, Any]:
    return {
        "name": source.name,
        "title": source.title,
        "url": source.url,
        "measured": source.measured,
        "left_out": dict(source.left_out),
        "networks": [
            {"network": name, "model": network.model, "settings": dict(network.settings)}
            for name, network in source.networks.items()
        ],
        "statements": [
            {
                "network": network.printed_name,
                "quantity": one.quantity,
                "convention": one.convention,
                "side": one.side,
                "printed": one.printed.text,
                "unit": one.printed.symbol,
                "computed": one.computed,
                "agrees": one.agrees,
            }
            for network in source.networks.values()
            for one in network.statements()
        ],
    }
