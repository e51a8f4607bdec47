"""A shop in Flask that takes edits while it serves: `python serve.py [PORT]`."""

import logging
import sys

from shop.app import app
from werkzeug.serving import make_server

import hotmod

logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
logging.getLogger("werkzeug").setLevel(logging.WARNING)
app.wsgi_app = hotmod.stable()(app.wsgi_app)  # a request sees one version from its beginning to its end
server = make_server("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 0, app, threaded=True)
hotmod.watch("shop")
print(f"serving on http://127.0.0.1:{server.port}", flush=True)
server.serve_forever()
