"""``package.module:factory`` or ``model.py:Net`` -> a module, built without memory for its weights.

This runs the user's code, and no other: a path is imported only where a model is named by one.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from archcost.ir import ArchcostError
from archcost.sources.errors import FactoryError
from archcost.sources.torch.errors import raised_place, words

if TYPE_CHECKING:
    from torch import nn


def is_path(text: str) -> bool:
    """Whether ``text`` names an object of Python: ``package.module:name`` or ``file.py:name``."""
    module, colon, attribute = text.rpartition(":")
    if not colon or not all(part.isidentifier() for part in attribute.split(".")):
        return False
    if module.lower().endswith(".py"):
        return True
    return all(part.isidentifier() for part in module.split("."))


def build(
    text: str,
    arguments: Mapping[str, Any] | None = None,
    note: Callable[[str], None] = lambda what: None,
) -> nn.Module:
    """The module, in evaluation mode, that the object at path ``text`` is or gives.

    A class or function is called with ``arguments``. What it makes on the way has no data
    (:class:`~.meta.BuildMode`); code that cannot do without gets real tensors. ``note`` is told
    what was assumed of values that nobody knew.

    Raises:
        FactoryError: there is no such object, it fails, or what it gives is no module.
    """
    with _importing(text) as found:
        made = _made(text, found, arguments or {}, note)
    import torch

    if isinstance(made, tuple | list):  # open_clip gives a module and more
        made = next((part for part in made if isinstance(part, torch.nn.Module)), made)
    if not isinstance(made, torch.nn.Module):
        raise FactoryError(f"{text} gives {_article(made)}, not a torch.nn.Module")
    return made.eval()


def _article(value: Any) -> str:
    return "nothing (None)" if value is None else f"an object of type {type(value).__name__}"


@contextmanager
def _importing(text: str) -> Iterator[Any]:
    """The object at path ``text``; within it, and for the import, its folder is on Python's path
    and what it prints goes to standard error."""
    module, _, attribute = text.rpartition(":")
    file = Path(module) if module.lower().endswith(".py") else None
    folder = str((file.parent if file else Path()).resolve())
    sys.path.insert(0, folder)
    try:
        with redirect_stdout(sys.stderr):
            found: Any = _from_file(file) if file else _imported(module)
            for part in attribute.split("."):
                if not hasattr(found, part):
                    raise FactoryError(_missing(found, part, module))
                found = getattr(found, part)
            yield found
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _from_file(file: Path) -> ModuleType:
    if not file.is_file():
        raise FactoryError(f"no file {str(file)!r:.200}")
    name = file.stem if file.stem.isidentifier() else "model"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise FactoryError(f"{str(file)!r:.200} is no Python file")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and pickles look there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        hint = ""
        if isinstance(error, ImportError) and "no known parent package" in words(error):
            hint = (
                "\n(a file of a package is named as package.module:factory, from above the package)"
            )
        raise FactoryError(f"{_failed(f'importing {file}', error)}{hint}") from error
    finally:
        if before is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = before
    return module


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise FactoryError(
                f"no Python module {error.name!r:.200}, here or installed (MODEL is a zoo name, a "
                "file, or package.module:factory)"
            ) from None
        raise _failed(f"importing {name}", error) from error
    except (Exception, SystemExit) as error:
        raise _failed(f"importing {name}", error) from error


def _missing(found: Any, part: str, module: str) -> str:
    from difflib import get_close_matches

    where = found.__name__ if isinstance(found, ModuleType) else type(found).__name__
    near = get_close_matches(part, [name for name in dir(found) if not name.startswith("_")], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{where if isinstance(found, ModuleType) else module} has no {part!r:.100}{hint}"


def _made(
    text: str,
    found: Any,
    arguments: Mapping[str, Any],
    note: Callable[[str], None] = lambda what: None,
) -> Any:
    import torch

    from archcost.sources.torch.meta import BuildMode
    from archcost.sources.torch.patches import NoGPUs

    if isinstance(found, torch.nn.Module):
        if arguments:
            raise FactoryError(f"{text} is a module already and takes no arguments")
        return found
    if not callable(found):
        raise FactoryError(f"{text} is {_article(found)}, neither a module nor what makes one")
    config = getattr(found, "config_class", None)

    def make() -> Any:
        """Models of transformers take a config, which takes their arguments."""
        return found(**arguments) if config is None else found(config(**arguments))

    try:
        with torch.no_grad(), NoGPUs(), BuildMode() as mode:
            made = make()
    except (Exception, SystemExit):
        # Code that needs real numbers to build: it gets them, and the weights take memory.
        try:
            with NoGPUs():
                return make()
        except (Exception, SystemExit) as error:
            raise _failed(f"{text}({_given(arguments)})", error) from error
    for what in mode.assumptions():
        note(what)
    return made


def _given(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r:.60}" for name, value in arguments.items())


def _failed(what: str, error: Exception | SystemExit) -> FactoryError:
    if isinstance(error, ArchcostError):
        return FactoryError(f"{what} fails: {error}")
    place = raised_place(error)
    where = f"\n  at {place}" if place else ""
    return FactoryError(f"{what} fails: {type(error).__name__}: {words(error):.300}{where}")
