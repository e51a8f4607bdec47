"""The demo: a little shop that takes edits while it serves.

`driver` plays the editor and the customer; `shop` is the program, as data that is copied and never
imported from here.
"""
