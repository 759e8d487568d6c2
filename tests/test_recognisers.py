"""Writing in other languages is read by networks that the user puts beside the one that comes with the installation."""

from pathlib import Path
from typing import Any

import printed
import pytest
import rapidocr
from PIL import Image, ImageDraw

from palimpsest.app import main, settings
from palimpsest.app.preferences import Preferences
from palimpsest.app.settings import Settings
from palimpsest.engine import PictureError, Transcriber, Transcript, languages, recognisers

OWN = Path(rapidocr.__file__).parent / "models" / "PP-OCRv6_rec_small.onnx"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where such networks are looked for."""
    monkeypatch.setattr(recognisers, "place", lambda: tmp_path / "ocr")
    (tmp_path / "ocr").mkdir()
    return tmp_path / "ocr"


@pytest.fixture
def greek(place):
    """The network of the installation, but what it sees as h it calls q, and the other way round."""
    known = OWN.read_bytes()
    swapped = known.replace(b"\nh\n", b"\n\0\n").replace(b"\nq\n", b"\nh\n").replace(b"\n\0\n", b"\nq\n")
    assert swapped != known
    path = place / "el_PP-OCRv5_rec_mobile.onnx"
    path.write_bytes(swapped)
    return path.stem


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    image = Image.new("RGB", (400, 60), "white")
    ImageDraw.Draw(image).text((20, 15), "the other shore", "black", printed.font("JetBrainsMono-Regular", 24))
    image.save(path)
    return path


def test_a_picture_is_read_by_the_network_that_is_wanted(greek, picture):
    transcriber = Transcriber()

    def text(language):
        told = transcriber.read(picture, "auto", language)
        return "".join(page.text for page in told if isinstance(page, Transcript))

    assert [text(language) for language in ("", greek, "")] == ["the other shore", "tqe otqer sqore", "the other shore"]


def test_they_are_called_by_what_they_read(greek, place):
    (place / "runes.onnx").touch()
    (place / "notes.txt").touch()
    assert languages() == {"": "Latin, Chinese, Japanese", greek: "Greek", "runes": "runes"}


def test_the_command_reads_by_it(greek, picture, place, capsys):
    assert main.main(["ocr", "--language", greek, str(picture)]) == 0
    assert capsys.readouterr().out == "tqe otqer sqore\n"
    assert main.main(["ocr", "--language", "elvish", str(picture)]) == 1
    assert (
        f"There is no {place / 'elvish.onnx'} to read writing with: put it there, or choose another."
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(("holds", "told"), [(b"", "is damaged"), (b"\x08\x08", "is damaged")])
def test_a_file_that_is_no_network_is_told(place, picture, holds, told):
    (place / "el.onnx").write_bytes(holds)
    with pytest.raises(PictureError, match=told):
        list(Transcriber().read(picture, "auto", "el"))


@pytest.mark.parametrize(
    "changed",
    [
        lambda _own: OWN.with_name("PP-OCRv6_det_small.onnx").read_bytes(),  # it finds text, and knows no characters
        lambda own: own.replace(b"character", b"charakter"),
        lambda own: own.replace(b"\nh\nq\n", b"\nhhq\n") if b"\nh\nq\n" in own else own.replace(b"\nh\n", b"\nhh"),
    ],
)
def test_one_that_does_not_say_its_characters_is_told_and_nothing_is_fetched(place, picture, changed, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("it was to be fetched"))
    (place / "el.onnx").write_bytes(changed(OWN.read_bytes()))
    with pytest.raises(PictureError, match="does not say which characters it knows: take another file"):
        list(Transcriber().read(picture, "auto", "el"))


def test_those_of_one_language_are_told_apart(place):
    for version in ("4", "5"):
        (place / f"el_v{version}.onnx").touch()
    assert list(languages().values())[1:] == ["Greek (el_v4)", "Greek (el_v5)"]


def test_it_is_chosen_in_the_preferences(greek, qtbot):
    dialog = Preferences(Settings(), [])
    qtbot.addWidget(dialog)
    told = []
    dialog.changed.connect(told.append)
    choice: Any = dialog.rows["Text in images is"]
    choice.setCurrentIndex(choice.findText("Greek"))
    choice.activated.emit(choice.currentIndex())
    assert [one.images for one in told] == [greek]


@pytest.mark.usefixtures("place")
def test_a_network_that_has_gone_is_told_at_the_start():
    settings.save(Settings(images="gone"))
    chosen, told = settings.load()
    assert chosen.images == ""
    assert "images cannot be that, so it is as usual" in told
