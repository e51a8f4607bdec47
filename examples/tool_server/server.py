"""A server of tools as assistants use them (JSON-RPC by lines, as in MCP): `python server.py`."""

import json
import sys
import threading

import tools

import hotmod

writing = threading.Lock()


def send(message):
    with writing:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def reloaded(report):
    print("hotmod:", report, file=sys.stderr, flush=True)  # standard output belongs to the client
    if tools.listed() != known[0]:
        known[0] = tools.listed()
        send({"method": "notifications/tools/list_changed"})


def answer(method, params):
    if method == "initialize":
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "tools", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": tools.listed()}
    if method == "tools/call":
        text, failed = tools.call(params["name"], params.get("arguments", {}))
        return {"content": [{"type": "text", "text": text}], "isError": failed}
    raise LookupError(method)


known = [tools.listed()]
hotmod.watch("tools", on_reload=reloaded)
for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    try:
        with hotmod.stable():  # an answer is of one version
            message = {"result": answer(request["method"], request.get("params", {}))}
    except LookupError as error:
        message = {"error": {"code": -32601, "message": f"there is no {error}"}}
    send({"id": request["id"], **message})
