"""The demo: that it shows what is the case, wherever it is run, and says so when something is not."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

import pytest

from hotmod._demo.driver import SECONDS
from hotmod._demo.edits import CONSTANT, save, unpack
from tests.doors.shell import bounded, environment, in_terminal, piped

ESCAPE = "\x1b["
HERE = pathlib.Path(__file__).resolve()
README = HERE.parents[2] / "README.md"
EXAMPLE = HERE.parents[2] / "examples" / "first_reload.py"
DURATION = re.compile(r"\d+\.\d+ m?s")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """One run of the demo, piped."""
    return piped("demo", cwd=tmp_path_factory.mktemp("piped"))


def parts(text: str) -> list[str]:
    """The demo's output, cut where a part begins."""
    return re.split(r"^\d\. ", text, flags=re.MULTILINE)


# What it shows


def test_piped_it_ends_well_and_in_time(tmp_path: pathlib.Path) -> None:
    """Piped, the demo exits with 0 within 15 seconds, with nothing on standard error."""
    began = time.monotonic()
    done = piped("demo", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 15
    assert SECONDS < 15


def test_piped_it_is_plain_text(done: subprocess.CompletedProcess[str]) -> None:
    """What is piped is ASCII without any escape sequence."""
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("part", "title", "lines", "price", "orders"),
    [
        (
            1,
            "The body of a function",
            ["-     net = PRICES[item] * count", "+     net = PRICES[item] * count * 0.9  # sale!"],
            "90.00 before, 81.00 now; a fresh process says 81.00 too",
            2,
        ),
        (
            2,
            "A constant that another module imported by name",
            ["- TAX = 0.20", "+ TAX = 0.10"],
            "81.00 before, 74.25 now; a fresh process says 74.25 too",
            3,
        ),
        (
            3,
            "A broken save",
            ["- TAX = 0.10", "+ SURCHARGE = 0.02", "+ TAX = 0.10 + SURCHAGE"],
            "74.25 before, 74.25 now, with the code from before this save",
            4,
        ),
        (
            4,
            "The fix",
            ["- TAX = 0.10 + SURCHAGE", "+ TAX = 0.10 + SURCHARGE"],
            "74.25 before, 75.60 now; a fresh process says 75.60 too",
            5,
        ),
        (
            5,
            "Back again: watcher.rollback()",
            [],
            "75.60 before, 74.25 now; the files stay as they are",
            6,
        ),
    ],
    ids=["body", "constant", "broken", "fix", "rollback"],
)
def test_a_part_shows_the_edit_and_what_came_of_it(
    part: int,
    title: str,
    lines: list[str],
    price: str,
    orders: int,
    done: subprocess.CompletedProcess[str],
) -> None:
    """Each part shows what was edited, what the shop answers before and after, and the orders."""
    text = parts(done.stdout)[part]
    assert text.startswith(f"{title}\n")
    assert re.findall(r"^   ([-+] .*)$", text, re.MULTILINE) == lines
    assert f"price of 3 pots over HTTP: {price}\n" in text
    assert f"orders in memory: {orders}, all still there; same process\n" in text


@pytest.mark.parametrize(
    ("part", "what"),
    [
        (1, "patched total"),
        (2, "re-ran shop.config:3; rebound TAX in shop.pricing"),
        (4, "re-ran shop.config:3, shop.config:4; rebound TAX in shop.pricing"),
    ],
    ids=["body", "constant", "fix"],
)
def test_a_report_of_an_applied_edit_is_one_line(
    part: int, what: str, done: subprocess.CompletedProcess[str]
) -> None:
    """The report of an edit that was applied says what was done, and nothing else was: all in one line."""
    [report] = re.findall(
        r"^   applied shop in .* ms: (.*) \(generation \d\)$", parts(done.stdout)[part], re.MULTILINE
    )
    assert report == what


def test_the_broken_save_is_told_by_file_and_line(done: subprocess.CompletedProcess[str]) -> None:
    """The report of the broken save names the error, the user's file and line, and what is running now."""
    assert (
        "   Could not reload shop.config (config.py:4): NameError: name 'SURCHAGE' is not defined. "
        "Nothing was changed: all 2 affected modules still run the previous code. Fix the file and save.\n"
    ) in parts(done.stdout)[3]


def test_at_the_end_all_orders_are_listed(done: subprocess.CompletedProcess[str]) -> None:
    """The last part lists an order for each version of the code, at its price, from one process."""
    text = parts(done.stdout)[6]
    orders = re.findall(r"^   (\d): 3 pots for (\d+\.\d\d)$", text, re.MULTILINE)
    prices = ["90.00", "81.00", "74.25", "74.25", "75.60", "74.25"]
    assert orders == [(str(number), price) for number, price in enumerate(prices, 1)]
    [process] = re.findall(r"process (\d+) took them all", text)
    assert f"process {process}, files in" in done.stdout


# Where it is run


def test_a_terminal_gets_colours_and_wrapped_reports(tmp_path: pathlib.Path) -> None:
    """In a terminal titles, differences and reports have colours, and long reports are wrapped."""
    code, seen = in_terminal("demo", cwd=tmp_path)
    assert code == 0
    assert f"{ESCAPE}1m3. A broken save{ESCAPE}0m" in seen
    assert f"{ESCAPE}31m   - TAX = 0.20{ESCAPE}0m\n{ESCAPE}32m   + TAX = 0.10{ESCAPE}0m\n" in seen
    assert f"{ESCAPE}32m   applied shop in " in seen
    refusal = re.findall(rf"^{re.escape(ESCAPE)}31m(   [^-].*?){re.escape(ESCAPE)}0m$", seen, re.MULTILINE)
    assert len(refusal) > 1
    assert all(len(line) < 80 for line in refusal)


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "TERM=dumb"])
def test_colours_can_be_declined(variables: dict[str, str], tmp_path: pathlib.Path) -> None:
    """In a terminal whose user wants no colours there are none."""
    code, seen = in_terminal("demo", cwd=tmp_path, **variables)
    assert code == 0
    assert "3. A broken save" in seen
    assert "\x1b" not in seen


@pytest.mark.parametrize("variable", ["PYTHONDONTWRITEBYTECODE", "PYTHONUTF8", "PYTHONDEVMODE"])
@pytest.mark.parametrize("value", ["", "1"], ids=["unset", "set"])
def test_it_runs_in_any_mode(variable: str, value: str, tmp_path: pathlib.Path) -> None:
    """With and without .pyc files, UTF-8 mode and development mode the demo ends well and leaks nothing."""
    done = piped("demo", cwd=tmp_path, **{variable: value}, LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_configuration_meant_for_another_project_does_no_harm(tmp_path: pathlib.Path) -> None:
    """Patterns in the pyproject.toml where the demo is started don't hide the shop from its watcher."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.hotmod]\ninclude = ["mine/*"]\nexclude = ["shop/*", "**"]\n'
    )
    done = piped("demo", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


# Files


def test_for_programs_each_thing_is_one_line(tmp_path: pathlib.Path) -> None:
    """With `--json` each line is an object that tells one thing, and reports have all their values."""
    done = piped("demo", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {key for event in events for key in event} == {"text", "title", "edit", "report"}
    reports = [event["report"]["status"] for event in events if "report" in event]
    assert reports == ["applied", "applied", "rejected", "applied", "applied"]
    assert [event["edit"]["file"] for event in events if "edit" in event] == [
        "shop/pricing.py",
        *["shop/config.py"] * 3,
    ]


def test_nothing_is_left_behind(tmp_path: pathlib.Path) -> None:
    """Without --keep no file remains, neither among the temporary ones nor where the demo was started."""
    assert piped("demo", cwd=tmp_path).returncode == 0
    assert [path.name for path in tmp_path.rglob("*")] == ["temporary"]


@pytest.mark.parametrize("folder", ["new", "deep/er", "empty"])
def test_keep_leaves_the_files(folder: str, tmp_path: pathlib.Path) -> None:
    """With --keep the edited files are in the new or empty folder, and the demo says how to go on."""
    (tmp_path / "empty").mkdir()
    done = piped("demo", "--keep", folder, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    shop = tmp_path / folder / "shop"
    assert (shop / "config.py").read_text().endswith("\nSURCHARGE = 0.02\nTAX = 0.10 + SURCHARGE\n")
    assert "# sale!\n" in (shop / "pricing.py").read_text()
    assert f"The files are in {shop}.\n" in done.stdout
    assert "-m shop\n" in done.stdout


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_keep_refuses_what_is_not_its_own(kind: str, tmp_path: pathlib.Path) -> None:
    """A folder that holds something, or a file, is refused with 2; nothing is written and nothing is lost."""
    mine = tmp_path / "mine" if kind == "file" else tmp_path / "mine" / "shop"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("precious")
    done = piped("demo", "--keep", "mine", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"hotmod: {tmp_path / 'mine'} ")
    assert mine.read_text() == "precious"
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 1


def test_the_kept_shop_runs_by_itself(tmp_path: pathlib.Path) -> None:
    """`python -m shop` in the kept folder serves the shop, takes an edit, and prints the report."""
    package = unpack(tmp_path)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "shop"],
            cwd=tmp_path,
            env=environment(tmp_path / "temporary"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
        bounded(process),
    ):
        assert process.stdout
        [url] = re.findall(r"'(http://127\.0\.0\.1:\d+/price\?\S+)'", process.stdout.readline())
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=60) as response:
            assert b'"price": 24.0' in response.read()
        save(package / CONSTANT.file, CONSTANT)
        assert process.stdout.readline().startswith("applied shop in ")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=60) as response:
            assert b'"price": 22.0' in response.read()


# When something is wrong

# A watcher without a thread, and eight that do not keep their promise.
FAKE = """
import dataclasses, hotmod
class Watch(hotmod.Reloader):
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def next_report(self, timeout): return self.reload()
class Silent(Watch):
    def next_report(self, timeout): raise TimeoutError
class Liar(Watch):
    def next_report(self, timeout): return hotmod.Report("applied", changed=("shop.pricing",))
class Coward(Watch):
    def next_report(self, timeout): return hotmod.Report("rejected", changed=("shop.pricing",))
class Lossy(Watch):
    def next_report(self, timeout):
        sys.modules["shop.orders"].ORDERS.clear()
        return self.reload()
class Copier(Watch):
    def next_report(self, timeout):
        sys.modules["shop.orders"].ORDERS = [*sys.modules["shop.orders"].ORDERS]
        return self.reload()
class Sloppy(Watch):
    def next_report(self, timeout):
        report = self.reload()
        sys.modules["shop.pricing"].TAX = 0.3
        return report
class Vague(Watch):
    def next_report(self, timeout): return dataclasses.replace(self.reload(), location=None)
class OneWay(Watch):
    def rollback(self): return hotmod.Report("applied")
hotmod.watch = """

SABOTAGE = {
    "Silent": (1, "no report came after shop/pricing.py was saved."),
    "Liar": (1, "the price should have changed from 90.00."),
    "Coward": (1, "the report should say applied, not rejected."),
    "Lossy": (1, "placed were [{'number': 1,"),
    "Copier": (1, "the list of orders is another one."),
    "Sloppy": (1, "the shop asks 87.75; a fresh process with the same files asks 81.00."),
    "Vague": (3, "the report should name "),
    "OneWay": (5, "the price should be 74.25 again, not 75.60."),
}


@pytest.mark.parametrize("watcher", SABOTAGE)
def test_a_promise_that_is_not_kept_is_noticed(watcher: str, tmp_path: pathlib.Path) -> None:
    """If a report, a price or an order is not what it should be, the demo stops with 1 and says which."""
    part, complaint = SABOTAGE[watcher]
    done = piped("demo", cwd=tmp_path, code=FAKE + watcher)
    assert done.returncode == 1
    assert f"part {part}, because something was not as promised: {complaint}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [*(tmp_path / "temporary").iterdir()]


def test_an_interruption_cleans_up(tmp_path: pathlib.Path) -> None:
    """Ctrl-C in the middle ends the demo with 130, no traceback and no file left."""
    code = (
        "class Screen(type(sys.stdout)):\n"
        "    def write(self, text):\n"
        "        if 'A broken save' in text: raise KeyboardInterrupt\n"
        "        return super().write(text)\n"
        "sys.stdout = Screen(sys.stdout.detach(), 'utf-8')"
    )
    done = piped("demo", cwd=tmp_path, code=code)
    assert (done.returncode, done.stderr) == (130, "")
    assert not [*(tmp_path / "temporary").iterdir()]


def test_a_closed_pipe_is_no_traceback(tmp_path: pathlib.Path) -> None:
    """When the reader of the pipe has gone, the demo ends with 1, quietly, and cleans up."""
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-m", "hotmod", "demo"],
        cwd=tmp_path,
        env=environment(tmp_path / "temporary"),
        check=False,
        stdout=theirs,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, b"")
    assert not [*(tmp_path / "temporary").iterdir()]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("off", "HOTMOD=off is set"),
        ("manual", "HOTMOD=manual is set"),
        ("maybe", "HOTMOD='maybe': allowed are on, off, manual"),
    ],
    ids=["off", "manual", "bad"],
)
def test_hotmod_switched_off_shows_nothing(value: str, complaint: str, tmp_path: pathlib.Path) -> None:
    """With HOTMOD=off, or a value that means nothing, the demo says so and exits with 2."""
    done = piped("demo", cwd=tmp_path, HOTMOD=value)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr


# The example beside it


def test_the_example_is_the_readme_s(tmp_path: pathlib.Path) -> None:
    """`examples/first_reload.py` holds the README's first two blocks, and prints what the README shows."""
    readme, example = README.read_text("utf-8"), EXAMPLE.read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)[:2]
    outputs = re.findall(r"^```output\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)[:2]
    assert example.endswith("\n".join(["", *blocks]))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE)],
        cwd=tmp_path,
        env=environment(tmp_path / "temporary"),
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        timeout=60,
    )
    assert DURATION.sub("N", done.stdout) == DURATION.sub("N", "".join(outputs))
    assert not [*(tmp_path / "temporary").iterdir()]
