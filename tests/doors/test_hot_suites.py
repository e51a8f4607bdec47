# ruff: noqa: E501 - a line for each edit
"""`pytest --hot` and a fresh pytest agree about every test of real suites, after every edit.

It takes minutes: `HOT_SUITES` names a folder with source distributions of the projects below, as
`pip download --no-deps --no-binary :all:` puts them there.
"""

from __future__ import annotations

import os
import pathlib
import tarfile

import pytest

from tests.doors.hot import running

FOLDER = os.environ.get("HOT_SUITES", "")
# What each save replaces: the file, the old text and the new one. An empty old text is put in front; an empty
# new text puts back what the edit before changed.
EDITS = {
    "click": [
        ("src/click/formatting.py", "widths[idx] = max(", "widths[idx] = 1 + max("),
        ("src/click/formatting.py", "", ""),
        ("src/click/formatting.py", "FORCED_WIDTH: int | None = None", "FORCED_WIDTH: int | None = 30"),
        ("src/click/formatting.py", "", ""),
        ("src/click/exceptions.py", "exit_code: t.ClassVar[int] = 2", "exit_code: t.ClassVar[int] = 3"),
        ("src/click/exceptions.py", "", ""),
        ("tests/test_formatting.py", "def test_basic_functionality(", "def test_renamed("),
        ("tests/test_formatting.py", "def test_renamed(runner):", "def test_renamed(runner):\n    assert 0\n"),
        ("tests/conftest.py", "return CliRunner()", "return CliRunner(echo_stdin=True)"),
        ("tests/conftest.py", "import pytest", "import pytest\n\ndef pytest_runtest_setup(item):\n    assert 'b' in item.name\n"),
        ("tests/conftest.py", "", ""),
        ("src/click/core.py", "class Context:", "class Context"),
        ("src/click/core.py", "", ""),
    ],
    "jinja2": [
        ("src/jinja2/filters.py", "return soft_str(s).capitalize()", "return soft_str(s).upper()"),
        ("src/jinja2/filters.py", '    "capitalize": do_capitalize,', '    "capitalize": do_upper,'),
        ("src/jinja2/filters.py", "", ""),
        ("src/jinja2/defaults.py", 'BLOCK_START_STRING = "{%"', 'BLOCK_START_STRING = "[%"'),
        ("src/jinja2/defaults.py", "", ""),
        ("src/jinja2/lexer.py", '    ">=": TOKEN_GTEQ,', '    "=>": TOKEN_GTEQ,'),
        ("src/jinja2/lexer.py", "", ""),
        ("tests/test_filters.py", "def test_capitalize(self, env):", "def test_capital(self, env, dict_loader):"),
        ("tests/conftest.py", '{"justdict.html": "FOO"}', '{"justdict.html": "BAR"}'),
        ("tests/test_loader.py", "import pytest", "import pytest\nimport nowhere"),
        ("tests/test_loader.py", "", ""),
        ("src/jinja2/nodes.py", "class Node(metaclass=NodeType):", "class Node(metaclass=NodeType:"),
        ("src/jinja2/nodes.py", "", ""),
    ],
    "marshmallow": [
        ("src/marshmallow/utils.py", "return is_iterable_but_not_string(obj)", "return not isinstance(obj, str)"),
        ("src/marshmallow/utils.py", "", ""),
        ("src/marshmallow/validate.py", "def __call__(", "def __call__2("),
        ("src/marshmallow/validate.py", "", ""),
        ("tests/base.py", "class UserSchema(Schema):", "class UserSchema(Schema):\n    extra = fields.String()\n"),
        ("tests/base.py", "", ""),
        ("tests/test_registry.py", "reglen + 2", "reglen + 3"),
        ("tests/test_registry.py", "", ""),
        ("tests/conftest.py", "age=42.3", "age=43"),
        ("tests/conftest.py", "@pytest.fixture\ndef serialized_user", "@pytest.fixture(autouse=True)\ndef serialized_user"),
        ("tests/test_exceptions.py", "", "import pytest\n\n@pytest.mark.parametrize('x', [1, 2])\ndef test_x(x):\n    assert x == 1\n\n"),
        ("src/marshmallow/fields.py", "class Field(", "class Field("[:-1] + "[("),
        ("src/marshmallow/fields.py", "", ""),
    ],
    "requests": [
        ("src/requests/hooks.py", "return {event: [] for event in HOOKS}", "return {event: [1] for event in HOOKS}"),
        ("src/requests/hooks.py", "", ""),
        ("src/requests/structures.py", "return len(self._store)", "return 1 + len(self._store)"),
        ("src/requests/structures.py", "", ""),
        ("src/requests/status_codes.py", '404: ("not_found", "-o-")', '404: ("not_found",)'),
        ("src/requests/status_codes.py", "", ""),
        ("tests/test_hooks.py", "return value[1:]", "return value[2:]"),
        ("tests/conftest.py", 'value.url.rstrip("/") + "/"', 'value.url.rstrip("/") + "/x/"'),
        ("tests/conftest.py", "", ""),
        ("src/requests/cookies.py", "class RequestsCookieJar(", "class RequestsCookieJar["),
        ("src/requests/cookies.py", "", ""),
    ],
}  # fmt: skip


def unpacked(project: str, folder: pathlib.Path) -> pathlib.Path:
    """The files of a project."""
    archives = sorted(pathlib.Path(FOLDER).glob(f"{project}-*.tar.gz"))
    if not FOLDER or not archives:
        pytest.skip(f"HOT_SUITES names no folder with a source distribution of {project}")
    with tarfile.open(archives[-1]) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob(f"{project}-*"))


def save(folder: pathlib.Path, path: str, old: str, new: str, before: dict[str, str]) -> None:
    """Make one edit."""
    file = folder / path
    text = file.read_text("utf-8")
    if old:
        assert old in text, f"{path} has no {old!r}"
    changed = text.replace(old, new, 1) if old else new + text if new else before[path]
    before[path] = text
    file.write_text(changed, "utf-8")


@pytest.mark.parametrize("project", EDITS)
def test_real_suites_end_as_in_a_fresh_process(project: str, tmp_path: pathlib.Path) -> None:
    """After each save every test of a real suite has the outcome that a fresh process gives it."""
    folder = unpacked(project, tmp_path)
    wrong = {}
    with running(folder, seconds=7200, path="src", bare=False) as hot:
        before: dict[str, str] = {}
        for number, (path, old, new) in enumerate([("", "", ""), *EDITS[project]]):
            told = ""
            if path:
                save(folder, path, old, new, before)
                told = hot.wait()
            differing = hot.differences()
            line = next((line for line in told.splitlines() if line.startswith("hotmod: ")), "")
            print(
                f"{number} {path} {old!r}: {len(hot.ran)} of {len(hot.tests)} tests, {len(differing)} differ; {line}"
            )
            if differing:
                wrong[number, path, new] = dict(list(differing.items())[:5])
    assert not wrong
