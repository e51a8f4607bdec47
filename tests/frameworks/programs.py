"""Programs written with real frameworks, edits of them, and what a client of each sees.

The routes, commands, ... of a program stand in the module `shop.views`, which all edits are made in; the
application stands in `shop.app`.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace as Modules
from typing import Any

__all__ = ["EDITS", "PROGRAMS", "Program"]

EDITS = ("body", "new", "path", "parameter", "removed", "decorator")


@dataclasses.dataclass(frozen=True)
class Program:
    """A program of two modules, and what to look at.

    Attributes:
        needs: the package that it is written with.
        app: the text of `shop.app`.
        views: the text of `shop.views`.
        edits: by kind of edit, what is replaced in `shop.views`, and with what.
        see: what a client sees, given the modules `app` and `views`; any value that can be compared.
        touch: makes some state, and gives what has to be the same object afterwards.
        state: what has become of that state.
        stays: what of the state is looked at, in words.
        close: closes what the program has opened.
    """

    needs: str
    app: str
    views: str
    edits: Mapping[str, tuple[str, str]]
    see: Callable[[Modules], Any]
    touch: Callable[[Modules], list[Any]]
    state: Callable[[Modules], Any]
    stays: str = "the application and its state"
    close: Callable[[Modules], object] = lambda _: None


SUCCESS = 200


def _answers(client: Any, *paths: str) -> dict[str, Any]:
    found = {}
    for path in paths:
        answer = client.get(path)
        text = answer.text
        found[path] = (answer.status_code, text if answer.status_code == SUCCESS else "")
    return found


PATHS = ("/", "/item?size=3", "/thing?size=3", "/extra", "/other")


# Flask

FLASK_APP = """
from flask import Flask

app = Flask("shop")
app.config["seen"] = 0
"""

FLASK_VIEWS = """
import functools

from flask import request

from shop.app import app


def loud(view):
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        return view(*args, **kwargs).upper()

    return wrapper


@app.route("/")
def home():
    return "home"


@app.route("/item")
def item():
    return "item one"


@app.route("/other")
def other():
    app.config["seen"] += 1
    return "other"
"""


def _web_edits(route: str, text: str = '"item one"') -> dict[str, tuple[str, str]]:
    """Edits of a function `item` with a route decorator such as `@app.get(`."""
    whole = f'{route}"/item")\ndef item():\n    return {text}\n'
    return {
        "body": (text, '"item two"'),
        "new": (whole, whole + f'\n\n{route}"/extra")\ndef extra():\n    return "extra"\n'),
        "path": (f'{route}"/item")', f'{route}"/thing")'),
        "removed": (whole, ""),
        "decorator": (f'{route}"/item")\n', f'{route}"/item")\n@loud\n'),
    }


FLASK_EDITS = {
    **_web_edits("@app.route("),
    "parameter": (
        '@app.route("/item")\ndef item():\n    return "item one"',
        '@app.route("/item")\n@app.route("/item/<int:size>")\ndef item(size=7):\n    return f"item {size}"',
    ),
}


def _see_flask(modules: Modules) -> Any:
    app = modules.app.app
    rules = sorted((rule.rule, rule.endpoint) for rule in app.url_map.iter_rules())
    return _answers(app.test_client(), *PATHS, "/item/3"), rules


def _touch_flask(modules: Modules) -> list[Any]:
    modules.app.app.test_client().get("/other")
    return [modules.app.app]


PROGRAMS: dict[str, Program] = {}
PROGRAMS["Flask"] = Program(
    "flask",
    FLASK_APP,
    FLASK_VIEWS,
    FLASK_EDITS,
    _see_flask,
    _touch_flask,
    lambda on: on.app.app.config["seen"],
)


def _with_blueprint(text: str) -> str:
    text = text.replace("@app.route", "@site.route")
    return text.replace("def loud", 'site = Blueprint("site", "shop")\n\n\ndef loud', 1).replace(
        "import request", "import Blueprint"
    )


PROGRAMS["Flask, blueprint"] = dataclasses.replace(
    PROGRAMS["Flask"],
    views=_with_blueprint(FLASK_VIEWS) + '\n\napp.register_blueprint(site, url_prefix="/api")\n',
    edits={name: (_with_blueprint(old), _with_blueprint(new)) for name, (old, new) in FLASK_EDITS.items()},
    see=lambda on: (
        _answers(on.app.app.test_client(), *("/api" + path for path in (*PATHS, "/item/3"))),
        sorted((rule.rule, rule.endpoint) for rule in on.app.app.url_map.iter_rules()),
    ),
    touch=lambda on: [on.app.app, on.views.site, on.app.app.test_client().get("/api/other") and None],
)

_SIZED = 'app.add_url_rule("/item/<int:size>", view_func=item)'
_RULE = 'site.add_url_rule("/item", view_func=item)'
PROGRAMS["Flask, by a function"] = dataclasses.replace(
    PROGRAMS["Flask"],
    views=re.sub(r'@app\.route\(".*"\)\n', "", FLASK_VIEWS)
    + f"""

def register(site):
    site.add_url_rule("/", view_func=home)
    {_RULE}
    site.add_url_rule("/other", view_func=other)


register(app)
""",
    edits={
        "body": FLASK_EDITS["body"],
        "new": (
            _RULE,
            f'{_RULE}\n\n    @site.route("/extra")\n    def extra():\n        return "extra"\n',
        ),
        "path": ('"/item"', '"/thing"'),
        "parameter": (
            'def item():\n    return "item one"',
            f'def item(size=7):\n    return f"item {{size}}"\n\n\n{_SIZED}',
        ),
        "removed": (_RULE, "pass"),
        "decorator": ("view_func=item", "view_func=loud(item)"),
    },
)

_VIEW = """class Item(MethodView):
    def get(self):
        return "item one"


app.add_url_rule("/item", view_func=Item.as_view("item"))
"""
PROGRAMS["Flask, classes"] = dataclasses.replace(
    PROGRAMS["Flask"],
    views=FLASK_VIEWS.replace('@app.route("/item")\ndef item():\n    return "item one"\n', _VIEW).replace(
        "from flask import request", "from flask.views import MethodView"
    ),
    edits={
        "body": FLASK_EDITS["body"],
        "new": (
            _VIEW,
            f'{_VIEW}app.add_url_rule("/extra", view_func=Item.as_view("extra"))\n',
        ),
        "path": ('"/item", view', '"/thing", view'),
        "parameter": (
            _VIEW,
            _VIEW.replace("(self)", "(self, size=7)").replace('"item one"', 'f"item {size}"')
            + 'app.add_url_rule("/item/<int:size>", view_func=Item.as_view("sized"))\n',
        ),
        "removed": (_VIEW, ""),
        "decorator": ("    def get(self):", "    decorators = (loud,)\n\n    def get(self):"),
    },
)

# FastAPI and Starlette

FASTAPI_APP = """
from fastapi import FastAPI

app = FastAPI()
app.state.seen = 0
"""

FASTAPI_VIEWS = """
import functools

from shop.app import app


def loud(view):
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        return view(*args, **kwargs).upper()

    return wrapper


@app.get("/")
def home():
    return "home"


@app.get("/item")
def item():
    return "item one"


@app.get("/other")
def other():
    app.state.seen += 1
    return "other"
"""

FASTAPI_EDITS = {
    **_web_edits("@app.get("),
    "parameter": (
        'def item():\n    return "item one"',
        'def item(size: int = 7):\n    return f"item {size}"',
    ),
}


def _see_asgi(modules: Modules) -> Any:
    from starlette.testclient import TestClient

    app = modules.app.app
    schema = json.dumps(app.openapi(), sort_keys=True) if hasattr(app, "openapi") else ""
    prefix = "/api" if "include_router" in modules.text else ""
    return _answers(TestClient(app), *(prefix + path for path in PATHS)), schema


def _touch_asgi(modules: Modules) -> list[Any]:
    _see_asgi(modules)
    modules.app.app.state.seen = 5
    return [modules.app.app]


PROGRAMS["FastAPI"] = Program(
    "fastapi",
    FASTAPI_APP,
    FASTAPI_VIEWS,
    FASTAPI_EDITS,
    _see_asgi,
    _touch_asgi,
    lambda on: on.app.app.state.seen > 4,
)


def _with_router(text: str) -> str:
    return (
        text.replace("@app.get", "@site.get")
        .replace("def loud", "site = APIRouter()\n\n\ndef loud", 1)
        .replace("import functools", "import functools\n\nfrom fastapi import APIRouter")
    )


PROGRAMS["FastAPI, router"] = dataclasses.replace(
    PROGRAMS["FastAPI"],
    views=_with_router(FASTAPI_VIEWS) + '\n\napp.include_router(site, prefix="/api")\n',
    edits={name: (_with_router(old), _with_router(new)) for name, (old, new) in FASTAPI_EDITS.items()},
)

STARLETTE_APP = """
from starlette.applications import Starlette

app = Starlette()
app.state.seen = 0
"""

STARLETTE_VIEWS = """
import functools

from starlette.responses import PlainTextResponse

from shop.app import app


def loud(view):
    @functools.wraps(view)
    def wrapper(request):
        return PlainTextResponse(view(request).body.upper())

    return wrapper


def home(request):
    return PlainTextResponse("home")


def item(request):
    return PlainTextResponse("item one")


def other(request):
    return PlainTextResponse("other")


app.add_route("/", home)
app.add_route("/item", item)
app.add_route("/other", other)
"""

STARLETTE_EDITS = {
    "body": ('"item one"', '"item two"'),
    "new": (
        'app.add_route("/item", item)\n',
        'app.add_route("/item", item)\napp.add_route("/extra", lambda request: PlainTextResponse("extra"))\n',
    ),
    "path": ('"/item"', '"/thing"'),
    "parameter": (
        'def item(request):\n    return PlainTextResponse("item one")',
        (
            "def item(request, size=7):\n"
            "    return PlainTextResponse(f\"item {size} {request.query_params['size']}\")"
        ),
    ),
    "removed": ('app.add_route("/item", item)\n', ""),
    "decorator": ("def item(", "@loud\ndef item("),
}
PROGRAMS["Starlette"] = dataclasses.replace(
    PROGRAMS["FastAPI"], needs="starlette", app=STARLETTE_APP, views=STARLETTE_VIEWS, edits=STARLETTE_EDITS
)
