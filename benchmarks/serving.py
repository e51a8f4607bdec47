"""A server that takes edits under load.

python benchmarks/serving.py [edits] [--rate N] [--way versions|live]

An HTTP server on the loopback gets so many requests in a second (200 by default) from some clients, while one
edit after another is saved (100 by default), every tenth of them broken. Each answer tells what three modules
and the object that answered were, at the beginning and at the end of the request. It fails when a request is
lost, fails, or is of two versions; when an edit is not followed; or when a broken one is.
"""

from __future__ import annotations

import argparse
import dataclasses
import http.client
import http.server
import json
import logging
import pathlib
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import hotmod

CLIENTS = 8
FILES = {
    "desk/__init__.py": "",
    "desk/first.py": "VERSION = 0\n\n\ndef version():\n    return VERSION\n",
    "desk/second.py": "from desk.first import VERSION\n",
    "desk/executor.py": """\
import importlib
import time

from desk import first


class Executor:
    def __init__(self):
        self.made_by = first.VERSION

    def answer(self, body):
        seen = [first.version()]
        time.sleep(0.002)
        from desk.second import VERSION
        seen += [VERSION, importlib.import_module("desk.first").VERSION, self.made_by]
        return {"seen": seen, "asked": body}
""",
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives each request to the server's `answer`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        data = json.dumps(self.server.answer(body)).encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclasses.dataclass
class Load:
    """The clients, what they asked, and what came back."""

    port: int
    rate: float
    over: threading.Event = dataclasses.field(default_factory=threading.Event)
    asked: list[int] = dataclasses.field(default_factory=list)
    answers: list[list[int]] = dataclasses.field(default_factory=list)
    seconds: list[float] = dataclasses.field(default_factory=list)
    failures: list[str] = dataclasses.field(default_factory=list)

    def client(self, number: int) -> None:
        """Ask at an even pace; whoever is late does not wait."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        due = time.perf_counter() + number / self.rate
        while not self.over.wait(max(0.0, due - time.perf_counter())):
            due += CLIENTS / self.rate
            self.asked.append(number)
            began = time.perf_counter()
            try:
                connection.request("POST", "/", json.dumps(number))
                response = connection.getresponse()
                answer = json.loads(response.read())
                self.answers.append(answer["seen"])
            except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            self.seconds.append(time.perf_counter() - began)
        connection.close()


class Server(http.server.ThreadingHTTPServer):
    """A server of one function."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer


def drive(
    folder: pathlib.Path, edits: int, rate: float, answer: Callable[[Any], Any], wait: Callable[[], str]
) -> int:
    """Save the edits under load, and tell."""
    path = folder / "desk" / "first.py"
    answer(0)  # all modules are loaded: see what docs/how-to/serve-an-object.md says of first imports
    wrong, good = [], {0}
    with Server(answer) as server:
        load = Load(server.server_port, rate)
        threads = [threading.Thread(target=load.client, args=(number,)) for number in range(CLIENTS)]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for number in range(1, edits + 1):
            broken = number % 10 == 0
            good |= set() if broken else {number}
            path.write_text(
                FILES["desk/first.py"].replace("= 0", "= (" if broken else f"= {number}"), "utf-8"
            )
            if (wait() == "rejected") is not broken:
                wrong.append(number)
        load.over.set()
        for thread in threads:
            thread.join(60)
        took = time.perf_counter() - began
        server.shutdown()
    mixed = [seen for seen in load.answers if len(set(seen)) != 1 or seen[0] not in good]
    lost = len(load.asked) - len(load.answers)
    times = sorted(load.seconds)
    print(
        f"{len(load.asked)} requests in {took:.1f} s ({len(load.asked) / took:.0f} a second), {edits} edits; "
        f"{lost} lost, {len(mixed)} mixed, {len(wrong)} edits with another end than theirs"
    )
    print(
        f"a request: median {statistics.median(times) * 1e3:.1f} ms, "
        f"99 % {times[len(times) * 99 // 100] * 1e3:.1f} ms, longest {times[-1] * 1e3:.1f} ms"
    )
    for failure in load.failures[:5]:
        print(failure)
    return int(bool(lost or mixed or wrong or load.failures))


def versions(folder: pathlib.Path, edits: int, rate: float) -> int:
    """A pin for each request."""

    def answer(body: Any) -> Any:
        with service.pin() as version:
            return version["desk.executor"].Executor().answer(body)

    with hotmod.versions.open("desk") as service:
        return drive(folder, edits, rate, answer, lambda: service.next_swap(60).status)


def live(folder: pathlib.Path, edits: int, rate: float) -> int:
    """One object, made anew with each edit."""
    with hotmod.live("desk.executor:Executor", on_change="recreate") as executor:
        served = executor.__hotmod__
        return drive(folder, edits, rate, executor.answer, lambda: served.next_report(60).status)


WAYS = {"versions": versions, "live": live}


def main() -> int:
    """Measure each way, and say whether all went well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("edits", type=int, nargs="?", default=100)
    parser.add_argument("--rate", type=float, default=200.0, help="requests in a second (default 200)")
    parser.add_argument("--way", choices=list(WAYS))
    options = parser.parse_args()
    logging.getLogger("hotmod").setLevel(logging.CRITICAL)
    failed = 0
    for way in [options.way] if options.way else WAYS:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "desk").mkdir()
            for file, text in FILES.items():
                (folder / file).write_text(text, "utf-8")
            sys.path.insert(0, name)
            print(f"{way}:")
            failed |= WAYS[way](folder, options.edits, options.rate)
            sys.path.remove(name)
            for module in [each for each in sys.modules if each.partition(".")[0] == "desk"]:
                del sys.modules[module]
    return failed


if __name__ == "__main__":
    sys.exit(main())
