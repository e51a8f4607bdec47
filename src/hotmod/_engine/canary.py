"""The check at the end of a transaction: a function of the program's, or a command that is run.

Touches: a command is a process of its own, which does whatever it does; the cached bytecode of the files that
changed.

Guarantees: a command sees the files that the transaction applies: if one was saved again before it ended, its
answer is about something else, and the attempt is refused. It gets no input, has `HOTMOD=off`, finds the
interpreter of the program as `python`, and is ended after `PATIENCE`.

Assumes: a command tells by its exit code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from hotmod._model.errors import ConfigError, HotmodError

if TYPE_CHECKING:
    from hotmod._model.changes import ChangeSet

__all__ = ["Check", "Command", "check_of", "run_check"]

PATIENCE = 60.0  # seconds that a command may take
TRY_AGAIN = "See to the command, and try again: watcher.retry(), or reload()."
SHOWN = 20  # lines of its output that are told, the last ones
Check = Callable[[], object] | str | Sequence[str]


class Command:
    """A command that says by its exit code whether the program is all right."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)

    def __repr__(self) -> str:
        import shlex  # noqa: PLC0415 - who gives no command need not load it

        return shlex.join(self.words)

    def __call__(self) -> None:
        """Run it.

        Raises:
            HotmodError: it could not be run, took too long, or ended with something else than 0.
        """
        import shutil  # noqa: PLC0415 - who gives no command need not load it
        import subprocess  # noqa: PLC0415 - the same

        path = _path()
        env = {**os.environ, "PATH": path, "HOTMOD": "off"}
        try:
            done = subprocess.run(  # noqa: S603 - the user's own command, without a shell
                [shutil.which(self.words[0], path=path) or self.words[0], *self.words[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=env,
                timeout=PATIENCE,
                check=False,
            )
        except OSError as error:
            msg = f"the verify= command `{self!r}` can't be run: {error.strerror or error}"
            raise HotmodError(msg, advice=TRY_AGAIN) from error
        except subprocess.TimeoutExpired as error:
            msg = f"the verify= command `{self!r}` took longer than {PATIENCE:g} s"
            raise _with_output(HotmodError(msg, advice=TRY_AGAIN), error.stdout or b"") from None
        if done.returncode:
            msg = f"the verify= command `{self!r}` ended with {done.returncode}"
            raise _with_output(HotmodError(msg), done.stdout)


def check_of(given: object) -> Callable[[], object] | None:
    """The check that an argument `verify=` means.

    Raises:
        ConfigError: it is neither callable nor a command, or there is no such command.
    """
    if given is None or callable(given):
        return given
    import shlex  # noqa: PLC0415 - who gives no command need not load it
    import shutil  # noqa: PLC0415 - the same

    words = shlex.split(given) if isinstance(given, str) else given
    if not (
        isinstance(words, Sequence)
        and not isinstance(words, (bytes, bytearray))
        and words
        and all(isinstance(word, str) for word in words)
    ):
        msg = (
            f"option 'verify' in the arguments has the bad value {given!r}: allowed are a function, or a "
            "command as a string or a list of strings"
        )
        raise ConfigError(msg)
    if shutil.which(words[0], path=_path()) is None:
        msg = (
            f"option 'verify' in the arguments has the bad value {given!r}: there is no command {words[0]!r}"
        )
        raise ConfigError(msg)
    return Command(words)


def run_check(check: Callable[[], object], changes: ChangeSet) -> None:
    """Ask a check about the new code.

    Raises:
        HotmodError: it said no.
    """
    if not isinstance(check, Command):
        if check() is False:
            msg = f"the verify= check {getattr(check, '__qualname__', check)!r} returned False"
            raise HotmodError(msg)
        return
    from hotmod._engine.texts import forget_bytecode, readable  # noqa: PLC0415 - see the guarantees of `_api`

    # The stamp of a `.pyc` knows seconds, and may fit a text that was saved sooner.
    forget_bytecode(change.path for change in changes.changes)
    check()
    for change in changes.changes:
        now = readable(change.path)
        if (now.digest if now else None) != (change.text.digest if change.text else None):
            msg = (
                f"{change.path} was saved again while the verify= command `{check!r}` ran, "
                "so that its answer is not about this version"
            )
            raise HotmodError(msg, advice="A watcher attempts that next, without one the next reload() does.")


def _path() -> str:
    """Where commands are looked for: beside the interpreter first."""
    return os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])


def _with_output(error: HotmodError, output: bytes) -> HotmodError:
    lines: Iterable[str] = output.decode("utf-8", "replace").rstrip().splitlines()[-SHOWN:]
    for line in lines:
        error.add_note(line)
    last = next((line.strip() for line in reversed(list(lines)) if line.strip()), "")
    if last:
        error.args = (f"{error}: {last}",)
    return error
