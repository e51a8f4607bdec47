"""What watching costs while nobody saves: processor time, threads and watches, beside watchfiles' own loop.

Each row is a process of its own that watches the same tree and does nothing else; the processor time is that
of the whole process, over some seconds, after it has settled.

    python benchmarks/idle.py [--seconds 20] [--folders 100]
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import sys
import tempfile

COUNT = """
import glob, sys, threading, time
def watches():
    found = 0
    for path in glob.glob("/proc/self/fdinfo/*"):
        try:
            found += open(path).read().count("inotify wd")
        except OSError:
            pass
    return found
def measure():
    settle, seconds = float(sys.argv[1]), float(sys.argv[2])
    time.sleep(settle)
    before = time.process_time()
    time.sleep(seconds)
    print((time.process_time() - before) / seconds, watches())
"""
HOTMOD = """
import hotmod, farm
from hotmod._engine import lookout
{naps}
watcher = hotmod.watch("farm")
measure()
"""
PROGRAMS = {
    "nothing": "measure()",
    "watchfiles.watch(), step=50 (default)": "threading.Thread("
    "target=lambda: list(__import__('watchfiles').watch('farm')), daemon=True).start()\nmeasure()",
    "hotmod, nobody saved for 5 minutes": HOTMOD.format(naps="lookout.NAPS = ()"),
    "hotmod, a save within 5 minutes": HOTMOD.format(naps="lookout.NAPS = lookout.NAPS[1:]"),
    "hotmod, a save within 30 seconds": HOTMOD.format(naps=""),
}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--folders", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        farm = pathlib.Path(name) / "farm"
        for number in range(options.folders):
            folder = farm / f"p{number}"
            folder.mkdir(parents=True)
            (folder / "__init__.py").touch()
            (farm / "node_modules" / f"n{number}").mkdir(parents=True)
        (farm / "__init__.py").touch()
        print(f"{'watching':<40} {'processor %':>11} {'watches':>8}")
        for title, program in PROGRAMS.items():
            command = [sys.executable, "-c", COUNT + program, "3", str(options.seconds)]
            done = subprocess.run(command, cwd=name, capture_output=True, text=True, check=True)
            share, watches = done.stdout.split()
            print(f"{title:<40} {float(share) * 100:>11.3f} {watches:>8}", flush=True)


if __name__ == "__main__":
    main()
