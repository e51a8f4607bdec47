"""Runs one page of the docs as its reader would: `python page.py PAGE`, in an empty folder.

The page is executed from top to bottom in one fresh process whose `__main__` is empty, as at a prompt:

* a `python` block is executed; what it prints must be the `output` block that follows it;
* an `ipython` block is a cell of one shell of IPython, in the same `__main__`; what it shows is its output;
* a `{code-block}` with a `:caption:` is written to the file of that name;
* in a `console` block each line after `$ ` is given to a shell, and the lines below it are what it prints;
* a block that is not to be run says why, above it: `% skip: next "the reason"`.

In the output `...` stands for any text; durations need not agree, and neither do trailing blanks.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import types
import unittest
from typing import Any

from sybil import Document, Example
from sybil.example import SybilFailure
from sybil.parsers.myst import CodeBlockParser, SkipParser

DURATION = re.compile(r"\b\d+(?:\.\d+)? (ms|s)\b")
PROMPT = "$ "


def same(wanted: str, got: str) -> bool:
    """Whether an output is the one that the page shows."""
    wanted, got = (DURATION.sub(r"N \1", text).rstrip() + "\n" for text in (wanted, got))
    return doctest.OutputChecker().check_output(wanted, got, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


def captioned(example: Example) -> bool:
    """Whether a block is the text of a file."""
    return "caption" in example.region.lexemes.get("options", {})


class Page:
    """The page, and what its last block printed that has not been shown yet."""

    def __init__(self, path: pathlib.Path) -> None:
        self.document = Document.parse(
            str(path),
            SkipParser(),
            CodeBlockParser("python", self.python),
            CodeBlockParser("ipython", self.cell),
            CodeBlockParser("output", self.output),
            CodeBlockParser("console", self.console),
            CodeBlockParser("toml", self.file),
        )
        self.module = types.ModuleType("__main__")
        self.shell: Any = None
        self.printed = ""

    def run(self) -> None:
        """Execute everything, in order."""
        sys.modules["__main__"] = self.module
        for example in self.document.examples():
            try:
                example.evaluate()
            except unittest.SkipTest as reason:
                print(f"line {example.line}: not run: {reason}")
        if self.printed:
            sys.exit(
                f"{self.document.path}: the last block prints what the page does not show:\n{self.printed}"
            )

    def file(self, example: Example) -> None:
        """Write the file that the caption names; a block without one only shows something."""
        if not captioned(example):
            return
        path = pathlib.Path(example.region.lexemes["options"]["caption"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(example.parsed), encoding="utf-8")

    def python(self, example: Example) -> None:
        """Execute code; what it prints waits for the page to show it."""
        if captioned(example):
            self.file(example)
            return
        self.nothing_left(example)
        lines = "\n" * (example.line + example.parsed.line_offset)
        code = compile(lines + example.parsed, self.document.path, "exec", dont_inherit=True)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(code, vars(self.module))
        self.printed = out.getvalue()

    def cell(self, example: Example) -> None:
        """Run a cell; what it shows waits as well."""
        self.nothing_left(example)
        if self.shell is None:
            self.shell = shell(self.module)
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
            self.shell.run_cell(str(example.parsed), store_history=True)
        self.printed = out.getvalue()

    def output(self, example: Example) -> None:
        """Compare what was printed with what the page shows."""
        printed, self.printed = self.printed, ""
        if not same(example.parsed, printed):
            raise SybilFailure(example, f"shown:\n{example.parsed}\nprinted:\n{printed}")

    def console(self, example: Example) -> None:
        """Run commands and compare what each prints."""
        self.nothing_left(example)
        for part in re.split(rf"^{re.escape(PROMPT)}", str(example.parsed), flags=re.MULTILINE)[1:]:
            command, _, wanted = part.partition("\n")
            done = subprocess.run(  # noqa: S602 - a reader types into a shell
                command, shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )
            if not same(wanted, done.stdout):
                raise SybilFailure(example, f"$ {command}\nshown:\n{wanted}\nprinted:\n{done.stdout}")

    def nothing_left(self, example: Example) -> None:
        """Fail where a block printed something that the page keeps to itself."""
        if self.printed:
            raise SybilFailure(
                example, f"the block above prints what the page does not show:\n{self.printed}"
            )


def shell(module: types.ModuleType) -> Any:
    """A shell of IPython whose cells run in a module."""
    os.environ["IPYTHONDIR"] = tempfile.mkdtemp(dir=os.getcwd())
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    return InteractiveShell.instance(config=config, user_module=module)


if __name__ == "__main__":
    page = Page(pathlib.Path(sys.argv[1]).resolve())
    sys.path[0] = ""
    sys.argv = [""]
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    page.run()
