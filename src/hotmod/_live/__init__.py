"""Running objects: the only room that changes them, and always through the journal.

Guarantees: no user text is parsed here, no time is read, no thread is started.
"""
