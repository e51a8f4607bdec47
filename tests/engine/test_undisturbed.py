"""An edit is one step also where an audit hook runs whenever a function gets other code."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import textwrap

import pytest

from tests.engine.watching import LONG

ROOT = pathlib.Path(__file__).parents[2]
HOOK = "sys.addaudithook(lambda *_: None)"  # for good, so in a process of its own


def said_by(program: str) -> list[str]:
    """What a program prints."""
    text = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n" + textwrap.dedent(program)
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONG)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def test_other_threads_see_no_mixture() -> None:
    """No thread sees a new function beside an old one, though Python runs between the two."""
    program = f"""
        from hotmod._engine.undisturbed import undisturbed
        from tests.live.test_patch_random import torn_by

        {HOOK}
        print(torn_by(20, undisturbed))
        """
    assert said_by(program) == ["[]"]


@pytest.mark.parametrize("hook", ["", HOOK], ids=["without", "with"])
def test_nobody_waits_without_need(hook: str) -> None:
    """The interpreter's switch interval is another one inside of the block where somebody listens."""
    program = f"""
        from hotmod._engine.undisturbed import undisturbed

        {hook}
        before = sys.getswitchinterval()
        with undisturbed():
            print(sys.getswitchinterval() > before)
        print(sys.getswitchinterval() == before)
        """
    assert said_by(program) == [str(bool(hook)), "True"]
