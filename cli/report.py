"""``archcost report``."""

from __future__ import annotations

from typing import Any, Final

import click

from .options import (
    Choice,
    Integer,
    Number,
    load_model,
    model_argument,
    model_options,
    output_options,
)
from .output import chosen_format, show, spare_the_model

FORMATS: Final = ("table", "markdown", "csv", "json", "latex")
GROUPINGS: Final = ("layer", "block", "stage", "op")


@click.command(
    "report",
    epilog="""\b
Examples:
  archcost report simplenet
  archcost report resnet50 --by op --sort flops
  archcost report vgg16 --input 3x64x64 --set classes=10 --batch 32
  archcost report alexnet --bits 5 --sparsity 0.89 --index-bits 4
  archcost report mobilenet-v1 --by layer --format csv -o layers.csv
  archcost report my_net.yaml:variant --format json

docs/report.md says what each number means, docs/json.md what the JSON holds.
""",
)
@model_argument
@click.option(
    "--by",
    type=Choice(GROUPINGS),
    metavar="GROUP",
    help=f"One row a {', '.join(GROUPINGS)}.  [block where that fits on a screen, else stage]",
)
@click.option(
    "--sort",
    metavar="COLUMN",
    help="Sort by a column: params, macs, flops, activations, traffic_bytes, name ...",
)
@click.option(
    "--top",
    type=Integer(min=1),
    metavar="N",
    help="Show the first N rows (by MACs unless sorted) and sum up the others.",
)
@model_options
@click.option("--inplace", is_flag=True, help="Forward memory: ReLU and its like in place.")
@click.option(
    "--fold-norm", is_flag=True, help="Forward memory: normalisations folded into convolutions."
)
@click.option(
    "--bits", type=Integer(1, 64), metavar="N", help="Also give the size stored at N bits."
)
@click.option(
    "--sparsity",
    type=Number(0, 1, max_open=True),
    metavar="X",
    help="With --bits: share of the parameters that is pruned, 0 to 1.",
)
@click.option(
    "--index-bits",
    type=Integer(0, 64),
    metavar="N",
    help="With --sparsity: bits for the place of each value that is left.",
)
@output_options(*FORMATS)
def command(
    model: str,
    by: str | None,
    sort: str | None,
    top: int | None,
    inputs: tuple[tuple[int, ...], ...],
    batch: int | None,
    settings: dict[str, Any],
    dtype: str | None,
    inplace: bool,
    fold_norm: bool,
    bits: int | None,
    sparsity: float | None,
    index_bits: int | None,
    format_: str | None,
    output: str | None,
) -> None:
    """Parameters, operations, activations and memory of MODEL.

    MODEL is a network of the zoo (archcost zoo list) or the path of a spec,
    path.yaml:NAME for one of its variants.
    """
    if sparsity is not None and bits is None:
        raise click.UsageError("--sparsity needs --bits")
    if index_bits is not None and sparsity is None:
        raise click.UsageError("--index-bits needs --sparsity")
    spare_the_model(model, output)
    from archcost import __version__
    from archcost.analysis import analyze
    from archcost.report import Stored, model_report

    stored = None if bits is None else Stored(bits, sparsity or 0.0, index_bits or 0)
    report = model_report(
        analyze(load_model(model, inputs, batch, settings, dtype)),
        by=by,
        sort=sort,
        top=top,
        inplace=inplace,
        fold_norm=fold_norm,
        stored=stored,
    )
    format_ = chosen_format(FORMATS, format_, output)
    show(report, format_, output, **({"version": __version__} if format_ == "json" else {}))
