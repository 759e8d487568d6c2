"""Opens short videos that nobody has reason to trust: a picture a second, in bounded memory and time."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from palimpsest.engine.errors import PictureError
from palimpsest.engine.language import tr

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

FORMATS = "mov,matroska,avi,ogg,mpeg,mpegts"  # none that names other files, as playlists do
CODECS = "h264,hevc,libdav1d,av1,vp8,libvpx,vp9,libvpx-vp9,mpeg4,mpeg1video,mpeg2video,mjpeg,theora,prores,ffv1"
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
            tr("{path} is a video, and to see those Palimpsest has to be installed by pip with av.", path=path)
        ) from error
    limits = {"format_whitelist": FORMATS, "codec_whitelist": CODECS}
    try:
        with path.open("rb") as file, av.open(file, "r", options=limits, metadata_errors="replace") as container:
            yield from _seconds(container, path)
    except av.error.FFmpegError as error:
        raise PictureError(tr("{path} is no video that can be read ({error}).", path=path, error=error)) from error
    except OSError as error:
        raise PictureError(tr("{path} cannot be opened: {reason}.", path=path, reason=error.strerror)) from error


def _seconds(container: "InputContainer", path: Path) -> Iterator[tuple[int, Image.Image]]:
    if not container.streams.video:
        raise PictureError(tr("{path} shows nothing: it has no video in it.", path=path))
    stream = container.streams.video[0]
    if not stream.codec_context:
        raise PictureError(tr("{path} is no video that can be read ({error}).", path=path, error="codec"))
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
    stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}  # frames may grow on the way
    if (container.duration or 0) > (LONGEST + 1) * 1_000_000:  # by its head, which may lie
        raise _too_long(path)
    wanted, at, before = 0, 0.0, None
    for number, (at, frame) in enumerate(_timed(container.decode(stream))):
        if at > LONGEST + 1 or number > MOST_FRAMES:
            raise _too_long(path)
        while before and wanted < at:
            yield wanted, _upright(before)
            wanted += 1
        before = frame
    if before and wanted <= at:
        yield wanted, _upright(before)


def _timed(frames: "Iterator[VideoFrame]") -> "Iterator[tuple[float, VideoFrame]]":
    """Each frame with the seconds since the first."""
    began = None
    for frame in frames:
        at = frame.time or 0.0
        began = at if began is None else began
        yield at - began, frame


def _upright(frame: "VideoFrame") -> Image.Image:
    return frame.to_image().rotate(frame.rotation, expand=True)


def _too_long(path: Path) -> PictureError:
    told = tr("{path} is longer than {seconds} seconds: cut a shorter video first.", path=path, seconds=LONGEST)
    return PictureError(told)
