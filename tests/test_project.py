"""The project's own promises about itself."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conftest import REAL_FILE

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def python(code, **environment):
    """Run ``code`` in a fresh interpreter; returns its output."""
    environment = {
        key: value for key, value in os.environ.items() if key not in {"DISPLAY", "QT_QPA_PLATFORM"}
    } | environment
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)


def test_every_package_is_listed():
    folders = {
        "palimpsest." + ".".join(file.parent.relative_to(ROOT).parts)
        for top in ("app", "engine", "resources")
        for file in (ROOT / top).rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders


def test_importing_the_engine_loads_neither_torch_nor_qt():
    code = "import sys, palimpsest.engine; print([m for m in ('torch', 'transformers', 'PySide6') if m in sys.modules])"
    assert python(code).stdout == "[]\n"


def test_the_window_comes_before_torch():
    code = "import sys, palimpsest.app.window; print('torch' in sys.modules)"
    assert python(code, QT_QPA_PLATFORM="offscreen").stdout == "False\n"


def test_the_readme_s_commands_are_the_project_s():
    readme = (ROOT / "README.md").read_text()
    assert "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/palimpsest\n" in readme
    assert "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest\n" in readme


def test_the_readme_is_finished():
    readme = (ROOT / "README.md").read_text()
    assert "@@" not in readme
    links = re.findall(r"\]\(([^):]+)\)", readme)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_without_a_screen_one_line_names_the_other_way():
    result = python("import sys; from palimpsest.app.main import main; sys.exit(main([]))")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "no screen" in result.stderr
    assert "palimpsest fill" in result.stderr


def test_a_screen_that_does_not_answer_is_told():
    result = python("import sys; from palimpsest.app.main import main; sys.exit(main([]))", DISPLAY=":4711")
    assert result.returncode == 1
    assert "The screen :4711 does not answer" in result.stderr or "apt install" in result.stderr


@pytest.mark.parametrize("moment", ["the model loads", "a fill runs"])
def test_closing_the_window_ends_everything(moment, tmp_path):
    code = f"""
import sys
from PySide6.QtCore import QTimer
from palimpsest.app import main, window

def close_at(self, *_):
    if {moment!r} == "a fill runs":
        self.fills.fill_in()
        assert self.fills.filling
    QTimer.singleShot(0, self.close)

class Window(window.Window):
    def show(self):
        super().show()
        if {moment!r} == "a fill runs":
            self._bridge.loaded.connect(lambda _: close_at(self))
        else:
            close_at(self)

window.Window = Window
sys.exit(main.main([{str(REAL_FILE)!r}]))
"""
    result = python(code, QT_QPA_PLATFORM="offscreen", XDG_STATE_HOME=str(tmp_path))  # nothing to be rescued
    assert result.returncode == 0
    told = [line for line in result.stderr.splitlines() if "This plugin does not support" not in line]
    assert told == []


def test_a_missing_qt_library_names_its_debian_package():
    code = (
        "from palimpsest.app import screen; screen.NEEDED_X11 |= {'libnothing.so.9': 'libnothing9'}; "
        "print(screen.missing())"
    )
    assert "apt install libnothing9" in python(code, DISPLAY=":4711").stdout
