"""The table of commands; menus, shortcuts and the context menu read it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu

from palimpsest.app import lines
from palimpsest.app.icons import menu_icon
from palimpsest.app.session import FillSession
from palimpsest.engine.language import tr

if TYPE_CHECKING:
    from palimpsest.app.window import Window

Key = QKeySequence.StandardKey
Choices = Iterable[tuple[str, Callable[[], object]]]
Listed = Callable[["Window"], Choices]


@dataclass(frozen=True)
class Command:
    """One thing the user can do: where it stands in the menus, its keys, when it is offered, what it does.

    Menu and label are in the English that it is called by in the settings; they are shown in the user's language.
    """

    menu: str
    label: str
    keys: str | QKeySequence.StandardKey
    do: Callable[["Window"], object]
    when: Callable[["Window"], bool] = lambda _window: True
    in_context: bool = False
    listed: Listed | None = None  # a submenu takes its place; this tells what is in it
    icon: str = ""

    @property
    def name(self) -> str:
        """What it is called by in the settings, as in ``File: Open``."""
        return f"{self.menu}: {self.label}".replace("&", "").removesuffix("…")


def _steer(do: Callable[[FillSession], object]) -> Callable[["Window"], object]:
    return lambda window: window.fills.steer(do)


def _drafted(window: "Window") -> bool:
    return window.fills.drafted


def _selected(window: "Window") -> bool:
    return window.has_selection


def _undoable(window: "Window") -> bool:
    return window.editor.document().isUndoAvailable()


def _redoable(window: "Window") -> bool:
    return window.editor.document().isRedoAvailable()


def _pastable(window: "Window") -> bool:
    return window.editor.canPaste()


def _several(window: "Window") -> bool:
    return len(window.pages.all) > 1


COMMANDS = [
    Command("&File", "&New", Key.New, lambda w: w.pages.new(), icon="new"),
    Command("&File", "&Open…", Key.Open, lambda w: w.pages.ask_open(), icon="folder-open"),
    Command("&File", "Open &folder…", "Ctrl+Shift+O", lambda w: w.tree.ask(), icon="folder"),
    Command("&File", "Open &recent", "", lambda w: w.show_recent(), listed=lambda w: w.recent),
    Command("&File", "Reopen c&losed", "Ctrl+Shift+T", lambda w: w.pages.reopen_closed(), lambda w: w.pages.can_reopen),
    Command("&File", "&Save", Key.Save, lambda w: w.pages.save(), icon="save"),
    Command("&File", "Save &as…", "Ctrl+Shift+S", lambda w: w.pages.ask_save_as()),
    Command("&File", "Reload fro&m the disk", "", lambda w: w.pages.ask_reload(), lambda w: w.has_file),
    Command("&File", "Reopen with &encoding…", "", lambda w: w.pages.ask_reopen(), lambda w: w.has_file),
    Command("&File", "Save with encodin&g…", "", lambda w: w.pages.ask_save_with(), lambda w: w.has_file),
    Command("&File", "L&ine ends…", "", lambda w: w.pages.ask_line_ends()),
    Command("&File", "&Print…", "", lambda w: w.ask_print(), icon="print"),
    Command("&File", "E&xport as PDF…", "", lambda w: w.ask_pdf()),
    Command("&File", "&Close", "Ctrl+W", lambda w: w.pages.close_page(w.page)),
    Command("&File", "Close fol&der", "", lambda w: w.tree.forget(), lambda w: w.tree.root is not None),
    Command("&File", "&Quit", "Ctrl+Q", lambda w: w.close()),
    Command("&Edit", "&Undo", Key.Undo, lambda w: w.editor.undo(), _undoable, icon="undo"),
    Command("&Edit", "&Redo", Key.Redo, lambda w: w.editor.redo(), _redoable, icon="redo"),
    Command("&Edit", "Cu&t", Key.Cut, lambda w: w.editor.cut(), _selected, in_context=True, icon="cut"),
    Command("&Edit", "&Copy", Key.Copy, lambda w: w.editor.copy(), _selected, in_context=True, icon="copy"),
    Command("&Edit", "&Paste", Key.Paste, lambda w: w.editor.paste(), _pastable, in_context=True, icon="paste"),
    Command("&Edit", "&Insert text from image…", "", lambda w: w.ask_pictures(), icon="image"),
    Command("&Edit", "Select &all", Key.SelectAll, lambda w: w.editor.selectAll()),
    Command("&Edit", "&Find…", Key.Find, lambda w: w.find_bar.open(replacing=False), icon="find"),
    Command("&Edit", "R&eplace…", "Ctrl+H", lambda w: w.find_bar.open(replacing=True), icon="replace"),
    Command("&Edit", "Fin&d in files…", "Ctrl+Shift+F", lambda w: w.find_in_files()),
    Command("&Edit", "Find &next", "F3", lambda w: w.find_bar.next(), lambda w: w.find_bar.isVisible()),
    Command("&Edit", "Find pre&vious", "Shift+F3", lambda w: w.find_bar.previous(), lambda w: w.find_bar.isVisible()),
    Command("&Edit", "Select the ne&xt like it", "Ctrl+D", lambda w: w.editor.carets.add_next()),
    Command("&Edit", "Select all &like it", "Ctrl+Shift+L", lambda w: w.editor.carets.add_all(), _selected),
    Command("&Edit", "Caret a&bove", "Ctrl+Alt+Up", lambda w: w.editor.carets.add_line(down=False)),
    Command("&Edit", "Caret bel&ow", "Ctrl+Alt+Down", lambda w: w.editor.carets.add_line(down=True)),
    Command("&Edit", "Chec&k spelling or not", "", lambda w: w.toggle_spelling()),
    Command("&Edit", "Preference&s…", "Ctrl+,", lambda w: w.show_preferences(), icon="preferences"),
    Command("&Lines", "Move &up", "Alt+Up", lambda w: lines.move(w.editor, down=False)),
    Command("&Lines", "Move &down", "Alt+Down", lambda w: lines.move(w.editor, down=True)),
    Command("&Lines", "Du&plicate", "Ctrl+Shift+D", lambda w: lines.duplicate(w.editor)),
    Command("&Lines", "&Indent", "Ctrl+]", lambda w: lines.indent(w.editor)),
    Command("&Lines", "D&edent", "Ctrl+[", lambda w: lines.dedent(w.editor)),
    Command("&Lines", "&Comment or not", "Ctrl+/", lambda w: lines.toggle_comments(w.editor)),
    Command("&View", "&Folder", "Ctrl+B", lambda w: w.tree.toggle(), icon="sidebar"),
    Command("&View", "S&how in tree", "Ctrl+Shift+E", lambda w: w.tree.show_front(), lambda w: w.in_folder),
    Command("&View", "Spl&it", "Ctrl+\\", lambda w: w.pages.change_side(w.page), _several, icon="split"),
    Command("&View", "&Commands…", "Ctrl+Shift+P", lambda w: w.show_palette(), icon="commands"),
    Command("&View", "&Bigger text", Key.ZoomIn, lambda w: w.pages.zoom(1)),
    Command("&View", "&Smaller text", Key.ZoomOut, lambda w: w.pages.zoom(-1)),
    Command("&View", "&Text as it was", "Ctrl+0", lambda w: w.pages.zoom(0)),
    Command("&View", "F&old", "Ctrl+Shift+[", lambda w: w.editor.folding.fold_here()),
    Command("&View", "&Unfold", "Ctrl+Shift+]", lambda w: w.editor.folding.unfold_here()),
    Command("&View", "Fo&ld all", "", lambda w: w.editor.folding.fold_all()),
    Command("&View", "Unfol&d all", "", lambda w: w.editor.folding.unfold_all()),
    Command("&View", "&Wrap lines or not", "Alt+Z", lambda w: w.editor.toggle_wrap()),
    Command("&View", "&Preview", "Ctrl+Shift+V", lambda w: w.preview.toggle(), icon="preview"),
    Command("&View", "&Nothing but the text", "F11", lambda w: w.toggle_focus()),
    Command("&Go", "&File…", "Ctrl+P", lambda w: w.show_files()),
    Command("&Go", "&Line…", "Ctrl+G", lambda w: w.ask_line()),
    Command("&Go", "Next &misspelling", "F7", lambda w: w.page.misspellings.go_to_next()),
    Command("&Go", "&Next tab", "Ctrl+PgDown", lambda w: w.pages.turn(1)),
    Command("&Go", "&Previous tab", "Ctrl+PgUp", lambda w: w.pages.turn(-1)),
    Command("F&ill", "&Fill in", "Ctrl+Return", lambda w: w.fills.fill_in(), in_context=True, icon="fill"),
    Command(
        "F&ill",
        "&Rewrite…",
        "Ctrl+Shift+Return",
        lambda w: w.fills.ask_rewrite(),
        lambda w: w.has_selection or w.fills.drafted,
        True,
        icon="rewrite",
    ),
    Command("F&ill", "Ask a&bout an image…", "", lambda w: w.ask_about_pictures(), icon="image"),
    Command("F&ill", "&Keep the draft", "Tab", lambda w: w.fills.keep(), lambda w: w.fills.filling, icon="keep"),
    Command("F&ill", "&Drop the draft", "Esc", lambda w: w.fills.drop(), lambda w: w.fills.filling, icon="close"),
    Command("F&ill", "&Stop here", "Ctrl+.", lambda w: w.fills.stop_here(), lambda w: w.fills.running, icon="stop"),
    Command("F&ill", "Keep the next &word", "Ctrl+Right", _steer(FillSession.keep_word), _drafted),
    Command("F&ill", "Keep the next &change", "Ctrl+Down", _steer(FillSession.keep_hunk), _drafted),
    Command("F&ill", "Keep and &go on", "Alt+Return", lambda w: w.fills.keep_and_go_on(), _drafted),
    Command("F&ill", "Ne&xt answer", "Alt+]", lambda w: w.fills.turn(1), _drafted),
    Command("F&ill", "&Previous answer", "Alt+[", lambda w: w.fills.turn(-1), _drafted),
    Command("F&ill", "Write &anew", "Alt+R", _steer(FillSession.regenerate), _drafted, icon="anew"),
    Command("F&ill", "Write the &unsure anew", "Alt+U", _steer(FillSession.write_unsure), _drafted),
    Command("F&ill", "&Other words…", "Alt+W", lambda w: w.fills.offer_words(), _drafted),
    Command("F&ill", "Change &more", "Alt+.", lambda w: w.fills.strengthen(True), _drafted),
    Command("F&ill", "C&hange less", "Alt+,", lambda w: w.fills.strengthen(False), _drafted),
    Command("F&ill", "Show what stands &there", "Alt+O", lambda w: w.editor.peek(), lambda w: w.fills.filling),
    Command("F&ill", "Fills of this sess&ion…", "", lambda w: w.fills.show_history(), lambda w: bool(w.fills.history)),
    Command("F&ill", "Mod&el", "", lambda w: w.status.model.showMenu(), listed=lambda w: w.servers.choices),
    Command("F&ill", "Mode&ls…", "", lambda w: w.servers.show_models(), icon="model"),
    Command("F&ill", "E&ngine…", "", lambda w: w.servers.show_engine(), icon="model"),
    Command("F&ill", "Gi&ve the model's memory back", "", lambda w: w.fills.unload()),
]


def build(window: "Window") -> tuple[list[QAction], QMenu]:
    """Fill the window's menu bar from the table; returns the actions in its order and the context menu."""
    menus: dict[str, QMenu] = {}
    context = QMenu(window)
    actions = []
    for command in COMMANDS:
        menu, label = tr(command.menu), tr(command.label)
        action = _submenu(window, label, command.listed) if command.listed else QAction(label, window)
        action.setObjectName(command.name)
        if command.icon:
            action.setIcon(menu_icon(command.icon))
        action.setShortcut(QKeySequence(command.keys))
        action.setData(menu)
        action.triggered.connect(lambda _checked=False, do=command.do: do(window))
        if menu not in menus:
            menus[menu] = window.menuBar().addMenu(menu)
        menus[menu].addAction(action)
        if command.in_context:
            context.addAction(action)
        actions.append(action)
    return actions, context


def _submenu(window: "Window", label: str, listed: Listed) -> QAction:
    menu = QMenu(label, window)
    menu.aboutToShow.connect(lambda: offer(menu, listed(window)))
    return menu.menuAction()


def offer(menu: QMenu, choices: Choices) -> None:
    """Put the choices into the menu, in place of what is there."""
    menu.clear()
    for name, do in choices:
        menu.addAction(name.replace("&", "&&"), do)


def name_of(action: QAction) -> str:
    """The action's label as the user reads it, behind its menu's."""
    return f"{action.data()}: {action.text()}".replace("&", "").removesuffix("…")


def set_keys(actions: list[QAction], shortcuts: Mapping[str, str]) -> None:
    """Give the actions their own keys, or those that ``shortcuts`` says for their commands' names."""
    for command, action in zip(COMMANDS, actions, strict=True):
        action.setShortcut(QKeySequence(shortcuts.get(command.name, command.keys)))


def update(window: "Window", actions: list[QAction]) -> None:
    """Offer what is possible now."""
    for command, action in zip(COMMANDS, actions, strict=True):
        action.setEnabled(command.when(window) and not window.covered)
