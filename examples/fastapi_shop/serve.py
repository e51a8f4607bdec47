"""A shop in FastAPI that takes edits while uvicorn serves it: `python serve.py [PORT]`."""

import logging
import socket
import sys

import uvicorn
from shop.app import app

import hotmod


async def stable_app(scope, receive, send):
    """A request sees one version from its beginning to its end; the application's own life is no request."""
    if scope["type"] != "http":
        await app(scope, receive, send)
        return
    async with hotmod.stable():
        await app(scope, receive, send)


logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
with socket.create_server(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 0)) as listener:
    hotmod.watch("shop")
    print(f"serving on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(stable_app, log_level="warning")).run(sockets=[listener])
