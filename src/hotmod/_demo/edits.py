"""The edits that the demo makes, and the files that it makes them in.

Touches: the shop's files in the folder that it is given; reads the shop as shipped.

Guarantees: a file that exists before is never overwritten by `unpack`.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import pathlib

from hotmod._model.errors import ConfigError, HotmodError

__all__ = ["BODY", "BROKEN", "CONSTANT", "FIX", "Edit", "save", "unpack"]


@dataclasses.dataclass(frozen=True, slots=True)
class Edit:
    """One save of one file.

    Attributes:
        title: what the edit is an example of.
        file: the file's name in the package.
        old: text that stands in the file exactly once.
        new: what replaces it.
    """

    title: str
    file: str
    old: str
    new: str

    @property
    def module(self) -> str:
        """The module that the file is."""
        return f"shop.{self.file.removesuffix('.py')}"

    def of(self, text: str) -> str:
        """The text after the edit.

        Raises:
            HotmodError: the text is not the one that the edit was written for.
        """
        if text.count(self.old) != 1:
            msg = f"The demo can't edit shop/{self.file}: it holds {self.old!r} {text.count(self.old)} times."
            raise HotmodError(msg)
        return text.replace(self.old, self.new)


BODY = Edit(
    "The body of a function",
    "pricing.py",
    "    net = PRICES[item] * count\n",
    "    net = PRICES[item] * count * 0.9  # sale!\n",
)
CONSTANT = Edit(
    "A constant that another module imported by name", "config.py", "TAX = 0.20\n", "TAX = 0.10\n"
)
BROKEN = Edit(
    "A broken save",
    "config.py",
    "TAX = 0.10\n",
    "SURCHARGE = 0.02\nTAX = 0.10 + SURCHAGE\n",
)
FIX = Edit("The fix", "config.py", "0.10 + SURCHAGE\n", "0.10 + SURCHARGE\n")


def unpack(folder: pathlib.Path) -> pathlib.Path:
    """Write the shop into a folder that is made for it, or is empty.

    Returns:
        The package's folder, below `folder`.

    Raises:
        ConfigError: the folder holds something, or can't be written; what was in it is as it was.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            msg = (
                f"{folder} is not empty. Nothing was written; name an empty folder, or one that is not there."
            )
            raise ConfigError(msg)
        package = folder / "shop"
        package.mkdir()
        for source in (importlib.resources.files("hotmod._demo") / "shop").iterdir():
            if source.name.endswith(".py"):
                with open(package / source.name, "xb") as file:
                    file.write(source.read_bytes())
    except OSError as error:
        msg = f"{folder} can't be used for the demo's files: {error.strerror or error}."
        raise ConfigError(msg) from error
    return package


def save(path: pathlib.Path, edit: Edit) -> tuple[str, str]:
    """Make an edit on disk, as an editor that writes in place does.

    Returns:
        The text before and after.
    """
    before = path.read_text("utf-8")
    after = edit.of(before)
    path.write_text(after, "utf-8", newline="\n")
    return before, after
