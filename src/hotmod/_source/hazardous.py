"""Calls that a module had better not make while it is imported: slow ones, and what opens something.

Touches: syntax trees.

Guarantees: only calls that the text spells by the usual names are known; a module may do other things that
are slow.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

__all__ = ["aliases_in", "long_loop", "resource_of", "slow_call", "spelled"]

LONG = 100_000  # turns of a loop
TEN, MOST_DIGITS = 10, 18  # what a power may be made of: `9 ** 9 ** 9` is not worked out
# by the dotted name as the imports of the module make it
_SLOW = {
    "time.sleep": "waits",
    "socket.create_connection": "asks the network",
    "socket.gethostbyname": "asks the network",
    "urllib.request.urlopen": "asks the network",
    "urllib.request.urlretrieve": "asks the network",
    "subprocess.check_output": "runs a process",
    "subprocess.check_call": "runs a process",
    "subprocess.call": "runs a process",
    "os.popen": "runs a process",
    "os.walk": "walks over folders",
    "asyncio.run": "runs an event loop to its end",
    "numpy.load": "reads data",
    "numpy.loadtxt": "reads data",
    "numpy.genfromtxt": "reads data",
    "pickle.load": "reads data",
    "joblib.load": "reads data",
    "torch.load": "loads a model",
    "torch.hub.load": "loads a model",
    "spacy.load": "loads a model",
    "whisper.load_model": "loads a model",
    "transformers.pipeline": "loads a model",
    "sentence_transformers.SentenceTransformer": "loads a model",
    "nltk.download": "asks the network",
}
_VERBS = frozenset(("get", "post", "put", "patch", "delete", "head", "request"))
_CLIENTS = frozenset(("requests", "httpx"))
_READERS = frozenset(("pandas", "polars"))
# by the last part alone: nobody else uses these words
_SLOW_METHODS = {
    "from_pretrained": "loads a model",
    "load_model": "loads a model",
    "run_until_complete": "runs an event loop until something is done",
    "rglob": "walks over folders",
}
_RESOURCES = {
    "sqlite3.connect": "a connection",
    "psycopg.connect": "a connection",
    "psycopg2.connect": "a connection",
    "pymysql.connect": "a connection",
    "MySQLdb.connect": "a connection",
    "duckdb.connect": "a connection",
    "redis.Redis": "connections",
    "redis.StrictRedis": "connections",
    "redis.from_url": "connections",
    "redis.asyncio.Redis": "connections",
    "pymongo.MongoClient": "connections",
    "motor.motor_asyncio.AsyncIOMotorClient": "connections",
    "sqlalchemy.create_engine": "connections",
    "sqlalchemy.ext.asyncio.create_async_engine": "connections",
    "requests.Session": "connections",
    "httpx.Client": "connections",
    "httpx.AsyncClient": "connections",
    "aiohttp.ClientSession": "connections",
    "grpc.insecure_channel": "connections",
    "boto3.Session": "connections",
    "socket.socket": "a socket",
    "socket.create_server": "a socket",
    "http.server.HTTPServer": "a socket",
    "http.server.ThreadingHTTPServer": "a socket",
    "concurrent.futures.ThreadPoolExecutor": "threads",
    "concurrent.futures.ProcessPoolExecutor": "processes",
    "multiprocessing.Pool": "processes",
    "multiprocessing.pool.ThreadPool": "threads",
    "asyncio.new_event_loop": "an event loop",
    "tempfile.TemporaryDirectory": "a folder",
    "tempfile.NamedTemporaryFile": "a file",
    "builtins.open": "a file",
    "shelve.open": "a file",
    "h5py.File": "a file",
    "mmap.mmap": "a mapping",
    "tkinter.Tk": "a window",
    "pygame.display.set_mode": "a window",
}


def aliases_in(tree: ast.Module) -> Mapping[str, str]:
    """The dotted names of what a module's imports from elsewhere bind, wherever in the text they stand."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update({each.asname: each.name for each in node.names if each.asname})
            plain = [each.name.partition(".")[0] for each in node.names if not each.asname]
            found.update({name: name for name in plain})
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.update({each.asname or each.name: f"{node.module}.{each.name}" for each in node.names})
    return found


def spelled(node: ast.expr) -> str:
    """`a.b.c` of a name or an attribute; with `…` for anything else at its start."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return ".".join([node.id if isinstance(node, ast.Name) else "…", *parts])


def slow_call(call: ast.Call, aliases: Mapping[str, str]) -> str:
    """What a call does that takes long, as in `time.sleep waits`; empty for others."""
    name = _full(call, aliases)
    root, _, last = name.rpartition(".")
    if root in _CLIENTS and last in _VERBS:
        return f"{name} asks the network"
    if root in _READERS and last.startswith(("read_", "scan_")):
        return f"{name} reads data"
    does = _SLOW.get(name) or (_SLOW_METHODS.get(last, "") if root else "")
    return f"{name} {does}" if does else ""


def resource_of(call: ast.Call, aliases: Mapping[str, str]) -> str:
    """What a call opens, as in `sqlite3.connect opens a connection`; empty for others."""
    name = _full(call, aliases)
    return f"{name.removeprefix('builtins.')} opens {_RESOURCES[name]}" if name in _RESOURCES else ""


def long_loop(node: ast.AST) -> str:
    """That a loop takes long; empty where the text doesn't tell that it does."""
    if isinstance(node, ast.While):
        forever = isinstance(node.test, ast.Constant) and bool(node.test.value)
        return "the loop goes on until it is left" if forever else ""
    if isinstance(node, (ast.For, ast.comprehension)):
        turns = _turns(node.iter)
        return f"the loop takes {turns:,} turns" if turns >= LONG else ""
    return ""


def _turns(node: ast.expr) -> int:
    """How often a loop over `range(...)` of literals turns; 0 where that can't be told."""
    if not isinstance(node, ast.Call) or spelled(node.func) != "range" or node.keywords:
        return 0
    try:
        bounds = [
            ast.literal_eval(each) if not isinstance(each, ast.BinOp) else _power(each) for each in node.args
        ]
        return len(range(*bounds))
    except (ValueError, TypeError, OverflowError):
        return 0


def _power(node: ast.BinOp) -> int:
    """The value of `10 ** 6` and `1000 * 1000`."""
    left, right = ast.literal_eval(node.left), ast.literal_eval(node.right)
    if isinstance(left, int) and isinstance(right, int):
        if isinstance(node.op, ast.Pow) and 0 <= right <= MOST_DIGITS and abs(left) <= TEN:
            return int(left**right)
        if isinstance(node.op, ast.Mult):
            return left * right
    msg = "something else"
    raise ValueError(msg)


def _full(call: ast.Call, aliases: Mapping[str, str]) -> str:
    """The dotted name of what is called, as the imports of the module make it."""
    name = spelled(call.func)
    root, dot, rest = name.partition(".")
    if name == "open" and root not in aliases:
        return "builtins.open"
    return f"{aliases[root]}{dot}{rest}" if root in aliases else f"…{dot}{rest}" if dot else ""
