"""A server that holds one object: `python server.py`, then POST JSON to the paths of `my_executor.py`."""

import http.server
import json
import sys

import hotmod


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, executor, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.executor = executor


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            status, answer = 200, self.server.executor.answer(self.path, body)
        except KeyError as error:
            status, answer = 404, {"error": f"there is no {error}"}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    with (
        hotmod.live("my_executor:MyExecutor", "Ada", on_change="migrate") as executor,
        Server(executor) as server,
    ):
        print(f"http://127.0.0.1:{server.server_port}", file=sys.stderr)
        server.serve_forever()
