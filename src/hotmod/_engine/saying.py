"""What is logged, whatever the handlers of the log do.

Touches: the logger `hotmod`; standard error, where a handler raises.

Guarantees: a handler that raises ends neither a reload nor a thread of hotmod, and its exception is shown. A
KeyboardInterrupt, or what else a signal raises, goes on to the main thread, for which it is meant.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hotmod._model.report import Report

__all__ = ["raise_interrupt", "say", "tell"]

logger = logging.getLogger("hotmod")


def say(level: int, message: str, *values: object, with_error: bool = False) -> None:
    """Log something, with the exception that is being handled if that is asked for."""
    try:
        logger.log(level, message, *values, exc_info=with_error or None, stacklevel=2)
    except (Exception, SystemExit):  # noqa: BLE001 - a handler's own exit is no reason to end anything here
        if sys.stderr is not None:
            sys.stderr.write("hotmod: a handler of the log failed\n")
            traceback.print_exc()


def tell(callback: Callable[[Report], object], report: Report, *, own: bool) -> None:
    """Call back with a report; that the callback fails is logged.

    Args:
        callback: the callback.
        report: the report.
        own: whether this is a thread of hotmod's. In somebody else's, where `apply=` has things done, Ctrl-C
            and `sys.exit()` are for it.
    """
    try:
        callback(report)
    except BaseException as error:
        if not (own or isinstance(error, Exception)):
            raise
        say(logging.ERROR, "hotmod: on_reload failed; the watcher goes on", with_error=True)


def raise_interrupt(report: Report) -> None:
    """Give a Ctrl-C that came while the user's code ran to the main thread, for which it was meant."""
    if isinstance(report.error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        raise report.error
