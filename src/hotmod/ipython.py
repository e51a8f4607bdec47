"""The door of IPython and Jupyter: `%load_ext hotmod`, then `%hotmod`.

Touches: the shell that loads it: one magic, two of its events, its prompts. Keeps one reloader per shell.

Guarantees: before a cell begins, what was saved until then is applied or refused; nothing is while it runs.
A cell always runs: an edit that is refused, or an error of hotmod itself, is shown and the code from before
goes on. What unloads gives back what was there. The engine is loaded when `%hotmod` is first used.

Assumes: IPython is there, as this is loaded by IPython alone.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class
from IPython.terminal.prompts import Prompts
from pygments.token import Token

from hotmod._config import configure, switched_off
from hotmod._model.errors import ConfigError, HotmodError
from hotmod._model.report import named
from hotmod._scope import everything, scope_for

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from hotmod._engine.glance import Glance
    from hotmod._model.report import Report

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

PREPARING = 1.0  # seconds that `%hotmod` takes at most to read what is loaded
SLICE = 0.02  # seconds after a cell, until all that is loaded has been read
SHOWN = 3  # names in one line
DIFFERS = "disk differs "
# A cell of nothing but our own magic: it asks how things stand, so nothing is applied before it.
_OURS = re.compile(
    r"\s*(%hotmod([ \t][^\n]*|\?*)|hotmod([ \t]+(status|plan|rollback|retry|off)[^\n]*|\?+)?)\s*"
)
_AUTORELOAD = (
    "hotmod: %autoreload is on as well. Both would apply each edit, and it runs modules again from the top, "
    "which loses the state that hotmod keeps. So as long as %hotmod is on, %autoreload skips the modules of "
    "%hotmod, as after `%aimport -MODULE`. hotmod does not need it: `%autoreload off` ends it."
)
_HELP = """\
%hotmod             keep everything of yours up to date: every module, loaded now or later, that belongs
                    neither to the standard library nor to site-packages
%hotmod PKG ...     only these packages, modules, folders or files
%hotmod off         no longer
%hotmod status      how things stand, and the whole report of the last attempt
%hotmod plan        what the next cell would apply, and why; applies nothing
%hotmod rollback N  go back to the version before the last applied edit, or the last N
%hotmod retry       attempt again what was refused or rolled back
%hotmod ?           this text

Edits are applied before each cell, but before one that holds nothing but %hotmod."""


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give a shell the magic `%hotmod`; nothing is reloaded before it is used."""
    if _magics(shell) is None:
        shell.register_magics(HotmodMagics(shell))


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Stop keeping modules up to date, and take the magic away. The program keeps what it runs."""
    magics = _magics(shell)
    if magics is not None:
        magics.stop()
        del shell.magics_manager.magics["line"]["hotmod"]
        del shell.magics_manager.registry[HotmodMagics.__name__]


def _magics(shell: InteractiveShell) -> HotmodMagics | None:
    found: HotmodMagics | None = shell.magics_manager.registry.get("HotmodMagics")
    return found


@magics_class
class HotmodMagics(Magics):  # type: ignore[misc]  # IPython has no types
    """The magic `%hotmod`, and what it has begun."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.keeper: Keeper | None = None
        self._former: object = None  # the last reloader: the next one learns from it what is loaded

    @line_magic  # type: ignore[untyped-decorator]  # IPython has no types
    def hotmod(self, line: str) -> None:
        """See _HELP: `%hotmod?` shows it."""
        try:
            words = shlex.split(line)
            command = _COMMANDS.get(words[0]) if words else None
            if words in (["?"], ["help"], ["-h"], ["--help"]):
                _say(_HELP)
            elif switched_off():
                _say("hotmod: HOTMOD=off in the environment, so nothing is kept up to date")
            elif words == ["off"]:
                self.stop()
                _say("hotmod is off")
            elif command is None:
                self.start(words)
            elif self.keeper is None:
                _say("hotmod is off; %hotmod begins, %hotmod ? tells more")
            else:
                if words[1:] and words[0] != "rollback":
                    msg = f"%hotmod {words[0]} takes nothing more, not {' '.join(words[1:])!r}"
                    raise ConfigError(msg)
                command(self.keeper, words[1:])
        except (HotmodError, OSError, ValueError) as error:
            sys.stderr.write(f"hotmod: {error}\n")

    def start(self, targets: list[str]) -> None:
        """Keep some targets up to date, or everything, from the next cell on."""
        from hotmod._engine.beginning import Beginning  # noqa: PLC0415 - see the guarantees
        from hotmod._engine.glance import Glance  # noqa: PLC0415 - the same

        config = configure()
        if config.on_rude == "restart":  # that is for programs: nobody wants to lose a session to a save
            config = dataclasses.replace(config, on_rude="report")
        scope = (
            scope_for(targets, config)
            if targets
            else everything(config.include, config.exclude, config.log_only)
        )
        keeper = Keeper(self.shell, Glance(Beginning(config, scope).reloader(), config.delay))
        self.stop()
        self.keeper = keeper
        keeper.begin()

    def stop(self) -> None:
        """Keep nothing up to date any more."""
        keeper, self.keeper = self.keeper, None
        if keeper is not None:
            self._former = keeper.reloader
            keeper.end()


HotmodMagics.hotmod.__doc__ = _HELP


class Keeper:
    """Keeps one scope up to date, for one shell."""

    def __init__(self, shell: Any, glance: Glance) -> None:
        self.shell, self.glance, self.reloader = shell, glance, glance.reloader
        self._prepared = self.glance.prepare(PREPARING)
        self._modules = 0
        self._last: Report | None = None
        self._prompts: _Prompts | None = None
        self._silence = logging.NullHandler()  # we show the reports; without it Python would print them too
        # Modules that IPython's own reloader skips because of us, and whether it was told to attend to them.
        self._skipped: dict[str, bool] = {}
        self._warned = False

    # What the magic does

    def begin(self) -> None:
        """Take part in what the shell does."""
        logging.getLogger("hotmod").addHandler(self._silence)
        self.shell.events.register("pre_run_cell", self.before_cell)
        self.shell.events.register("post_run_cell", self.after_cell)
        if isinstance(getattr(self.shell, "prompts", None), Prompts):
            self._prompts = self.shell.prompts = _Prompts(self.shell, self.shell.prompts, self.differs)
        loaded = _counted(len(self.reloader.ledger.modules), "module")
        _say(f"hotmod keeps {self.reloader.scope} up to date before each cell, {loaded} so far")
        doubted = self.glance.doubt()
        if doubted:
            _say(f"hotmod: edited after the import, and run again before the next cell: {_listed(doubted)}")
        self.avoid_autoreload()

    def end(self) -> None:
        """Take part no longer, and give back what was there."""
        self.shell.events.unregister("pre_run_cell", self.before_cell)
        self.shell.events.unregister("post_run_cell", self.after_cell)
        if self._prompts is not None and self.shell.prompts is self._prompts:
            self.shell.prompts = self._prompts.inner
        autoreload = _autoreload(self.shell)
        if autoreload is not None and self._skipped:
            for name, wanted in self._skipped.items():
                autoreload.skip_modules.pop(name, None)
                autoreload.modules.update({name: True} if wanted else {})
            autoreload.check(check_all=True, do_reload=False)  # what was saved meanwhile is loaded already
        self.glance.close()
        logging.getLogger("hotmod").removeHandler(self._silence)

    def status(self, _: list[str]) -> None:
        """Print how things stand."""
        reloader, glance = self.reloader, self.glance
        places = len(glance.folders)
        _say(
            f"hotmod keeps {reloader.scope} up to date: {_counted(len(reloader.ledger.modules), 'module')} "
            f"in {_counted(places, 'folder')}"
        )
        waiting = glance.waiting()
        if not waiting:
            _say("memory equals disk")
        elif self.differs():
            _say(f"memory differs from disk ({self.why()}): {_listed(waiting)}")
        else:
            _say(f"saved, and applied before the next cell: {_listed(waiting)}")
        done = [report for report in reloader.history if report.status != "unchanged"]
        if done:
            _say(f"last: {named(done[-1])}")

    def plan(self, _: list[str]) -> None:
        """Show what the next cell would apply."""
        _say(self.reloader.plan())

    def rollback(self, words: list[str]) -> None:
        """Go back, and show what that did."""
        if len(words) > 1 or not all(map(str.isdecimal, words)):
            msg = f"%hotmod rollback takes the number of reloads to take back, not {' '.join(words)!r}"
            raise ConfigError(msg)
        self._last = self.reloader.rollback(*map(int, words))
        self.show(self._last)

    def retry(self, _: list[str]) -> None:
        """Attempt again, and show what that did."""
        report = self._last = self.glance.retry()
        if report.status == "unchanged":
            _say("hotmod: memory equals disk")
        else:
            self.show(report)

    # What the shell's events do

    def before_cell(self, info: Any) -> None:
        """Apply what was saved until now."""
        if _OURS.fullmatch(info.raw_cell or ""):
            return
        report = self.glance.bring_up_to_date()
        self._last = self._last if report is None else report
        if report is not None and report.status != "unchanged":
            self.show(report)
        elif self._prompts is None and self.differs():
            self._publish(f"hotmod: memory differs from disk ({self.why()}); %hotmod status tells more", None)

    def after_cell(self, _: Any) -> None:
        """Read what the cell imported, for the next edit, and keep others off it."""
        if len(sys.modules) != self._modules:
            self._modules, self._prepared = len(sys.modules), False
            self.glance.refresh()
        self.avoid_autoreload()
        if not self._prepared:
            self._prepared = self.glance.prepare(SLICE)

    def differs(self) -> bool:
        """Whether memory differs from disk, as far as is known: an edit was refused or rolled back."""
        last = self._last
        return (last is not None and not last) or self.reloader.ledger.is_behind

    def why(self) -> str:
        """Why memory differs from disk."""
        last = self._last
        return "rolled back" if last is None or last or last.took_back else last.status

    # What is shown

    def show(self, report: Report) -> None:
        """Show what became of an attempt: the user's own exception, and one line."""
        from hotmod._engine.failures import lines_on_disk  # noqa: PLC0415 - see the guarantees

        error = report.error
        if error is not None and (error.__traceback__ is not None or isinstance(error, SyntaxError)):
            files = self.reloader.ledger.paths() | {str(getattr(error, "filename", ""))}
            with lines_on_disk(files if not report else ()):
                _show_error(self.shell, error)
        told = named(report)
        more = "; %hotmod status tells more" if report and report.hazards else ""
        self._publish(f"hotmod: {told.summary()}{more}", told._repr_html_())

    def _publish(self, line: str, markup: str | None) -> None:
        data = {"text/plain": line}
        if markup is not None:
            data["text/html"] = markup
        sys.stdout.flush()
        self.shell.display_pub.publish(data, metadata={})

    def avoid_autoreload(self) -> None:
        """Have IPython's own reloader leave the modules alone that are kept up to date here."""
        autoreload = _autoreload(self.shell)
        if autoreload is None or not autoreload.enabled:
            return
        if not self._warned:
            self._warned = True
            sys.stderr.write(f"{_AUTORELOAD}\n")
        new = [name for name in self.reloader.ledger.modules if name not in autoreload.skip_modules]
        for name in new:
            self._skipped[name] = name in autoreload.modules
            autoreload.mark_module_skipped(name)


class _Prompts(Prompts):  # type: ignore[misc]  # IPython has no types
    """The prompts of a shell, with a word before that for input while memory differs from disk."""

    def __init__(self, shell: Any, inner: Prompts, differs: Callable[[], bool]) -> None:
        super().__init__(shell)
        self.inner, self._differs = inner, differs

    def in_prompt_tokens(self) -> list[tuple[Any, str]]:
        warning = [(Token.OutPrompt, DIFFERS)] if self._differs() else []
        return [*warning, *self.inner.in_prompt_tokens()]

    def continuation_prompt_tokens(self, width: int | None = None, **more: Any) -> list[tuple[Any, str]]:
        width = self._width() if width is None else width
        found: list[tuple[Any, str]] = self.inner.continuation_prompt_tokens(width, **more)
        return found

    def rewrite_prompt_tokens(self) -> list[tuple[Any, str]]:
        found: list[tuple[Any, str]] = self.inner.rewrite_prompt_tokens()
        return found

    def out_prompt_tokens(self) -> list[tuple[Any, str]]:
        found: list[tuple[Any, str]] = self.inner.out_prompt_tokens()
        return found


def _show_error(shell: InteractiveShell, error: BaseException) -> None:
    """Show an exception as if the user's code had raised it here."""
    trace = error.__traceback__

    def fail() -> None:
        raise error

    try:
        fail()  # of a syntax error IPython shows the one that is being handled
    except BaseException:  # noqa: BLE001 - it is shown
        error.__traceback__ = trace  # without these functions
        shell.showtraceback((type(error), error, trace), tb_offset=0)


def _autoreload(shell: InteractiveShell) -> Any:
    """The reloader of IPython's own extension; None where that is not loaded."""
    magics = shell.magics_manager.registry.get("AutoreloadMagics")
    return getattr(magics, "_reloader", None)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")


_COMMANDS: dict[str, Callable[[Keeper, list[str]], None]] = {
    "status": Keeper.status,
    "plan": Keeper.plan,
    "rollback": Keeper.rollback,
    "retry": Keeper.retry,
}
