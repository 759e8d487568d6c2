"""Opens picture files and PDFs that nobody has reason to trust: page by page, in bounded memory."""

import io
import math
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from palimpsest.engine.errors import PictureError
from palimpsest.engine.language import tr
from palimpsest.engine.request import DETAILS, Picture
from palimpsest.engine.textlines import TextLine
from palimpsest.engine.transcript import VIDEOS
from palimpsest.engine.video import seconds

Pixels = NDArray[np.uint8]  # H x W x 3, red first

FORMATS = ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM"]  # others may start programs to be decoded
MOST_PIXELS = 50_000_000  # decoded
MOST_IN_FILE = 150_000_000  # of a JPEG, which can be decoded at a fraction of its size
MOST_PAGES = 200
LONGEST_SIDE = 40_000
DPI = 200  # at which pages without a text layer are drawn
DRAWN_SIDE = 3000  # pixels of a drawn page at most
TOKEN = 48**2  # pixels that a soft token sees, as the released model's are made
SHOWN = DETAILS[-1] * TOKEN  # pixels of a picture that a model is shown: its most tokens see no more
FRAME = 280 * TOKEN  # of a video's, of which there are many
LETTERS = 8  # fewer on a page are no text layer but a stamp or a page number


@dataclass(frozen=True)
class Sheet:
    """A page of a file: pixels to be read, or the lines its text layer gives."""

    pixels: Pixels | None = None
    lines: tuple[TextLine, ...] = ()


def shown(path: Path) -> tuple[Picture, ...]:
    """The picture as a model may be shown it; of several pages the first, of a video one a second. Raises
    PictureError."""
    if path.suffix.lower() in VIDEOS:
        return tuple(Picture(_small(image, FRAME, "JPEG"), second, path.name) for second, image in seconds(path))
    with closing(sheets(path)) as pages:
        _, sheet = next(pages)
    if sheet.pixels is None:
        raise PictureError(tr("{path} holds text, not a picture: insert its text instead.", path=path))
    return (Picture(_small(Image.fromarray(sheet.pixels), SHOWN, "PNG"), name=path.name),)


def _small(image: Image.Image, pixels: int, kind: str) -> bytes:
    """The file of the picture, in at most so many pixels."""
    file, scale = io.BytesIO(), math.sqrt(pixels / (image.width * image.height))
    image.thumbnail((max(1, int(image.width * scale)), max(1, int(image.height * scale))))
    image.save(file, kind)
    return file.getvalue()


def sheets(path: Path) -> Generator[tuple[int, Sheet], None, None]:
    """The number of pages and each page in turn. Raises PictureError."""
    try:
        with path.open("rb") as file:
            is_pdf = b"%PDF-" in file.read(1024)
    except OSError as error:
        raise PictureError(tr("{path} cannot be opened: {reason}.", path=path, reason=error.strerror)) from error
    yield from _pdf_sheets(path) if is_pdf else _image_sheets(path)


def _image_sheets(path: Path) -> Iterator[tuple[int, Sheet]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own of big pictures and odd tags: the limits here are ours
            with Image.open(path, formats=FORMATS) as image:
                frames = _frames(image, path)
                for frame in ImageSequence.Iterator(image) if frames > 1 else [image]:
                    yield frames, Sheet(_pixels(frame, path))
    except (PictureError, GeneratorExit):
        raise
    except UnidentifiedImageError as error:
        raise PictureError(
            tr("{path} is no picture of a kind that can be read (PNG, JPEG, WebP, TIFF, GIF, BMP, PDF).", path=path)
        ) from error
    except Image.DecompressionBombError as error:
        raise PictureError(
            tr("{path} has more pixels than are safe to read: make it smaller first.", path=path)
        ) from error
    except Exception as error:  # decoders of damaged files raise whatever they stumble over
        raise PictureError(tr("{path} is damaged or incomplete ({error}).", path=path, error=error)) from error


def _frames(image: Image.Image, path: Path) -> int:
    """Pages of a TIFF; of what moves, the first picture stands for all."""
    if image.format != "TIFF":
        return 1
    return _counted(getattr(image, "n_frames", 1), path)


def _counted(pages: int, path: Path) -> int:
    if pages > MOST_PAGES:
        raise PictureError(
            tr(
                "{path} has {pages} pages and at most {most_pages} are read at a time: split it first.",
                path=path,
                pages=pages,
                most_pages=MOST_PAGES,
            )
        )
    return pages


def _pixels(image: Image.Image, path: Path) -> Pixels:
    _small_enough(image, path, MOST_IN_FILE if image.format in ("JPEG", "MPO") else MOST_PIXELS)
    if image.width * image.height > MOST_PIXELS // 2:
        image.draft("RGB", (image.width // 2, image.height // 2))
        _small_enough(image, path, MOST_PIXELS)
    return np.asarray(_flat(ImageOps.exif_transpose(image)))


def _small_enough(image: Image.Image, path: Path, most: int) -> None:
    if image.width * image.height > most or max(image.size) > LONGEST_SIDE:
        raise PictureError(
            tr(
                "{path} is too large to be read safely ({width} x {height} pixels): make it smaller first.",
                path=path,
                width=image.width,
                height=image.height,
            )
        )


def _flat(image: Image.Image) -> Image.Image:
    """In red, green and blue, eight bits each, with nothing showing through."""
    if image.mode.startswith(("I", "F")):
        deep = np.asarray(image, dtype=np.float32)
        low, high = float(deep.min()), float(deep.max())
        return Image.fromarray(((deep - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    ground = Image.new("RGBA", seen.size, "black" if _is_light(seen) else "white")
    return Image.alpha_composite(ground, seen).convert("RGB")


def _is_light(image: Image.Image) -> bool:
    """Is what can be seen of it mostly light, so that it was meant for a dark ground?"""
    seen = np.asarray(image.getchannel("A")) > 127
    return bool(seen.any() and not seen.all()) and float(np.asarray(image.convert("L"))[seen].mean()) > 160


def _pdf_sheets(path: Path) -> Iterator[tuple[int, Sheet]]:
    try:
        with closing(pdfium.PdfDocument(path)) as document:
            pages = _counted(len(document), path)
            for number in range(pages):
                with closing(document[number]) as page:
                    yield pages, _sheet(page)
    except pdfium.PdfiumError as error:
        locked = "password" in str(error).lower()
        why = tr("is locked with a password") if locked else tr("is damaged or incomplete")
        raise PictureError(f"{path} {why}.") from error


def _sheet(page: pdfium.PdfPage) -> Sheet:
    lines = tuple(_text_layer(page))
    if sum(len(line.text) for line in lines) >= LETTERS:
        return Sheet(lines=lines)
    scale = min(DPI / 72, DRAWN_SIDE / max(*page.get_size(), 1))
    drawn = page.render(scale=scale)  # pyright: ignore[reportArgumentType]  (typed as whole, used as a fraction)
    return Sheet(np.asarray(drawn.to_pil().convert("RGB")))


def _text_layer(page: pdfium.PdfPage) -> Iterator[TextLine]:
    """The lines of text, each where it stands, in points from the page's top."""
    height = page.get_height()
    with closing(page.get_textpage()) as layer:
        text, boxes = "", []
        for at in range(layer.count_chars()):
            char = layer.get_text_range(at, 1)
            if char in "\r\n":
                if text.strip():
                    yield _line(text, boxes, height)
                text, boxes = "", []
            elif len(char) == 1:
                text += char
                boxes.append(layer.get_charbox(at))
        if text.strip():
            yield _line(text, boxes, height)


def _line(text: str, boxes: list[tuple[float, float, float, float]], height: float) -> TextLine:
    inked = [box for char, box in zip(text, boxes, strict=True) if not char.isspace()]
    return TextLine(
        text=text,
        left=min(box[0] for box in inked),
        top=height - max(box[3] for box in inked),
        right=max(box[2] for box in inked),
        bottom=height - min(box[1] for box in inked),
        places=tuple((box[0] + box[2]) / 2 for box in boxes),
        sure=(1.0,) * len(text),
    )
