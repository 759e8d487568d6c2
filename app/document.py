"""An open file: path, text, line ends; load and save without changing a byte that the user did not change."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path


class DocumentError(Exception):
    """A file cannot be opened or saved; ``str()`` is one sentence for the user."""


@dataclass(frozen=True)
class Text:
    """A file's text with ``\\n`` line ends, and what it takes to write it back."""

    text: str
    newline: str = "\n"
    bom: bool = False

    def encode(self) -> bytes:
        mark = b"\xef\xbb\xbf" if self.bom else b""
        return mark + self.text.replace("\n", self.newline).encode()


# What Qt would show as a line's end or use as its own mark, and so not give back.
_FOREIGN = {"\r": "\n", "\u2028": "\n", "\u2029": "\n", "\0": "", "\ufdd0": "", "\ufdd1": ""}


def clean(text: str) -> str:
    """``text`` from outside as a document can hold it: every line end ``\\n``, no characters of Qt's own use."""
    return text.replace("\r\n", "\n").translate(str.maketrans(_FOREIGN))


def load(path: Path) -> Text:
    """Read a UTF-8 file. Raises DocumentError when it cannot be read, or not be written back as it was."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(f"{path} cannot be opened: {error.strerror}.") from error
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} is not UTF-8 text (byte {error.start}): convert it to UTF-8 first.") from error
    newline = "\r\n" if "\r\n" in decoded else "\n"
    text = Text(decoded.replace("\r\n", "\n"), newline, data.startswith(b"\xef\xbb\xbf"))
    if text.encode() != data:
        raise DocumentError(f"{path} mixes line ends: convert it to one kind first, or saving would change them.")
    foreign = next((character for character in text.text if character in _FOREIGN), None)
    if foreign:
        raise DocumentError(f"{path} holds the character U+{ord(foreign):04X}, which this editor would not give back.")
    return text


def save(path: Path, text: Text) -> None:
    """Write atomically: the file holds either the whole new text or the old. Raises DocumentError.

    A link's target is written, and keeps its mode. Not Qt's QSaveFile, because ``palimpsest fill`` needs no Qt.
    """
    target = path.resolve()
    part = None
    try:
        data = text.encode()
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            part = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, part)
        else:
            part.chmod(0o666 & ~_umask())
        part.replace(target)
    except OSError as error:
        raise DocumentError(f"{path} cannot be saved: {error.strerror}.") from error
    except UnicodeEncodeError as error:
        raise DocumentError(f"{path} cannot be saved: character {error.start} is half of a pair; delete it.") from error
    finally:
        if part:
            part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
