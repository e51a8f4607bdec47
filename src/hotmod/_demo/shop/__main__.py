"""Run the shop until Ctrl-C, as `python -m shop` from the folder above, and edit it meanwhile."""

import sys
import threading

import hotmod

from . import api, server


def main() -> None:
    """Serve, and tell of each edit."""
    serving = server.start(api)
    with serving, hotmod.watch("shop", on_reload=say):
        say(f"curl 'http://127.0.0.1:{serving.server_address[1]}/price?item=mug&count=2'")
        threading.Event().wait()


def say(line: object) -> None:
    """Print at once, piped or not."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
