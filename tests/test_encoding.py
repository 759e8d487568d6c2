"""Bytes and text: what was not changed is written back byte for byte, whatever it is."""

import codecs

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from palimpsest.app.editor import Editor
from palimpsest.app.encoding import ENCODINGS, Text, UnreadableError, UnwritableError, decode, label

# Text as files hold it, and what an editor stumbles over.
nasty = st.text(
    st.one_of(
        st.sampled_from("\r\n\0\t\x0b\x0c\x85\u00a0\u2028\u2029\ufdd0\ufdd1\ufeff\ufffc␍␊␀␤␞a b"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)


@pytest.fixture(scope="module")
def shown(qapp):  # noqa: ARG001  (widgets need an application)
    """What the editor gives back of a text."""
    editor = Editor()

    def show(text):
        editor.put(text)
        return editor.text()

    yield show
    editor.deleteLater()


@given(nasty, st.sampled_from(["utf-8", "utf-16-le", "gb18030"]))
@example("a\r\nb\nc\r\n", "utf-8")
@example("a\r\nb\n\r\nc\r\n", "utf-8")
@example("a\rb\r\nc\r", "utf-8")
@example("\n\r\r\n\r\r", "utf-8")
def test_any_text_survives_the_editor(shown, text, encoding):
    data = text.encode(encoding)
    if any(data.startswith(mark) for mark in (codecs.BOM_UTF8, codecs.BOM_UTF16_LE)):
        return
    read = decode(data, encoding)
    assert not set(read.text) & set("\r\0\u2028\u2029\ufdd0\ufdd1")
    assert read.holds(shown(read.text)).encode() == data


@given(st.binary(max_size=60).filter(lambda data: b"\0" not in data))
def test_any_bytes_survive(data):
    assert decode(data).encode() == data


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE])
def test_the_mark_tells_the_encoding_and_stays(mark):
    encoding = {3: "utf-8", 2: "utf-16-le" if mark[0] == 0xFF else "utf-16-be", 4: "utf-32-le"}[len(mark)]
    read = decode(mark + "größer\r\n".encode(encoding))
    assert (read.text, read.newline, read.bom, read.guessed) == ("größer\n", "\r\n", True, False)
    assert read.encode() == mark + "größer\r\n".encode(encoding)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Der Bär größt über die Straße, ob’s gefällt oder nicht. Schöne Grüße!\n" * 3, "cp1252"),
        ("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n" * 3, "shift_jis"),
        ("道可道,非常道。名可名,非常名。無名天地之始;有名萬物之母。這是中文。\n" * 3, "gb18030"),
        ("Все счастливые семьи похожи друг на друга, каждая несчастливая по-своему.\n" * 3, "cp1251"),
    ],
)
def test_the_encoding_is_guessed_and_the_guess_told(text, encoding):
    read = decode(text.encode(encoding))
    assert read.text == text
    assert read.guessed


def test_line_ends_of_the_minority_are_shown():
    assert decode(b"a\r\nb\nc\nd\r").text == "a␍\nb\nc\nd␍"
    assert decode(b"a\r\nb\r\nc\nd").text == "a\nb\nc␊\nd"
    assert decode(b"a\rb\rc").text == "a\nb\nc"


def test_a_stand_in_that_the_file_holds_itself_is_another():
    read = decode("␍ and\rthen\nmore\n".encode())
    assert read.text.startswith("␍ and")
    assert "\r" not in read.text
    assert read.text.count("␍") == 1
    assert read.holds(read.text + "␍").encode() == "␍ and\rthen\nmore\n␍".encode()


def test_new_lines_end_as_the_others_do():
    read = decode(b"a\r\nb\r\nc\n")
    assert read.holds("new\n" + read.text).encode() == b"new\r\na\r\nb\r\nc\n"


def test_every_encoding_on_offer_is_known_by_its_name():
    for name, encoding in ENCODINGS.items():
        assert label(encoding) == name
        assert Text("plain\n", encoding=encoding).encode().decode(encoding) == "plain\n"


def test_what_is_not_of_the_encoding():
    with pytest.raises(UnreadableError, match=r"is not UTF-8 text \(byte 3\)"):
        decode(b"caf\xe9", "utf-8")
    with pytest.raises(UnreadableError, match="is not UTF-16 LE text"):
        decode(b"odd", "utf-16-le")
    with pytest.raises(UnwritableError, match=r"“☃” \(U\+2603\) in line 2"):
        Text("a\n☃", encoding="latin-1").encode()
