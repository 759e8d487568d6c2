"""The dialog of models: through a window and a hub on loopback, asked by processes of their own."""

import pytest
from PySide6.QtWidgets import QMessageBox
from shiboken6 import isValid

from conftest import shown, under_way, until
from hub_double import NAME, Hub
from palimpsest.app import servers
from palimpsest.app.modelsdialog import ModelsDialog
from palimpsest.app.settings import Settings
from palimpsest.engine import Options, open_backend


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch):
    """A state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def there(tiny_folder):
    with Hub(tiny_folder) as there:
        yield there


@pytest.fixture
def window(qtbot, run, tmp_path, tiny_folder):
    def here(checkpoint):
        return open_backend(checkpoint=checkpoint or tiny_folder)

    (tmp_path / "file.txt").write_text("some words\n")
    options = Options(seed=1, length=4)
    with shown(qtbot, run, lambda: servers.opened(here), options, tmp_path / "file.txt") as window:
        yield window


@pytest.fixture
def dialog(window, run):
    dialog = run(models(window))
    yield dialog
    if isValid(dialog):
        dialog.close()


async def models(window):
    """As the model's menu opens it."""
    (show,) = [act for text, act in window.servers.choices if text == "Models…"]
    show()
    dialog = window.findChild(ModelsDialog)
    await until(lambda: dialog.list.count() == 1)
    return dialog


def names(dialog):
    return [dialog.list.item(row).text() for row in range(dialog.list.count())]


async def fetched(dialog):
    """Looked at and fetched."""
    await looked(dialog)
    dialog.get.click()
    await until(lambda: not dialog.fetching.isVisible())
    assert "It is here" in dialog.told.text()


async def looked(dialog):
    dialog.wanted.setText(NAME)
    dialog.get.click()
    await until(dialog.get.isEnabled)


def test_a_checkpoint_is_looked_at_fetched_used_and_removed(window, dialog, there, run, monkeypatch):
    assert names(dialog) == ["mini, shipped with Palimpsest  ✓"]
    assert not there.asked  # nothing before one says so

    async def story():
        await looked(dialog)
        assert "licence apache-2.0" in dialog.told.text()
        assert "as int4" in dialog.told.text()
        assert dialog.get.text().startswith("&Fetch")
        dialog.get.click()
        assert dialog.fetching.isVisible()
        await until(lambda: not dialog.fetching.isVisible())
        assert "It is here" in dialog.told.text()
        await until(lambda: dialog.list.count() == 2)
        dialog.list.setCurrentRow(1)
        dialog.check.click()
        await until(lambda: "as it was published" in dialog.told.text())
        dialog.use.click()
        assert servers.checkpoint() == NAME
        await until(lambda: window.status.model.text().startswith("small"))
        await until(lambda: names(dialog)[1].endswith("✓"))
        monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
        dialog.remove.click()
        await until(lambda: dialog.list.count() == 1)
        assert "are free again" in dialog.told.text()
        assert servers.checkpoint() is None

    run(story(), 120)


def test_fetching_is_stopped_and_gone_on_with(dialog, there, run):
    there.slow = True

    async def story():
        await looked(dialog)
        dialog.get.click()
        await until(lambda: there.sent.get("tokenizer.json") and "model.safetensors" in there.begun)
        dialog.fetching.stop.click()
        await until(lambda: not dialog.fetching.isVisible())
        assert "Stopped" in dialog.told.text()
        await until(lambda: dialog.list.count() == 2)
        assert "not whole" in names(dialog)[1]
        there.slow = False
        await fetched(dialog)

    run(story(), 120)


def test_closing_the_dialog_ends_the_fetching(dialog, there, run):
    there.slow = True

    async def story():
        await looked(dialog)
        dialog.get.click()
        await until(lambda: "model.safetensors" in there.begun)
        process = dialog.fetching
        dialog.close()
        assert not process.running

    run(story(), 120)


def test_closing_the_dialog_while_the_hub_is_asked_ends_that(dialog, there, run):  # noqa: ARG001  (it is asked)
    async def story():
        dialog.wanted.setText(NAME)
        dialog.get.click()
        await until(lambda: "Asking" in dialog.told.text())
        dialog.close()
        await until(lambda: not isValid(dialog))
        await until(lambda: not under_way())

    run(story())


def test_what_the_hub_refuses_is_said(dialog, there, run):
    there.refusing = (403, "GatedRepo")
    run(looked(dialog))
    assert "accept its licence" in dialog.told.text()
    assert dialog.get.text() == "&Look"


def test_another_name_is_looked_at_anew(dialog, there, run):  # noqa: ARG001  (it is asked)
    run(looked(dialog))
    dialog.wanted.setText("another/one")
    assert dialog.get.text() == "&Look"


def test_offline_nothing_is_asked(window, there, run):
    window.servers.settings = Settings(offline=True)
    dialog = run(models(window))
    dialog.get.click()
    assert "offline" in dialog.told.text()
    assert not there.asked
    dialog.close()


def test_a_checkpoint_that_is_gone_is_said(window, run):
    window.servers._use_checkpoint("nobody/has")
    run(until(lambda: "nobody/has is not on this machine" in window.statusBar().currentMessage()))
    window.servers._use_checkpoint("")
    run(until(lambda: window.status.model.text().startswith("tiny")))
