"""A YAML document -> :class:`Spec`: every key, name and variable is checked here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final

from archcost.ir import BITS
from archcost.ir.arguments import is_int
from archcost.ir.ops import OPERATORS, in_specs, operator_class
from archcost.spec.document import Document, Node, Scalar, Sequence, describe
from archcost.spec.document import Mapping as MappingNode
from archcost.spec.errors import SpecError, nearest, shown
from archcost.spec.expression import (
    Expression,
    ExpressionError,
    constant,
    formula,
    is_variable,
    listing,
    template,
)
from archcost.spec.model import (
    Apply,
    Block,
    Head,
    If,
    InputDecl,
    Item,
    Parallel,
    Repeat,
    Scope,
    Setting,
    Spec,
    Term,
    Use,
    Variant,
    plain,
    walk,
)

Names = frozenset[str]
Entries = dict[str, tuple[Node, Node]]

ABOUT: Final = ("title", "family", "year", "dataset", "source", "notes", "aliases")
TOP_KEYS: Final = (
    "name",
    *ABOUT,
    "input",
    "inputs",
    "parameters",
    "use",
    "blocks",
    "layers",
    "variants",
)
VARIANT_KEYS: Final = ("set", *ABOUT, "input", "inputs", "layers")
SOURCE_KEYS: Final = ("title", "authors", "venue", "year", "arxiv", "doi", "url", "section")
PARAMETER_KEYS: Final = ("default", "min", "max", "choices", "length", "help")
COMMON_KEYS: Final = ("name", "when", "from", "as")
MERGES: Final = ("concat", "sum", "product", "maximum", "mean")
MAX_CHAIN: Final = 100
MAX_VARIANTS: Final = 1_000
MAX_PARAMETERS: Final = 1_000


def parse(text: str, file: str, libraries: Path) -> Spec:
    """The spec in ``text``. ``libraries`` is the folder of the block libraries.

    Raises:
        SpecError: with file, line and column, what was found and what was expected.
    """
    return _Parser(Document(text, file), libraries).spec()


class _Parser:
    def __init__(self, document: Document, libraries: Path) -> None:
        self.document = document
        self.libraries = libraries
        self.blocks: dict[str, Block] = {}
        self.structures: dict[str, Callable[[Node, Entries, Names], Item]] = {
            "scope": self._scope,
            "repeat": self._repeat,
            "dense": self._dense,
            "parallel": self._parallel,
            "residual": self._residual,
            "head": self._head,
            "graph_output": self._graph_output,
        }

    # --- the file -----------------------------------------------------------------------------

    def spec(self) -> Spec:
        document = self.document
        top = self._keys(document.root, "the spec", TOP_KEYS)
        for key in ("name", "layers"):
            if key not in top:
                raise document.error(document.root, f"the spec has no {key!r}")
        name = self._name(top["name"][1], "the network's name")
        if ("input" in top) == ("inputs" in top):
            raise document.error(document.root, "expected one of 'input' and 'inputs'")
        settings = self._settings(top.get("parameters"), frozenset(), required=False)
        names = frozenset(settings)
        self._use(top.get("use"))
        self._declare_blocks(top.get("blocks"), names)
        about = self._about(top, names)
        about.setdefault("family", Path(document.file).stem)
        spec = Spec(
            name=name,
            file=document.file,
            about=about,
            inputs=self._inputs(top, names),
            settings=settings,
            blocks=self.blocks,
            layers=self._items(top["layers"][1], names),
            variants=self._variants(top.get("variants"), name, settings),
        )
        for variant in spec.variants.values():
            for setting, (_, mark) in variant.settings.items():
                if setting not in spec.parameters(variant.name):
                    raise SpecError(
                        f"variant {variant.name!r} sets {setting!r}, which it does not use",
                        mark,
                    )
        return spec

    def library(self) -> dict[str, Block]:
        """The blocks of a library file, which holds nothing else."""
        top = self._keys(self.document.root, "a block library", ("use", "blocks"))
        self._use(top.get("use"))
        self._declare_blocks(top.get("blocks"), frozenset())
        return self.blocks

    def _about(self, entries: Entries, names: Names) -> dict[str, Any]:
        document = self.document
        about: dict[str, Any] = {}
        if "title" in entries:
            node = entries["title"][1]
            about["title"] = self._term(node, names, template, document.text(node, "a title"))
        for key in ("family", "dataset"):
            if key in entries:
                about[key] = document.text(entries[key][1], f"the {key}")
        if "year" in entries:
            year = document.scalar(entries["year"][1])
            if not isinstance(year, int) or not 1900 <= year <= 2100:
                raise document.error(entries["year"][1], f"expected a year, found {year!r}")
            about["year"] = year
        if "source" in entries:
            node = entries["source"][1]
            cited = self._keys(node, "a source", SOURCE_KEYS)
            if "title" not in cited:
                raise document.error(node, "a source has a title")
            about["source"] = {
                key: document.text(value, f"the source's {key}")
                for key, (_, value) in cited.items()
            }
        for key in ("notes", "aliases"):
            if key in entries:
                items = document.sequence(entries[key][1], f"a list of {key}")
                read = self._name if key == "aliases" else document.text
                about[key] = tuple(read(item, f"one of the {key}") for item in items)
        return about

    def _inputs(self, entries: Entries, names: Names) -> tuple[InputDecl, ...]:
        document = self.document
        if "input" in entries:
            node = entries["input"][1]
            return (InputDecl("input", document.mark(node), self._shape(node, names)),)
        declared = []
        for name, (key, value) in document.mapping(entries["inputs"][1], "the inputs").items():
            dtype, shape = "fp32", value
            if isinstance(value, MappingNode):
                parts = self._keys(value, "an input", ("shape", "dtype"))
                if "shape" not in parts:
                    raise document.error(value, "an input has a shape")
                shape = parts["shape"][1]
                if "dtype" in parts:
                    dtype = document.text(parts["dtype"][1], "a dtype")
                    if dtype not in BITS:
                        raise document.error(
                            parts["dtype"][1], f"no dtype {shown(dtype)}{nearest(dtype, BITS)}"
                        )
            self._check_name(key, name)
            declared.append(InputDecl(name, document.mark(value), self._shape(shape, names), dtype))
        if not declared:
            raise document.error(entries["inputs"][1], "expected at least one input")
        return tuple(declared)

    def _shape(self, node: Node, names: Names) -> Term:
        if not isinstance(node, Sequence):
            raise self.document.error(
                node, f"expected a shape such as [3, 224, 224], found {describe(node)}"
            )
        return self._value(node, names)

    def _settings(
        self, entry: tuple[Node, Node] | None, outer: Names, *, required: bool
    ) -> dict[str, Setting]:
        document = self.document
        settings: dict[str, Setting] = {}
        if entry is None:
            return settings
        own = document.mapping(entry[1], "the parameters")
        if len(own) > MAX_PARAMETERS:
            raise document.error(entry[1], f"{len(own)} parameters, at most {MAX_PARAMETERS}")
        for name, (key, value) in own.items():
            self._check_variable(key, name, "parameter")
            names = outer | settings.keys()
            setting = Setting(name, document.mark(key))
            settings[name] = setting
            if not isinstance(value, MappingNode):
                if not (required and isinstance(value, Scalar) and document.scalar(value) is None):
                    setting.default = self._value(value, names)
                continue
            parts = self._keys(value, "a parameter", PARAMETER_KEYS)
            if "default" not in parts:
                raise document.error(value, f"parameter {name!r} has no default")
            setting.default = self._value(parts["default"][1], names)
            for bound, attribute in (("min", "least"), ("max", "most")):
                if bound in parts:
                    number = document.scalar(parts[bound][1])
                    if isinstance(number, bool) or not isinstance(number, int | float):
                        raise document.error(parts[bound][1], f"{bound} is a number")
                    setattr(setting, attribute, number)
            if "choices" in parts:
                document.sequence(parts["choices"][1], "a list of choices")
                setting.choices = self._data(parts["choices"][1])
            if "length" in parts:
                length = document.scalar(parts["length"][1])
                if not is_int(length) or length < 1:
                    raise document.error(parts["length"][1], "length is an integer >= 1")
                setting.length = length
            if "help" in parts:
                setting.help = document.text(parts["help"][1], "a help text")
        return settings

    def _use(self, entry: tuple[Node, Node] | None) -> None:
        if entry is None:
            return
        known = {path.stem: path for path in self.libraries.glob("*.yaml")}
        used: set[str] = set()
        for node in self.document.sequence(entry[1], "a list of block libraries"):
            name = self.document.text(node, "a block library")
            if name not in known:
                raise self.document.error(
                    node, f"no block library {shown(name)}{nearest(name, known)}"
                )
            if name in used:
                raise self.document.error(node, f"{name!r} stands twice in use")
            used.add(name)
            text = known[name].read_text(encoding="utf-8")
            self.blocks |= _Parser(Document(text, known[name].name), self.libraries).library()

    def _declare_blocks(self, entry: tuple[Node, Node] | None, names: Names) -> None:
        document = self.document
        if entry is None:
            return
        own = document.mapping(entry[1], "the blocks")
        bodies: dict[str, tuple[Block, Node]] = {}
        for name, (key, value) in own.items():
            if not name.isidentifier() or not name.isascii():
                raise document.error(key, f"a block's name is a word, found {name!r}")
            if in_specs(name) or name in self.structures or name == "if":
                raise document.error(
                    key, f"{name!r} is the language's own; name the block otherwise"
                )
            parts = self._keys(value, f"block {name!r}", ("parameters", "layers"))
            if "layers" not in parts:
                raise document.error(value, f"block {name!r} has no layers")
            settings = self._settings(parts.get("parameters"), names, required=True)
            for setting in settings.values():
                if setting.name in COMMON_KEYS:
                    raise SpecError(
                        f"{setting.name!r} is a key that every item has; name the parameter "
                        "otherwise",
                        setting.mark,
                    )
            block = Block(name, document.mark(key), settings)
            bodies[name] = block, parts["layers"][1]
            self.blocks[name] = block
        # Bodies last: a block may use one that stands below it.
        for block, layers in bodies.values():
            block.layers = self._items(layers, names | block.settings.keys())
        self._refuse_cycles(block for block, _ in bodies.values())

    def _refuse_cycles(self, blocks: Iterable[Block]) -> None:
        heights: dict[Block, int] = {}

        def visit(block: Block, path: tuple[Block, ...]) -> int:
            """How many blocks stand below one another, from ``block`` on."""
            if block in path:
                circle = (*path[path.index(block) :], block)
                names = " -> ".join(each.name for each in circle[:20])
                raise SpecError(f"block {block.name!r} uses itself: {names}", block.mark)
            if block not in heights:
                below = 0
                if len(path) < MAX_CHAIN:
                    for item in walk(block.layers):
                        if isinstance(item, Use) and item.block is not None:
                            below = max(below, visit(item.block, (*path, block)))
                heights[block] = below + 1
            if len(path) + heights[block] > MAX_CHAIN:
                raise SpecError(
                    f"the blocks use each other more than {MAX_CHAIN} levels deep", block.mark
                )
            return heights[block]

        for block in blocks:
            visit(block, ())

    def _variants(
        self, entry: tuple[Node, Node] | None, own: str, settings: Mapping[str, Setting]
    ) -> dict[str, Variant]:
        document = self.document
        variants: dict[str, Variant] = {}
        if entry is None:
            return variants
        entries = document.mapping(entry[1], "the variants")
        if len(entries) > MAX_VARIANTS:
            raise document.error(entry[1], f"{len(entries)} variants, at most {MAX_VARIANTS}")
        for name, (key, value) in entries.items():
            self._check_name(key, name)
            if name == own:
                raise document.error(key, f"{name!r} is the network's own name")
            parts = self._keys(value, f"variant {name!r}", VARIANT_KEYS)
            changed = {}
            if "set" in parts:
                for setting, (k, v) in document.mapping(parts["set"][1], "the settings").items():
                    if setting not in settings:
                        raise document.error(
                            k, f"no parameter {setting!r}{nearest(setting, settings)}"
                        )
                    changed[setting] = self._data(v), document.mark(v)
            about = self._about(parts, frozenset(settings))
            inputs = None
            if "input" in parts and "inputs" in parts:
                raise document.error(value, "expected one of 'input' and 'inputs'")
            if "input" in parts or "inputs" in parts:
                inputs = self._inputs(parts, frozenset(settings))
            layers = None
            if "layers" in parts:
                layers = self._items(parts["layers"][1], frozenset(settings))
            variants[name] = Variant(name, document.mark(key), changed, about, inputs, layers)
        return variants

    def _data(self, node: Node) -> Any:
        """A value that is no expression."""
        try:
            return plain(self.document.data(node))
        except ExpressionError as error:
            raise self.document.error(node, str(error)) from None

    # --- items --------------------------------------------------------------------------------

    def _items(self, node: Node, names: Names) -> tuple[Item, ...]:
        return tuple(
            self._item(item, names) for item in self.document.sequence(node, "a list of layers")
        )

    def _item(self, node: Node, names: Names) -> Item:
        document = self.document
        if isinstance(node, Scalar):
            name = document.text(node, "a layer")
            return self._dispatch(name, node, None, names)
        entries = document.mapping(node, "a layer: a word, or a mapping with one key")
        if "if" in entries:
            return self._if(node, entries, names)
        if len(entries) != 1:
            raise document.error(
                node,
                f"a layer is a mapping with one key, found {len(entries)} "
                f"({', '.join(list(entries)[:4])}); its arguments are indented below it or in "
                "{}"
                if entries
                else "a layer is a mapping with one key, found none",
            )
        ((name, (key, value)),) = entries.items()
        return self._dispatch(name, key, value, names)

    def _dispatch(self, name: str, key: Node, value: Node | None, names: Names) -> Item:
        document = self.document
        if name in self.structures:
            if not isinstance(value, MappingNode):
                raise document.error(value or key, f"{name} needs a mapping of its arguments")
            return self.structures[name](key, document.mapping(value, name), names)
        if name in self.blocks:
            return self._use_block(self.blocks[name], key, value, names)
        if in_specs(name):
            return self._operator(name, key, value, names)
        known = (*filter(in_specs, OPERATORS), *self.blocks, *self.structures, "if")
        raise document.error(
            key, f"no operator, block or structure {shown(name)}{nearest(name, known)}"
        )

    def _operator(self, name: str, key: Node, value: Node | None, names: Names) -> Apply:
        operator, fixed = operator_class(name)
        declared = {f.name: f for f in fields(operator) if f.name not in fixed}
        entries = self._arguments(name, key, value, tuple(declared), ("share",))
        arguments = {
            field: self._value(entries[field][1], names) for field in declared if field in entries
        }
        for field, declaration in declared.items():
            needed = declaration.default is MISSING and declaration.default_factory is MISSING
            if needed and field not in arguments:
                raise self.document.error(key, f"{name} needs {field!r}")
        share = None
        if "share" in entries:
            node = entries["share"][1]
            share = self._term(node, names, template, self.document.text(node, "a key"))
        return Apply(
            **self._common(key, entries, names),
            kind=name,
            operator=operator,
            fixed=fixed,
            arguments=arguments,
            share=share,
        )

    def _use_block(self, block: Block, key: Node, value: Node | None, names: Names) -> Use:
        entries = self._arguments(block.name, key, value, tuple(block.settings))
        arguments = {
            name: self._value(entries[name][1], names) for name in block.settings if name in entries
        }
        for setting in block.settings.values():
            if setting.default is None and setting.name not in arguments:
                raise self.document.error(key, f"{block.name} needs {setting.name!r}")
        return Use(**self._common(key, entries, names), block=block, arguments=arguments)

    def _arguments(
        self,
        what: str,
        key: Node,
        value: Node | None,
        allowed: tuple[str, ...],
        more: tuple[str, ...] = (),
    ) -> Entries:
        """The arguments of an operator or block; a scalar or list is the first one."""
        if value is None or (isinstance(value, Scalar) and value.plain and not value.text):
            return {}
        if isinstance(value, MappingNode):
            return self._keys(value, what, (*allowed, *COMMON_KEYS, *more))
        if not allowed:
            raise self.document.error(value, f"{what} takes no arguments")
        return {allowed[0]: (key, value)}

    def _common(self, key: Node, entries: Entries, names: Names) -> dict[str, Any]:
        """The fields of :class:`Item` from the keys that every item may have."""
        document = self.document
        common: dict[str, Any] = {"mark": document.mark(key)}
        if "name" in entries:
            node = entries["name"][1]
            if not isinstance(node, Scalar):
                raise document.error(node, f"expected a name, found {describe(node)}")
            common["name"] = self._term(node, names, template, node.text)
        if "when" in entries:
            common["when"] = self._value(entries["when"][1], names)
        for field, key_ in (("sources", "from"), ("labels", "as")):
            if key_ in entries:
                node = entries[key_][1]
                nodes = document.sequence(node, "labels") if isinstance(node, Sequence) else [node]
                common[field] = tuple(
                    self._term(item, names, template, document.text(item, "a label"))
                    for item in nodes
                )
        return common

    def _scope(self, key: Node, entries: Entries, names: Names) -> Scope:
        self._check_keys(entries, "scope", ("layers", *COMMON_KEYS), ("name", "layers"), key)
        layers = self._items(entries["layers"][1], names)
        return Scope(**self._common(key, entries, names), layers=layers)

    def _repeat(self, key: Node, entries: Entries, names: Names) -> Repeat:
        allowed = ("times", "each", "index", "layers", *COMMON_KEYS)
        self._check_keys(entries, "repeat", allowed, ("layers",), key)
        return self._rounds(key, entries, names, dense=False)

    def _dense(self, key: Node, entries: Entries, names: Names) -> Repeat:
        allowed = ("times", "index", "layers", *COMMON_KEYS)
        self._check_keys(entries, "dense", allowed, ("layers",), key)
        return self._rounds(key, entries, names, dense=True)

    def _rounds(self, key: Node, entries: Entries, names: Names, *, dense: bool) -> Repeat:
        document = self.document
        if ("times" in entries) == ("each" in entries):
            what = "dense needs 'times'" if dense else "repeat needs one of 'times' and 'each'"
            raise document.error(key, what)
        times = self._value(entries["times"][1], names) if "times" in entries else None
        each: dict[str, Term] = {}
        index = None
        inner = set(names)
        if "index" in entries:
            index = document.text(entries["index"][1], "a variable's name")
            self._check_variable(entries["index"][1], index)
            inner.add(index)
        if "each" in entries:
            for name, (k, v) in document.mapping(entries["each"][1], "each").items():
                self._check_variable(k, name)
                each[name] = self._value(v, names)
                inner.add(name)
            if not each:
                raise document.error(entries["each"][1], "each needs a variable")
        scope = frozenset(inner)
        outer = {k: v for k, v in entries.items() if k != "name"}
        common = self._common(key, outer, names)
        if "name" in entries:  # may use the index
            common |= {"name": self._common(key, {"name": entries["name"]}, scope)["name"]}
        return Repeat(
            **common,
            times=times,
            each=each,
            index=index,
            layers=self._items(entries["layers"][1], scope),
            dense=dense,
        )

    def _parallel(self, key: Node, entries: Entries, names: Names) -> Parallel:
        allowed = ("branches", "merge", *COMMON_KEYS)
        self._check_keys(entries, "parallel", allowed, ("branches",), key)
        node = entries["branches"][1]
        branches: list[tuple[str | None, tuple[Item, ...]]] = []
        if isinstance(node, MappingNode):
            for name, (k, value) in self.document.mapping(node, "the branches").items():
                self._check_name(k, name)
                branches.append((name, self._items(value, names)))
        else:
            expected = "a mapping of names to lists of layers, or a list of lists"
            for item in self.document.sequence(node, expected):
                branches.append((None, self._items(item, names)))
        if not branches:
            raise self.document.error(node, "parallel needs at least one branch")
        merge = self._merge(entries, "concat")
        return Parallel(**self._common(key, entries, names), branches=branches, merge=merge)

    def _residual(self, key: Node, entries: Entries, names: Names) -> Parallel:
        allowed = ("layers", "shortcut", "merge", *COMMON_KEYS)
        self._check_keys(entries, "residual", allowed, ("layers",), key)
        body = self._items(entries["layers"][1], names)
        shortcut = self._items(entries["shortcut"][1], names) if "shortcut" in entries else ()
        return Parallel(
            **self._common(key, entries, names),
            branches=((None, body), (None, shortcut)),
            merge=self._merge(entries, "sum"),
        )

    def _merge(self, entries: Entries, default: str) -> str:
        if "merge" not in entries:
            return default
        node = entries["merge"][1]
        merge = self.document.text(node, "a merge")
        if merge not in MERGES:
            raise self.document.error(node, f"no merge {shown(merge)}{nearest(merge, MERGES)}")
        return merge

    def _if(self, node: Node, entries: Entries, names: Names) -> If:
        self._check_keys(entries, "if", ("if", "then", "else"), ("then",), node)
        return If(
            mark=self.document.mark(node),
            condition=self._value(entries["if"][1], names),
            then=self._items(entries["then"][1], names),
            otherwise=self._items(entries["else"][1], names) if "else" in entries else (),
        )

    def _head(self, key: Node, entries: Entries, names: Names) -> Head:
        self._check_keys(entries, "head", ("layers", *COMMON_KEYS), ("name", "layers"), key)
        layers = self._items(entries["layers"][1], names)
        return Head(**self._common(key, entries, names), layers=layers)

    def _graph_output(self, key: Node, entries: Entries, names: Names) -> Head:
        self._check_keys(entries, "graph_output", COMMON_KEYS, ("name",), key)
        return Head(**self._common(key, entries, names))

    # --- values -------------------------------------------------------------------------------

    def _value(self, node: Node, names: Names) -> Term:
        return Term(self._expression(node, names), self.document.mark(node))

    def _expression(self, node: Node, names: Names) -> Expression:
        document = self.document
        if isinstance(node, Sequence):
            items = [self._expression(item, names) for item in document.sequence(node, "a list")]
            return listing(items)
        value = document.scalar(node)
        if not isinstance(value, str) or "$" not in value:
            try:
                return constant(plain(value))
            except ExpressionError as error:
                raise document.error(node, str(error)) from None
        return self._term(node, names, formula, value).expression

    def _term(
        self, node: Node, names: Names, compile_: Callable[[str], Expression], text: str
    ) -> Term:
        """``text`` compiled, its variables checked against those that are known there."""
        try:
            expression = compile_(text)
        except ExpressionError as error:
            raise self.document.error(node, str(error)) from None
        for name in expression.names:
            if name not in names:
                raise self.document.error(
                    node,
                    f"no parameter or variable {name!r} in {shown(text)}{nearest(name, names)}",
                )
        return Term(expression, self.document.mark(node))

    # --- names and keys -----------------------------------------------------------------------

    def _keys(self, node: Node, what: str, allowed: tuple[str, ...]) -> Entries:
        entries = self.document.mapping(node, what)
        self._check_keys(entries, what, allowed)
        return entries

    def _check_keys(
        self,
        entries: Entries,
        what: str,
        allowed: tuple[str, ...],
        needed: tuple[str, ...] = (),
        node: Node | None = None,
    ) -> None:
        for name, (key, _) in entries.items():
            if name not in allowed:
                raise self.document.error(key, f"{what} has no {name!r}{nearest(name, allowed)}")
        for name in needed:
            if name not in entries:
                assert node is not None
                raise self.document.error(node, f"{what} needs {name!r}")

    def _name(self, node: Node, what: str) -> str:
        name = self.document.text(node, what)
        self._check_name(node, name)
        return name

    def _check_name(self, node: Node, name: str) -> None:
        if len(name) > 100 or not name.isprintable() or not name.strip() or "/" in name:
            raise self.document.error(node, "a name has 1 to 100 printable characters and no '/'")

    def _check_variable(self, node: Node, name: str, what: str = "variable") -> None:
        if not is_variable(name):
            raise self.document.error(
                node,
                f"a {what}'s name is a word of letters, digits and _, none of the "
                f"language's own, found {shown(name)}",
            )
