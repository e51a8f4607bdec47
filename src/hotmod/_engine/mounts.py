"""File systems that others write to without telling our kernel.

Touches: the list of what is mounted, reading only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

__all__ = ["shared"]

_MOUNTS = "/proc/self/mountinfo"
# File systems that others write to without telling our kernel.
_SHARES = (
    *("nfs", "cifs", "smb", "9p", "fuse", "virtiofs", "vbox", "prl_fs", "drvfs", "fakeowner", "osxfs"),
    *("afs", "ceph", "lustre", "gpfs", "beegfs", "ocfs2", "gfs2"),
)


def shared(folders: Iterable[str]) -> bool | None:
    """Whether another machine may write to a folder, and our kernel does not tell; None if not known."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        shares = {
            before.split()[2]
            for before, _, after in (line.partition(" - ") for line in lines)
            if after.startswith(_SHARES)
        }
        devices = {os.stat(folder).st_dev for folder in folders if os.path.isdir(folder)}
    except (OSError, IndexError):
        return None
    return any(f"{os.major(device)}:{os.minor(device)}" in shares for device in devices)
