"""A little shop, served over HTTP."""
