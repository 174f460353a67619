"""``archcost export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from .options import Choice, Integer, Loading, model_argument, model_options
from .output import refuse_a_terminal, spare_the_model, write

if TYPE_CHECKING:
    from archcost.ir import Graph

ENDINGS: Final = {"torch": ".py", "onnx": ".onnx", "json": ".json"}
WEIGHTS: Final = ("random", "none")


@click.command(
    "export",
    epilog="""\b
Examples:
  archcost export simplenet --to torch -o simplenet.py
  archcost export resnet50 --set classes=10 -o resnet50.py
  archcost export mobilenet-v1 -o mobilenet.onnx
  archcost export vgg16 --weights none --batch 8 -o vgg16.onnx
  archcost export deploy.prototxt --to torch
  archcost export my_net.yaml:variant --to json | jq .nodes

docs/graph-json.md says what the JSON holds. Weights are fresh ones: archcost
knows none.
""",
)
@model_argument
@click.option(
    "--to",
    "target",
    type=Choice(ENDINGS),
    metavar="TARGET",
    help=f"{', '.join(ENDINGS)}.  [by FILE's ending]",
)
@model_options
@click.option(
    "--weights",
    type=Choice(WEIGHTS),
    metavar="WEIGHTS",
    help="With onnx: random, or none, which leaves them out of a small file that tools can draw "
    "but not run.  [random]",
)
@click.option(
    "--seed",
    type=Integer(min=0),
    metavar="N",
    help="With onnx: seed of the random weights.  [0]",
)
@click.option(
    "--opset",
    type=Integer(min=1),
    metavar="N",
    help="With onnx: version of its operator set.  [20; 22 for bf16]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(),  # which completes to files
    metavar="FILE",
    help="Write to FILE, which is replaced when all is written.  [standard output]",
)
def command(
    model: str,
    target: str | None,
    loading: Loading,
    weights: str | None,
    seed: int | None,
    opset: int | None,
    output: str | None,
) -> None:
    """MODEL as PyTorch source, as an ONNX model or as a graph in JSON.

    The PyTorch source is a module like one written by hand, which needs
    nothing but torch. ONNX weights beyond the 2 GiB of one file go to
    FILE.data beside it. What JSON holds, archcost reads back.
    """
    target = _target(target, output)
    given = {"weights": weights, "seed": seed, "opset": opset}
    options = {name: value for name, value in given.items() if value is not None}
    if options and target != "onnx":
        raise click.UsageError(f"--{next(iter(options))} is for --to onnx")
    spare_the_model(model, output)
    if target == "onnx":
        _export_onnx(loading.graph(model), output, options)
        return
    from archcost.targets import to_json, torch_source

    write({"torch": torch_source, "json": to_json}[target](loading.graph(model)), output)


def _target(target: str | None, output: str | None) -> str:
    """What was asked for, else what FILE's ending says."""
    if target is not None:
        return target
    ending = Path(output or "").suffix.lower()
    for name, its in ENDINGS.items():
        if its == ending:
            return name
    endings = ", ".join(f"{name} ({its})" for name, its in ENDINGS.items())
    raise click.UsageError(f"--to what? There are: {endings}")


def _export_onnx(graph: Graph, output: str | None, options: dict[str, Any]) -> None:
    from archcost.targets import to_onnx, write_onnx

    if output in (None, "-"):
        refuse_a_terminal("an ONNX model", output)
        write(to_onnx(graph, **options).SerializeToString())
    elif Path(output).exists() and not Path(output).is_file():  # a pipe
        write(to_onnx(graph, **options).SerializeToString(), output)
    else:
        from archcost.report import write_folder_atomically

        write_folder_atomically(output, lambda path: write_onnx(graph, path, **options))
