"""The options in force, and where they come from.

Touches: the environment, and the nearest pyproject.toml above the working directory (read only).
"""

from __future__ import annotations

from hotmod._config.options import MODES, ON_RUDE, STRATEGIES, Config, Options, WatchOptions
from hotmod._config.origins import Setting, configure, mode, settings, switched_off

__all__ = [
    "MODES",
    "ON_RUDE",
    "STRATEGIES",
    "Config",
    "Options",
    "Setting",
    "WatchOptions",
    "configure",
    "mode",
    "settings",
    "switched_off",
]
