"""`verify=` as a command: run against the new files, inside the transaction, and obeyed."""

from __future__ import annotations

import os
import pathlib
import sys

import pytest

import hotmod
from tests.engine.watching import LONG, fresh, watching
from tests.oracle.project import Project


@pytest.fixture
def smoke(shop: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A package, a smoke test of it as a script, and the folder of both as working directory."""
    monkeypatch.chdir(shop.folder)
    shop.write(
        {
            "smoke.py": """
            import os
            import shop.cart

            print("asked", shop.cart.total(1), os.environ["HOTMOD"])
            assert shop.cart.total(1) < 10, "too dear"
            """
        }
    )
    return shop


def rate(project: Project, number: int) -> None:
    project.write({"shop/config.py": f"TAX = {number}\n"})


@pytest.mark.parametrize("command", ["python smoke.py", [sys.executable, "smoke.py"]], ids=["text", "list"])
def test_a_command_decides(smoke: Project, command: str | list[str]) -> None:
    """A command that ends with 0 lets the edit pass, one that fails has everything taken back."""
    reloader = hotmod.Reloader("shop", verify=command)
    rate(smoke, 2)
    assert reloader.reload().status == "applied"
    before = smoke.snapshot()
    rate(smoke, 20)
    report = reloader.reload()
    assert not before.differences(smoke.snapshot())
    assert report.status == "rejected"
    assert "smoke.py` ended with 1: AssertionError: too dear" in str(report)
    assert "asked 21 off" in getattr(report.error, "__notes__", ())
    rate(smoke, 3)
    assert reloader.reload().status == "applied"
    assert fresh(smoke, "shop.cart.total(1)", "shop.cart") == str(sys.modules["shop.cart"].total(1))


def test_a_command_reads_no_bytecode_of_the_text_before(smoke: Project) -> None:
    """An edit of the same size in the same second is what the command is asked about."""
    reloader = hotmod.Reloader("shop", verify=[sys.executable, "smoke.py"])
    for number, status in ((8, "applied"), (9, "rejected"), (7, "applied"), (9, "rejected")):
        rate(smoke, number)
        assert reloader.reload().status == status


def test_a_failed_command_leaves_the_code_of_before(smoke: Project) -> None:
    """When a command fails, functions see the values of before, and the report tells how long it took."""
    out = smoke.folder / "out"
    out.mkdir()
    smoke.write(
        {"smoke.py": "import pathlib\nimport shop.config\npathlib.Path('out/ran').write_text('')\n1 / 0\n"}
    )
    seen: list[int] = []
    smoke.write({"shop/hook.py": "import shop.config\n\n\ndef look():\n    return shop.config.TAX\n"})
    smoke.load("shop.hook")
    reloader = hotmod.Reloader("shop", verify="python smoke.py")
    rate(smoke, 5)
    report = reloader.reload()
    seen.append(sys.modules["shop.hook"].look())
    assert (out / "ran").exists()
    assert (report.status, seen, report.phases["verify"] > 0) == ("rejected", [1], True)


def test_a_save_while_the_command_runs_refuses_the_attempt(smoke: Project) -> None:
    """Where a file changed meanwhile, the answer is about something else, and the next attempt is made."""
    smoke.write(
        {
            "smoke.py": """
            import pathlib

            config = pathlib.Path("shop/config.py")
            if config.read_text() == "TAX = 2\\n":
                config.write_text("TAX = 3\\n")
            """
        }
    )
    with watching("shop", verify="python smoke.py") as watcher:
        rate(smoke, 2)
        first, second = watcher.next_report(LONG), watcher.next_report(LONG)
    assert (first.status, second.status) == ("rejected", "applied")
    assert "was saved again while the verify= command" in str(first)
    assert sys.modules["shop.config"].TAX == 3


def test_a_command_that_hangs_is_ended(smoke: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that takes too long is ended, and the edit is taken back; it gets no input to wait for."""
    monkeypatch.setattr("hotmod._engine.canary.PATIENCE", 0.5)
    smoke.write({"smoke.py": "import threading\nprint('waits', flush=True)\nthreading.Event().wait()\n"})
    reloader = hotmod.Reloader("shop", verify="python smoke.py")
    rate(smoke, 2)
    report = reloader.reload()
    assert (report.status, sys.modules["shop.config"].TAX) == ("rejected", 1)
    assert "took longer than 0.5 s" in str(report)


def test_a_command_that_is_gone_refuses_the_edit(smoke: Project) -> None:
    """A command that can't be run any more has the edit taken back, and says why."""
    script = smoke.folder / "check"
    script.write_text("#!/bin/sh\nexit 0\n", "utf-8")
    script.chmod(0o755)
    reloader = hotmod.Reloader("shop", verify="./check")
    script.unlink()
    rate(smoke, 2)
    report = reloader.reload()
    assert (report.status, sys.modules["shop.config"].TAX) == ("rejected", 1)
    assert "`./check` can't be run: " in str(report)


@pytest.mark.parametrize("value", ["no-such-command-anywhere -q", "", [], [1], 3, b"python"])
def test_what_is_no_check_is_refused_at_once(shop: Project, value: object) -> None:
    """Whatever is neither callable nor a command that exists is a ConfigError, and nothing was started."""
    assert shop
    for make in (hotmod.Reloader, hotmod.watch):
        with pytest.raises(hotmod.ConfigError, match="verify"):
            make("shop", verify=value)


def test_the_interpreter_of_the_program_is_found_first(smoke: Project) -> None:
    """`python` in a command is the interpreter that runs the program."""
    smoke.write({"smoke.py": "import pathlib, sys\npathlib.Path('who').write_text(sys.prefix)\n"})
    rate(smoke, 2)
    reloader = hotmod.Reloader("shop", verify="python smoke.py")
    rate(smoke, 3)
    reloader.reload(check=True)
    assert pathlib.Path("who").read_text("utf-8") == sys.prefix
    assert os.getcwd() == str(smoke.folder)
