"""What is logged, whatever the handlers of the log do.

Touches: the logger `hotmod`; standard error, where a handler raises.

Guarantees: a handler that raises ends neither a reload nor a thread of hotmod, and its exception is shown. A
KeyboardInterrupt, or what else a signal raises, goes on to the main thread, for which it is meant.
"""

from __future__ import annotations

import logging
import sys
import traceback

__all__ = ["say"]

logger = logging.getLogger("hotmod")


def say(level: int, message: str, *values: object, with_error: bool = False) -> None:
    """Log something, with the exception that is being handled if that is asked for."""
    try:
        logger.log(level, message, *values, exc_info=with_error or None, stacklevel=2)
    except (Exception, SystemExit):  # noqa: BLE001 - a handler's own exit is no reason to end anything here
        if sys.stderr is not None:
            sys.stderr.write("hotmod: a handler of the log failed\n")
            traceback.print_exc()
