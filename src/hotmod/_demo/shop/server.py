"""The HTTP server. It is started once and lives as long as the process.

So it doesn't import what is edited: it is handed the module that answers, and asks it at each request.
"""

import http.server
import json
import socketserver
import threading
import types


def start(api: types.ModuleType, port: int = 0) -> socketserver.TCPServer:
    """Serve `api.answer` on loopback from a thread; port 0 means a free one."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, said = api.answer(self.command, self.path)
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Leave the terminal to others."""

    server = socketserver.ThreadingTCPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
