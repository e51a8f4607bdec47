"""Other processes that follow this one: what is committed here is shipped there, and nothing else.

Guarantees: a worker runs texts that were committed in the process that it follows, whatever the disk holds.
"""
