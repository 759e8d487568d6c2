"""The files of a folder, as git would tell them."""

import os
import subprocess
from pathlib import Path

import pytest

from palimpsest.app import folder
from palimpsest.app.folder import walk


@pytest.fixture
def root(tmp_path):
    """Makes files in a folder, each with some text, and returns the folder."""

    def make(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return make


def test_a_folders_own_files_come_before_those_of_its_folders(root):
    assert list(walk(root(**{"b/c.txt": "", "a/d/e": "", "z.txt": "", ".hidden": ""}))) == [
        ".hidden",
        "z.txt",
        os.path.join("a", "d", "e"),
        os.path.join("b", "c.txt"),
    ]


def test_what_git_leaves_out_is_left_out(root):
    files = {
        ".gitignore": "*.log\n/build/\ndeep/*.tmp\n# a comment\n!kept.log\n",
        "a.log": "",
        "kept.log": "",
        "build/x": "",
        "src/build/x": "",
        "src/.gitignore": "!b.log\n/only_here\n",
        "src/b.log": "",
        "src/c.log": "",
        "src/only_here": "",
        "src/in/only_here": "",
        "deep/x.tmp": "",
        "deep/er/x.tmp": "",
        "every/.gitignore": "*",
        "every/thing": "",
    }
    folder = root(**files)
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    told = subprocess.run([*git, "ls-files", "-coz", "--exclude-standard"], check=True, capture_output=True, text=True)
    assert sorted(walk(folder)) == sorted(told.stdout.rstrip("\0").split("\0"))
    assert list(walk(folder / "src" / "in")) == ["only_here"]
    assert sorted(walk(folder / "src")) == [".gitignore", "b.log", "build/x", "in/only_here"]
    assert list(walk(folder / "build")) == ["x"]  # whoever opens it wants to see it


def test_rules_above_count_only_in_a_repository(root):
    folder = root(**{".gitignore": "*", "in/a": ""})
    assert list(walk(folder / "in")) == ["a"]


def test_links_to_folders_are_not_followed(root):
    folder = root(**{"a/b": ""})
    (folder / "a" / "round").symlink_to(folder)
    (folder / "file").symlink_to(folder / "a" / "b")
    (folder / "nowhere").symlink_to(folder / "gone")
    assert list(walk(folder)) == ["file", os.path.join("a", "b")]


def test_what_cannot_be_read_is_left_out(root):
    folder = root(**{"a/b": "", "c": "", ".gitignore": "!\n"})
    assert list(walk(folder / "gone")) == []
    assert list(walk(folder)) == [".gitignore", "c", os.path.join("a", "b")]


def test_no_more_than_so_many_are_told(root, monkeypatch):
    monkeypatch.setattr(folder, "MOST", 2)
    assert list(walk(root(a="", b="", c=""))) == ["a", "b"]


def test_a_rule_that_cannot_be_used_leaves_the_others(root):
    folder = root(**{".gitignore": "!\n*.log\n[z-a]\n\\\nbuild/\n", "a.log": "", "build/x": "", "kept": ""})
    assert list(walk(folder)) == [".gitignore", "kept"]
