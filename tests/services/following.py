"""What tests let worker processes do."""

from __future__ import annotations

import builtins
import importlib
import json
import os
import pathlib
import socket
import subprocess
import sys
from typing import Any

from hotmod._engine.workers.pool import Pool
from hotmod._live.facts import facts_of

__all__ = ["call", "end_once", "everywhere", "facts", "forget", "fresh_facts", "refuse"]

PATIENCE = 60.0  # seconds


def call(name: str, *arguments: Any) -> tuple[Any, int]:
    """Call a function by its name, `package.module:function`; gives its result and the process."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)(*arguments), os.getpid()


def facts(*names: str) -> dict[str, str]:
    """All that can be told of some modules here."""
    return facts_of({name: importlib.import_module(name) for name in names})


def fresh_facts(folder: pathlib.Path, *names: str) -> dict[str, str]:
    """The same in a process that imports the files of a folder."""
    # no file of byte code is read either: within a second it may be that of another text of the same length
    code = "import json, sys, tests.services.following as f; print(json.dumps(f.facts(*sys.argv[1:])))"
    search = os.pathsep.join([str(folder), str(pathlib.Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-B", "-X", f"pycache_prefix={folder / 'nothing'}", "-c", code, *names],
        env={**os.environ, "PYTHONPATH": search},
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    return json.loads(done.stdout)


def held(address: tuple[str, int], function: Any, arguments: tuple[Any, ...]) -> tuple[Any, int]:
    """Call a function, and keep the worker until the other side hangs up."""
    result = function(*arguments)
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        connection.recv(1)
    return result, os.getpid()


def everywhere(pool: Pool, function: Any, *arguments: Any) -> list[tuple[Any, int]]:
    """The result of a call in each worker, with its process, sorted by process."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        address = server.getsockname()
        futures = [pool.submit(held, address, function, arguments) for _ in range(pool.max_workers)]
        connections = [server.accept()[0] for _ in futures]
        for connection in connections:
            connection.close()
    return sorted((future.result(PATIENCE) for future in futures), key=lambda pair: pair[1])


def forget(name: str) -> None:
    """Let a module be imported anew."""
    sys.modules.pop(name, None)


def refuse(pid: int) -> bool:
    """Leave something in one process that an edit can find."""
    builtins.hotmod_test_refuses = os.getpid() == pid
    return os.getpid() == pid


def end_once(path: str, value: Any) -> Any:
    """End the process as a crash would, the first time."""
    if not os.path.exists(path):
        pathlib.Path(path).write_text("", "utf-8")
        os._exit(1)
    return value
