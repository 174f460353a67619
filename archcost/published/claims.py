"""What is wrong with a printed number: claims that are tested on the cell.

A claim is a function of the cell and of the claim's own arguments. It gives a :class:`Finding`:
whether it holds, archcost's number that explains the printed one, and a sentence with the figures.
A claim that changes what is measured is the same for any cell; none of them changes a computed
number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final, NamedTuple

from archcost.published.files import PublishedError
from archcost.published.measure import Measure
from archcost.published.printed import Printed
from archcost.published.tables import Cell, PrintedTable, select_tables


class Finding(NamedTuple):
    """Whether a claim holds, the number that is behind the printed one, and the sentence."""

    holds: bool
    value: Fraction
    says: str


class Case(NamedTuple):
    """A cell, the table it stands in, and what the claim takes to be meant by it."""

    table: PrintedTable
    cell: Cell
    measure: Measure

    @property
    def printed(self) -> Printed:
        return self.cell.printed

    def value(self) -> Fraction:
        return self.measure.value()

    def fits(self, value: Fraction) -> bool:
        """Whether ``value`` is the printed number at its precision."""
        return self.printed.agreement(value) is not None

    def meant(self, text: str) -> Finding:
        """Whether the number would be right if ``text`` stood in its place."""
        value = self.value()
        return Finding(
            self.printed.reading(text).agreement(value) is not None,
            value,
            f"{text} is meant, {self.printed.number} printed",
        )

    def instead(self, says: str, changes: Mapping[str, Any]) -> Finding:
        """Whether the number is right for the measure with these ``changes``."""
        value = self.measure.changed(changes).value()
        return Finding(self.fits(value), value, says)

    def neighbour(self, row: str | None = None, column: str | None = None) -> Finding:
        """Whether the number is what another cell of the table should say."""
        other = self.table.cell(row or self.cell.row, column or self.cell.column)
        value = other.measure.value()
        return Finding(self.fits(value), value, f"it is the number of {row or column}")


Claim = Callable[..., Finding]
CLAIMS: Final[dict[str, Claim]] = {}
"""claim, as documents name it -> the function that tests it"""


def claim(name: str) -> Callable[[Claim], Claim]:
    """Register the test of the claim ``name``."""

    def register(test: Claim) -> Claim:
        CLAIMS[name] = test
        return test

    return register


def tested(table: PrintedTable, cell: Cell) -> Finding:
    """Test the claim of a cell's ``erratum``.

    Its key ``given`` has changes to the measure that the claim presupposes.

    Raises:
        PublishedError: there is no such claim, or it lacks an argument.
    """
    assert cell.erratum is not None
    arguments = dict(cell.erratum)
    name = arguments.pop("claim", None)
    if name not in CLAIMS:
        raise PublishedError(f"no claim {name!r}; there are {', '.join(CLAIMS)}")
    measure = cell.measure.changed(arguments.pop("given", {}))
    try:
        return CLAIMS[name](Case(table, cell, measure), **arguments)
    except TypeError as error:
        raise PublishedError(f"claim {name!r}: {error}") from None


@claim("swapped digits")
def swapped_digits(case: Case, meant: str) -> Finding:
    """Two digits that stand side by side, the point left out, changed places."""
    found = case.meant(meant)
    was, now = _digits(meant), _digits(case.printed.number)
    swapped = any(now == was[:i] + was[i + 1] + was[i] + was[i + 2 :] for i in range(len(was) - 1))
    return found._replace(holds=found.holds and swapped and was != now)


@claim("wrong digit")
def wrong_digit(case: Case, meant: str) -> Finding:
    """One digit is printed wrongly."""
    found, printed = case.meant(meant), case.printed.number
    differing = sum(a != b for a, b in zip(meant, printed, strict=False))
    same = len(meant) == len(printed) and differing == 1
    return found._replace(holds=found.holds and same)


@claim("lost digit")
def lost_digit(case: Case, meant: str) -> Finding:
    """One digit of the number is not printed."""
    found, printed = case.meant(meant), case.printed.number
    lost = any(meant[:i] + meant[i + 1 :] == printed for i in range(len(meant)))
    return found._replace(holds=found.holds and lost)


@claim("extra digit")
def extra_digit(case: Case, meant: str) -> Finding:
    """One digit of the number is printed twice or does not belong to it."""
    found, printed = case.meant(meant), case.printed.number
    extra = any(printed[:i] + printed[i + 1 :] == meant for i in range(len(printed)))
    return found._replace(holds=found.holds and extra)


@claim("factor")
def factor(case: Case, by: str) -> Finding:
    """A power of ten is missing or too many: the number is right multiplied by ``by``."""
    return _meant_times(case, Fraction(by), case.value())


@claim("unit")
def unit(case: Case, unit: str) -> Finding:
    """The number is right in another unit than is printed: binary megabytes for decimal ones."""
    value = case.value()
    meant = Printed(case.printed.number, unit, case.printed.digits)
    return Finding(meant.agreement(value) is not None, value, f"the unit is {unit}")


@claim("file size")
def file_size(case: Case, bytes: int) -> Finding:  # noqa: A002 - the key's name
    """It is the size of a file, with up to so many ``bytes`` of names and settings besides."""
    value = case.value()
    nearest = min(max(value, case.printed.value), value + bytes)
    return Finding(
        case.fits(nearest), value, f"the file holds up to {bytes:,} bytes besides the numbers"
    )


@claim("other row")
def other_row(case: Case, row: str, by: str = "1", **changes: Any) -> Finding:
    """The number belongs to another row of the same column.

    It may lack a power of ten besides, as in ``factor``; ``changes`` to that row's measure are
    presupposed.
    """
    value = case.table.cell(row, case.cell.column).measure.changed(changes).value()
    times = Fraction(by)
    if times == 1:
        return Finding(case.fits(value), value, f"it is the number of {row}")
    return _meant_times(case, times, value, f"it is the number of {row}, ")


@claim("shifted row")
def shifted_row(case: Case, row: str) -> Finding:
    """The column is shifted by a row: the number belongs to the row above or below."""
    found = case.neighbour(row=row)
    rows = case.table.rows
    beside = abs(rows.index(row) - rows.index(case.cell.row)) == 1
    return found._replace(holds=found.holds and beside)


@claim("other column")
def other_column(case: Case, column: str) -> Finding:
    """The number belongs to another column of the same row."""
    return case.neighbour(column=column)


@claim("other network")
def other_network(case: Case, model: str, **changes: Any) -> Finding:
    """The number is that of another network."""
    return case.instead(f"it is the number of {model}", {"model": model, **changes})


@claim("other version")
def other_version(case: Case, set: Mapping[str, Any]) -> Finding:  # noqa: A002 - the key's name
    """The number is that of the network with other settings."""
    said = ", ".join(f"{name} = {value}" for name, value in set.items())
    return case.instead(f"it is the number with {said}", {"set": set})


@claim("classes")
def classes(case: Case, classes: int) -> Finding:
    """The network was counted with a classifier for another number of classes."""
    return case.instead(f"counted with {classes} classes", {"set": {"classes": classes}})


@claim("input size")
def input_size(case: Case, input: list[int]) -> Finding:  # noqa: A002 - the key's name
    """The network was counted at another input size."""
    said = "x".join(map(str, input))
    return case.instead(f"counted at {said}", {"input": input})


@claim("auxiliary heads")
def auxiliary_heads(case: Case, **changes: Any) -> Finding:
    """The network was counted with the auxiliary classifiers that only training has."""
    found = case.instead("counted with the auxiliary heads", changes)
    with_heads = case.measure.changed(changes).graph()
    more = len(with_heads.outputs) > len(case.measure.graph().outputs)
    return found._replace(holds=found.holds and more)


@claim("batch")
def batch(case: Case, images: int) -> Finding:
    """It is the number for all images of a batch."""
    return case.instead(f"counted for {images} images", {"times": images})


@claim("without grouping")
def without_grouping(case: Case) -> Finding:
    """Grouped convolutions were counted as if each output channel read all input channels."""
    return case.instead("counted without the grouping of convolutions", {"grouped": False})


@claim("pools rounded down")
def pools_rounded_down(case: Case) -> Finding:
    """Windows that the network rounds up were rounded down, which makes the images smaller."""
    return case.instead("counted with pools that round down", {"ceil": False})


@claim("left out")
def left_out(case: Case, kinds: list[str]) -> Finding:
    """The network was counted without these kinds of layers."""
    said = ", ".join(kinds).replace("_", " ")
    return case.instead(f"counted without {said}", {"without": kinds})


@claim("part")
def part(case: Case, **changes: Any) -> Finding:
    """Only a part of the network was counted: some layers, or layers of some kinds."""
    if not changes.keys() <= {"only", "layer"} or not changes:
        raise PublishedError("claim 'part' takes only or layer")
    said = changes.get("only") or changes["layer"]
    return case.instead(f"only {_said(said)} counted", changes)


@claim("flops as mult-adds")
def flops_as_mult_adds(case: Case) -> Finding:
    """Multiplications and additions are counted apart and printed as mult-adds."""
    changes: dict[str, Any] = {"quantity": "macs", "times": 2}
    if case.measure.relation:  # to what is counted once
        changes["to"] = {**case.measure.to, "times": case.measure.times}
    return case.instead("twice the multiply-accumulates", changes)


@claim("coarse")
def coarse(case: Case, digits: int) -> Finding:
    """The number is right in fewer digits than are printed."""
    value = case.value()
    meant = Printed(case.printed.text, case.printed.unit, digits)
    return Finding(
        meant.agreement(value) is not None and meant.step > case.printed.step,
        value,
        f"right in {digits} digit{'s' if digits > 1 else ''}",
    )


@claim("rounded up")
def rounded_up(case: Case) -> Finding:
    """The number is rounded up where it is to be rounded down."""
    value = case.value()
    return Finding(case.printed.rounds_up(value), value, "rounded up")


@claim("copied")
def copied(case: Case, row: str, column: str) -> Finding:
    """The number repeats that of another cell of the table, which is right there."""
    other = case.table.cell(row, column)
    value = other.measure.value()
    same = other.printed.value == case.printed.value and bool(other.printed.agreement(value))
    return Finding(same, value, f"the number of {row} is repeated")


@claim("sum")
def total(case: Case, parts: list[Mapping[str, Any]]) -> Finding:
    """Several numbers were added up, each a change to the measure."""
    value = sum((case.measure.changed(changes).value() for changes in parts), Fraction(0))
    return Finding(case.fits(value), value, f"a sum of {len(parts)} numbers")


def _meant_times(case: Case, times: Fraction, value: Fraction, says: str = "") -> Finding:
    if not _power_of_ten(times):
        raise PublishedError(f"factor {times} is no power of ten")
    holds = case.printed.scaled(times).agreement(value) is not None
    printed = f"1/{times} of it" if times > 1 else f"{1 / times} times as much"
    return Finding(holds, value, f"{says}{printed} is printed")


@claim("from printed numbers")
def from_printed_numbers(
    case: Case, cell: list[str], over: list[str] | None = None, times: int = 1
) -> Finding:
    """The number was worked out from others as printed: ``times`` one, or one ``over`` another."""
    derived = case.table.cell(*cell).printed.value * times
    says = f"{times} times the printed number of {cell[0]}"
    if over is not None:
        derived /= case.table.cell(*over).printed.value
        says = f"the printed number of {cell[0]} over that of {over[0]}"
    elif times == 1:
        raise PublishedError("claim 'from printed numbers' takes over or times")
    return Finding(case.fits(derived), case.value(), says)


BUDGET: Final = Fraction(9, 10)
"""how much of a budget a network at least uses that was made for it"""


@claim("budget")
def budget(case: Case) -> Finding:
    """The number is a budget: the network keeps it, and uses nine tenths of it at least."""
    value = case.value()
    used = value / case.printed.value
    return Finding(BUDGET <= used <= 1, value, f"a budget, {float(used):.1%} of it used")


@claim("hidden layers")
def hidden_layers(case: Case) -> Finding:
    """The depth leaves the classifier out: it is that of the hidden layers."""
    value = case.value()
    last = [node for node in case.measure.graph() if node.op.weighted][-1]
    depth = case.measure.quantity == "depth" and last.op.kind == "linear"
    return Finding(depth and case.fits(value - 1), value, "the classifier is not counted")


@claim("layers")
def layers(case: Case, counted: list[str]) -> Finding:
    """Other layers were counted than those with weights on the longest path: these, by name."""
    for name in counted:
        case.measure.changed({"layer": name}).nodes()
    value = Fraction(len(set(counted)))
    return Finding(case.fits(value), value, f"{value} layers from {counted[0]} to {counted[-1]}")


@claim("printed sum")
def printed_sum(case: Case, table: str, column: str) -> Finding:
    """The number is the sum of a column of another table, as that is printed."""
    (other,) = select_tables((table,))
    value = sum(
        (Printed(cell.printed.text).value for cell in other.cells if cell.column == column),
        Fraction(0),
    )
    return Finding(case.fits(value), value, f"the printed {column} of {table} add up to it")


def _digits(number: str) -> str:
    return "".join(filter(str.isdigit, number))


def _power_of_ten(number: Fraction) -> bool:
    larger = max(number, 1 / number)
    return larger > 1 and str(larger).strip("0") == "1"


def _said(part: Any) -> str:
    if isinstance(part, Mapping):
        return ", ".join(f"{key} {_said(value)}" for key, value in part.items())
    return ", ".join(map(str, part)) if isinstance(part, list) else str(part)
