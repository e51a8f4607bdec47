"""Time: locks, threads and the order in which things happen.

Guarantees: at most one transaction runs in a process at any moment.
"""
