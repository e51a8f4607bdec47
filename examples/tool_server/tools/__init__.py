from tools import notes, text
from tools.registry import call, listed

__all__ = ["call", "listed", "notes", "text"]
