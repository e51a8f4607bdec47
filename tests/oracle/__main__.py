"""Play some cases and print what is wrong: `python -m tests.oracle imports/star values`."""

from __future__ import annotations

import pathlib
import sys
import tempfile

from tests.oracle.cases import all_cases
from tests.oracle.check import play


def main(words: list[str]) -> int:
    """Play every case whose name holds one of the words, by each strategy; gives the number of wrong ones."""
    back, wrong = "--back" in words, 0
    words = [word for word in words if not word.startswith("-")]
    for case in all_cases():
        if words and not any(word in case.name for word in words):
            continue
        for strategy in case.strategies:
            with tempfile.TemporaryDirectory() as folder:
                played = play(case, pathlib.Path(folder), strategy=strategy, back=back)
            wrong += bool(played.problems)
            if played.problems or len(words) == 1:
                print(f"{case.name} {strategy}: {'; '.join(report['text'] for report in played.reports)}")
            for problem in played.problems:
                print(f"    {problem}")
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
