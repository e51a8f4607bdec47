from tools.registry import tool

MARK = "!"


@tool
def shout(text: str):
    """Say it louder."""
    return text.upper() + MARK
