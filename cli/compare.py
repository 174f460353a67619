"""``archcost compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from .conventions import ConventionType
from .networks import Networks, analyses, networks_options
from .options import (
    Choice,
    Loading,
    ModelType,
    ParamType,
    completions,
    model_options,
    output_options,
    suggestion,
)
from .output import about, chosen_format, show, tell, write
from .timing import Devices, device_options, estimates, measurements

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click.shell_completion import CompletionItem

    from archcost.analysis import Analysis
    from archcost.sources.selection import Selected

FORMATS: Final = ("table", "markdown", "csv", "json", "latex", "html")
GROUPINGS: Final = ("layer", "block", "stage")
# The keys of archcost.report.compare.COLUMNS, which is not loaded for `--help`; a test compares.
COLUMNS: Final = (
    "title",
    "family",
    "year",
    "dataset",
    "input",
    "params",
    "buffers",
    "macs",
    "flops",
    "activations",
    "peak_memory_bytes",
    "traffic_bytes",
    "arithmetic_intensity",
    "storage_bytes",
    "storage_bytes_fp64",
    "storage_bytes_fp32",
    "storage_bytes_fp16",
    "storage_bytes_bf16",
    "storage_bytes_int8",
    "storage_bytes_int4",
    "depth",
    "layers",
    "receptive_field",
    "accuracy",
)
TIMES: Final = tuple(
    f"{how}_{what}"
    for how in ("estimated", "measured")
    for what in ("seconds", "samples_per_second")
)
"""Those that --device and --measured add."""


class ColumnType(ParamType):
    """A column's name; which there are depends on the convention."""

    name = "column"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return completions(("name", *COLUMNS, *TIMES), incomplete)


class ColumnsType(ParamType):
    """Names of columns with commas between; a convention has some of its own."""

    name = "columns"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(filter(None, (name.strip() for name in value.split(","))))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, begun = incomplete.rpartition(",")
        found = completions((*COLUMNS, *TIMES), begun)
        for item in found:
            item.value = f"{before}{comma}{item.value}"
        return found


def _flat(
    _ctx: click.Context, _param: click.Parameter, given: tuple[tuple[str, ...], ...]
) -> tuple[str, ...]:
    return tuple(name for names in given for name in names)


class AccuracyType(ParamType):
    """A dataset, and ``:top5`` where one of five guesses has to be right."""

    name = "dataset"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value[0], value[1]
        dataset, _, top = value.partition(":")
        tops = {"": 1, "top1": 1, "top5": 5}
        if top.replace("-", "") not in tops:
            self.fail(f"no accuracy {top!r:.60}{suggestion(top, ('top1', 'top5'))}", param, ctx)
        return dataset, tops[top.replace("-", "")]

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from archcost.published.accuracies import published_accuracies

        known = {accuracy.dataset for accuracy in published_accuracies()}
        return completions(sorted(known), incomplete)


@click.command(
    "compare",
    epilog="""\b
Examples:
  archcost compare simplenet vgg16 resnet50 --reference vgg16
  archcost compare 'resnet*' densenet121 --dataset ImageNet --sort params
  archcost compare --all --accuracy CIFAR-10 --pareto
  archcost compare before.yaml after.yaml --columns params,macs,peak_memory
  archcost compare alexnet vgg16 --convention netscope-2016 --format csv
  archcost compare simplenet simplenet-310k --layers
  archcost compare 'mobilenet*' resnet50 --device rtx3090 --batch 64

docs/compare.md says what the columns are. Exit status 1: no network fits.
""",
)
@networks_options
@click.option(
    "--columns",
    type=ColumnsType(),
    multiple=True,
    callback=_flat,
    metavar="COLUMN,...",
    help="What to compare, in this order, with commas between; repeatable: "
    f"{', '.join(name for name in COLUMNS if not name.startswith('storage_bytes_'))}; "
    "storage_bytes_int8 and other dtypes. _bytes can be left out.",
)
@click.option(
    "--accuracy",
    type=AccuracyType(),
    metavar="DATASET",
    help="Also the best published accuracy on DATASET; of ImageNet top-1, or ImageNet:top5.",
)
@device_options("Also latency and throughput, estimated on this device", several=True)
@click.option(
    "--measured",
    "measured_path",
    type=click.Path(),
    metavar="FILE",
    help="Also latency and throughput as archcost measure --record FILE measured them.",
)
@click.option(
    "--reference",
    type=ModelType(),
    metavar="MODEL",
    help="Give the others as multiples of this network.",
)
@click.option(
    "--sort",
    type=ColumnType(),
    metavar="COLUMN",
    help="Sort by any column, or by name: names from A, years onwards, other numbers from the "
    "largest.  [as they are named]",
)
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option(
    "--pareto",
    is_flag=True,
    help="Only networks that no other dominates: is as good in each of the columns and better in "
    "one. Less is better, of accuracy more; columns of which neither is do not matter.",
)
@click.option(
    "--convention",
    "convention_name",
    type=ConventionType(),
    metavar="NAME",
    help="Count by this convention (archcost conventions tells all).",
)
@click.option(
    "--layers",
    is_flag=True,
    help="Two networks layer by layer, as a diff: what is only in one, and what is changed.",
)
@click.option(
    "--by",
    type=Choice(GROUPINGS),
    metavar="GROUP",
    help=f"With --layers: one row a {', '.join(GROUPINGS)}.  [the first that fits on two screens]",
)
@click.option("--full", is_flag=True, help="With --layers: also each row that is the same.")
@model_options
@output_options(*FORMATS)
@click.pass_context
def command(
    ctx: click.Context,
    networks: Networks,
    columns: tuple[str, ...],
    accuracy: tuple[str, int] | None,
    devices: Devices,
    measured_path: str | None,
    reference: str | None,
    sort: str | None,
    reverse: bool,
    pareto: bool,
    convention_name: str | None,
    layers: bool,
    by: str | None,
    full: bool,
    loading: Loading,
    format_: str | None,
    output: str | None,
) -> None:
    """Networks side by side, a row each; the best of a column is marked.

    MODEL is what archcost report takes, or a glob over the names of the zoo, in
    quotes: 'resnet*'. --dataset, --year and --search keep some of what globs,
    --family and --all give; without any of these they choose from the whole zoo.
    """
    from archcost.conventions import convention
    from archcost.report.compare import compare_document, compare_report, compare_table
    from archcost.report.json import dump
    from archcost.sources.selection import with_model

    format_ = chosen_format(FORMATS, format_, output)
    if columns and (strayed := [name for name in networks.models if name in COLUMNS]):
        together = ",".join((*columns, *strayed))
        raise click.UsageError(
            f"{strayed[0]!r} is no MODEL; columns have commas between: {together}"
        )
    if layers:
        besides: dict[str, Any] = {"--columns": columns, "--accuracy": accuracy, "--sort": sort}
        besides |= {"--device": devices.names, "--fused": devices.fused}
        besides |= {"--measured": measured_path}
        besides |= {"--reference": reference, "--reverse": reverse, "--pareto": pareto}
        for option, given in {**besides, "--convention": convention_name}.items():
            if given:
                raise click.UsageError(f"{option} does not go with --layers")
        found, _ = analyses(networks.chosen(), loading, output)
        _layers(found, by, full, format_, output)
        return
    if by or full:
        raise click.UsageError(f"{'--by' if by else '--full'} needs --layers")
    chosen, key = networks.chosen(), None
    if reference is not None:
        chosen, key = with_model(chosen, reference)
    found, models = analyses(chosen, loading, output)
    selected = dict(zip(found, (model.selected for model in models), strict=True))
    dataset, top = accuracy or (None, 1)
    published = {} if dataset is None else _published(found, selected, dataset, top)
    counts = None
    if convention_name is not None:
        rules = convention(convention_name)
        counts = {name: rules.count(analysis.graph) for name, analysis in found.items()}
    report = compare_report(
        found,
        columns=columns,
        reference=next((name for name, one in selected.items() if one.key == key), None),
        sort=sort,
        reverse=reverse,
        pareto=pareto,
        counts=counts,
        dataset=dataset,
        top=top,
        **published,
        **_times(found, devices, measured_path),
    )
    if format_ == "json":
        write(dump(compare_document(report)), output)
    elif format_ == "html":
        from archcost.page import compare_page

        page = compare_page(report, about(), warn=lambda message: tell("warning", message))
        write(page, output)
    else:
        show(compare_table(report), format_, output)
    if not report.networks:
        why = "has a value in each of the columns" if found else "fits what was asked for"
        tell("warning", f"no network {why}")
        ctx.exit(1)


def _published(
    found: Mapping[str, Analysis], selected: Mapping[str, Selected], dataset: str, top: int
) -> dict[str, Any]:
    """The best published accuracy of each of the networks that are the zoo's, and what else
    :func:`~archcost.report.compare.compare_report` tells of such."""
    from archcost.published.best import best_accuracies, rated_families

    networks = {
        name: (one.entry, found[name].graph)
        for name, one in selected.items()
        if one.entry is not None
    }
    return {
        "accuracies": best_accuracies(networks, dataset, top=top),
        "rated": rated_families(dataset, top=top),
    }


def _times(
    found: Mapping[str, Analysis], devices: Devices, measured_path: str | None
) -> dict[str, Any]:
    """The columns of times that were asked for, and what is to be said of them, as
    :func:`~archcost.report.compare.compare_report` takes them."""
    from archcost.report import compare_times

    extras, remarks = [], []
    if devices.found():
        on = estimates(found, devices)
        extras += compare_times.estimated(on)
        remarks += compare_times.estimate_remarks(on, found, fused=devices.fused)
    if measured_path is not None:
        from archcost.measure.matching import in_words, setups_of

        records = measurements(found, measured_path)
        setups = setups_of(records.values())
        extras += compare_times.measured(records, setups)
        if setups:
            remarks += compare_times.measure_remarks([in_words(setup) for setup in setups])
    return {"extras": extras, "remarks": remarks}


def _layers(
    found: Mapping[str, Analysis], by: str | None, full: bool, format_: str, output: str | None
) -> None:
    """Write what differs between two networks, layer by layer."""
    from archcost.analysis.alignment import align
    from archcost.report.difference import (
        data_table,
        difference,
        difference_data,
        difference_table,
    )
    from archcost.report.json import dump

    if len(found) != 2:
        twice = "; one that is named twice counts once" if len(found) < 2 else ""
        raise click.UsageError(f"--layers is for two networks, not {len(found)}{twice}")
    left, right = found
    if by is None and format_ in ("csv", "json"):
        by = "layer"
    shown = difference(align(found[left], found[right]), (left, right), by=by, full=full)
    if format_ == "json":
        write(dump(difference_data(shown)), output)
    else:
        show(data_table(shown) if format_ == "csv" else difference_table(shown), format_, output)
