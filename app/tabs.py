"""Pages as tabs, in one group or in two side by side."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QApplication, QSplitter, QTabWidget, QWidget

from palimpsest.app.page import Page


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

    def change_side(self, page: Page) -> None:
        """Take a page to the other side."""
        group = self._group_of(page)
        text, tip = (told(group.indexOf(page)) for told in (group.tabText, group.tabToolTip))
        other = next((one for one in self._groups if one is not group), None) or self._add_group()
        self.remove(page)
        other.setTabToolTip(other.addTab(page, text), tip)
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
        group.setAccessibleName("Open files")
        group.tabBar().setAccessibleName("Open files")
        group.setDocumentMode(True)
        group.setMovable(True)
        group.setTabsClosable(True)
        group.currentChanged.connect(lambda _index: self._use(group))
        group.tabBarClicked.connect(lambda _index: self._use(group))
        group.tabCloseRequested.connect(lambda index: self.close_wanted.emit(_pages(group)[index]))
        self.addWidget(group)
        self.setSizes([1] * self.count())  # of one width
        return group

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


def _pages(group: QTabWidget) -> list[Page]:
    return [page for at in range(group.count()) if isinstance(page := group.widget(at), Page)]
