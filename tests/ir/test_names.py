from __future__ import annotations

from archcost.ir.names import UniqueNames


def test_every_name_is_given_once() -> None:
    names = UniqueNames(["x"])
    wanted = ["a", "a", "a_2", "a", "x", "a_2"]
    assert [names.take(name) for name in wanted] == ["a", "a_2", "a_2_2", "a_3", "x_2", "a_2_3"]


def test_many_of_one_name_take_no_longer_each() -> None:
    names = UniqueNames()
    given = [names.take("a") for _ in range(100_000)]
    assert len(set(given)) == 100_000
    assert given[-1] == "a_100000"
