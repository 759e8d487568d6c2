"""Opening picture files that nobody has reason to trust."""

import struct
import subprocess
import sys
import zlib
from contextlib import suppress

import numpy as np
import pypdfium2 as pdfium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from palimpsest.engine import PictureError
from palimpsest.engine.pictures import MOST_PIXELS, sheets

RED, WHITE = (255, 0, 0), (255, 255, 255)


@pytest.fixture
def half_red():
    """Red on its left half."""
    image = Image.new("RGB", (64, 32), WHITE)
    image.paste(RED, (0, 0, 32, 32))
    return image


def only(path):
    """The pixels of a file of one page."""
    ((pages, sheet),) = sheets(path)
    assert pages == 1
    assert sheet.pixels is not None
    return sheet.pixels


def near(pixel, colour):
    return bool(np.abs(np.asarray(pixel, int) - colour).max() < 40)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tiff", "a.gif", "a.bmp", "a.ppm"])
def test_kinds_of_files(name, half_red, tmp_path):
    half_red.save(tmp_path / name)
    pixels = only(tmp_path / name)
    assert pixels.shape == (32, 64, 3)
    assert near(pixels[16, 8], RED)
    assert near(pixels[16, 56], WHITE)


def test_the_name_of_a_file_does_not_matter(half_red, tmp_path):
    half_red.save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "notes")
    assert only(tmp_path / "notes").shape == (32, 64, 3)


def test_a_photo_is_turned_as_the_camera_was_held(half_red, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise by a quarter
    half_red.save(tmp_path / "a.jpg", exif=exif)
    pixels = only(tmp_path / "a.jpg")
    assert pixels.shape == (64, 32, 3)
    assert near(pixels[8, 16], RED)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_dark_on_light_stays_so_in_every_mode(mode, tmp_path):
    image = Image.new("L", (64, 32), 255)
    image.paste(0, (0, 0, 32, 32))
    deep = Image.fromarray(np.asarray(image).astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    deep.save(tmp_path / "a.tiff")
    pixels = only(tmp_path / "a.tiff")
    assert pixels.dtype == np.uint8
    assert pixels[16, 8].max() < 60
    assert pixels[16, 56].min() > 195


@pytest.mark.parametrize(("ink", "ground"), [("black", 255), ("white", 0)])
def test_what_is_transparent_gets_the_ground_that_it_was_meant_for(ink, ground, tmp_path):
    image = Image.new("RGBA", (64, 32), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((8, 8, 24, 24), ink)
    image.save(tmp_path / "a.png")
    pixels = only(tmp_path / "a.png")
    assert pixels[2, 2].tolist() == [ground] * 3
    assert pixels[16, 16].tolist() == [255 - ground] * 3


def test_all_pages_of_a_tiff_and_the_first_frame_of_a_gif(half_red, tmp_path):
    for name in ("a.tiff", "a.gif"):
        half_red.save(tmp_path / name, save_all=True, append_images=[half_red.rotate(180), half_red.rotate(90)])
    assert [pages for pages, _ in sheets(tmp_path / "a.tiff")] == [3, 3, 3]
    assert only(tmp_path / "a.gif").shape == (32, 64, 3)


def sentence_of(path):
    with pytest.raises(PictureError) as caught:
        list(sheets(path))
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert text.endswith(".")
    return text


def png(width, height, *chunks):
    """A PNG that says that it is so large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize("size", [(12_000, 10_000), (60_000, 60_000), (100_000, 4), (2**31 - 1, 2**31 - 1)])
def test_too_large_is_said_before_anything_is_decoded(size, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(*size, (b"IDAT", zlib.compress(bytes(1000)))))
    assert "smaller" in sentence_of(path)


def test_a_photo_of_a_hundred_megapixels_is_decoded_at_a_fraction(tmp_path):
    Image.new("L", (12_000, 8_400), 255).save(tmp_path / "a.jpg")
    pixels = only(tmp_path / "a.jpg")
    assert pixels.shape[0] * pixels.shape[1] <= MOST_PIXELS
    assert pixels.min() > 200


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tiff", "a.gif", "a.bmp"])
def test_cut_off_files(name, tmp_path):
    path = tmp_path / name
    Image.effect_noise((64, 64), 90).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged" in sentence_of(path)


def test_a_file_that_holds_less_than_it_says(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(3000, 3000, (b"IDAT", zlib.compress(bytes(5000)))))
    assert "damaged" in sentence_of(path)


@pytest.mark.parametrize("content", [b"", b"just words\n", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_what_is_no_picture(content, tmp_path):
    (tmp_path / "a.png").write_bytes(content)
    assert "no picture" in sentence_of(tmp_path / "a.png")


def test_what_is_not_there(tmp_path):
    assert "cannot be opened" in sentence_of(tmp_path / "none.png")
    assert "cannot be opened" in sentence_of(tmp_path)


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 1 0 R>>\nendobj\n"])
def test_damaged_pdfs(content, tmp_path):
    (tmp_path / "a.pdf").write_bytes(content)
    assert "damaged" in sentence_of(tmp_path / "a.pdf")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"]), st.data())
def test_any_byte_may_be_wrong(tmp_path_factory, kind, data):
    path = tmp_path_factory.getbasetemp() / "flipped"
    Image.radial_gradient("L").resize((40, 30)).save(path, kind)
    content = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with suppress(PictureError):
        assert all(sheet.pixels is not None for _, sheet in sheets(path))


def test_a_page_of_a_pdf_without_text_is_drawn(tmp_path):
    document = pdfium.PdfDocument.new()
    document.new_page(200, 100)
    document.new_page(20_000, 100)
    document.save(tmp_path / "a.pdf")
    drawn = [sheet.pixels for _, sheet in sheets(tmp_path / "a.pdf")]
    assert [max(pixels.shape) for pixels in drawn if pixels is not None] == [556, 3000]


def test_a_pdf_of_a_thousand_pages(tmp_path):
    document = pdfium.PdfDocument.new()
    for _ in range(1000):
        document.new_page(10, 10)
    document.save(tmp_path / "a.pdf")
    assert "1000 pages" in sentence_of(tmp_path / "a.pdf")


def test_nothing_of_this_is_imported_with_the_engine():
    code = "import sys, palimpsest.engine; print({'onnxruntime', 'cv2', 'PIL', 'pypdfium2'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
