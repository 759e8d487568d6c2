"""An open file on the disk: load and save without changing a byte that the user did not change."""

import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from palimpsest.app.encoding import Text, UnreadableError, UnwritableError, decode
from palimpsest.engine.language import tr


class DocumentError(Exception):
    """A file cannot be opened or saved; ``str()`` is one sentence for the user."""


@dataclass(frozen=True)
class Stamp:
    """What tells one state of a file on the disk from another."""

    modified: int  # ns
    size: int  # bytes
    file: int  # its number there


def stamp(path: Path) -> Stamp | None:
    """The state of the file on the disk now; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_mtime_ns, found.st_size, found.st_ino)


def load(path: Path, encoding: str | None = None) -> Text:
    """Read a file in ``encoding``, or in the one it seems to be in. Raises DocumentError."""
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise DocumentError(tr("{path} is a folder: open a file in it.", path=path))
        if not stat.S_ISREG(kind):
            raise DocumentError(tr("{path} is a device, not a file with text.", path=path))
        return decode(path.read_bytes(), encoding)
    except OSError as error:
        raise DocumentError(tr("{path} cannot be opened: {reason}.", path=path, reason=error.strerror)) from error
    except UnreadableError as error:
        cure = tr("choose another encoding") if encoding else tr("to see it anyway, choose an encoding")
        raise DocumentError(f"{path} {error}: {cure}.") from error


def save(path: Path, text: Text) -> None:
    """Write atomically: the file holds either the whole new text or the old. Raises DocumentError.

    A link's target is written, and keeps its mode and owner. Where a new file could not take the place of the old with
    those (it has a second name, or is someone else's), the old one is overwritten. Not Qt's QSaveFile, because
    ``palimpsest fill`` needs no Qt.
    """
    target = path.resolve()
    try:
        data = text.encode()
        known = target.stat() if target.exists() else None
        if known and not (known.st_mode & 0o222 and os.access(target, os.W_OK)):
            raise DocumentError(
                tr("{path} is read-only: save it under another name, or allow writing it first.", path=path)
            )
        if known is None or _replaceable(target, known):
            _replace(target, data, known)
        else:
            with target.open("r+b") as file:
                file.write(data)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise DocumentError(tr("{path} cannot be saved: {reason}.", path=path, reason=error.strerror)) from error
    except UnwritableError as error:
        raise DocumentError(tr("{path} cannot be saved: it {error}.", path=path, error=error)) from error


def _replaceable(target: Path, known: os.stat_result) -> bool:
    if hasattr(os, "getuid") and os.getuid() != 0:
        mine = os.getuid() == known.st_uid and known.st_gid in (os.getgid(), *os.getgroups())
    else:
        mine = True
    return mine and known.st_nlink == 1 and os.access(target.parent, os.W_OK)


def _replace(target: Path, data: bytes, known: os.stat_result | None) -> None:
    part = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            part = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if known:
            shutil.copymode(target, part)
            if hasattr(os, "chown"):
                os.chown(part, known.st_uid, known.st_gid)
        else:
            part.chmod(0o666 & ~_umask())
        part.replace(target)
    finally:
        if part:
            part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
