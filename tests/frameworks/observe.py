"""Edits of programs, reloaded, and what a client sees then, beside what a fresh program shows."""

from __future__ import annotations

import shutil
import sys
import types
from types import SimpleNamespace as Modules

import hotmod
from tests.frameworks.programs import Program
from tests.oracle.project import Project

__all__ = ["observe"]


def observe(project: Project, program: Program, kind: str, *, single: bool) -> tuple[str, hotmod.Report]:
    """Make a kind of edit of a live program: as the table says it, and the report.

    Args:
        project: an empty folder.
        program: the program.
        kind: the kind of edit.
        single: whether all of the program is in one module.
    """
    old, new = program.edits[kind]
    assert program.views.count(old) == 1
    project.write(_files(program, program.views, single=single))
    modules = _modules(project, program, single=single)
    held = [each for each in program.touch(modules) if each is not None]
    reloader = hotmod.Reloader("shop")
    project.write(_files(program, program.views.replace(old, new), single=single))
    report = reloader.reload()
    live = program.see(modules)
    values = {id(value) for module in (modules.app, modules.views) for value in vars(module).values()}
    stays = all(id(each) in values for each in held) and program.state(modules)
    program.close(modules)
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]
    forget_elsewhere()
    shutil.rmtree(project.folder / "shop" / "__pycache__", ignore_errors=True)  # of the text before, maybe
    modules = _modules(project, program, single=single)
    fresh = program.see(modules)
    program.close(modules)
    if report.status != "applied":
        return report.status, report
    said = "new" if live == fresh else "other than fresh"
    return said if stays else f"{said}, state lost", report


def forget_elsewhere() -> None:
    """Forget what Celery keeps for all applications of a process: a fresh one does not have it."""
    state = sys.modules.get("celery._state")
    if isinstance(state, types.ModuleType):
        vars(state)["_on_app_finalizers"].clear()


def _files(program: Program, views: str, *, single: bool) -> dict[str, str]:
    if not single:
        return {"shop/__init__.py": "", "shop/app.py": program.app, "shop/views.py": views}
    own = "".join(line for line in views.splitlines(keepends=True) if not line.startswith("from shop.app"))
    return {"shop/__init__.py": "", "shop/app.py": program.app + own}


def _modules(project: Project, program: Program, *, single: bool) -> Modules:
    app = project.load("shop.app")
    views = app if single else project.load("shop.views")
    return Modules(app=app, views=views, text=program.views)
