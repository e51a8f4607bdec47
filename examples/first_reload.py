"""The example of the README as a script: `python examples/first_reload.py`.

It writes a module, edits it while it runs, breaks it, and leaves nothing behind.
"""

# ruff: noqa: E401, E402, I001 - the README has no room for more lines
# fmt: off
import atexit, os, sys, tempfile

folder = tempfile.TemporaryDirectory()
atexit.register(folder.cleanup)
os.chdir(folder.name)
sys.path.insert(0, "")

# From here on it is what the README shows.

import pathlib, hotmod

shop = pathlib.Path("shop.py")
shop.write_text("TAX = 0.2\ndef gross(net): return net * (1 + TAX)\n")
from shop import gross

reloader = hotmod.Reloader("shop")
shop.write_text("TAX = 0.5\ndef gross(net): return net * (1 + TAX)\n")
print(reloader.reload(), gross(100), sep="\n")

shop.write_text("TAX = 1 / 0\n")
print(reloader.reload(), gross(100), sep="\n")
