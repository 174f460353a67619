"""What commands have in common: the model and how it is loaded, the format and where it goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from archcost.ir import Graph
    from archcost.sources import Input

    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # generic since click 8.4 only

F = TypeVar("F", bound=Callable[..., Any])

# As in archcost.ir.FLOATS, which is not loaded for `--help`; a test compares them.
DTYPES: Final = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8")
YEARS: Final = re.compile(r"([0-9]{4})?(?:(-)([0-9]{4})?)?\Z")
WHOLE: Final = "none"
PLACE: Final = re.compile(r"cpu|cuda(:[0-9]{1,3})?")
"""Where passes are run."""
MOST_BATCHES: Final = 100
LARGEST_BATCH: Final = 2**20


def suggestion(name: str, names: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a name is near, else what there is."""
    from difflib import get_close_matches

    names = list(names)
    close = get_close_matches(name.lower(), names, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(names)}"


class Group(click.Group):
    """A group that names the nearest command where one is misspelt, and keeps its order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        names = self.list_commands(ctx)
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise click.UsageError(f"no command {name!r:.60}{suggestion(name, names)}", ctx)
        return super().resolve_command(ctx, args)


class Choice(ParamType):
    """One of a few words; a misspelt one gets the nearest."""

    name = "choice"

    def __init__(self, choices: Iterable[str]) -> None:
        self.choices = tuple(choices)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(self.choices)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            self.fail(f"no {value!r:.60}{suggestion(value, self.choices)}", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return completions(self.choices, incomplete)


MOST_THREADS: Final = 1024
"""Many more and torch ends the process, as the system refuses them."""


class Integer(click.IntRange):
    """click says that a word is "not a valid integer range"."""

    name = "integer"


class Number(click.FloatRange):
    """click takes nan and inf, too."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value!r:.60} is no number to compute with", param, ctx)
        return number


class NetworkType(ParamType):
    """A network of the zoo; completes to names, else to aliases."""

    name = "network"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from archcost.sources.zoo import entries, names

        found = completions(names(incomplete), incomplete)
        return found or completions(
            [alias for entry in entries() for alias in entry.aliases], incomplete
        )


class ModelType(NetworkType):
    """A network; completes to the zoo's names and aliases, else to files."""

    name = "model"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        found = super().shell_complete(ctx, param, incomplete)
        return found or [CompletionItem(incomplete, type="file")]


class DeviceType(ParamType):
    """A device's name or file, as text; completes to names, else to aliases, else to files."""

    name = "device"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from archcost.hardware.files import aliases, names

        found = completions(names(), incomplete) or completions(aliases(), incomplete)
        return found or [CompletionItem(incomplete, type="file")]


class AboutType(ParamType):
    """One of what the zoo's networks say of themselves under ``key``: their families, datasets."""

    def __init__(self, key: str) -> None:
        self.name = self.key = key

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from archcost.sources.zoo import entries

        known = dict.fromkeys(str(entry.about.get(self.key) or "") for entry in entries())
        return completions(sorted(filter(None, known)), incomplete)


class YearsType(ParamType):
    """``2015``, ``2014-2016``, ``2015-`` or ``-2012``."""

    name = "years"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | None, int | None]:
        if isinstance(value, tuple):
            return value
        match = YEARS.match(value)
        if not match or value in ("", "-"):
            self.fail(
                f"{value!r:.60} is no year; expected one like 2015, or 2014-2016, 2015- or -2012",
                param,
                ctx,
            )
        first, dash, last = match.groups()
        earliest, latest = int(first) if first else None, int(last) if last else None
        if earliest and latest and earliest > latest:
            self.fail(f"{value!r} ends before it begins", param, ctx)
        return earliest, latest if dash else earliest


class InputType(ParamType):
    """``3x224x224``, ``128:int64`` or ``name=128:int64``."""

    name = "shape"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Input:
        if isinstance(value, tuple):
            return value  # type: ignore[return-value]  # converted already
        from archcost.sources import Input, InputError

        try:
            return Input.parse(value)
        except InputError as error:
            self.fail(str(error), param, ctx)


class BatchType(Integer):
    """An integer >= 1, or ``none``: the shapes are whole."""

    name = "integer"

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == WHOLE else super().convert(value, param, ctx)


class BatchesType(ParamType):
    """Batch sizes with commas between."""

    name = "batches"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in value.split(",")]
        if not all(word.isdecimal() and 1 <= int(word[:9]) <= LARGEST_BATCH for word in words):
            self.fail(
                f"{value!r:.60} is no list of batch sizes; expected some like 1,8,64, each from 1 "
                f"to {LARGEST_BATCH:,}",
                param,
                ctx,
            )
        batches = tuple(sorted({int(word[:9]) for word in words}))
        if len(batches) > MOST_BATCHES:
            self.fail(f"more than {MOST_BATCHES} batch sizes", param, ctx)
        return batches


class DtypesType(ParamType):
    """Floating-point types with commas between."""

    name = "dtypes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        words = tuple(dict.fromkeys(word.strip() for word in value.split(",")))
        for word in words:
            if word not in DTYPES:
                self.fail(f"no dtype {word!r:.60}{suggestion(word, DTYPES)}", param, ctx)
        return words


class SettingType(ParamType):
    """``key=value``, the value as a spec would read it."""

    name = "setting"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value[0], value[1]
        key, equals, text = value.partition("=")
        if not equals or not key.strip():
            self.fail(
                f"{value!r:.60} is no setting; expected KEY=VALUE, like classes=10", param, ctx
            )
        from archcost.spec import SpecError, parse_value

        try:
            return key.strip(), parse_value(text)
        except SpecError as error:
            self.fail(f"{text!r:.60} is no value: {error}", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """``key=`` of the parameters of the network named before, then its choices."""
        from archcost.ir import ArchcostError
        from archcost.sources.zoo import find

        # click leaves the arguments unread while an option lacks its value.
        models = ctx.params.get("models") or ctx.args
        model = ctx.params.get("model") or next(iter(models), "")
        try:
            parameters = find(model).parameters
        except ArchcostError:
            return []
        key, equals, _ = incomplete.partition("=")
        if not equals:
            return completions([f"{name}=" for name in parameters], incomplete)
        choices = parameters[key].choices if key in parameters else ()
        return completions([f"{key}={choice}" for choice in choices], incomplete)


def completions(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Those of ``names`` that begin with what has been typed."""
    from click.shell_completion import CompletionItem

    typed = incomplete.lower()
    return [CompletionItem(name) for name in names if name.lower().startswith(typed)]


def together(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Several decorators as one, the first outermost."""

    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def _once(
    _ctx: click.Context, _param: click.Parameter, pairs: tuple[tuple[str, Any], ...]
) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key, value in pairs:
        if key in settings:
            raise click.BadParameter(f"{key!r:.60} is set twice")
        settings[key] = value
    return settings


model_argument = click.argument("model", type=ModelType())


class Loading(NamedTuple):
    """How a model is to be loaded: what the model options say."""

    inputs: tuple[Input, ...] = ()
    batch: int | str | None = None
    settings: Mapping[str, Any] | None = None
    arguments: Mapping[str, Any] | None = None
    dtype: str | None = None

    @property
    def given(self) -> bool:
        """Whether any of them was given."""
        return any(self)

    def graph(self, model: str) -> Graph:
        """The graph of MODEL."""
        from archcost.sources import load

        return load(
            model,
            inputs=self.inputs or None,
            batch=self.batch,
            dtype=self.dtype,
            settings=self.settings,
            arguments=self.arguments,
        )


def _in_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, which takes the model options as one :class:`Loading`, by the single ones.

    Those that a command does not have stay as they are.
    """

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        given = {name: kwargs.pop(name) for name in Loading._fields if name in kwargs}
        loading = Loading(**given)
        return function(*args, loading=loading, **kwargs)

    return command


_input_option = click.option(
    "--input",
    "inputs",
    type=InputType(),
    multiple=True,
    metavar="SHAPE",
    help="Input shape without the batch, like 3x224x224; once for each input. Of a PyTorch "
    "model also with a dtype, 128:int64, and by name, mask=128:bool.",
)
_set_option = click.option(
    "--set",
    "settings",
    type=SettingType(),
    multiple=True,
    metavar="KEY=VALUE",
    callback=_once,
    help="Set one of a spec's parameters (archcost zoo show MODEL lists them); repeatable.",
)
_arg_option = click.option(
    "--arg",
    "arguments",
    type=SettingType(),
    multiple=True,
    metavar="KEY=VALUE",
    callback=_once,
    help="Argument of the PyTorch factory that MODEL names; repeatable.",
)
shape_options = together(_input_option, _set_option, _arg_option, _in_one)
"""The model options but for the batch and the dtype, of which a command takes several."""
model_options = together(
    _input_option,
    click.option(
        "--batch",
        type=BatchType(),
        metavar="N",
        help="Batch size; none: the shapes that a PyTorch model gets have it.  [1]",
    ),
    _set_option,
    _arg_option,
    click.option(
        "--dtype",
        type=Choice(DTYPES),
        metavar="DTYPE",
        help=f"Floating-point type: {', '.join(DTYPES)}.  [fp32]",
    ),
    _in_one,
)
"""What makes a :class:`Loading`, which the command takes as ``loading``."""


narrowing_options = together(
    click.option(
        "--dataset",
        "datasets",
        type=AboutType("dataset"),
        multiple=True,
        metavar="NAME",
        help="Only networks for this dataset, like CIFAR-10; repeatable.",
    ),
    click.option(
        "--year",
        "years",
        type=YearsType(),
        default=(None, None),
        metavar="YEAR",
        help="Only this year, or a range: 2014-2016, 2015-, -2012.",
    ),
    click.option(
        "--search",
        default="",
        metavar="WORDS",
        help="Only networks whose name, title, family, dataset or citation has these words in "
        "a row; where there is none, each of them.",
    ),
)
"""Which networks of the zoo, as :func:`archcost.sources.zoo.select` takes them."""


def output_options(*formats: str) -> Callable[[F], F]:
    """``--format``, one of ``formats``, and ``-o``."""
    return together(
        click.option(
            "--format",
            "format_",
            type=Choice(formats),
            metavar="FORMAT",
            help=f"{', '.join(formats)}.  [by FILE's ending, else {formats[0]}]",
        ),
        click.option(
            "-o",
            "--output",
            type=click.Path(),  # which completes to files
            metavar="FILE",
            help="Write to FILE, which is replaced when all is written.  [standard output]",
        ),
    )
