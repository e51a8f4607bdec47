"""`python -m hotmod`, and the `hotmod` command."""

from __future__ import annotations

import sys

from hotmod._cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
