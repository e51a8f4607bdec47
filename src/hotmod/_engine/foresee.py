"""Plans of saves as they come, for somebody who looks on: nothing is applied, and no program runs.

Touches: file notifications, source files and those that modules read, in a thread of its own.

Guarantees: a save after the first item of `foresee` is part of a plan. Saves that follow each other closely
are one. What the thread meets is given to the caller, errors too.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator

from hotmod._config import Config
from hotmod._engine.data import DataFiles
from hotmod._engine.notify import Notifier
from hotmod._engine.offline import Preview
from hotmod._engine.roots import News, Territory, survey_folders
from hotmod._model.errors import SourceError
from hotmod._plan import Plan
from hotmod._scope import Scope

__all__ = ["foresee"]

QUIET = 50  # milliseconds without a further event after which a save is taken to be finished
DOZE = 100  # milliseconds between two looks at whether to stop


def foresee(scope: Scope, config: Config) -> Generator[int | Plan | SourceError, None, None]:
    """The number of modules that are watched, and then the plan of each save.

    A save that can't be read or parsed gives its error, and is part of the next plan. Closing the generator
    ends the thread.

    Args:
        scope: the modules.
        config: the options.

    Raises:
        Exception: what ended the watch: a `SourceError` at the beginning, an `OSError` of the system.
    """
    found: queue.SimpleQueue[int | Plan | SourceError | _Ended] = queue.SimpleQueue()
    stop = threading.Event()
    # not in the main thread: the native loop swallows its Ctrl-C
    thread = threading.Thread(target=_watch, args=(scope, config, found, stop), daemon=True)
    thread.start()
    try:
        while not isinstance(item := found.get(), _Ended):
            yield item
        raise item.error
    finally:
        stop.set()
        thread.join()


class _Ended:
    """Why the thread has ended."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _watch(
    scope: Scope,
    config: Config,
    found: queue.SimpleQueue[int | Plan | SourceError | _Ended],
    stop: threading.Event,
) -> None:
    notifier = Notifier()
    try:
        data = DataFiles(config.depends)
        territory = _armed(notifier, scope, data)
        preview = Preview(scope, config, data)
        found.put(len(preview))
        while not stop.is_set():
            notifier.doze(DOZE, stop.is_set)
            news = more = territory.news(notifier.poll())
            while more and not stop.is_set():
                notifier.nap(max(QUIET, round(config.delay * 1e3)))
                more = territory.news(notifier.poll())
                news = News(news.files | more.files, news.folders or more.folders)
            if news.folders:
                territory = _armed(notifier, scope, data)
            if news and (told := _next(preview)):
                found.put(told)
    except Exception as error:  # noqa: BLE001 - it is raised where somebody hears it
        found.put(_Ended(error))
    finally:
        notifier.close()


def _armed(notifier: Notifier, scope: Scope, data: DataFiles) -> Territory:
    territory = survey_folders(scope, (), data.globs())
    notifier.arm(territory.folders)
    return territory


def _next(preview: Preview) -> Plan | SourceError | None:
    try:
        return preview.plan() or None
    except SourceError as error:
        return error
