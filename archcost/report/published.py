"""The report on all printed tables: a summary, what the SimpleNet paper comes to, every table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from archcost.ir import Shape, shape_text
from archcost.report.format import count
from archcost.report.reproduction import cells_table, computed_text, tally_table, verdict_tables
from archcost.report.table import Column, Document, Section, Table

if TYPE_CHECKING:
    from archcost.published.alike import Alike
    from archcost.published.verdicts import Verdict

MISPRINTS: Final = frozenset(
    {
        "swapped digits",
        "wrong digit",
        "extra digit",
        "factor",
        "unit",
        "other row",
        "shifted row",
        "other column",
    }
)
"""Claims of errata that are slips of the pen; others say that something else was counted."""


def whole_document(
    verdicts: Sequence[Verdict],
    tallies: Mapping[str, Mapping[str, int]],
    networks: Sequence[Alike],
) -> Document:
    """All tables, after a summary: what holds, and what the SimpleNet paper's appendix comes to.

    ``networks`` are those of the appendix, counted alike.
    """
    open_cells = [verdict for verdict in verdicts if verdict.kind == "not reproduced"]
    return Document(
        "Published tables, reproduced",
        (
            Section("What this is", (_introduction(verdicts),)),
            *_simplenet(verdicts, networks),
            *(cells_table("Not reproduced", open_cells) for _ in open_cells[:1]),
            tally_table(tallies),
            *verdict_tables(verdicts),
        ),
    )


def _introduction(verdicts: Sequence[Verdict]) -> str:
    counts = Counter(verdict.kind for verdict in verdicts)
    tables = len({verdict.table.name for verdict in verdicts})
    return (
        f"{len(verdicts)} numbers that papers, slides and project pages print about the cost of "
        f"networks, in {tables} tables; archcost computes each from the network's graph. "
        f"{counts['match']} match at the printed precision (rounded or cut off); "
        f"{counts['match under another convention']} match under another counting convention, "
        f"which is named; {counts['erratum']} are wrong or speak of something else, in a way that "
        f"the program checks; {counts['not reproduced']} could not be reproduced. "
        "docs/published.md tells what a verdict and a claim are, docs/conventions.md how each "
        "convention counts."
    )


def _simplenet(verdicts: Sequence[Verdict], networks: Sequence[Alike]) -> list[Section | Table]:
    own = [verdict for verdict in verdicts if verdict.table.name.startswith("simplenet/")]
    if not own or not networks:
        return []
    appendix = [verdict for verdict in own if verdict.table.name == "simplenet/appendix"]
    misprints = [v for v in own if v.claim in MISPRINTS]
    others = [v for v in own if v.kind == "erratum" and v.claim not in MISPRINTS]
    text = (*_holding(own, appendix), *_unfair(appendix, networks))
    return [
        Section("For readers of the SimpleNet paper", text),
        cells_table("Misprinted in the SimpleNet paper", misprints),
        cells_table("Counted of something else, or roughly, in the SimpleNet paper", others),
        _netscope_table(networks),
        _own_table(networks),
    ]


def _holding(own: Sequence[Verdict], appendix: Sequence[Verdict]) -> Iterator[str]:
    """How much of the paper, and of its appendix, holds."""
    counts = Counter(verdict.kind for verdict in own)
    yield (
        f"The tables and the text of the paper have {len(own)} numbers that archcost computes. "
        f"{counts['match']} match, {counts['match under another convention']} match under another "
        f"convention, {counts['erratum']} are errata and {counts['not reproduced']} could not be "
        "reproduced."
    )
    counts = Counter(verdict.kind for verdict in appendix)
    claims = [verdict.claim for verdict in appendix if verdict.claim]
    slips = Counter(claim for claim in claims if claim in MISPRINTS)
    rest = Counter(claim for claim in claims if claim not in MISPRINTS)
    yield (
        f'Of the {len(appendix)} cells of the appendix "Flops and Parameter Comparison", '
        f"{counts['match']} hold as printed, by the rules of the program that counted them, "
        f"Netscope in its state of 2016. {slips.total()} are misprinted ({_tallied(slips)}); "
        f"{rest.total()} were counted of something else, or roughly ({_tallied(rest)}). The reason "
        "that is given for each is tested."
    )


def _unfair(appendix: Sequence[Verdict], networks: Sequence[Alike]) -> Iterator[str]:
    """What the appendix charges some networks for and not others."""
    *table, last = networks
    yield from _normalisation(appendix, table)
    yield from _at_one_size(table, last)
    ungrouped = [
        f"{n.row} takes {count(n.macs)} MACs, not {count(n.counted['macc'])}"
        for n in table
        if n.ungrouped
    ]
    if ungrouped:
        yield (
            "Grouped convolutions are counted as if they had one group, and so too high: "
            f"{_listed(ungrouped)}."
        )


def _normalisation(appendix: Sequence[Verdict], table: Sequence[Alike]) -> Iterator[str]:
    """Whose normalisation the appendix counts, and what it comes to where it does not."""
    charged = [n.row for n in table if n.charged]
    spared = [n.row for n in table if n.charged is False]
    none = [n.row for n in table if n.charged is None]
    yield (
        "Normalisation (batch normalisation or local response normalisation) is counted in the "
        f"numbers of {_listed(charged)}. It is left out of those of {_listed(spared)}. "
        f"{_listed(none)} have none."
    )
    with_it: dict[str, list[str]] = {}
    for verdict in appendix:
        if verdict.claim == "left out":
            cell = verdict.cell
            said = f"{cell.column} {computed_text(verdict)} ({cell.printed.text} printed)"
            with_it.setdefault(cell.row, []).append(said)
    for row, numbers in with_it.items():
        yield f"With its normalisation {row} has {_listed(numbers)}."


def _at_one_size(table: Sequence[Alike], last: Alike) -> Iterator[str]:
    """How the first network compares with the others at ``last``'s input, which is like theirs."""
    first, *others = table
    sizes: dict[Shape, list[str]] = {}
    for network in table:
        sizes.setdefault(network.input, []).append(network.row)
    said = "; ".join(f"{_listed(rows)} at {shape_text(size)}" for size, rows in sizes.items())
    yield (
        f"The networks are counted at different inputs: {said}. MACs grow with the input's area: "
        f"{first.row} takes {count(first.macs)} for an image of {shape_text(first.input)}, and "
        f"{count(last.macs)} as its authors trained it on ImageNet, at "
        f"{shape_text(last.input)}."
    )
    others.sort(key=lambda network: network.macs)
    less = [network.row for network in others if network.macs < last.macs]
    more = [network.row for network in others if network.macs >= last.macs]
    yield (
        f"At {shape_text(last.input)}, and the others at theirs, {first.row} takes more MACs than "
        f"{_listed(less)}, and fewer than {_listed(more)}."
    )
    low, *_, high = sorted(others, key=lambda network: network.pixel_macs)
    yield (
        f"For each pixel of its input {first.row} takes {count(round(first.pixel_macs))} MACs, and "
        f"{count(round(last.pixel_macs))} on ImageNet; the others take from "
        f"{count(round(low.pixel_macs))} ({low.row}) to {count(round(high.pixel_macs))} "
        f"({high.row})."
    )


def _tallied(claims: Counter[str]) -> str:
    """Claims and how often each is made, as in ``factor: 6, other row: 4``."""
    return ", ".join(f"{claim}: {times}" for claim, times in claims.most_common())


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names) or "no network"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _netscope_table(networks: Sequence[Alike]) -> Table:
    quantities = list(networks[0].counted)
    columns = (
        Column("row", "Network", "text"),
        *(Column(quantity, quantity, "count") for quantity in quantities),
    )
    rows = tuple((n.row, *(n.counted[quantity] for quantity in quantities)) for n in networks)
    return Table(
        "The networks of the appendix, all counted alike by Netscope's rules of 2016",
        columns,
        rows,
    )


def _own_table(networks: Sequence[Alike]) -> Table:
    columns = (
        Column("row", "Network", "text"),
        Column("input", "Input", "shape"),
        Column("params", "Params", "count"),
        Column("macs", "MACs", "count"),
        Column("flops", "FLOPs", "count"),
        Column("pixel_macs", "MACs a pixel", "count"),
        Column("normalised", "Normalised elements", "count"),
    )
    rows = tuple(
        (n.row, n.input, n.params, n.macs, n.flops, round(n.pixel_macs), n.normalised)
        for n in networks
    )
    note = (
        "A pixel is one of the input's. FLOPs are 2 for a multiply-accumulate and 1 for every "
        "other elementary operation, biases and normalisation included."
    )
    title = "The networks of the appendix, all counted alike by archcost's exact count"
    return Table(title, columns, rows, notes=(note,))
