"""A program, begun as python itself begins it.

Touches: `__main__`, `sys.argv`, `sys.path`, `sys.excepthook`: what python sets up for a program.

Guarantees: the program finds these as `python SCRIPT` and `python -m MODULE` leave them. What it raises comes
out as it was raised, and the interpreter prints it without our frames and ends as it always does: by exit
code, or by the signal.

Assumes: nothing has been asked of `__main__` yet.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import dataclasses
import importlib.machinery
import importlib.util
import io
import os
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from typing import Any, Protocol, cast

from hotmod._model.errors import ConfigError
from hotmod._scope import find_spec

__all__ = ["Program", "module_program", "script_program"]


class _Loader(Protocol):
    """A loader that knows the code of its modules."""

    def get_code(self, name: str) -> types.CodeType | None:
        """The code of a module."""


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """What is to be run.

    Attributes:
        name: how it is told to people: the script, or `-m module`.
        main: the module that it will be, named `__main__`.
        folder: where it imports its own modules from.
        spec: what was found for a module; None for a script.
    """

    name: str
    main: types.ModuleType
    folder: str
    spec: ModuleSpec | None = None

    def start(self) -> int:
        """Run it to its end.

        Returns:
            0, when it ends by itself.

        Raises:
            BaseException: whatever it raises.
        """
        try:
            exec(self._code(), vars(self.main))  # noqa: S102 - that is what it is for
        except SystemExit:
            raise
        except BaseException:
            _last_words.prepare(self.main)
            raise
        return 0

    def _code(self) -> types.CodeType:
        loader = self.main.__loader__
        if self.spec is not None and self.spec.parent:
            importlib.import_module(self.spec.parent)
        if not isinstance(
            loader, importlib.machinery.SourceFileLoader
        ):  # a compiled one, or one in a zip file
            code = cast("_Loader", loader).get_code(self.spec.name if self.spec is not None else "__main__")
            if code is None:
                msg = f"no code object is available for {self.name}"
                raise ImportError(msg)
            return code
        path = str(vars(self.main)["__file__"])
        with io.open_code(path) as file:
            data = file.read()
        found: types.CodeType = loader.source_to_code(data, path)
        return found


def script_program(path: str, arguments: Sequence[str]) -> Program:
    """A script, or a folder or zip file with a `__main__.py`, set up to be run.

    Raises:
        ConfigError: there is no such program.
    """
    if not os.path.exists(path):
        msg = f"there is no such program: {path!r} (in {os.getcwd()}). Nothing was started."
        raise ConfigError(msg)
    real = os.path.abspath(path)
    spec = _container(real)
    if spec is not None:
        _set_path(real)
        sys.argv[:] = [path, *arguments]
        return Program(path, _become_main(spec), real, spec)
    compiled = real.endswith(".pyc")
    kind = importlib.machinery.SourcelessFileLoader if compiled else importlib.machinery.SourceFileLoader
    loader = kind("__main__", real)
    folder = os.path.dirname(os.path.realpath(path))  # python follows the link of a script
    _set_path(folder)
    sys.argv[:] = [path, *arguments]
    return Program(path, _main_of({"__loader__": loader, "__file__": real, "__cached__": None}), folder)


def module_program(name: str, arguments: Sequence[str]) -> Program:
    """A module or package, set up to be run.

    The packages around it are not imported before it starts, if it can be found without that.

    Raises:
        ConfigError: there is no module of that name, or it can't be run.
    """
    folder = os.getcwd()
    _set_path(folder)
    sys.argv[:] = ["-m", *arguments]
    spec = _spec_of(name)
    if spec.submodule_search_locations is not None:
        spec = _spec_of(f"{name}.__main__", f"{name} is a package and has no __main__.py")
    if spec.loader is None or not hasattr(spec.loader, "get_code") or not spec.origin:
        msg = f"{spec.name} can't be run as a program. Nothing was started."
        raise ConfigError(msg)
    sys.argv[0] = spec.origin
    return Program(f"-m {name}", _become_main(spec), folder, spec)


def _spec_of(name: str, problem: str = "") -> ModuleSpec:
    spec = find_spec(name)
    if spec is None and "." in name:
        with contextlib.suppress(ModuleNotFoundError):
            spec = importlib.util.find_spec(name)  # a package that makes its `__path__` when it is imported
    if spec is None:
        msg = f"{problem or f'no module named {name} is found'}. Nothing was started."
        raise ConfigError(msg)
    return spec


def _container(path: str) -> ModuleSpec | None:
    """The `__main__` of a folder or an archive; None for what is neither."""
    if os.path.isfile(path) and path.endswith((".py", ".pyw")):
        return None
    spec = importlib.machinery.PathFinder.find_spec("__main__", [path])
    if spec is None and os.path.isdir(path):
        msg = f"{path} is a folder and has no __main__.py. Nothing was started."
        raise ConfigError(msg)
    return spec


def _set_path(folder: str) -> None:
    """Put the program's folder where `python -m hotmod` has put its own, unless `-P` says that none is."""
    if not sys.flags.safe_path:
        sys.path[0:1] = [folder]


def _become_main(spec: ModuleSpec) -> types.ModuleType:
    return _main_of(
        {
            "__loader__": spec.loader,
            "__file__": spec.origin,
            "__cached__": spec.cached,
            "__package__": spec.parent,
            "__spec__": spec,
        }
    )


def _main_of(attributes: dict[str, Any]) -> types.ModuleType:
    main = types.ModuleType("__main__")
    vars(main).update(attributes)
    if sys.version_info < (3, 14):
        vars(main)["__annotations__"] = {}
    vars(main)["__builtins__"] = builtins
    sys.modules["__main__"] = main
    return main


class _LastWords:
    """What the interpreter says of an exception that ends the program, and how it ends then."""

    def __init__(self) -> None:
        self._interrupted = False
        atexit.register(self._end)  # early, so that it is called last

    def prepare(self, main: types.ModuleType) -> None:
        """Let the words begin with the program's own frames."""
        hook = sys.excepthook  # the program may have set its own

        def trimmed(
            kind: type[BaseException], error: BaseException, trace: types.TracebackType | None
        ) -> None:
            while trace is not None and _is_below(trace.tb_frame, main):
                trace = trace.tb_next
            self._interrupted = issubclass(kind, KeyboardInterrupt)
            hook(kind, error.with_traceback(trace), trace)

        sys.excepthook = trimmed

    def _end(self) -> None:
        """End by the signal after Ctrl-C, as shells expect it.

        CPython (3.11 to 3.14) notes an interruption when it reaches the top, and forgets it when any thread
        executes a string, as `dataclasses` does. Executing one that is interrupted notes it again.
        """
        if self._interrupted:
            with contextlib.suppress(KeyboardInterrupt):
                exec("raise KeyboardInterrupt")  # noqa: S102 - see above


def _is_below(frame: types.FrameType, main: types.ModuleType) -> bool:
    """Whether a frame is one of those that started the program: ours, or the interpreter's."""
    if frame.f_globals is vars(main):
        return False
    name = str(frame.f_globals.get("__name__"))
    return name in ("__main__", "runpy", "importlib") or name.startswith(("hotmod.", "importlib._bootstrap"))


_last_words = _LastWords()
