"""Starting the program anew in this process: what is left to do with an edit that it can't take.

Touches: the process, all of it.

Guarantees: the new program has the interpreter options and the arguments of the old one, the folder in which
it was started, and the environment as it is now. What was registered with `atexit` has run, and streams are
flushed. On POSIX the process keeps its number, and files and sockets that can't be inherited (Python's
default) are closed.

Assumes: the program on disk compiles. Other threads end without notice, and so do `finally` blocks that are
under way.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from typing import NoReturn

__all__ = ["restart"]

_FOLDER = os.getcwd()  # a relative path among the arguments is meant from here
logger = logging.getLogger("hotmod")


def restart() -> NoReturn:
    """Execute the program again, from its first line.

    Raises:
        OSError: the interpreter can't be executed; what was registered with `atexit` has run already.
    """
    logger.warning("restarting: %s", " ".join(sys.orig_argv))
    atexit._run_exitfuncs()  # noqa: SLF001 - no public function runs what `atexit` holds; exec does not
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    os.chdir(_FOLDER)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted
