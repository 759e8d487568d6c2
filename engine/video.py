"""Opens short videos that nobody has reason to trust: a picture a second, in bounded memory and time."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from palimpsest.engine.errors import PictureError
from palimpsest.engine.language import tr

if TYPE_CHECKING:
    from av.container import InputContainer

FORMATS = "mov,matroska,avi,ogg,mpeg,mpegts"  # none that names other files, as playlists do
LONGEST = 60  # seconds
MOST_FRAMES = LONGEST * 120  # that are decoded
MOST_PIXELS = 36_000_000  # of a frame


def seconds(path: Path) -> Iterator[tuple[int, Image.Image]]:
    """Each second of a video with what it shows then. Raises PictureError."""
    try:
        import av
        import av.error
    except ImportError as error:
        raise PictureError(
            tr("{path} is a video, and to see those PyAV is needed: pip install av.", path=path)
        ) from error
    try:
        with path.open("rb") as file, av.open(file, "r", options={"format_whitelist": FORMATS}) as container:
            yield from _seconds(container, path)
    except av.error.FFmpegError as error:
        raise PictureError(tr("{path} is no video that can be read ({error}).", path=path, error=error)) from error
    except OSError as error:
        raise PictureError(tr("{path} cannot be opened: {reason}.", path=path, reason=error.strerror)) from error


def _seconds(container: "InputContainer", path: Path) -> Iterator[tuple[int, Image.Image]]:
    if not container.streams.video:
        raise PictureError(tr("{path} shows nothing: it has no video in it.", path=path))
    stream = container.streams.video[0]
    if stream.width * stream.height > MOST_PIXELS:
        raise PictureError(
            tr(
                "{path} is too large to be read safely ({width} x {height} pixels): make it smaller first.",
                path=path,
                width=stream.width,
                height=stream.height,
            )
        )
    stream.thread_type = "AUTO"
    too_long = PictureError(
        tr("{path} is longer than {seconds} seconds: cut a shorter video first.", path=path, seconds=LONGEST)
    )
    if (container.duration or 0) > (LONGEST + 1) * 1_000_000:  # by its head, which may lie
        raise too_long
    began: float | None = None
    wanted = 0
    for number, frame in enumerate(container.decode(stream)):
        began = frame.time if began is None else began
        at = (frame.time or 0.0) - (began or 0.0)
        if at > LONGEST + 1 or number > MOST_FRAMES:
            raise too_long
        if at >= wanted:
            yield wanted, frame.to_image().rotate(frame.rotation, expand=True)
            wanted = int(at) + 1
