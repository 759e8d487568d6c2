"""``palimpsest fill`` as a user types it."""

import json
import subprocess
import sys

import pytest
import torch

from conftest import REAL_FILE
from palimpsest.app.fill import hole
from palimpsest.app.main import main

LINES = REAL_FILE.read_text().split("\n")


@pytest.fixture
def file(tmp_path):
    """A real file with line 151 blanked."""
    path = tmp_path / "textwrap.py"
    path.write_text("\n".join([*LINES[:150], "", *LINES[151:]]))
    return path


def test_it_prints_the_filled_text_and_the_seed_repeats_it(file, capsys):
    before = file.read_text()
    texts = []
    for _ in range(2):
        assert main(["fill", str(file), "--at", "151", "--seed", "3"]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert texts[0].strip()
    assert file.read_text() == before


@pytest.mark.parametrize("precision", ["fp8", "int4"])
def test_packed_weights_fill_too(file, capsys, precision):
    """The second time what was packed is known, and gives the same."""
    texts = []
    for _ in range(2):
        assert main(["fill", str(file), "--at", "151", "--seed", "3", "--precision", precision]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert texts[0].strip()


def test_the_doctor_tells_what_is_used(capsys):
    assert main(["doctor"]) == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert set(told) == {"system", "versions", "device", "engine", "model", "precision", "kernels"}
    assert "resources/mini" in told["model"].replace("\\", "/")
    assert torch.cuda.is_available() or "float32" in told["precision"]


def test_the_doctor_says_what_is_wrong_with_a_model(tmp_path, capsys):
    assert main(["doctor", "--model", str(tmp_path / "none")]) == 1
    assert "There is no checkpoint folder" in capsys.readouterr().err


def test_drafts_are_lines_of_json(file, capsys):
    assert main(["fill", str(file), "--at", "151", "--seed", "3", "--drafts"]) == 0
    *progress, done = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    drafts = [event for event in progress if event["kind"] == "draft"]
    assert done["kind"] == "done"
    assert done["steps"] == drafts[-1]["step"]
    assert done["seed"] == 3
    first, *steps = [draft["step"] for draft in drafts]  # the first is drafted twice: by one candidate, then by all
    assert first == 1
    assert steps == list(range(1, len(drafts)))
    for draft in drafts:
        (hole,) = draft["holes"]
        assert len(hole["settled"]) == len(hole["text"])
    (answer,) = done["alternatives"]
    assert drafts[-1]["holes"] == answer["holes"]


def test_write_changes_the_hole_only(file, capsys):
    assert main(["fill", str(file), "--at", "151", "--seed", "3"]) == 0
    text = capsys.readouterr().out.removesuffix("\n")
    file.chmod(0o640)
    assert main(["fill", str(file), "--at", "151", "--seed", "3", "--write"]) == 0
    assert capsys.readouterr().out == ""
    assert file.read_text() == "\n".join([*LINES[:150], text, *LINES[151:]])
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--at", "99999"], "There is no line 99999: the file has 4"),
        (["--at", "0"], "There is no line 0"),
        (["--at", "151:40"], "There is no column 40 in line 151: give one from 1 to 1."),
        (["--at", "3", "--to", "2"], "ends (2) before it begins (3)"),
        (["--at", "151", "--instruction", "Fix the spelling"], "select the text"),
        (["--at", "1", "--to", "400"], "select a shorter stretch"),
        (["--at", "151", "--seed", "-1"], "seed is -1"),
        (["--at", "152", "--strength", "1.5"], "strength is 1.5: give a number from 0 to 1."),
        (["--at", "151", "--strength", "0.5"], "select some, or leave it at 1"),
        (["--at", "151", "--think"], "This model cannot think"),
        (["--at", "151", "--model", "/nowhere"], "no checkpoint folder /nowhere"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(file, capsys, arguments, sentence):
    before = file.read_bytes()
    assert main(["fill", str(file), "--write", *arguments]) == 1
    output = capsys.readouterr()
    assert sentence in output.err
    assert output.err.count("\n") == 1
    assert output.out == ""
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "cannot be opened: No such file"),
        (b"\x89PNG\r\n\x1a\n\0\0", "holds binary data"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, capsys, data, sentence):
    path = tmp_path / "file.txt"
    if data is not None:
        path.write_bytes(data)
    assert main(["fill", str(path), "--at", "1", "--write"]) == 1
    assert sentence in capsys.readouterr().err
    if data is not None:
        assert path.read_bytes() == data


@pytest.mark.parametrize("rest", [b"\ny = 'caf\xe9'\n", b"\r\ny = 2\nz = 3\r\n", b"\ny = '\0'\n"])
def test_any_text_is_written_back_as_it_was_but_for_the_hole(tmp_path, rest):
    path = tmp_path / "file.py"
    path.write_bytes(b"x = " + rest)
    assert main(["fill", str(path), "--at", "1:5", "--to", "1:5", "--write", "--seed", "1"]) == 0
    data = path.read_bytes()
    assert data.startswith(b"x = ")
    assert data.endswith(rest)
    assert len(data) > len(b"x = " + rest)


def test_several_holes_are_filled_and_written_together(file, capsys):
    text = file.read_text().split("\n")
    arguments = ["fill", str(file), "--at", "119:18", "--to", "119:36", "--also", "152", "153", "--seed", "3"]
    assert main([*arguments, "--drafts"]) == 0
    *_, done = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    first, second = (hole["text"] for hole in done["alternatives"][0]["holes"])
    assert main([*arguments, "--write"]) == 0
    line = text[118][:17] + first + text[118][35:]
    assert file.read_text() == "\n".join([*text[:118], line, *text[119:151], second, *text[153:]])


@pytest.mark.parametrize("also", [("100", "101"), ("150", "151"), ("150", "152")])
def test_holes_must_come_one_after_the_other(file, capsys, also):
    assert main(["fill", str(file), "--at", "151", "--to", "151", "--also", *also]) == 1
    assert "out of order or overlap" in capsys.readouterr().err


def test_alternatives_are_printed_best_first(file, capsys):
    arguments = ["fill", str(file), "--at", "151", "--seed", "3", "--alternatives", "3"]
    assert main([*arguments, "--drafts"]) == 0
    *_, done = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(arguments) == 0
    answers = capsys.readouterr().out.removesuffix("\n").split("\n---\n")
    assert answers == [answer["holes"][0]["text"] for answer in done["alternatives"]]
    assert len(answers) > 1


def test_strength_0_prints_what_stands_there(file, capsys):
    assert main(["fill", str(file), "--at", "152", "--to", "153", "--strength", "0"]) == 0
    assert capsys.readouterr().out == "\n".join(file.read_text().split("\n")[151:153]) + "\n"


def test_wrong_arguments_exit_with_two(file, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["fill", str(file), "--at", "line three"])
    assert exit_.value.code == 2
    assert "is not LINE or LINE:COL" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("at", "to", "selected"),
    [
        ((2, None), None, "second"),
        ((2, 3), None, ""),
        ((1, 2), (2, None), "ne\nsecond"),
        ((2, None), (2, 4), "sec"),
        ((3, None), None, ""),
        ((1, None), (3, None), "one\nsecond\n"),
    ],
)
def test_holes(at, to, selected):
    text = "one\nsecond\n"
    start, end = hole(text, at, to)
    assert text[start:end] == (selected if to or at[1] is None else "")


def test_nothing_is_said_to_a_reader_who_has_gone(file):
    command = [sys.executable, "-m", "palimpsest.app", "fill", str(file), "--at", "1", "--to", "60", "--strength", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_filling_needs_no_qt(file):
    """The command works where Qt's libraries are missing."""
    code = (
        "import sys; sys.modules['PySide6'] = sys.modules['qasync'] = None; from palimpsest.app.main import main; "
        f"sys.exit(main(['fill', {str(file)!r}, '--at', '151', '--length', '4']))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
