"""Fresh processes, cheaply: a server that has hotmod imported and forks a child per connection.

A child never imported anything of the subject, has the hash seed of all others, and ends with its
connection. Where there is no fork, each process is a new interpreter on a pair of pipes.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import json
import logging
import os
import pathlib
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from typing import IO, Any, Self

__all__ = ["Program", "Server", "server"]

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_PATIENCE = 120  # seconds after which a process that does not answer is ended
_CAN_FORK = hasattr(os, "fork") and hasattr(socket, "AF_UNIX")


class Program:
    """A `Player` in a process of its own: every method of it is a call there."""

    def __init__(self, reader: IO[bytes], writer: IO[bytes], *held: Any) -> None:
        self._reader, self._writer, self._held = reader, writer, held

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in (self._writer, self._reader, *self._held):
            with contextlib.suppress(OSError):
                part.close()

    def __getattr__(self, name: str) -> Any:
        return functools.partial(self._call, name)

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self._writer.write(json.dumps([name, args, kwargs]).encode() + b"\n")
        self._writer.flush()
        line = self._reader.readline()
        if not line:
            raise RuntimeError(f"the program ended in {name}()")
        answer = json.loads(line)
        if "raised" in answer:
            raise RuntimeError(f"{name}() raised in the program:\n{answer['raised']}")
        return answer["value"]


class Server:
    """The server and its connections."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="oracle-")
        self._address = os.path.join(self._folder.name, "socket")
        self._process: subprocess.Popen[bytes] | None = None
        if _CAN_FORK:
            self._process = _spawn("--listen", self._address, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert self._process.stdout is not None
            if self._process.stdout.readline() != b"ready\n":
                raise RuntimeError("the server of fresh processes did not start")

    def program(self) -> Program:
        """A new process that has imported nothing of the subject."""
        if self._process is None:
            process = _spawn("--pipes", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert process.stdin is not None
            assert process.stdout is not None
            return Program(process.stdout, process.stdin, _Waiter(process))
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_PATIENCE)
        connection.connect(self._address)
        return Program(connection.makefile("rb"), connection.makefile("wb"), connection)

    def close(self) -> None:
        """End the server; its children end with their connections."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait(_PATIENCE)
        self._folder.cleanup()


class _Waiter:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def close(self) -> None:
        self._process.wait(_PATIENCE)


@functools.cache
def server() -> Server:
    """The one server of this process."""
    found = Server()
    atexit.register(found.close)
    return found


def _spawn(*arguments: str, **pipes: Any) -> subprocess.Popen[bytes]:
    search = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.oracle.processes", *arguments],
        env={**os.environ, "PYTHONPATH": search, "PYTHONUTF8": "1"},
        **pipes,
    )


# in the server and its children


def _serve(reader: IO[bytes], writer: IO[bytes]) -> None:
    """Answer calls until the other side hangs up."""
    from tests.oracle.play import Player

    logging.getLogger("hotmod").addHandler(logging.NullHandler())
    player = Player()
    for line in reader:
        name, args, kwargs = json.loads(line)
        if hasattr(signal, "alarm"):
            signal.alarm(_PATIENCE)
        try:
            answer = {"value": getattr(player, name)(*args, **kwargs)}
        except BaseException:
            answer = {"raised": traceback.format_exc()}
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.flush()


def _listen(address: str) -> None:
    import hotmod
    from tests.oracle.play import Player

    finders = list(sys.meta_path)
    with tempfile.TemporaryDirectory() as folder:  # what every child would do first, once
        pathlib.Path(folder, "warm_up.py").write_text("X = 1\n", "utf-8")
        player = Player()
        player.load(folder, ["warm_up"], ["warm_up"], bytecode=False)
        hotmod.Reloader("warm_up").reload()
        player.look()
    del sys.modules["warm_up"]
    sys.path.remove(player.root)
    sys.meta_path[:] = finders
    gc.collect()
    gc.freeze()  # a collection in a child must not copy all pages
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a child ended
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        listener.bind(address)
        listener.listen()
        selector.register(listener, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        print("ready", flush=True)
        while True:
            if any(key.fileobj is sys.stdin for key, _ in selector.select()):
                return
            connection, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _serve(connection.makefile("rb"), connection.makefile("wb"))
                os._exit(0)
            connection.close()


def _pipes() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the subject prints is no answer
    _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _listen(sys.argv[2]) if sys.argv[1] == "--listen" else _pipes()
