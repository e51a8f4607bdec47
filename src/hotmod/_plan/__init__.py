"""The decision: what changed, the import graph and what is loaded make a plan.

Touches: nothing. Every part of this room is a pure function of values.
"""

from __future__ import annotations

from hotmod._plan.derived import CallTime, learn
from hotmod._plan.importtime import ImportTime
from hotmod._plan.keeping import Keeping
from hotmod._plan.mainmodule import with_main_module
from hotmod._plan.minimal import make_minimal_plan
from hotmod._plan.modules import make_plan
from hotmod._plan.plan import Hidden, Keep, Part, Plan, Run, Standing, Step, Tie

__all__ = [
    "CallTime",
    "Hidden",
    "ImportTime",
    "Keep",
    "Keeping",
    "Part",
    "Plan",
    "Run",
    "Standing",
    "Step",
    "Tie",
    "learn",
    "make_minimal_plan",
    "make_plan",
    "with_main_module",
]
