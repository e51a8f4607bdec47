"""Threads that call a package while it is edited meet nothing half done."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = pathlib.Path(__file__).with_name("crowd.py")
EDITS = int(os.environ.get("EDITS", "40"))  # a thousand take seven minutes in all


def crowd(kind: str, folder: pathlib.Path) -> dict[str, Any]:
    """What eight threads saw while a package was edited."""
    command = [sys.executable, str(PROGRAM), kind, str(EDITS), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    print(found)
    return found


@pytest.mark.parametrize("kind", ["body", "names", "decorated", "all", "whole"])
def test_threads_never_meet_half_of_an_edit(kind: str, tmp_path: pathlib.Path) -> None:
    """Calls under way find what they use, and none sees one module new and the next one old.

    Without stable blocks that holds for edits of the inside of functions; where statements run again, nothing
    is missing; in stable blocks nothing of any edit is seen at all, modules that run as a whole included.
    """
    found = crowd(kind, tmp_path)
    assert found["errors"] == {}
    assert found["statuses"] == {"applied": EDITS}
    assert kind in ("names", "decorated") or found["torn"] == []
    assert found["calls"] > EDITS
