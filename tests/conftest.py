"""What holds for all tests: how hypothesis searches."""

from __future__ import annotations

import os

from hypothesis import Phase, settings

# No deadline: an example may start processes, and the machine may be busy. No explaining: it takes longer
# than finding.
PHASES = [phase for phase in Phase if phase is not Phase.explain]
settings.register_profile("hotmod", deadline=None, phases=PHASES)
# In CI the same examples every time, so that a red run is about the change; new ones are found elsewhere.
settings.register_profile(
    "ci", settings.get_profile("hotmod"), derandomize=True, database=None, print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "hotmod")
