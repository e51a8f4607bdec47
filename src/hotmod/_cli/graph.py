"""The command `graph`: which module imports which, and in which layers they are loaded.

Touches: files, read only; standard output, or the file that is asked for. No code of the user's is run.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import sys
from collections.abc import Iterator

from hotmod._api import graph as graph_of
from hotmod._cli.codes import OK
from hotmod._cli.output import Paint, counted, look_here
from hotmod._model.errors import HotmodError
from hotmod._source.graph import ImportGraph
from hotmod._source.picture import Arrow, Node, Picture, picture_of

__all__ = ["graph"]

# how an import is told, and in which style
_HOW = {
    "hard": ("reads at import", "note"),
    "import": ("imports", ""),
    "later": ("imports later", "dim"),
    "types": ("for types only", "dim"),
}


def graph(options: argparse.Namespace) -> int:
    """Print the graph of some targets."""
    look_here()
    found = graph_of(*options.targets)
    kind = "json" if options.json else options.format
    text = _text(found, ", ".join(options.targets), kind, Paint(sys.stdout, options.output is None))
    if options.output is None:
        sys.stdout.write(text)
        return OK
    try:
        with open(options.output, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        msg = f"{options.output} can't be written: {error.strerror or error}"
        raise HotmodError(msg) from error
    return OK


def _text(found: ImportGraph, title: str, kind: str, paint: Paint) -> str:
    match kind:
        case "dot":
            return found.to_dot()
        case "mermaid":
            return found.to_mermaid()
        case "json":
            return f"{json.dumps(found.as_dict(), indent=2)}\n"
        case "html":
            return _page(picture_of(found), title)
        case _:
            return "".join(f"{line}\n" for line in _lines(picture_of(found), paint))


def _page(picture: Picture, title: str) -> str:
    """The picture as a page that needs nothing else."""
    with open(os.path.join(os.path.dirname(__file__), "page.html"), encoding="utf-8") as file:
        page = file.read()
    # `</script>` in a name must not end the script, nor `<!--` begin a comment
    data = json.dumps(picture.as_dict(), separators=(",", ":")).replace("<", "\\u003c")
    return page.replace("{{TITLE}}", html.escape(title)).replace("{{DATA}}", data)


def _lines(picture: Picture, paint: Paint) -> Iterator[str]:
    """The picture for people."""
    arrows = sum(len(node.arrows) for node in picture.nodes)
    layers = picture.layers
    head = [
        counted(len(picture.nodes), "module"),
        counted(arrows, "import"),
        counted(len(layers), "layer"),
        counted(len(picture.cycles), "cycle") if picture.cycles else "no cycle",
    ]
    yield paint(", ".join(head), "bold")
    for number, layer in enumerate(layers, 1):
        yield paint(f"layer {number}", "bold")
        for node in layer:
            yield f"  {node.name}{paint(_place_in(picture, node), 'bad')}"
            yield from (f"    {line}" for line in _imports(node, paint))
    for module, line, text, reason in picture.unsure:
        yield paint(f"unsure: {module}:{line} {text}: {reason}", "note")
    yield from (paint(f"unreadable: {error}", "bad") for error in picture.errors)


def _place_in(picture: Picture, node: Node) -> str:
    others = [name for name in picture.cycles[node.cycle - 1] if name != node.name] if node.cycle else []
    return f" in a cycle with {', '.join(others)}" if others else ""


def _imports(node: Node, paint: Paint) -> Iterator[str]:
    """What a module imports: a line for each module and each way."""
    groups: dict[tuple[str, str], list[Arrow]] = {}
    for arrow in node.arrows:
        how = "hard" if arrow.hard and arrow.when == "import" else arrow.when
        groups.setdefault((how, arrow.imported), []).append(arrow)
    for (how, imported), arrows in groups.items():
        words, style = _HOW[how]
        names = ", ".join(dict.fromkeys(name for arrow in arrows for name, _ in arrow.takes))
        lines = ", ".join(str(line) for line in dict.fromkeys(arrow.line for arrow in arrows))
        text = f"{words} {imported}{f': {names}' if names else ''} (line {lines})"
        yield paint(text, style) if style else text
