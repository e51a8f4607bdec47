"""From a save to the first right answer of a web application: hotmod beside the servers' own reloaders.

Each server runs an application of `examples/` in a copy of its folder. This process saves a module of it,
asks every two milliseconds until the answer is new, and counts that time. Two clients ask all the while, a
hundred times a second each: what is refused, breaks off or is an error of the server's counts as failed.
Beside the median stands its ratio to that of hotmod in the same run.

    python benchmarks/applications.py [--saves 10] [--applications fastapi,flask,django]
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import http.client
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"
STEP = 0.002  # seconds between two questions
MISSED = 20.0  # seconds after which an edit counts as missed
OUTSIDE = 0.01  # seconds between two questions of a client
ROW = "{:<10} {:<18} {:>9} {:>9} {:>7} {:>9} {:>7}"


@dataclasses.dataclass(frozen=True)
class Application:
    """An application of the examples, an edit of it, and the commands that serve it on a port.

    Attributes:
        folder: its name in examples/.
        path: the file that is saved.
        text: what is replaced in it.
        edits: what takes its place in turn; two texts, and what the answer then holds.
        question: the path that is asked for.
        servers: the arguments of the interpreter by tool; `PORT` is the port.
    """

    folder: str
    path: str
    text: str
    edits: tuple[tuple[str, str], tuple[str, str]]
    question: str
    servers: dict[str, list[str]]


PRICES = "shop/prices.py", "TAX = 0.2", (("TAX = 0.3", "130.0"), ("TAX = 0.4", "140.0")), "/price/100"
RUNSERVER = ["manage.py", "runserver", "127.0.0.1:PORT"]
APPLICATIONS = {
    "fastapi": Application(
        "fastapi_shop",
        *PRICES,
        {
            "hotmod": ["serve.py", "PORT"],
            "uvicorn --reload": ["-m", "uvicorn", "shop.app:app", "--reload", "--port", "PORT"],
        },
    ),
    "flask": Application(
        "flask_shop",
        *PRICES,
        {
            "hotmod": ["serve.py", "PORT"],
            "flask --debug": ["-m", "flask", "--app", "shop.app", "--debug", "run", "--port", "PORT"],
        },
    ),
    "django": Application(
        "django_site",
        "blog/views.py",
        'f"added {title}"',
        (('f"{title} is in"', "tea is in"), ('f"{title} is there"', "tea is there")),
        "/blog/add/tea",
        {
            "hotmod": ["-m", "hotmod", "run", "--quiet", *RUNSERVER, "--noreload"],
            "runserver": RUNSERVER,
        },
    ),
}


def ask(port: int, path: str) -> str:
    """The answer of a server.

    Raises:
        OSError: there was none, or it was an error of the server's.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=MISSED)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
    except http.client.HTTPException as error:
        raise ConnectionResetError(str(error)) from error
    finally:
        connection.close()
    if answer.status >= http.client.INTERNAL_SERVER_ERROR:
        raise ConnectionAbortedError(answer.status)
    return text


def wait_for(port: int, path: str, words: str) -> float:
    """Ask until the answer holds some words; gives the seconds that it took."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < MISSED:
        with contextlib.suppress(OSError):
            if words in ask(port, path):
                break
        time.sleep(STEP)
    return time.perf_counter() - begin


@contextlib.contextmanager
def clients(port: int, path: str) -> Iterator[collections.Counter[str]]:
    """Two clients that ask until the block ends; gives how often they asked, and how often it failed."""
    counts: collections.Counter[str] = collections.Counter()
    done = threading.Event()

    def go_on() -> None:
        while not done.wait(OUTSIDE):
            try:
                ask(port, path)
            except OSError:
                counts["failed"] += 1
            counts["asked"] += 1

    threads = [threading.Thread(target=go_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        done.set()
        for thread in threads:
            thread.join()


@contextlib.contextmanager
def serving(application: Application, command: list[str]) -> Iterator[tuple[pathlib.Path, int]]:
    """A server in a copy of the example's folder; gives the folder and the port."""
    with tempfile.TemporaryDirectory() as temp:
        folder = pathlib.Path(temp, "application")
        shutil.copytree(EXAMPLES / application.folder, folder)
        if (folder / "manage.py").exists():
            subprocess.run(
                [sys.executable, "manage.py", "migrate"], cwd=folder, check=True, stdout=subprocess.DEVNULL
            )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = [sys.executable, *(word.replace("PORT", str(port)) for word in command)]
        nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        # a group of its own: the reloaders have a process that serves, and it must end with them
        process = subprocess.Popen(words, cwd=folder, process_group=0, **nothing)
        try:
            yield folder, port
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def measure(
    application: Application, command: list[str], saves: int
) -> tuple[list[float], collections.Counter[str]]:
    """Seconds from each save to the first right answer, and what the clients met."""
    times = []
    with serving(application, command) as (folder, port):
        wait_for(port, application.question, "")
        file = folder / application.path
        text = file.read_text("utf-8")
        for number in range(2):  # warm up: the first edits load what reloading needs
            replacement, words = application.edits[number % 2]
            file.write_text(text.replace(application.text, replacement), "utf-8")
            wait_for(port, application.question, words)
        with clients(port, application.question) as counts:
            for number in range(saves):
                replacement, words = application.edits[number % 2]
                file.write_text(text.replace(application.text, replacement), "utf-8")
                times.append(wait_for(port, application.question, words))
    return times, counts


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--saves", type=int, default=10)
    parser.add_argument("--applications", default=",".join(APPLICATIONS))
    options = parser.parse_args()
    print(ROW.format("", "", "median ms", "worst ms", "ratio", "requests", "failed"))
    for name in options.applications.split(","):
        application, base = APPLICATIONS[name], 0.0
        for tool, command in application.servers.items():
            times, counts = measure(application, command, options.saves)
            median = statistics.median(times)
            base = base or median
            numbers = f"{median * 1e3:.0f}", f"{max(times) * 1e3:.0f}", f"{median / base:.1f}"
            print(ROW.format(name, tool, *numbers, counts["asked"], counts["failed"]), flush=True)


if __name__ == "__main__":
    main()
