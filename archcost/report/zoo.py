"""What ``archcost zoo`` shows: the list of networks, and the sheet about one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.ir import shape_text
from archcost.report.format import binary_bytes, count, decimal_bytes, exact, setting
from archcost.report.json import rows
from archcost.report.reproduction import judgement
from archcost.report.summary import Fact, citation
from archcost.report.table import Column, Table

if TYPE_CHECKING:
    from archcost.analysis import Analysis
    from archcost.published.accuracies import PublishedAccuracy
    from archcost.published.verdicts import Verdict
    from archcost.sources.zoo import Entry

MOST_RELATIVES: Final = 8
COLUMNS: Final = (
    Column("name", "Name", "text"),
    Column("title", "Title", "text", 2),
    Column("family", "Family", "text", 3),
    Column("year", "Year", "year"),
    Column("dataset", "Dataset", "text", 3),
    Column("input", "Input", "shape"),
    Column("params", "Params", "count"),
    Column("macs", "MACs", "count"),
    Column("depth", "Depth", "integer", 3),
)


class ZooSheet(NamedTuple):
    """All there is to say about a network of the zoo."""

    entry: Entry
    analysis: Analysis
    costs: list[Verdict]
    accuracies: list[PublishedAccuracy]


def zoo_table(
    analyses: Sequence[Analysis], sort: str | None = None, *, reverse: bool = False
) -> Table:
    """One row a network, in the order given, or sorted by the column ``sort``.

    Raises:
        KeyError: no such column.
    """
    lines = [_row(analysis) for analysis in analyses]
    if sort is None and reverse:
        lines.reverse()
    number = f"{len(lines)} network{'' if len(lines) == 1 else 's'}, each at its own input."
    table = Table("The zoo", COLUMNS, tuple(lines), notes=(number,))
    return table if sort is None else table.sorted_by(sort, reverse=reverse)


def _row(analysis: Analysis) -> tuple[Any, ...]:
    about, totals = analysis.graph.metadata, analysis.totals
    return (
        analysis.graph.name,
        about["title"],
        about["family"],
        about.get("year"),
        about.get("dataset"),
        analysis.graph.inputs[0].shape[1:],
        totals.params,
        totals.macs,
        totals.depth,
    )


def list_document(table: Table, analyses: Iterable[Analysis]) -> list[dict[str, Any]]:
    """The rows of :func:`zoo_table` as plain data, each with its citation (or None)."""
    sources = {a.graph.name: a.graph.metadata.get("source") for a in analyses}
    return [{**row, "source": sources[row["name"]]} for row in rows(table)]


def sheet_document(sheet: ZooSheet) -> dict[str, Any]:
    """The sheet as plain data."""
    metadata, totals = sheet.analysis.graph.metadata, sheet.analysis.totals
    return {
        "name": sheet.entry.name,
        "title": metadata["title"],
        "family": metadata["family"],
        "year": metadata.get("year"),
        "dataset": metadata.get("dataset"),
        "aliases": sheet.entry.aliases,
        "source": metadata.get("source"),
        "notes": metadata.get("notes", ()),
        "input": sheet.analysis.graph.inputs[0].shape[1:],
        "parameters": _parameters(sheet),
        "variants": _relatives(sheet),
        "totals": {
            "params": totals.params,
            "buffers": totals.buffers,
            "macs": totals.macs,
            "flops": totals.flops,
            "activations": totals.activations,
            "depth": totals.depth,
        },
        "published": {
            "costs": [
                {**verdict.as_dict(), "source": verdict.table.source} for verdict in sheet.costs
            ],
            "accuracies": [asdict(accuracy) for accuracy in sheet.accuracies],
        },
    }


def sheet_facts(sheet: ZooSheet) -> list[Fact]:
    """The sheet's lines, for people."""
    entry = sheet.entry
    metadata, totals = sheet.analysis.graph.metadata, sheet.analysis.totals
    lines = [Fact("Name", (entry.name,))]
    if entry.aliases:
        lines.append(Fact("Also called", entry.aliases))
    relatives = _relatives(sheet)
    family = metadata["family"]
    if len(relatives) > MOST_RELATIVES:
        family += f" (archcost zoo list --family {family})"
    lines.append(Fact("Family", (family,)))
    if 0 < len(relatives) <= MOST_RELATIVES:
        lines.append(Fact("Related", tuple(relatives)))
    if metadata.get("dataset"):
        lines.append(Fact("Dataset", (metadata["dataset"],)))
    lines.append(Fact("Input", (shape_text(sheet.analysis.graph.inputs[0].shape[1:]),)))
    lines += [
        Fact(label, (f"{exact(value)} ({count(value)})",))
        for label, value in (
            ("Parameters", totals.params),
            ("MACs", totals.macs),
            ("FLOPs", totals.flops),
        )
    ]
    lines.append(Fact("Depth", (f"{totals.depth} layers with weights",)))
    settings = _parameters(sheet)
    lines += _paragraphs("Settings", (_setting(key, about) for key, about in settings.items()))
    lines += _paragraphs("Notes", metadata.get("notes", ()))
    lines += _published(sheet)
    return lines


def sheet_heading(sheet: ZooSheet) -> tuple[str, str]:
    """The title, and the citation."""
    metadata = sheet.analysis.graph.metadata
    return metadata["title"], citation(metadata.get("source") or {})


def _relatives(sheet: ZooSheet) -> list[str]:
    return [name for name in sheet.entry.spec.names if name != sheet.entry.name]


def _paragraphs(label: str, texts: Iterable[str]) -> list[Fact]:
    """One fact a text, only the first with the label."""
    return [Fact("" if number else label, (text,)) for number, text in enumerate(texts)]


def _parameters(sheet: ZooSheet) -> dict[str, dict[str, Any]]:
    """What may be set: its default, limits and help."""
    values = sheet.analysis.graph.metadata["parameters"]
    return {
        key: {
            "default": values[key],
            "choices": declared.choices,
            "min": declared.least,
            "max": declared.most,
            "length": declared.length,
            "help": declared.help,
        }
        for key, declared in sheet.entry.parameters.items()
    }


def _setting(key: str, about: Mapping[str, Any]) -> str:
    text = f"{key}={setting(about['default'])}"
    if limits := _limits(about):
        text += f" ({limits})"
    return f"{text}: {about['help']}" if about["help"] else text


def _limits(about: Mapping[str, Any]) -> str:
    least, most = about["min"], about["max"]
    if about["choices"]:
        return f"one of {', '.join(map(setting, about['choices']))}"
    if least is None:
        return "" if most is None else f"at most {most}"
    return f"at least {least}" if most is None else f"{least} to {most}"


def _published(sheet: ZooSheet) -> list[Fact]:
    """Published costs that archcost agrees with, by source; those it does not; accuracies."""
    if not (sheet.costs or sheet.accuracies):
        return [Fact("Published", ("no cost or accuracy of it is in archcost's data",))]
    agreed = [verdict for verdict in sheet.costs if verdict.kind == "match"]
    others = [verdict for verdict in sheet.costs if verdict.kind != "match"]
    lines = _paragraphs("Agrees with", _by_source(agreed))
    lines += _paragraphs("Differs from", map(_difference, others))
    return lines + _paragraphs("Accuracy", accuracy_lines(sheet.accuracies))


def accuracy_lines(accuracies: Iterable[PublishedAccuracy]) -> list[str]:
    """A line for each place where accuracies are printed: where, then each of them."""
    cells: dict[str, list[str]] = {}
    for accuracy in accuracies:
        where = ", ".join(filter(None, (accuracy.source, accuracy.table, accuracy.place)))
        texts = cells.setdefault(where, [])
        if (text := _accuracy(accuracy)) not in texts:
            texts.append(text)
    return [f"{source}: {'; '.join(texts)}" for source, texts in cells.items()]


def _by_source(verdicts: Iterable[Verdict]) -> Iterable[str]:
    sources: dict[str, list[str]] = {}
    for verdict in verdicts:
        texts = sources.setdefault(verdict.table.source, [])
        texts.append(f"{_printed(verdict)} ({_computed(verdict)})")
    return (f"{source}: {', '.join(texts)}" for source, texts in sources.items())


def _difference(verdict: Verdict) -> str:
    return (
        f"{verdict.table.source}: {_printed(verdict)}, archcost {_computed(verdict)}; "
        f"{judgement(verdict)}. {verdict.explanation}"
    ).rstrip()


def _computed(verdict: Verdict) -> str:
    number, measure = verdict.computed, verdict.cell.measure
    if measure.relation or number.denominator != 1:
        return f"{float(number):.4g}"
    text = exact(int(number))
    if verdict.convention not in ("exact", "mult-adds"):
        return f"{text} by {verdict.convention}"
    if measure.quantity != "storage_bytes":
        return text
    scaled = binary_bytes if verdict.cell.printed.binary else decimal_bytes
    return f"{scaled(int(number))}, {text} bytes"


_NAMES: Final = {"macs": "MACs", "macc": "MACC", "flops": "FLOPs", "storage_bytes": "storage"}


def _printed(verdict: Verdict) -> str:
    """``params 5.4 M``, with what it speaks of besides where that is not the whole network."""
    cell, measure = verdict.cell, verdict.cell.measure
    text = f"{_NAMES.get(measure.quantity, measure.quantity)} {cell.printed.text}"
    if cell.printed.bare and cell.printed.symbol != "1":
        text += f" {cell.printed.symbol}"
    if measure.layer:
        text += (
            f" of {measure.layer if isinstance(measure.layer, str) else ', '.join(measure.layer)}"
        )
    if measure.only:
        text += f" of layers with {' '.join(_settings(measure.only))}"
    where = _settings(measure.settings)
    if measure.input:
        where.append(shape_text(measure.input))
    if where:
        text += f" at {' '.join(where)}"
    if cell.printed.digits:
        text += f" in {cell.printed.digits} digit{'s' if cell.printed.digits > 1 else ''}"
    return text


def _settings(settings: Mapping[str, Any]) -> list[str]:
    return [f"{key}={setting(value)}" for key, value in settings.items()]


def _accuracy(accuracy: PublishedAccuracy) -> str:
    """``CIFAR-10 accuracy 95.51 % (no augmentation)``, with all that tells it from others."""
    metric = accuracy.metric.replace("top1_", "top-1 ").replace("top5_", "top-5 ")
    text = f"{accuracy.dataset} {metric} {accuracy.printed}"
    if accuracy.spread:
        text += f" +- {accuracy.spread.removeprefix('±').strip()}"
    text += f" {accuracy.unit}" if accuracy.of is None else f" of {accuracy.of}"
    if accuracy.settings:
        text += f" at {' '.join(_settings(accuracy.settings))}"
    kinds = {"none": "no augmentation", None: None}
    said = [
        accuracy.cell,
        kinds.get(accuracy.augmentation, f"{accuracy.augmentation} augmentation"),
        accuracy.training,
        accuracy.views,
        "ensemble" if accuracy.ensemble else None,
        *accuracy.marks.values(),
    ]
    about = "; ".join(filter(None, said))
    return f"{text} ({about})" if about else text
