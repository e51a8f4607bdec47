"""The values that cross rooms: frozen, standard library only, no input or output.

Guarantees: importing this room has no side effect and loads nothing of the other rooms.
"""
