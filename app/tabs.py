"""Pages as tabs, in one group or in two side by side."""

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtWidgets import QApplication, QMenu, QSplitter, QTabBar, QTabWidget, QWidget

from palimpsest.app.page import Page
from palimpsest.engine.language import tr


class Tabs(QSplitter):
    """One list of pages over both sides; the page in front is the one that had the keys last. The other side is there
    as long as it has pages."""

    switched = Signal()  # another page is in front
    close_wanted = Signal(Page)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setChildrenCollapsible(False)
        self._front = self._add_group()
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._follow)

    @property
    def all(self) -> list[Page]:
        """The pages of the left side, then those of the right."""
        return [page for group in self._groups for page in _pages(group)]

    @property
    def page(self) -> Page:
        """The page in front."""
        return _pages(self._front)[self._front.currentIndex()]

    @property
    def aside(self) -> list[Page]:
        """The pages of the right side, if there is one."""
        return _pages(self._groups[1]) if self.count() > 1 else []

    def add(self, page: Page) -> None:
        """Show a new page beside the one in front."""
        self._front.addTab(page, "")
        self.show_page(page)

    def remove(self, page: Page) -> None:
        """Let a page go."""
        group = self._group_of(page)
        group.removeTab(group.indexOf(page))
        if not group.count() and self.count() > 1:
            group.setParent(None)
            group.deleteLater()
            self._enter(self._groups[0])

    def show_page(self, page: Page) -> None:
        """Bring a page to the front."""
        group = self._group_of(page)
        group.setCurrentWidget(page)
        self._enter(group)

    def name(self, page: Page, text: str, tip: str) -> None:
        """Name a page's tab."""
        group = self._group_of(page)
        group.setTabText(group.indexOf(page), text.replace("&", "&&"))
        group.setTabToolTip(group.indexOf(page), tip)

    def turn(self, by: int) -> None:
        """Show the page so many tabs further on, around the end."""
        pages = self.all
        self.show_page(pages[(pages.index(self.page) + by) % len(pages)])
        self.page.setFocus()

    def change_side(self, page: Page, at: int = -1) -> None:
        """Take a page to the other side, before the tab ``at`` there, or to the end."""
        group = self._group_of(page)
        text, tip = (told(group.indexOf(page)) for told in (group.tabText, group.tabToolTip))
        other = next((one for one in self._groups if one is not group), None) or self._add_group()
        self.remove(page)
        other.setTabToolTip(other.insertTab(at, page, text), tip)
        self.show_page(page)
        page.setFocus()

    def hide_tabs(self, hidden: bool) -> None:
        """Show the pages without their tabs, or with them again."""
        for group in self._groups:
            group.tabBar().setHidden(hidden)

    @property
    def _groups(self) -> list[QTabWidget]:
        return [group for at in range(self.count()) if isinstance(group := self.widget(at), QTabWidget)]

    def _group_of(self, page: Page) -> QTabWidget:
        return next(group for group in self._groups if page in _pages(group))

    def _add_group(self) -> QTabWidget:
        group = QTabWidget()
        bar = _Bar(lambda place: self._other_at(group, place) is not None)
        group.setTabBar(bar)
        group.setAccessibleName(tr("Open files"))
        bar.setAccessibleName(tr("Open files"))
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        bar.customContextMenuRequested.connect(lambda place: self._offer(group, place))
        bar.taken_out.connect(lambda place: self._drop(group, place))
        group.setDocumentMode(True)
        group.setMovable(True)
        group.setTabsClosable(True)
        group.currentChanged.connect(lambda _index: self._use(group))
        group.tabBarClicked.connect(lambda _index: self._use(group))
        group.tabCloseRequested.connect(lambda index: self.close_wanted.emit(_pages(group)[index]))
        self.addWidget(group)
        self.setSizes([1] * self.count())  # of one width
        return group

    def _offer(self, group: QTabWidget, place: QPoint) -> None:
        """Show what can be done with the tab at a place of the bar, or with the one in front."""
        at = group.tabBar().tabAt(place)
        page = _pages(group)[at if at >= 0 else group.currentIndex()]
        others = [other for other in self.all if other is not page]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(tr("&Move to the other side"), lambda: self.change_side(page)).setEnabled(bool(others))
        menu.addAction(tr("&Close"), lambda: self.close_wanted.emit(page))
        menu.addAction(tr("Close &others"), lambda: self._close(others)).setEnabled(bool(others))
        copy = menu.addAction(tr("Copy &path"), lambda: QGuiApplication.clipboard().setText(str(page.path)))
        copy.setEnabled(page.path is not None)
        menu.popup(group.tabBar().mapToGlobal(place))

    def _close(self, pages: list[Page]) -> None:
        for page in pages:
            self.close_wanted.emit(page)
            if page in self.all:
                return  # the user wants to stay with its changes

    def _other_at(self, group: QTabWidget, place: QPoint) -> QTabWidget | None:
        """The other side, if it is at that place of the screen."""
        others = (one for one in self._groups if one is not group)
        return next((one for one in others if one.rect().contains(one.mapFromGlobal(place))), None)

    def _drop(self, group: QTabWidget, place: QPoint) -> None:
        if other := self._other_at(group, place):
            bar = other.tabBar()
            self.change_side(_pages(group)[group.currentIndex()], bar.tabAt(bar.mapFromGlobal(place)))

    def _use(self, group: QTabWidget) -> None:
        """The keys go where a tab was chosen."""
        if group is not self._front and (shown := group.currentWidget()):
            shown.setFocus()
        self._enter(group)

    def _follow(self, _before: QWidget | None, now: QWidget | None) -> None:
        for group in self._groups:
            if now and group is not self._front and group.isAncestorOf(now):
                self._enter(group)

    def _enter(self, group: QTabWidget) -> None:
        if group.count():
            self._front = group
            self.switched.emit()


class _Bar(QTabBar):
    """Lets the tab in front be dragged out of it; Qt moves tabs only within."""

    taken_out = Signal(QPoint)  # the tab in front, and let go there on the screen

    def __init__(self, takes: Callable[[QPoint], bool]):
        """``takes``: may a tab be let go there?"""
        super().__init__()
        self._takes, self._held = takes, False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        left = event.button() == Qt.MouseButton.LeftButton
        self._held = left and self.tabAt(event.position().toPoint()) >= 0

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if self._held and self._takes(event.globalPosition().toPoint()):
            self.setCursor(Qt.CursorShape.DragMoveCursor)
        else:
            self.unsetCursor()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        self.unsetCursor()
        held, self._held = self._held, False
        if held and self._takes(place := event.globalPosition().toPoint()):
            self.taken_out.emit(place)


def _pages(group: QTabWidget) -> list[Page]:
    return [page for at in range(group.count()) if isinstance(page := group.widget(at), Page)]
