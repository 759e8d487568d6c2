"""Files: what was not changed is written back byte for byte, or not opened at all."""

import os

import pytest

from palimpsest.app.document import DocumentError, Text, clean, load, save


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"one\ntwo",
        b"one\r\ntwo\r\n",
        b"\xef\xbb\xbfmarked\n",
        "nbsp\u00a0 😀 e\u0301\n".encode(),
        b"\n\n\n",
    ],
)
def test_an_untouched_file_stays_the_same(tmp_path, qtbot, data):
    from palimpsest.app.editor import Editor

    path = tmp_path / "file.txt"
    path.write_bytes(data)
    text = load(path)
    editor = Editor()
    qtbot.addWidget(editor)
    editor.put(text.text)
    save(path, Text(editor.text(), text.newline, text.bom))
    assert path.read_bytes() == data


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\nb\r\n", b"a\rb", "a\u2028b".encode(), b"a\0b"])
def test_what_would_not_survive_is_not_opened(tmp_path, data):
    path = tmp_path / "file.txt"
    path.write_bytes(data)
    with pytest.raises(DocumentError, match=r"file\.txt"):
        load(path)


def test_saving_writes_the_link_s_target_and_keeps_its_mode(tmp_path):
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    save(link, Text("new"))
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    path.write_text("old")
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(os, "fsync", lambda _file: (_ for _ in ()).throw(full))
    with pytest.raises(DocumentError, match="No space left"):
        save(path, Text("new"))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_half_a_character_is_not_saved(tmp_path):
    with pytest.raises(DocumentError, match="character 1 is half of a pair"):
        save(tmp_path / "file.txt", Text("a\ud83d"))
    assert list(tmp_path.iterdir()) == []


def test_text_from_outside_is_cleaned():
    assert clean("a\r\nb\rc\u2028d\u2029e\0f\u00a0g") == "a\nb\nc\nd\nef\u00a0g"
