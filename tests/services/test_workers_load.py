"""A pool under load keeps its promises; `POOL_EDITS=100 POOL_KILLS=100` makes it a long run."""

from __future__ import annotations

import os
import pathlib

from tests.services.pool_load import under_load

EDITS, KILLS = int(os.environ.get("POOL_EDITS", "6")), int(os.environ.get("POOL_KILLS", "2"))


def test_no_task_is_lost_and_none_runs_what_was_not_committed(tmp_path: pathlib.Path) -> None:
    """Whatever workers are killed, each task ends in its generation or a later one, with committed code."""
    outcome = under_load(tmp_path, edits=EDITS, per_edit=20, kills=KILLS, seed=EDITS)
    assert outcome.tasks == EDITS * 20
    assert outcome.refused == EDITS // 3
    assert (outcome.lost, outcome.uncommitted, outcome.mixed, outcome.early) == (0, 0, 0, 0)
    assert outcome.kills
