from tools.registry import tool

NOTES = []


@tool
def note(text: str):
    """Write a note down."""
    NOTES.append(text)
    return f"{len(NOTES)} notes"


@tool
def recall():
    """Tell all notes."""
    return "; ".join(NOTES)
