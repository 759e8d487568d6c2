"""What one may ask for: the useful instructions for prose, code and pictures, and those that the user gave before."""

from palimpsest.app import state
from palimpsest.app.settings import Settings

MOST = 50  # instructions that are remembered

PROSE = (
    "Fix the spelling",
    "Restore the capitals",
    "Restore the punctuation",
    "Shorten",
    "Expand",
    "Make it clearer",
    "Make it more formal",
    "Use plain words",
    "Translate into English",
    "Continue in the same voice",
)
CODE = (
    "Format this",
    "Add type hints",
    "Add a docstring",
    "Complete this",
    "Rename for clarity",
    "Simplify",
    "Handle the errors",
    "Write tests for this",
    "Explain in a comment",
)
PICTURE = (
    "Describe this picture",
    "Transcribe this picture",
    "Write its table as CSV",
    "Write its chart's data as CSV",
    "Write the code of this interface",
)


def offered(settings: Settings, prose: bool) -> list[str]:
    """All of them once, those asked for last and the user's own first."""
    return list(dict.fromkeys([*remembered(), *settings.instructions, *(PROSE if prose else CODE)]))


def offered_of_pictures(settings: Settings) -> list[str]:
    """The same where pictures are shown, whose own come first."""
    return list(dict.fromkeys([*PICTURE, *remembered(), *settings.instructions]))


def remembered() -> list[str]:
    """What was asked for, the last first."""
    try:
        told = state.read("instructions")
    except (OSError, ValueError):
        return []
    return [one for one in told if isinstance(one, str)] if isinstance(told, list) else []


def remember(instruction: str) -> None:
    """It was asked for just now."""
    state.write("instructions", list(dict.fromkeys([instruction, *remembered()]))[:MOST])
