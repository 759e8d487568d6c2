"""Files on the disk: one sentence for what cannot be opened or saved, and nothing lost."""

import os
from pathlib import Path

import pytest

from palimpsest.app.document import DocumentError, load, save, stamp
from palimpsest.app.encoding import Text, clean


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
    with pytest.raises(DocumentError, match=r"half of a character in line 1: delete it\.$"):
        save(tmp_path / "file.txt", Text("a\ud83d"))
    assert list(tmp_path.iterdir()) == []


def test_text_from_outside_is_cleaned():
    assert clean("a\r\nb\rc\u2028d\u2029e\0f\u00a0g") == "a\nb\nc\nd\nef\u00a0g"


def test_what_is_no_file_with_text(tmp_path):
    (tmp_path / "picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\r")
    for path, reason in (
        (tmp_path, "is a folder"),
        (Path(os.devnull), "is a device"),
        (tmp_path / "none.txt", "No such file"),
        (tmp_path / "picture.txt", "holds binary data"),
    ):
        with pytest.raises(DocumentError, match=reason):
            load(path)
    assert load(tmp_path / "picture.txt", "latin-1").text.startswith("\x89PNG")


def test_a_read_only_file_is_not_written(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(DocumentError, match="read-only"):
        save(path, Text("new"))
    assert path.read_text() == "old"


def test_a_second_name_goes_on_naming_the_same_file(tmp_path):
    path, second = tmp_path / "file.txt", tmp_path / "second.txt"
    path.write_text("something longer")
    os.link(path, second)
    save(path, Text("new"))
    assert second.read_text() == "new"
    assert path.samefile(second)


def test_the_owner_stays(tmp_path):
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    path = tmp_path / "file.txt"
    path.write_text("old")
    os.chown(path, 1234, 2345)
    save(path, Text("new"))
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


def test_a_character_without_a_place_is_named(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"caf\xe9\n")
    text = load(path, "cp1252").holds("café\n…\n→\n")
    with pytest.raises(DocumentError, match=r"“→” \(U\+2192\) in line 3, which Western \(Windows-1252\)"):
        save(path, text)
    assert path.read_bytes() == b"caf\xe9\n"


def test_a_file_that_changed_is_told_from_one_that_did_not(tmp_path):
    path = tmp_path / "file.txt"
    assert stamp(path) is None
    path.write_text("old")
    before = stamp(path)
    assert stamp(path) == before
    save(path, Text("new"))
    assert stamp(path) != before
