"""Text in, values out: what a source says, found without running it.

Touches: bytes and text. Never imports user code, never looks at live objects; only `files` reads
the disk.
"""
