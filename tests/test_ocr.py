"""Reading pictures: drawn pages whose text is known, with the bars that the benchmark measures in full."""

import gc
import json
import random
import subprocess
import sys
from collections import Counter

import numpy as np
import printed
import pytest
from bench_pictures import cells_f1, errors, flat, in_order, indented, text_of
from PIL import Image, ImageDraw
from PySide6.QtGui import QFont, QPdfWriter, QTextDocument

from palimpsest.app import main
from palimpsest.engine import Part, Transcriber, Transcript
from palimpsest.engine.ink import left_over
from palimpsest.engine.layout import rows
from palimpsest.engine.setting import code
from palimpsest.engine.textlines import Marked, TextLine


@pytest.fixture(scope="module")
def transcriber():
    transcriber = Transcriber()
    yield transcriber
    transcriber.close()


@pytest.fixture
def read(transcriber, tmp_path):
    """The text of a drawn page."""

    def read(page, form="auto"):
        page.picture.save(tmp_path / "page.png")
        return text_of(transcriber, tmp_path / "page.png", form)

    return read


def a_page(*texts, size=20, face="JetBrainsMono-Regular", wide=700):
    """Lines of text at places: (x, y, text)."""
    picture = Image.new("RGB", (wide, max(y for _, y, _ in texts) + 3 * size), "white")
    for x, y, text in texts:
        ImageDraw.Draw(picture).text((x, y), text, "black", printed.font(face, size))
    return printed.Printed("", "", picture, "")


def share(page, text):
    return errors(page, text) / len(flat(page.text))


@pytest.mark.parametrize("size", [12, 14, 20])
def test_prose(size, read):
    page = printed.prose(random.Random(size), size)
    text = read(page)
    assert share(page, text) <= (0.02 if size < 14 else 0.01)
    assert text.count("\n\n") == page.text.count("\n\n")
    assert "\n" not in text.replace("\n\n", "")


@pytest.mark.parametrize(("theme", "size"), [("light", 14), ("dark", 16), ("solarized", 12)])
def test_code(theme, size, read):
    page = printed.code(random.Random(size), size, theme, lines=16)
    text = read(page)
    same, lines = indented(page, text)
    assert share(page, text) <= (0.02 if size < 14 else 0.01)
    assert same >= 0.98 * lines


def test_columns(read):
    page = printed.columns(random.Random(1), 14)
    text = read(page)
    assert share(page, text) <= 0.01
    assert in_order(page, text)


@pytest.mark.parametrize("ruled", [True, False])
def test_tables(ruled, read):
    page = printed.table(random.Random(3), 16, ruled)
    assert cells_f1(page, read(page)) >= 0.95


def test_a_receipt_is_read_line_by_line(read):
    page = printed.receipt(random.Random(0))
    text = read(page)
    assert share(page, text) <= 0.01
    assert [line for line in text.split("\n") if line] == page.text.split("\n")


@pytest.mark.parametrize("number", range(len(printed.FAINT)))
def test_low_contrast(number, read):
    page = printed.prose(random.Random(number), 14, colours=printed.FAINT[number])
    assert share(page, read(page)) <= 0.01


def test_noise(read):
    rng = random.Random(2)
    page = printed.noisy(printed.prose(rng, 16), rng)
    assert share(page, read(page)) <= 0.02


@pytest.mark.parametrize(("seed", "size"), [(2, 14), (4, 14), (6, 20), (6, 24)])
def test_grain_shifts_no_line_of_code(seed, size, read):
    rng = random.Random(seed)
    page = printed.noisy(printed.code(rng, size), rng)
    same, lines = indented(page, read(page))
    assert same >= 0.98 * lines


@pytest.mark.parametrize(("text", "ink", "first"), [("'Remove'", 4.3, 6), ("Remove", 0.2, 4), ("Remove", 4.1, 4)])
def test_what_was_overlooked_and_what_is_a_speck_move_no_line(text, ink, first):
    """Of three quotation marks one may be read, and grain may stand far before a line."""

    def line(number, text, ink, first):
        places = tuple(10 * (first + at + 0.5) for at in range(len(text)))
        top = 20 * number
        return TextLine(text, 10 * ink, top, places[-1] + 5, top + 18, places, (1.0,) * len(text))

    lines = [line(0, "def one(a):", 0.1, 0), line(1, text, ink, first), line(2, "return a", 4.1, 4)]
    assert code([[one] for one in lines]).text.split("\n") == ["def one(a):", f"    {text}", "    return a"]


def test_a_low_comma_stands_beside_what_is_as_high_as_the_line():
    def line(text, left, top, bottom):
        return TextLine(text, left, top, left + 10, bottom, (left + 5.0,), (1.0,))

    lines = [line('"', 768, 182, 198), line("a", 89, 176, 214), line(",", 812, 198, 208), line("b", 89, 220, 250)]
    assert [[one.text for one in row] for row in rows(lines)] == [["a", '"', ","], ["b"]]


@pytest.mark.parametrize(("height", "found"), [(3, 1), (2, 0)])
def test_quotation_marks_are_found_in_small_type_and_dust_is_not(height, found):
    ink = np.zeros((40, 60), np.uint8)
    for left in (10, 12, 17, 19, 24, 26):
        ink[10 : 10 + height, left] = 1
    assert len(left_over(ink, [], 16.5)) == found


def test_skew(read):
    rng = random.Random(2)
    page = printed.skewed(printed.code(rng, 16, lines=12), rng)
    text = read(page)
    same, lines = indented(page, text)
    assert share(page, text) <= 0.01
    assert same >= 0.98 * lines


def test_words_that_were_parted_at_the_line_s_end_are_whole(read):
    lines = ["The window shows what was writ-", "ten before, and the well-known", "text stays where it is."]
    page = a_page(*((30, 30 + 30 * at, line) for at, line in enumerate(lines)), face="Vollkorn-Regular")
    assert read(page) == "The window shows what was written before, and the well-known text stays where it is."


def test_a_page_of_prose_and_a_table(read):
    rows = [("Name", "Born", "Died"), ("Ada", "1815", "1852"), ("Grace", "1906", "1992"), ("Alan", "1912", "1954")]
    cells = [(30 + 150 * at, 160 + 40 * row, cell) for row, texts in enumerate(rows) for at, cell in enumerate(texts)]
    words = [
        (30, 30, "These are the people whose names stand on the"),
        (30, 60, "machines in our cellar."),
    ]
    text = read(a_page(*words, *cells, face="Vollkorn-Regular"))
    prose, table = text.split("\n\n")
    assert prose == "These are the people whose names stand on the machines in our cellar."
    assert table.split("\n")[:3] == ["| Name | Born | Died |", "| --- | --- | --- |", "| Ada | 1815 | 1852 |"]


LINES = ["def area(radius):", "    if radius < 0:", "        raise ValueError(radius)", "    return 3 * radius"]


def test_the_form_may_be_said(read):
    page = a_page(*((30, 30 + 30 * at, line) for at, line in enumerate(LINES)))
    assert read(page, "auto") == "\n".join(LINES)
    assert read(page, "markdown") == "```python\n" + "\n".join(LINES) + "\n```"
    assert "  " not in read(page, "prose")
    assert read(page, "table").startswith("| def area(radius): |\n| --- |\n")


def test_an_empty_page(read):
    assert read(printed.Printed("", "", Image.new("RGB", (300, 200), "white"), "")) == ""
    assert read(printed.Printed("", "", Image.new("RGB", (1, 1), "black"), "")) == ""


def test_a_picture_without_words(read):
    grain = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    assert len(read(printed.Printed("", "", Image.fromarray(grain), ""))) < 20


def test_doubtful_words_are_told_and_not_dropped():
    part = Part("prose", Marked("sure doubt sure", (1.0,) * 5 + (0.9, 0.9, 0.3, 0.9, 0.9) + (1.0,) * 5))
    assert part.doubtful == [(5, "doubt", 0.3)]
    page = Transcript(1, 1, (part, part))
    assert page.text == "sure doubt sure\n\nsure doubt sure"
    assert len(page.sure) == len(page.text)


def test_every_character_has_its_certainty(transcriber, tmp_path):
    for page in (printed.table(random.Random(1)), printed.code(random.Random(1), lines=6)):
        page.picture.save(tmp_path / "a.png")
        *progress, told = transcriber.read(tmp_path / "a.png", "markdown")
        assert isinstance(told, Transcript)
        assert len(told.sure) == len(told.text)
        assert 0 <= min(told.sure) <= max(told.sure) <= 1
        assert [step.line for step in progress] == list(range(progress[-1].lines + 1))


def test_whoever_stops_asking_cancels(transcriber, tmp_path):
    printed.code(random.Random(1), lines=20).picture.save(tmp_path / "a.png")
    reading = transcriber.read(tmp_path / "a.png")
    assert [next(reading), next(reading)][1].line == 1
    reading.close()
    assert list(reading) == []


def test_what_was_given_back_is_loaded_again(tmp_path):
    a_page((30, 30, "Once more")).picture.save(tmp_path / "a.png")
    transcriber = Transcriber()
    assert text_of(transcriber, tmp_path / "a.png") == "Once more"
    transcriber.close()
    gc.collect()
    kinds = Counter(type(thing).__name__ for thing in gc.get_objects())
    assert kinds["PageReader"] <= 1  # the fixture's
    assert text_of(transcriber, tmp_path / "a.png") == "Once more"


def test_the_pages_of_a_tiff(transcriber, tmp_path):
    pages = [a_page((30, 30, f"This is page {number}")).picture for number in (1, 2, 3)]
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])
    told = [page for page in transcriber.read(tmp_path / "a.tiff") if isinstance(page, Transcript)]
    assert [page.text for page in told] == ["This is page 1", "This is page 2", "This is page 3"]
    assert [(page.page, page.pages) for page in told] == [(1, 3), (2, 3), (3, 3)]


def a_pdf(path, text):
    """Written by Qt, so with a text layer."""
    writer = QPdfWriter(str(path))
    document = QTextDocument()
    document.setDefaultFont(QFont("Vollkorn", 11))
    document.setPlainText(text)
    document.print_(writer)


def test_the_text_layer_of_a_pdf_is_taken(qapp, transcriber, tmp_path):  # noqa: ARG001  (fonts need it)
    text = "The harbour was full of silver ships that morning, and nobody in the town had seen them come. " * 3
    a_pdf(tmp_path / "a.pdf", text.strip())
    told = list(transcriber.read(tmp_path / "a.pdf"))
    assert isinstance(told[-1], Transcript)
    assert told[-1].text.rstrip("1").rstrip() == text.strip()  # Qt numbers its pages
    assert set(told[-1].sure) == {1.0}


def test_a_pdf_of_pictures_is_looked_at(transcriber, tmp_path):
    a_page((30, 30, "Scanned words")).picture.save(tmp_path / "a.pdf")
    assert text_of(transcriber, tmp_path / "a.pdf") == "Scanned words"


# The command


def test_the_command(tmp_path, capsys):
    a_page((30, 30, "Words for the shell")).picture.save(tmp_path / "a.png")
    assert main.main(["ocr", str(tmp_path / "a.png"), str(tmp_path / "a.png")]) == 0
    assert capsys.readouterr().out == "Words for the shell\n\nWords for the shell\n"


def test_the_command_s_json(tmp_path, capsys):
    a_page(*((30, 30 + 30 * at, line) for at, line in enumerate(LINES))).picture.save(tmp_path / "a.png")
    assert main.main(["ocr", "--json", "--as", "markdown", str(tmp_path / "a.png")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["text"] == "```python\n" + "\n".join(LINES) + "\n```"
    assert (told["page"], told["pages"]) == (1, 1)
    assert [(part["kind"], part["language"]) for part in told["parts"]] == [("code", "python")]
    assert isinstance(told["parts"][0]["doubtful"], list)


def test_one_bad_picture_does_not_keep_the_others_from_being_read(tmp_path, capsys):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    a_page((30, 30, "Words")).picture.save(tmp_path / "good.png")
    assert main.main(["ocr", str(tmp_path / "bad.png"), str(tmp_path / "good.png")]) == 1
    told = capsys.readouterr()
    assert told.out.strip() == "Words"
    assert told.err.count("\n") == 1
    assert "bad.png is no picture" in told.err


def test_the_command_needs_neither_torch_nor_qt():
    code = "import sys, palimpsest.app.main; print({'torch', 'PySide6', 'onnxruntime'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
