"""Starting the program anew in this process: what is left to do with an edit that it can't take.

Touches: the process, all of it.

Guarantees: the new program has the interpreter options and the arguments of the old one, the folder in which
it was started, and the environment as it is now. What was registered with `atexit` has run, and streams are
flushed. On POSIX the process keeps its number, and files and sockets that can't be inherited (Python's
default) are closed. Its modules are compiled anew: the stamp of a `.pyc` file knows seconds, and may fit a
text that was saved sooner.

Assumes: the program on disk compiles. Other threads end without notice, and so do `finally` blocks that are
under way.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Iterable
from typing import NoReturn

from hotmod._engine.hooks import compile_text
from hotmod._engine.texts import forget_bytecode
from hotmod._model.changes import ChangeSet

__all__ = ["restart", "see_that_it_compiles"]

_FOLDER = os.getcwd()  # a relative path among the arguments is meant from here
logger = logging.getLogger("hotmod")


def see_that_it_compiles(changes: ChangeSet) -> None:
    """Compile every text before the program is started anew with it.

    Raises:
        SyntaxError, SourceError, ValueError: one can't be compiled.
    """
    for change in changes.changes:
        if change.text is not None:
            loader = getattr(getattr(sys.modules.get(change.module), "__spec__", None), "loader", None)
            compile_text(loader, change.text)


def restart(sources: Iterable[str]) -> NoReturn:
    """Execute the program again, from its first line.

    Args:
        sources: the paths of the program's modules.

    Raises:
        OSError: the interpreter can't be executed; what was registered with `atexit` has run already.
    """
    logger.warning("restarting: %s", " ".join(sys.orig_argv))
    atexit._run_exitfuncs()  # noqa: SLF001 - no public function runs what `atexit` holds; exec does not
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    forget_bytecode(sources)
    os.chdir(_FOLDER)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted
