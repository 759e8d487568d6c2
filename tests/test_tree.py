"""The folder beside the text: what is in it, what is done to it, and the pages that follow."""

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog, QInputDialog, QLineEdit, QMessageBox

from conftest import discard, label, opened, until
from palimpsest.app import resume
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.main import _place
from palimpsest.app.pages import Pages
from palimpsest.app.recovery import Recovery
from palimpsest.app.resume import Desk
from palimpsest.app.window import Window
from palimpsest.engine import EngineError


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src" / "deep.py").write_text("x = 1\n")
    (root / "readme.md").write_text("# Read me\n")
    (root / ".hidden").write_text("")
    return root


@pytest.fixture
def tree(window, folder, run):
    """The window's tree, its first level loaded."""

    async def story():
        await window.pages.open(folder)
        await until(lambda: names(window.tree))

    run(story())
    return window.tree


def names(tree, parent=None):
    model = tree._model
    index = model.index(str(parent)) if parent else tree._view.rootIndex()
    return [model.fileName(model.index(row, 0, index)) for row in range(model.rowCount(index))]


def select(tree, path):
    tree._view.setCurrentIndex(tree._model.index(str(path)))


def trigger(tree, label):
    """Chooses a row of the context menu."""
    (action,) = [one for one in tree._view.actions() if one.text().replace("&", "") == label]
    assert action.isEnabled()
    action.trigger()


def named(monkeypatch, name):
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: (name, True))


def press(qtbot, tree, key):
    qtbot.keyClick(tree._view, key)


def test_it_shows_the_folder_without_what_is_hidden(tree, run):
    assert tree.isVisible()
    assert tree.windowTitle() == "project"
    assert names(tree) == ["src", "readme.md"]
    trigger(tree, "Show hidden files")
    run(until(lambda: names(tree) == ["src", ".hidden", "readme.md"]))


def test_return_opens_files_and_folders(tree, window, run, qtbot, folder):
    async def story():
        select(tree, folder / "src")
        press(qtbot, tree, Qt.Key.Key_Return)
        await until(lambda: names(tree, folder / "src") == ["deep.py"])
        assert tree._view.isExpanded(tree._model.index(str(folder / "src")))
        select(tree, folder / "src" / "deep.py")
        press(qtbot, tree, Qt.Key.Key_Return)
        await until(lambda: window.page.path == folder / "src" / "deep.py")

    run(story())


def test_it_follows_the_page_in_front(tree, window, run, folder):
    async def story():
        await window.pages.open(folder / "src" / "deep.py")
        await window.pages.open(folder / "readme.md")

    run(story())
    assert tree._selected == folder / "readme.md"
    window.pages.turn(-1)
    assert tree._selected == folder / "src" / "deep.py"
    window.pages.turn(-1)
    assert not window.in_folder  # the file that the window began with is elsewhere
    assert tree._selected == folder / "src" / "deep.py"


def test_what_one_selects_stays_selected_while_one_writes(tree, window, run, folder):
    run(opened(window, folder / "readme.md"))
    select(tree, folder / "src")
    window.editor.selectAll()
    window.editor.insertPlainText("other")
    assert tree._selected == folder / "src"
    window.tree.show_front()
    assert tree._selected == folder / "readme.md"


def test_it_is_toggled_and_closed(tree, monkeypatch, folder):
    tree.toggle()
    assert tree.isHidden()
    tree.toggle()
    assert tree.isVisible()
    tree.forget()
    assert tree.isHidden()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder / "src"))
    tree.toggle()
    assert tree.isVisible()
    assert tree.root == folder / "src"
    assert tree.windowTitle() == "src"


def test_a_new_file_is_made_and_opened(tree, window, run, monkeypatch, folder):
    async def story():
        select(tree, folder / "src")
        named(monkeypatch, "new.py")
        trigger(tree, "New file…")
        await until(lambda: window.page.path == folder / "src" / "new.py")
        assert window.page.path.read_text() == ""
        trigger(tree, "New file…")
        assert "new.py cannot be made: File exists" in window.status.currentMessage()
        named(monkeypatch, "more")
        trigger(tree, "New folder…")
        assert (folder / "src" / "more").is_dir()

    run(story())


def test_a_page_follows_its_renamed_file(tree, window, run, qtbot, folder):
    path, new = folder / "readme.md", folder / "intro.py"

    async def story():
        page = await window.pages.open(path)
        qtbot.keyClicks(page.editor, "mine ")
        select(tree, path)
        trigger(tree, "Rename")
        field = tree._view.findChild(QLineEdit)
        field.setText("intro.py")
        qtbot.keyClick(field, Qt.Key.Key_Return)
        await until(lambda: page.path == new)
        assert page.modified
        assert label(window.pages, page) == "intro.py •"
        window.pages.check()
        assert page.banner.message == ""
        assert window.pages.save()
        assert new.read_text() == "mine # Read me\n"
        assert not path.exists()

    run(story())


def test_what_is_unsaved_outlives_a_crash_after_renaming(pages, run, folder):
    path, new = folder / "readme.md", folder / "intro.md"

    async def story():
        page = await pages.open(path)
        page.editor.insertPlainText("mine ")
        path.rename(new)
        pages.follow(path, new)
        pages.recovery._thread.submit(lambda: None).result()
        for lock in pages.recovery._locks:
            lock.unlock()
        after = Recovery(pages.recovery.folder.parent)
        (rescued,) = [one for one in after.left() if one.path == new]
        after.close()
        return rescued

    assert run(story()).file.text == "mine # Read me\n"


def test_pages_follow_a_renamed_folder(pages, run, folder):
    async def story():
        await pages.open(folder / "src" / "deep.py")
        (folder / "src").rename(folder / "lib")
        pages.follow(folder / "src", folder / "lib")

    run(story())
    assert pages.page.path == folder / "lib" / "deep.py"
    pages.check()
    assert pages.page.banner.message == ""


@pytest.mark.parametrize("answer", ["Yes", "No"])
def test_the_trash_is_asked_about(tree, window, run, monkeypatch, folder, tmp_path, answer):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(QMessageBox, "question", lambda *_: getattr(QMessageBox.StandardButton, answer))
    path = folder / "readme.md"

    async def story():
        await window.pages.open(path)
        select(tree, path)
        await tree._trash()
        if answer == "Yes":
            await until(lambda: "no longer on the disk" in window.page.banner.message)

    run(story())
    assert path.exists() == (answer == "No")
    assert (tmp_path / "data" / "Trash" / "files" / "readme.md").exists() == (answer == "Yes")


def test_where_there_is_no_trash_the_file_stays(tree, window, run, monkeypatch, folder, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)

    async def story():
        select(tree, folder / "readme.md")
        await tree._trash()

    run(story())
    assert (folder / "readme.md").exists()
    assert window.status.currentMessage() == "readme.md cannot be moved to the trash."


def test_the_path_is_copied(tree, folder):
    select(tree, folder / "readme.md")
    trigger(tree, "Copy path")
    assert QGuiApplication.clipboard().text() == str(folder / "readme.md")


def drag(widget, data):
    """Drags onto a widget and drops there; was it taken?"""
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    point = QPointF(20, 20)
    enter = QDragEnterEvent(point.toPoint(), copy, data, left, none)
    enter.setAccepted(False)
    QApplication.sendEvent(widget, enter)
    taker = widget.window() if data.hasUrls() else widget
    drop = QDropEvent(point, copy, data, left, none, QEvent.Type.Drop)
    QApplication.sendEvent(taker, drop)
    return enter.isAccepted()


def test_files_dropped_are_opened_and_a_folder_becomes_the_root(window, run, folder):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in (folder / "readme.md", folder / "src")])
    before = window.editor.text()

    async def story():
        assert drag(window.editor.viewport(), data)
        await until(lambda: window.page.path == folder / "readme.md")
        await until(lambda: window.tree.root == folder / "src")

    run(story())
    assert window.pages.all[0].editor.text() == before


def test_text_dropped_is_inserted(window):
    data = QMimeData()
    data.setText("dropped ")
    assert drag(window.editor.viewport(), data)
    assert "dropped " in window.editor.text()


def test_the_folder_is_remembered(pages, run, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    resume.save(pages.desk("", str(folder)))
    again = Pages()
    wanted = []
    again.folder_wanted.connect(wanted.append)

    async def story():
        await again.begin(resume.load(), [], "")
        await again.begin(Desk(folder=str(tmp_path / "gone")), [], "")

    run(story())
    assert wanted == [folder]
    again.let_go()
    again.deleteLater()


@pytest.fixture
def another(qtbot, run):  # noqa: ARG001  (the loop must exist first)
    """Another window, without a model."""

    def no_model():
        raise EngineError("Trees need none.")

    bridge = EngineBridge(no_model)
    another = Window(bridge)
    qtbot.addWidget(another, before_close_func=discard)
    yield another
    another.close()
    bridge.close()


def test_docks_are_as_wide_as_they_were(window, tree, run, folder, another, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    sides = Qt.Orientation.Horizontal
    window.resize(780, 500)
    window.preview.toggle()
    window.resizeDocks([tree, window.preview], [251, 203], sides)
    run(until(lambda: (tree.width(), window.preview.width()) == (251, 203)))
    window.close()

    async def story():
        another.arrange(resume.load())
        assert another.tree.isHidden()  # there is no folder yet
        another.show()
        another.tree.open(folder)
        await until(lambda: (another.tree.width(), another.preview.width()) == (251, 203))

    run(story())
    assert another.size() == window.size()


@pytest.mark.parametrize("docks", ["", "nonsense", "é", "AAAA/wAAAAD9"])
def test_docks_that_cannot_be_put_anywhere_stay(another, docks):
    another.show()
    another.arrange(Desk(docks=docks, geometry=docks))
    assert another.preview.isHidden()
    assert another.dockWidgetArea(another.tree) == Qt.DockWidgetArea.LeftDockWidgetArea


def test_a_desk_with_something_else_in_it_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    resume.save(Desk(folder="here", docks=5))  # pyright: ignore[reportArgumentType]
    assert resume.load() == Desk()


def test_a_folder_on_the_command_line_is_worked_on(window, run, folder):
    async def story():
        await window.pages.begin(Desk(), [_place(str(folder))], "")

    run(story())
    assert window.tree.root == folder
    assert window.status.currentMessage() == ""
