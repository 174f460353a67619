"""Several models at once: which are meant by names, globs and families, each once."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from archcost.ir import ArchcostError
from archcost.sources import load
from archcost.sources.selection import choose, distinct_names, load_each, selected, with_model
from archcost.sources.zoo import UnknownModelError, entries, names, select

NET = "{name: NAME, input: [3, 8, 8], layers: [flatten, {linear: 5}]}"


def keys(*models, **options):
    return [one.key for one in choose(models, **options)]


def spec(path, name):
    path.write_text(NET.replace("NAME", name))
    return str(path)


def test_names_stay_in_their_order_and_each_is_there_once():
    assert keys("vgg16", "lenet5", "VGG-16", "vgg_16", "lenet5") == ["vgg16", "lenet5"]
    assert keys("teacher-1") == ["distill-teacher-1"]


@pytest.mark.parametrize("glob", ["resnet*", "RESNET*", "*plain", "vgg1[69]", "wrn-?0-*"])
def test_a_glob_is_what_fits(glob):
    expected = {name for name in names() if fnmatchcase(name, glob.lower())}
    assert set(keys(glob)) == expected
    assert len(keys(glob)) == len(expected) > 1


def test_a_glob_looks_at_aliases_only_where_no_name_fits():
    assert "preresnet164" not in keys("resnet*")
    assert keys("teacher*") == ["distill-teacher-1"]
    assert keys("Wide-ResNet-28-1*")


def test_everything_families_and_what_narrows_them():
    assert keys(everything=True) == [entry.name for entry in select()]
    assert len(keys(everything=True)) == len(list(entries()))
    assert keys(families=["lenet"]) == [e.name for e in select(families=["lenet"])]
    assert keys("simplenet", families=["lenet"])[0] == "simplenet"
    fitting = [e.name for e in select(families=["resnet"], datasets=["CIFAR-10"])]
    assert keys(families=["resnet"], datasets=["cifar10"]) == fitting
    assert keys("resnet*", years=(2016, 2016)) == [
        e.name for e in select(years=(2016, 2016)) if e.name.startswith("resnet")
    ]
    assert keys(search="maxout") == [e.name for e in select(search="maxout")]


def test_what_is_named_is_kept_whatever_narrows_the_others():
    found = keys("vgg16", datasets=["MNIST"])
    assert found == ["vgg16", *(e.name for e in select(datasets=["MNIST"]))]
    assert keys("vgg16", "lenet*", datasets=["ImageNet"]) == ["vgg16"]
    assert keys(years=(1950, 1960)) == []


def test_a_network_of_a_glob_that_is_also_named_is_named():
    (one,) = [one for one in choose(["lenet*", "lenet5"]) if one.key == "lenet5"]
    assert one.named
    assert keys("lenet*", "lenet5") == keys("lenet*")


@pytest.mark.parametrize(
    ("glob", "message"),
    [
        ("resnt*", "fits 'resnt*'; did you mean 'resnet*'?"),
        ("nets/*.yaml", "a glob stands for names of the zoo, not for paths"),
        ("zzz*", "(archcost zoo list shows all)"),
        ("[", "no network of the zoo fits '['"),
        ("*" * 20_000 + "x!", "no network of the zoo fits"),
        ("\x1b[31m*", r"fits '\x1b[31m*'"),
    ],
)
def test_a_glob_that_nothing_fits(glob, message):
    with pytest.raises(UnknownModelError) as raised:
        choose([glob])
    assert message in str(raised.value)
    assert len(str(raised.value)) < 400


def test_no_such_family():
    with pytest.raises(UnknownModelError, match="did you mean 'resnet'"):
        choose(families=["resnt"])


def test_files_are_one_however_they_are_named(tmp_path, monkeypatch):
    path = spec(tmp_path / "net.yaml", "mine")
    monkeypatch.chdir(tmp_path)
    assert len(choose([path, "net.yaml", "./net.yaml"])) == 1
    assert len(choose([path, "lenet5"])) == 2


def test_a_file_may_have_the_signs_of_a_glob(tmp_path):
    path = spec(tmp_path / "net[1].yaml", "mine")
    (one,) = choose([path])
    assert one.text == path
    assert one.entry is None


def test_what_is_named_outright_must_load_and_the_others_need_not(monkeypatch):
    def refuse(text):
        if text == "lenet4":
            raise ArchcostError("broken")
        return load(text)

    loaded = list(load_each(choose(["lenet*"]), refuse))
    assert {one.selected.key: one.graph is not None for one in loaded} == {
        name: name != "lenet4" for name in keys("lenet*")
    }
    assert [str(one.error) for one in loaded if one.error] == ["broken"]
    with pytest.raises(ArchcostError, match="^'lenet4': broken$"):
        list(load_each(choose(["lenet5", "lenet4"]), refuse))
    with pytest.raises(
        UnknownModelError, match="no network 'lenet6' in the zoo; did you mean 'lenet"
    ):
        list(load_each(choose(["lenet6"])))


def test_names_tell_networks_apart(tmp_path, monkeypatch):
    before, after = spec(tmp_path / "before.yaml", "net"), spec(tmp_path / "after.yaml", "net")
    other, zoo = spec(tmp_path / "other.yaml", "other"), spec(tmp_path / "zoo.yaml", "lenet5")
    loaded = list(load_each(choose([before, after, other, "lenet5", zoo])))
    assert distinct_names(loaded) == [before, after, "other", "lenet5", zoo]
    monkeypatch.chdir(tmp_path)
    spec(tmp_path / "third.yaml", "before.yaml")
    loaded = list(load_each(choose(["third.yaml", "before.yaml", "after.yaml"])))
    assert distinct_names(loaded) == ["before.yaml", "before.yaml (2)", "after.yaml"]


def test_with_model():
    chosen = choose(["lenet*"])
    found, key = with_model(chosen, "LeNet-5")
    assert (key, len(found)) == ("lenet5", len(chosen))
    assert next(one for one in found if one.key == key).named
    found, key = with_model(chosen, "vgg16")
    assert (key, found[0].key, len(found)) == ("vgg16", "vgg16", len(chosen) + 1)
    assert selected("vgg16").entry.name == "vgg16"
