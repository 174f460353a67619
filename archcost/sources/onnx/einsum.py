"""Einsum as what it is made of: permutations, matrix products and sums."""

from __future__ import annotations

from math import prod

from archcost.ir import Value
from archcost.sources.onnx.call import Call, Unfit


class Term:
    """A tensor with a letter for each dimension."""

    def __init__(self, call: Call, value: Value, letters: str, name: str) -> None:
        self.call = call
        self.value = value
        self.letters = letters
        self.name = name

    def size(self, letters: str) -> int:
        return prod(self.value.shape[self.letters.index(letter)] for letter in letters)

    def summed(self, keep: str) -> Term:
        """Without the dimensions whose letters are not in ``keep``."""
        dims = tuple(at for at, letter in enumerate(self.letters) if letter not in keep)
        if not dims:
            return self
        value = self.call.add("reduce_sum", self.value, dims=dims, part=f"{self.name}_sum")
        left = "".join(letter for letter in self.letters if letter in keep)
        return Term(self.call, value, left, self.name)

    def ordered(self, letters: str) -> Term:
        """With its dimensions in the order of ``letters``."""
        if letters == self.letters:
            return self
        dims = tuple(self.letters.index(letter) for letter in letters)
        value = self.call.add("permute", self.value, dims=dims, part=f"{self.name}_permute")
        return Term(self.call, value, letters, self.name)

    def viewed(self, *groups: str) -> Value:
        """With the letters of each group as one dimension."""
        shape = tuple(self.size(group) for group in groups)
        if shape == self.value.shape:
            return self.value
        return self.call.add("view", self.value, shape=shape, part=f"{self.name}_view")


def contracted(call: Call, equation: str) -> Value:
    """The result of ``equation``, its operands joined from the left.

    Raises:
        Unfit: it has dots, takes a diagonal, or broadcasts.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    letters = left.split(",")
    if not arrow:
        together = left.replace(",", "")
        right = "".join(sorted(c for c in set(together) if together.count(c) == 1))
    _check(call, letters, right)
    values = [call.value(at) for at in range(len(letters))]
    terms = [
        Term(call, v, ls, f"term{at}")
        for at, (v, ls) in enumerate(zip(values, letters, strict=True))
    ]
    result = terms[0]
    for at, term in enumerate(terms[1:], 1):
        later = right + "".join(t.letters for t in terms[at + 1 :])
        result = _joined(result, term, later, f"product{at}")
    return result.summed(right).ordered(right).value


def _check(call: Call, letters: list[str], right: str) -> None:
    if len(letters) != len(call.inputs):
        raise call.error(f"has {len(call.inputs)} inputs for {len(letters)} terms")
    sizes: dict[str, int] = {}
    for at, term in enumerate(letters):
        shape = call.shape(at)
        if not term.isalpha() or len(set(term)) < len(term):
            raise Unfit("its terms have dots or a letter twice")
        if len(term) != len(shape):
            raise call.error(f"names {len(term)} dimensions of an input with {len(shape)}")
        for letter, size in zip(term, shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise Unfit(f"its letter {letter} has two sizes")
    if set(right) - set(sizes) or len(set(right)) < len(right):
        raise call.error(f"gives {right!r}, which its inputs do not have")


def _joined(a: Term, b: Term, later: str, name: str) -> Term:
    """The product of two terms, summed over the letters that nobody needs ``later``."""
    a = a.summed(later + b.letters)
    b = b.summed(later + a.letters)
    both = "".join(c for c in a.letters if c in b.letters)
    batch = "".join(c for c in both if c in later)
    inner = "".join(c for c in both if c not in later)
    rows = "".join(c for c in a.letters if c not in both)
    columns = "".join(c for c in b.letters if c not in both)
    first = a.ordered(batch + rows + inner).viewed(batch, rows, inner)
    second = b.ordered(batch + inner + columns).viewed(batch, inner, columns)
    call = a.call
    y = call.add("matmul", first, second, part=name)
    letters = batch + rows + columns
    result = Term(call, y, letters, name)
    sizes = dict(zip(a.letters, a.value.shape, strict=True))
    sizes |= dict(zip(b.letters, b.value.shape, strict=True))
    shape = tuple(sizes[c] for c in letters)
    if shape != y.shape:
        result.value = call.add("view", y, shape=shape, part=f"{name}_view")
    return result
