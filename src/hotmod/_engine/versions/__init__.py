"""Versions side by side: a package loaded several times, and which of them is meant."""
