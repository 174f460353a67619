"""What is wrong with a printed number: claims that are tested on the cell.

A claim is a function of the cell and of the claim's own arguments. It gives a :class:`Finding`:
whether it holds, archcost's number that explains the printed one, and a sentence with the figures.
Some change what is measured and look whether that fits, others what is printed; none changes a
computed number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, NamedTuple

from archcost.conventions.convention import in_words
from archcost.ir import ArchcostError, shape_text
from archcost.published.files import NOT_AS_MEANT, PublishedError
from archcost.published.measure import Measure
from archcost.published.printed import Printed
from archcost.published.tables import Cell, PrintedTable, select_tables


class Finding(NamedTuple):
    """Whether a claim holds, the number that is behind the printed one, and the sentence."""

    holds: bool
    value: Fraction
    says: str


class Case(NamedTuple):
    """A cell, the table it stands in, and what the claim takes the cell to speak of."""

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

    def neighbour(
        self, row: str | None = None, column: str | None = None, by: str = "1"
    ) -> Finding:
        """Whether the number, multiplied by ``by``, is what another cell of the table should say.

        What ``given`` presupposes of this cell it does not of the other.
        """
        other = self.table.cell(row or self.cell.row, column or self.cell.column)
        return self.scaled(by, other.measure.value(), f"it is the number of {row or column}")

    def scaled(self, by: str, value: Fraction, *says: str) -> Finding:
        """Whether ``value`` is the printed number multiplied by ``by``, a power of ten."""
        times = _power_of_ten(by)
        if times != 1:
            lost = f"1/{times} of it" if times > 1 else f"{1 / times} times as much"
            says = (*says, f"{lost} is printed")
        return Finding(
            self.printed.scaled(times).agreement(value) is not None, value, "; ".join(says)
        )


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
        PublishedError: there is no such claim, or it lacks an argument or cannot have it.
        ArchcostError: a network that it speaks of cannot be had.
    """
    assert cell.erratum is not None
    arguments = dict(cell.erratum)
    name = arguments.pop("claim", None)
    if name not in CLAIMS:
        raise PublishedError(f"no claim {name!r}; there are {', '.join(CLAIMS)}")
    measure = cell.measure.changed(arguments.pop("given", {}))
    try:
        return CLAIMS[name](Case(table, cell, measure), **arguments)
    except ArchcostError:
        raise
    except NOT_AS_MEANT as error:
        raise PublishedError(f"claim {name!r}: {error}") from None


@claim("swapped digits")
def swapped_digits(case: Case, meant: str) -> Finding:
    """A digit pair is swapped: two that stand side by side, the point left out."""
    found = case.meant(meant)
    was, now = _digits(meant), _digits(case.printed.number)
    swapped = any(now == was[:i] + was[i + 1] + was[i] + was[i + 2 :] for i in range(len(was) - 1))
    return found._replace(holds=found.holds and swapped and was != now)


@claim("wrong digit")
def wrong_digit(case: Case, meant: str) -> Finding:
    """One digit, of three at least, is printed wrongly."""
    found, printed = case.meant(meant), case.printed.number
    differing = sum(a != b for a, b in zip(meant, printed, strict=False))
    same = len(meant) == len(printed) and differing == 1
    return found._replace(holds=found.holds and same and _significant(printed) >= 3)


@claim("extra digit")
def extra_digit(case: Case, meant: str) -> Finding:
    """One digit of the number is printed twice or does not belong to it."""
    found, printed = case.meant(meant), case.printed.number
    extra = any(printed[:i] + printed[i + 1 :] == meant for i in range(len(printed)))
    return found._replace(holds=found.holds and extra)


@claim("factor")
def factor(case: Case, by: str) -> Finding:
    """A factor of ten, or a power, is missing or too many: the number is right times ``by``."""
    return case.scaled(by, case.value())


@claim("unit")
def unit(case: Case, unit: str) -> Finding:
    """The number is right in another unit than is printed."""
    value = case.value()
    meant = Printed(case.printed.number, unit, case.printed.digits)
    return Finding(meant.agreement(value) is not None, value, f"the unit is {unit}")


BESIDES: Final = Fraction(1, 100)
"""how much of the numbers that a file holds all else in it may take"""


@claim("file size")
def file_size(case: Case, bytes: int) -> Finding:  # noqa: A002 - the key's name
    """It is a file's size: up to ``bytes``, a hundredth at most, are names and settings."""
    value = case.value()
    nearest = min(max(value, case.printed.value), value + bytes)
    return Finding(
        case.fits(nearest) and bytes <= BESIDES * value,
        value,
        f"the file holds up to {bytes:,} bytes besides the numbers",
    )


@claim("other row")
def other_row(case: Case, row: str, by: str = "1") -> Finding:
    """The number belongs to another row of the same column.

    It may lack a power of ten besides, as in ``factor``.
    """
    return case.neighbour(row=row, by=by)


@claim("shifted row")
def shifted_row(case: Case, rows: list[str], by: str = "1") -> Finding:
    """The column is shifted by a row: each of some ``rows`` has the number of the next one.

    They follow one another in the table, downwards or upwards; the last has that of the first. All
    of them make this claim, and each may lack a power of ten besides, as in ``factor``.
    """
    cells = [case.table.cell(row, case.cell.column) for row in rows]
    places = [case.table.rows.index(row) for row in rows]
    found = case.neighbour(row=rows[(rows.index(case.cell.row) + 1) % len(rows)], by=by)
    together = {below - above for above, below in pairwise(places)} in ({1}, {-1})
    alike = all((cell.erratum or {}).get("rows") == rows for cell in cells)
    return found._replace(holds=found.holds and together and alike)


@claim("other column")
def other_column(case: Case, column: str) -> Finding:
    """The number is that of the table's other column, ``column``."""
    return case.neighbour(column=column)


@claim("other network")
def other_network(case: Case, model: str, **changes: Any) -> Finding:
    """The number is that of another network."""
    said = [f"{name} = {value}" for name, value in changes.get("set", {}).items()]
    if "convention" in changes:
        said.append(f"by {changes['convention']}")
    with_ = f" ({', '.join(said)})" if said else ""
    return case.instead(f"it is the number of {model}{with_}", {"model": model, **changes})


@claim("other version")
def other_version(case: Case, set: Mapping[str, Any]) -> Finding:  # noqa: A002 - the key's name
    """The number is that of the network with other settings."""
    said = ", ".join(f"{name} = {value}" for name, value in set.items())
    return case.instead(f"it is the number with {said}", {"set": set})


@claim("classes")
def classes(case: Case, classes: int) -> Finding:
    """The network was counted with a classifier that has so many classes."""
    return case.instead(f"counted with {classes} classes", {"set": {"classes": classes}})


@claim("input size")
def input_size(case: Case, input: list[int]) -> Finding:  # noqa: A002 - the key's name
    """The network was counted at another input size."""
    return case.instead(f"counted at {shape_text(tuple(input))}", {"input": input})


@claim("auxiliary heads")
def auxiliary_heads(case: Case, **changes: Any) -> Finding:
    """The network was counted with the auxiliary heads, which only training has."""
    found = case.instead("counted with the auxiliary heads", changes)
    with_heads = case.measure.changed(changes).graph()
    more = len(with_heads.outputs) > len(case.measure.graph().outputs)
    return found._replace(holds=found.holds and more)


@claim("batch")
def batch(case: Case, images: int) -> Finding:
    """The work, or the activations, of all images of a batch was counted."""
    found = case.instead(f"counted for {images} images", {"times": images})
    grows = case.measure.quantity not in ("params", "storage_bytes", "depth")
    return found._replace(holds=found.holds and grows)


@claim("without grouping")
def without_grouping(case: Case) -> Finding:
    """Convolutions were counted without their grouping: each reads all channels of its input."""
    return case.instead("counted without the grouping of convolutions", {"grouped": False})


@claim("left out")
def left_out(case: Case, kinds: list[str]) -> Finding:
    """The network was counted without these kinds of layers."""
    said = ", ".join(map(in_words, kinds))
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
    """FLOPs are printed as mult-adds: multiplications and additions, each counted."""
    measure = case.measure
    changes: dict[str, Any] = {"times": 2 * measure.times}
    if measure.relation:  # to what is counted once
        changes["to"] = {"times": measure.times, **measure.to}
    found = case.instead("twice the multiply-accumulates", changes)
    return found._replace(holds=found.holds and measure.quantity == "macs")


@claim("coarse")
def coarse(case: Case, digits: int) -> Finding:
    """The number is right in fewer digits than are printed: two or more, or one of two."""
    value = case.value()
    agreement = Printed(case.printed.text, case.printed.unit, digits).agreement(value)
    printed = _significant(case.printed.number)
    right = agreement == "rounded" if digits == 1 else agreement is not None
    return Finding(
        right and min(2, printed - 1) <= digits < printed,
        value,
        f"right in {digits} digit{'s' if digits > 1 else ''}",
    )


@claim("rounded up")
def rounded_up(case: Case) -> Finding:
    """The number is rounded up where rounding gives the next one below."""
    value = case.value()
    return Finding(case.printed.rounds_up(value), value, "the next number above is printed")


@claim("sum")
def total(case: Case, parts: list[Mapping[str, Any]]) -> Finding:
    """Several numbers were added up, each a change to the measure."""
    value = sum((case.measure.changed(changes).value() for changes in parts), Fraction(0))
    return Finding(case.fits(value), value, f"a sum of {len(parts)} numbers")


@claim("from printed numbers")
def from_printed_numbers(
    case: Case, cell: list[str], over: list[str] | None = None, times: int = 1
) -> Finding:
    """It was worked out from printed numbers: ``times`` one, or one ``over`` another one.

    These two stand in the same column.
    """
    row, column = cell
    number = case.table.cell(row, column).printed.value
    if over is None:
        if times == 1:
            raise PublishedError("claim 'from printed numbers' takes over or times")
        return Finding(
            case.fits(number * times),
            case.value(),
            f"{times} times the printed number of {row}",
        )
    other_row, other_column = over
    quotient = number / case.table.cell(other_row, other_column).printed.value
    return Finding(
        case.fits(quotient) and column == other_column and times == 1,
        case.value(),
        f"the printed number of {row} over that of {other_row}",
    )


BUDGET: Final = Fraction(9, 10)
"""how much of a budget a network at least uses"""


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
    depth = case.measure.quantity == "depth"
    return Finding(
        depth and case.fits(value), value, f"{value} layers from {counted[0]} to {counted[-1]}"
    )


@claim("printed sum")
def printed_sum(case: Case, table: str, column: str) -> Finding:
    """The number is the sum of a column of another table, as that is printed."""
    (other,) = select_tables((table,))
    # In the units that the text shows: to add up K, nobody needs to know what it stands for.
    value = sum(
        (Printed(cell.printed.text).value for cell in other.cells if cell.column == column),
        Fraction(0),
    )
    return Finding(case.fits(value), value, f"the printed {column} of {table} add up to it")


@claim("quoted bound")
def quoted_bound(case: Case, table: str, row: str, column: str) -> Finding:
    """The number is printed as a bound in another table, and quoted without the sign."""
    (other,) = select_tables((table,))
    bound = other.cell(row, column).printed
    value = case.value()
    kept = bound.agreement(value) == "within the bound"
    same = bound.value == case.printed.value
    return Finding(kept and same, value, f"{bound.text}, a bound, is printed in {table}")


def _digits(number: str) -> str:
    return "".join(filter(str.isdigit, number))


def _significant(number: str) -> int:
    """How many digits it has, without zeros in front."""
    return len(_digits(number).lstrip("0"))


def _power_of_ten(text: str) -> Fraction:
    number = Fraction(text)
    if number <= 0 or str(max(number, 1 / number)).rstrip("0") != "1":
        raise PublishedError(f"factor {text} is no power of ten")
    return number


def _said(part: Any) -> str:
    """Some layers, or what they have in common, in words."""
    if isinstance(part, Mapping):
        kinds = part.get("op", [])
        named = map(in_words, [kinds] if isinstance(kinds, str) else kinds)
        rest = (f"{key} {value}" for key, value in part.items() if key != "op")
        return ", ".join((*named, *rest))
    return part if isinstance(part, str) else ", ".join(part)
