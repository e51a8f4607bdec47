"""The main module, in processes of its own: scripts, `python -m package`, `python -m package.module`."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator

import pytest

PATIENCE = 60.0  # seconds after which a program that does not answer is ended

PROGRAM = """\
'''A program that answers.'''
import atexit
import os
import sys

import hotmod
{imports}

LIMIT = 1
STATE = []


def answer():
    return helper() + LIMIT


def helper():
    return 10


class Cart:
    def total(self):
        return 1


def fail():
    raise ValueError("it is so")


def line_of_failure():
    try:
        fail()
    except ValueError as error:
        return error.__traceback__.tb_next.tb_lineno


def serve():
    reloader = hotmod.Reloader({target!r})
    print("ready", os.getpid(), *sys.argv[1:], flush=True)
    for line in sys.stdin:
        print(eval(line, globals(), {{"reloader": reloader}}), flush=True)


if __name__ == "__main__":
    atexit.register(print, "bye", flush=True)
    CART = Cart()
    serve()
"""


class Running:
    """A program that was started, and what it says."""

    def __init__(self, path: pathlib.Path, arguments: list[str], env: dict[str, str]) -> None:
        self.path = path
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=env["ROOT"],
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._watchdog = threading.Timer(PATIENCE, self.process.kill)
        self._watchdog.start()

    def read(self) -> str:
        """The next line that the program prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def send(self, expression: str) -> None:
        """Have the program evaluate something."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{expression}\n")
        self.process.stdin.flush()

    def ask(self, expression: str) -> str:
        """What something is in the program."""
        self.send(expression)
        return self.read()

    def edit(self, *exchanges: tuple[str, str]) -> None:
        """Exchange parts of the text of the main module."""
        text = self.path.read_text("utf-8")
        for old, new in exchanges:
            assert old in text
            text = text.replace(old, new)
        self.path.write_text(text, "utf-8")

    def reload(self) -> tuple[str, list[str]]:
        """The status of a reload and the codes of its hazards."""
        status, *codes = self.ask(
            "(lambda report: ' '.join([report.status, *(each.code for each in report.hazards)]))"
            "(reloader.reload())"
        ).split()
        return status, codes

    def close(self) -> None:
        """End the program."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(PATIENCE)
        self._watchdog.cancel()


Start = Callable[..., Running]
WAYS = {
    "script": ("tool.py", ["tool.py"], "tool.py", ""),
    "package": ("shop/__main__.py", ["-m", "shop"], "shop", "from shop.config import TAX"),
    "module": ("shop/tool.py", ["-m", "shop.tool"], "shop", "from .config import TAX"),
}


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Start]:
    """Starts a program in one of three ways, and ends it after the test."""
    running: list[Running] = []
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "__init__.py").write_text("", "utf-8")
    (shop / "config.py").write_text("TAX = 1\n", "utf-8")

    def begin(way: str, *arguments: str, text: str = PROGRAM, **options: str) -> Running:
        name, call, target, imports = WAYS[way]
        path = tmp_path / name
        path.write_text(text.format(imports=imports, target=target), "utf-8")
        running.append(Running(path, [*call, *arguments], {"ROOT": str(tmp_path), **options}))
        assert running[-1].read().startswith("ready ")
        return running[-1]

    yield begin
    for each in running:
        each.close()


ways = pytest.mark.parametrize("way", WAYS)


@ways
def test_the_inside_of_functions_is_applied(start: Start, way: str) -> None:
    """An edit inside of functions and methods of the main module is applied where the program runs it."""
    program = start(way)
    assert program.ask("answer()") == "11"
    program.edit(("return 10", "return 20"), ("return 1\n", "return 2\n"))
    assert program.reload() == ("applied", [])
    assert program.ask("answer(), CART.total(), Cart is type(CART)") == "(21, 2, True)"
    assert program.reload() == ("unchanged", [])


@ways
def test_line_numbers_follow(start: Start, way: str) -> None:
    """A comment above moves line numbers, in tracebacks as well, and runs nothing."""
    program = start(way)
    before = int(program.ask("line_of_failure()"))
    program.edit(("LIMIT = 1", "# the most\n\n\nLIMIT = 1"))
    assert program.reload() == ("applied", [])
    assert program.ask("line_of_failure()") == str(before + 3)
    assert program.ask("__import__('inspect').getsource(fail).split(chr(10))[0]") == "def fail():"


@ways
def test_added_definitions_and_imports_are_there(start: Start, way: str) -> None:
    """Functions, classes and imports that were added are there for its functions."""
    program = start(way)
    program.edit(
        ("import sys\n", "import sys\nimport math\n"),
        ("    return helper() + LIMIT", "    return added() + math.floor(Box().size)"),
        ("def helper", "def added():\n    return 5\n\n\nclass Box:\n    size = 2.5\n\n\ndef helper"),
    )
    assert program.reload() == ("applied", [])
    assert program.ask("answer()") == "7"
    assert program.ask("added.__module__, Box.__module__") == "('__main__', '__main__')"


@ways
def test_signatures_follow(start: Start, way: str) -> None:
    """A definition whose signature changed is run again, and stays the same object."""
    program = start(way)
    program.ask("STATE.append(helper)")
    program.edit(("def helper():\n    return 10", "def helper(base=30):\n    return base"))
    assert program.reload() == ("applied", [])
    assert program.ask("answer(), STATE[0] is helper, STATE[0](4)") == "(31, True, 4)"


@ways
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("LIMIT = 1", "LIMIT = 2", "LIMIT = 2: it was edited"),
        ("STATE = []", "STATE = []\nMORE = {}", "MORE = {}: it was added"),
        ("STATE = []\n", "", "STATE = []: it was removed"),
        ("    CART = Cart()", "    CART = None", 'if __name__ == "__main__":: it was edited'),
        ("import atexit\n", "from __future__ import annotations\nimport atexit\n", "__future__"),
    ],
    ids=["constant", "added", "removed", "guard", "future"],
)
def test_anything_else_asks_for_a_restart(start: Start, way: str, old: str, new: str, told: str) -> None:
    """Any other edit of the main module asks for a restart, tells which statement, and changes nothing."""
    program = start(way)
    program.edit((old, new), ("return 10", "return 20"))
    assert program.reload() == ("restart-required", ["main-module"])
    assert told in program.ask("reloader.history[-1].hazards[0].message")
    assert program.ask("answer(), LIMIT, type(CART) is Cart") == "(11, 1, True)"
    program.edit((new, old)) if new else program.edit(("LIMIT = 1\n", "LIMIT = 1\nSTATE = []\n"))
    assert program.reload() == ("applied", [])
    assert program.ask("answer()") == "21"


def test_the_main_module_takes_part_in_a_transaction(start: Start) -> None:
    """Edits of the main module and of others are one transaction: taken together, and taken back together."""
    program = start("package")
    config = program.path.with_name("config.py")
    program.edit(("return helper() + LIMIT", "return helper() + TAX * 2"))
    config.write_text("TAX = 7\n", "utf-8")
    assert program.reload() == ("applied", [])
    assert program.ask("answer(), TAX") == "(24, 7)"
    assert program.ask("reloader.rollback().status") == "applied"
    assert program.ask("answer(), TAX") == "(11, 1)"
    config.write_text("TAX = 7 / 0\n", "utf-8")
    assert program.reload() == ("rejected", [])
    assert program.ask("answer(), TAX") == "(11, 1)"


def test_what_is_saved_with_a_refused_edit_is_applied(start: Start) -> None:
    """An edit of another module is applied, and the report is false as long as the main module's is not."""
    program = start("package")
    program.edit(("LIMIT = 1", "LIMIT = 2"))
    program.path.with_name("config.py").write_text("TAX = 7\n", "utf-8")
    assert program.reload() == ("applied", ["main-module"])
    assert program.ask("bool(reloader.history[-1]), TAX, LIMIT") == "(False, 7, 1)"
    assert program.reload() == ("restart-required", ["main-module"])


def test_a_module_that_runs_as_main_and_is_imported(start: Start) -> None:
    """A file that is the main module and was imported as well is new in both of its modules."""
    program = start("module")
    program.ask("sys.modules.setdefault('copy', __import__('shop.tool')).__name__")
    program.edit(("return 10", "return 20"))
    assert program.reload() == ("applied", [])
    assert program.ask("answer(), sys.modules['shop.tool'].answer()") == "(21, 21)"


def test_a_broken_main_module_is_rejected(start: Start) -> None:
    """A syntax error in the main module rejects the edit; mended, it is applied."""
    program = start("script")
    program.edit(("return 10", "return (10"))
    assert program.reload() == ("rejected", [])
    program.edit(("return (10", "return 30"))
    assert program.reload() == ("applied", [])
    assert program.ask("answer()") == "31"


def test_a_worker_knows_the_main_module_by_another_name(start: Start) -> None:
    """A worker process that `multiprocessing` spawned asks to be made anew: it has a copy."""
    body = textwrap.dedent(
        """
        def work(pipe):
            reloader = hotmod.Reloader({target!r})
            for line in iter(pipe.recv, None):
                pipe.send(repr(eval(line, globals(), {{"reloader": reloader}})))


        def worker():
            import multiprocessing

            context = multiprocessing.get_context("spawn")
            here, there = context.Pipe()
            process = context.Process(target=work, args=(there,), daemon=True)
            process.start()
            STATE.append((here, process))
            return "started"


        def tell(line):
            STATE[0][0].send(line)
            return STATE[0][0].recv()


        def serve():
        """
    )
    program = start("script", text=PROGRAM.replace("def serve():\n", body.lstrip("\n")))
    assert program.ask("worker()") == "started"
    assert program.ask("tell('answer(), __name__')") == "(11, '__mp_main__')"
    program.edit(("LIMIT = 1", "# the most\nLIMIT = 1"))
    assert program.ask("tell('reloader.reload().status')") == "'unchanged'"
    program.edit(("return 10", "return 20"))
    assert program.ask("tell('reloader.reload().status')") == "'restart-required'"
    assert program.ask("tell('answer()')") == "11"
    assert program.reload() == ("applied", [])
    assert program.ask("STATE[0][0].send(None)") == "None"


class TestOnRude:
    @ways
    def test_restart(self, start: Start, way: str) -> None:
        """`restart` starts the program anew in its process, with its arguments, after `atexit` has run."""
        program = start(way, "one", "--two", HOTMOD_ON_RUDE="restart")
        identity = program.ask("os.getpid()")
        program.ask("os.chdir('shop')")
        program.edit(("LIMIT = 1", "LIMIT = 2"))
        program.send("reloader.reload()")
        assert program.read() == "bye"
        if os.name == "posix":
            assert program.read() == f"ready {identity} one --two"
        else:
            assert program.read().endswith(" one --two")
        assert program.ask("answer()") == "12"

    def test_restart_is_for_texts_that_compile(self, start: Start) -> None:
        """The program is not started anew with a text that does not compile."""
        program = start("package", HOTMOD_ON_RUDE="restart")
        program.edit(("LIMIT = 1", "LIMIT = 2"))
        program.path.with_name("config.py").write_text("TAX = (\n", "utf-8")
        assert program.reload() == ("rejected", [])
        assert program.ask("answer()") == "11"

    def test_restart_is_for_what_can_not_be_applied(self, start: Start) -> None:
        """What can be applied is applied, without a restart."""
        program = start("script", HOTMOD_ON_RUDE="restart")
        program.edit(("return 10", "return 20"))
        assert program.reload() == ("applied", [])

    def test_raise(self, start: Start) -> None:
        """`raise` makes `reload()` raise an error that carries the report."""
        program = start("script", HOTMOD_ON_RUDE="raise")
        program.edit(("LIMIT = 1", "LIMIT = 2"))
        code = "try:\\n    reloader.reload()\\nexcept hotmod.ReloadError as e:\\n    found = e.report.status"
        space = "{**globals(), 'reloader': reloader}"
        asked = f"(lambda space: (exec('{code}', space), space['found'])[1])({space})"
        assert program.ask(asked) == "restart-required"

    def test_a_watcher_restarts(self, start: Start) -> None:
        """A watcher starts the program anew by itself when a save asks for it."""
        program = start(
            "script",
            text=PROGRAM.replace("reloader = hotmod.Reloader", "reloader = hotmod.watch"),
            HOTMOD_ON_RUDE="restart",
        )
        assert program.ask("LIMIT") == "1"
        program.edit(("LIMIT = 1", "LIMIT = 2"))
        assert program.read() == "bye"
        assert program.read().startswith("ready ")
        assert program.ask("LIMIT") == "2"
