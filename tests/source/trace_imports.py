"""Imports modules in a fresh process and tells which imports really happened.

Run as a script: the names of the modules to import come as JSON on standard input, with the names of the
packages to report on; the imports go as JSON to standard output. Each is (importer, imported, how):

* `body`: made by the module body, or by a class body in it;
* `called`: made by a function of the importer that its own body called, by no other module's help;
* `later`: made by a function that someone else called.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import inspect
import io
import json
import os
import sys
import types
import warnings

_import = builtins.__import__
_import_module = importlib.import_module


class Tracer:
    """Stands in for the import functions and notes who calls them for what."""

    def __init__(self, roots: list[str]) -> None:
        self.roots = tuple(roots)
        self.found: set[tuple[str, str, str]] = set()

    def in_scope(self, name: str) -> bool:
        """Whether a module belongs to what is reported on."""
        return name.partition(".")[0] in self.roots

    def note(self, frame: types.FrameType, imported: list[str]) -> None:
        """Remember that the code in a frame imported these modules."""
        importer = frame.f_globals.get("__name__", "")
        if importer in sys.modules and self.in_scope(importer):
            how = how_reached(frame)
            self.found.update((importer, each, how) for each in imported if self.in_scope(each))

    def import_(self, name, globals=None, locals=None, fromlist=(), level=0):  # noqa: A002
        """What `builtins.__import__` does, noted."""
        result = _import(name, globals, locals, fromlist, level)
        if fromlist in ([], ["__doc__"]):
            return result  # PyImport_Import: C code imports, in the name of whatever frame runs
        base = name
        if level:
            package = (globals or {}).get("__package__") or ""
            base = package.rsplit(".", level - 1)[0] + (f".{name}" if name else "")
        parts = base.split(".")
        if not fromlist:
            names = [".".join(parts[: end + 1]) for end in range(len(parts))]
        else:
            subs = [f"{base}.{each}" for each in fromlist]
            taken = [getattr(result, each, None) for each in fromlist]
            pairs = zip(subs, taken, strict=True)
            names = [sub for sub, value in pairs if value is not None and sys.modules.get(sub) is value]
            if len(names) < len(subs):
                names.append(base)
        self.note(sys._getframe(1), [each for each in names if each in sys.modules])
        return result

    def import_module(self, name, package=None):
        """What `importlib.import_module` does, noted."""
        result = _import_module(name, package)
        absolute = importlib.util.resolve_name(name, package) if name.startswith(".") else name
        self.note(sys._getframe(1), [absolute])
        return result


def how_reached(frame: types.FrameType) -> str:
    """Whether a frame is part of its module's body, called by it, or reached from elsewhere."""
    how = "body"
    namespace = frame.f_globals
    each: types.FrameType | None = frame
    while each is not None and each.f_globals is namespace:
        if each.f_code.co_name == "<module>":
            return how
        if each.f_code.co_flags & inspect.CO_OPTIMIZED and not each.f_code.co_name.startswith("<"):
            how = "called"
        each = each.f_back
    return "later"


def main() -> None:
    """Import what standard input lists and print what happened."""
    task = json.load(sys.stdin)
    sys.path[:0] = task.get("path", [])
    tracer = Tracer(task["roots"])
    failed = {}
    builtins.__import__ = tracer.import_
    importlib.import_module = tracer.import_module
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in task["modules"]:
            try:
                _import_module(name)
            except (Exception, SystemExit) as error:
                failed[name] = f"{type(error).__name__}: {error}"
    json.dump({"found": sorted(tracer.found), "failed": failed}, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # whatever the imported modules started is of no interest


if __name__ == "__main__":
    main()
