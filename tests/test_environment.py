"""The engine's environment: really made by uv, of one small wheel that lends it this Python's packages, without a
network; used, stopped, broken, outdated and removed."""

import asyncio
import shutil
import sys
import sysconfig
import zipfile
from collections import namedtuple
from contextlib import closing

import pytest
from PySide6.QtWidgets import QMessageBox
from shiboken6 import isValid

from conftest import answered, shown, under_way, until
from palimpsest.app import command, engines
from palimpsest.app.enginedialog import EngineDialog
from palimpsest.app.main import main
from palimpsest.app.offline import FETCHING
from palimpsest.app.settings import Settings
from palimpsest.engine import EngineError, Fill, Options, apart, environment, examine, open_backend

FILL = Fill("def add(a, b):\n    return ", "\n", options=Options(length=4, seed=1))


def wheel(folder, lent):
    """The only package that the pins ask for."""
    info = "palimpsest_lender-1.0.dist-info"
    files = {
        "lender.pth": lent,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: palimpsest-lender\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / "palimpsest_lender-1.0-py3-none-any.whl", "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Pins, wheels and data of the test's own."""
    pins, wheels = tmp_path / "pins", tmp_path / "wheels"
    pins.mkdir()
    wheels.mkdir()
    (pins / f"{sys.platform}-cpu.txt").write_text("# 2500 bytes\npalimpsest-lender==1.0\n")
    wheel(wheels, sysconfig.get_path("purelib"))
    monkeypatch.setattr(environment, "PINS", pins)
    monkeypatch.setattr(environment, "PYTHON", "{}.{}".format(*sys.version_info))
    for name, value in {
        "XDG_DATA_HOME": tmp_path / "data",
        "UV_FIND_LINKS": wheels,
        "UV_OFFLINE": "1",
        "UV_INDEX": "",
        "UV_PYTHON_PREFERENCE": "only-system",
        "UV_PYTHON_DOWNLOADS": "never",
    }.items():
        monkeypatch.setenv(name, str(value))
    return tmp_path


def make(told=None):
    lines = [] if told is None else told
    return environment.make("cpu", lines.append)


def test_it_is_made_used_and_removed(backend, place):
    assert (environment.kinds(), environment.made(), environment.begun()) == ({"cpu": 2500}, "", False)
    told = []
    assert "the CPU" in make(told)
    assert any("lender" in line for line in told)
    assert environment.made() == "cpu"
    assert (environment.python() or place).is_relative_to(environment.place())
    assert examine()["engine"] == "its own environment for cpu"
    with closing(apart()) as there:
        assert there.load().model == "mini"
        assert answered(there, FILL)[1].text == answered(backend, FILL)[1].text
    assert environment.remove() > 1000
    assert (environment.made(), environment.begun(), environment.python()) == ("", False, None)


def test_the_command_fills_by_it_too(place, capsys):
    make()
    (place / "some.py").write_text("def add(a, b):\n    return \n")
    arguments = ["fill", str(place / "some.py"), "--at", "2:12", "--length", "4", "--seed", "1"]
    assert main(arguments) == 0
    there = capsys.readouterr().out
    environment.remove()
    assert main(arguments) == 0
    assert capsys.readouterr().out == there


def test_it_is_gone_on_with_after_it_was_stopped():
    def stop(_line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        environment.make("cpu", stop)
    assert (environment.made(), environment.begun()) == ("", True)
    make()
    assert environment.made() == "cpu"


def test_without_a_network_it_says_so_and_is_gone_on_with(place, monkeypatch):
    monkeypatch.setenv("UV_FIND_LINKS", str(place))
    with pytest.raises(EngineError, match="Try again: what was fetched is kept"):
        make()
    assert environment.made() == ""
    monkeypatch.setenv("UV_FIND_LINKS", str(place / "wheels"))
    make()
    assert environment.made() == "cpu"


def test_without_room_nothing_is_begun(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**8))
    with pytest.raises(EngineError, match="make room there"):
        make()
    assert not environment.begun()


def test_a_folder_that_cannot_be_written_is_told(place, monkeypatch):
    (place / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_DATA_HOME", str(place / "file"))
    with pytest.raises(EngineError, match="cannot be written"):
        make()


def test_an_environment_in_which_the_engine_does_not_run_is_never_used(place):
    wheel(place / "wheels", str(place / "nowhere"))
    with pytest.raises(EngineError, match="does not run in its environment"):
        make()
    assert environment.python() is None


def test_a_package_that_is_not_the_pinned_one_is_not_taken(place):
    pins = place / "pins" / f"{sys.platform}-cpu.txt"
    pins.write_text(f"{pins.read_text().rstrip()} --hash=sha256:{'0' * 64}\n")
    with pytest.raises(EngineError, match="not whole"):
        make()
    assert environment.made() == ""


def test_one_of_another_version_is_not_used_until_it_is_made_again(monkeypatch):
    make()
    with monkeypatch.context() as other:
        other.setattr(environment, "_installed", lambda _: "0.0.9")
        assert (environment.made(), environment.begun()) == ("", True)
        assert "another version" in engines.state()
    assert environment.made() == "cpu"


def test_a_damaged_one_is_made_anew():
    make()
    settings = environment.place() / "environment" / "pyvenv.cfg"
    settings.write_text("damaged")
    make()
    assert "damaged" not in settings.read_text()


def test_it_is_useful_where_there_is_a_card_that_torch_cannot_use(place, monkeypatch):
    assert not environment.useful()
    monkeypatch.setattr(environment, "DRIVER", place)
    monkeypatch.setattr(environment, "_installed", lambda _: "2.13.0+cpu")
    assert not environment.useful(), "there are no pins for cards"
    (place / "pins" / f"{sys.platform}-cuda.txt").write_text("# 2800000000 bytes\n")
    assert environment.useful()
    monkeypatch.setattr(environment, "_installed", lambda _: "2.13.0")
    assert not environment.useful(), "this torch can use it"


def test_the_libraries_of_a_bundle_are_its_own(monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/bundle")
    assert environment.outside()["LD_LIBRARY_PATH"] == "/bundle", "this is none"
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert "LD_LIBRARY_PATH" not in environment.outside()
    monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", "/mine")
    assert environment.outside()["LD_LIBRARY_PATH"] == "/mine"


def test_the_command_tells_asks_makes_and_removes(capsys, monkeypatch):
    assert main(["engine"]) == 0
    assert "what Palimpsest itself brings" in capsys.readouterr().out
    monkeypatch.setattr("builtins.input", lambda _: "no")
    assert main(["engine", "make", "cpu"]) == 1
    assert not environment.begun()
    assert main(["engine", "make", "cpu", "--yes"]) == 0
    assert "kernels: plain torch" in capsys.readouterr().out
    assert main(["engine", "list"]) == 0
    assert "an environment made for cpu" in capsys.readouterr().out
    assert main(["engine", "remove"]) == 0
    assert "are free again" in capsys.readouterr().out
    assert not environment.begun()


def test_the_command_says_what_is_wrong(capsys, monkeypatch, place):
    monkeypatch.setenv("UV_FIND_LINKS", str(place))
    assert main(["engine", "make", "cpu", "--yes"]) == 1
    assert capsys.readouterr().err.startswith("palimpsest: The environment is not whole")
    with pytest.raises(SystemExit):
        main(["engine", "make", "tpu"])


def elsewhere(place):
    """The command as a process of its own, with this test's pins."""
    code = (
        "import sys, pathlib; from palimpsest.engine import environment; "
        f"environment.PINS = pathlib.Path({str(place / 'pins')!r}); environment.PYTHON = {environment.PYTHON!r}; "
        "from palimpsest.app.main import main; sys.exit(main(sys.argv[1:]))"
    )
    return lambda *words: [sys.executable, "-c", code, *words]


@pytest.fixture
def window(qtbot, run, place, monkeypatch):
    monkeypatch.setattr(command, "itself", elsewhere(place))
    (place / "file.txt").write_text("some words\n")
    with shown(qtbot, run, open_backend, Options(seed=1, length=4), place / "file.txt") as window:
        run(until(lambda: "mini" in window.status.model.text()))
        yield window


@pytest.fixture
def dialog(window):
    dialog = opened(window)
    yield dialog
    if isValid(dialog):
        dialog.close()


def opened(window):
    """As the model's menu opens it."""
    (show,) = [act for text, act in window.servers.choices if text == "Engine…"]
    show()
    return window.findChild(EngineDialog)


def test_the_dialog_makes_it_and_removes_it(window, dialog, run, monkeypatch):
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    loaded = []
    window.servers._bridge.loaded.connect(loaded.append)

    async def story():
        assert not dialog.remove.isEnabled()
        dialog.make["cpu"].click()
        assert dialog.fetching.isVisible()
        assert not dialog.make["cpu"].isEnabled()
        await until(lambda: not dialog.fetching.isVisible())
        assert "kernels" in dialog.told.text()
        assert "made for cpu" in dialog.state.text()
        await until(lambda: len(loaded) == 2)  # unloaded and loaded anew
        dialog.remove.click()
        await until(lambda: "are free again" in dialog.told.text())
        assert not dialog.remove.isEnabled()

    run(story(), 120)


def test_the_dialog_stops_it_and_says_what_fails(dialog, run, place, monkeypatch):
    async def story():
        monkeypatch.setenv("UV_FIND_LINKS", str(place))
        dialog.make["cpu"].click()
        await until(lambda: not dialog.fetching.isVisible())
        assert "Try again: what was fetched is kept" in dialog.told.text()
        monkeypatch.setenv("UV_FIND_LINKS", str(place / "wheels"))
        dialog.make["cpu"].click()
        await until(environment.begun)
        dialog.fetching.stop.click()
        await until(lambda: not dialog.fetching.isVisible())
        assert "Stopped" in dialog.told.text()
        assert environment.made() == ""

    run(story(), 120)


def test_what_cannot_even_be_started_is_said(dialog, run, place, monkeypatch):
    monkeypatch.setattr(command, "itself", lambda *_: [str(place / "nothing")])

    async def story():
        dialog.make["cpu"].click()
        await until(lambda: "cannot be started" in dialog.told.text())
        assert dialog.make["cpu"].isEnabled()

    run(story())


def test_closing_the_dialog_ends_the_making(dialog, run):
    async def story():
        dialog.make["cpu"].click()
        await until(environment.begun)
        fetching = dialog.fetching
        dialog.close()
        assert not fetching.running
        await until(lambda: not isValid(dialog))
        await until(lambda: not under_way())

    run(story(), 120)


def test_offline_nothing_is_fetched(window, run):
    window.servers.settings = Settings(offline=True)
    dialog = opened(window)
    dialog.make["cpu"].click()
    assert dialog.told.text() == FETCHING
    dialog.close()
    run(asyncio.sleep(0))
