"""What the pointer can do with the words of a draft: see how sure they are, take others, pin them, write them anew."""

import asyncio
from functools import partial

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QHelpEvent, QMouseEvent
from PySide6.QtWidgets import QMenu, QToolTip
from shiboken6 import isValid

from palimpsest.app.editor import Editor
from palimpsest.app.hunks import Range, word_at
from palimpsest.app.session import FillSession
from palimpsest.app.tasks import started
from palimpsest.engine.language import tr

NOTHING = tr("(nothing)")


class DraftMenu(QObject):
    """Watches an editor as long as a session shows drafts in it."""

    def __init__(self, editor: Editor, session: FillSession):
        super().__init__(editor)
        self._editor, self._session = editor, session
        self._asked: asyncio.Task | None = None
        editor.viewport().installEventFilter(self)
        editor.margin.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if isinstance(event, QMouseEvent) and kind == QEvent.Type.MouseButtonPress:
            place = event.position()
            if watched is self._editor.viewport():
                return self._press(place, event)
            return self._press_margin(place, event.globalPosition().toPoint())
        if isinstance(event, QHelpEvent) and watched is self._editor.viewport():
            return self._tell(event)
        return super().eventFilter(watched, event)

    def _press(self, place: QPointF, event: QMouseEvent) -> bool:
        hit = self._editor.drafts.hit(place)
        if not hit or event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            return False
        hole, index = hit
        if self._session.running:
            self._session.pin(hole, word_at(self._session.shown.texts[hole], index))
        else:
            self.open(hole, index, event.globalPosition().toPoint())
        return True

    def open(self, hole: int, index: int, at: QPoint) -> QMenu:
        """Show what can be done with the word at a character of a hole's finished draft; other words for it are added
        as they are found."""
        session, written = self._session, self._session.answer.holes[hole]
        place = word_at(written.text, index)
        menu = QMenu(self._editor)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addSection(_told(written.text[slice(*place)], written.settled[place[0] : place[1]]))
        first = menu.addAction(tr("Looking for other words…"))
        first.setEnabled(False)
        menu.addSeparator()
        was = session.was(hole, place)
        if was is not None:
            as_it_was = tr("As it &was: {was}", was=was.strip() or NOTHING).replace("\n", "⏎")
            menu.addAction(as_it_was, partial(session.drop_change, hole, place))
            menu.addAction(tr("&Keep this change"), partial(session.keep_change, hole, place))
        pinned = any(start < place[1] and place[0] < end for start, end in session.answer.pins[hole])
        menu.addAction(tr("Un&pin") if pinned else tr("&Pin"), partial(session.pin, hole, place))
        menu.addAction(tr("&Not this word"), partial(session.exclude, hole, place))
        menu.addAction(tr("Write anew from &here"), partial(session.write_from, hole, place[0]))
        menu.popup(at)
        asking = self._offer(menu, hole, place)
        menu.aboutToHide.connect(asking.cancel)
        return menu

    @started
    async def _offer(self, menu: QMenu, hole: int, place: Range) -> None:
        found = await self._session.candidates(hole, place)
        if isValid(menu):
            waiting = menu.actions()[1]
            for text in found:
                label = (text.strip() or NOTHING).replace("&", "&&").replace("\n", "⏎")
                action = menu.addAction(label)
                action.triggered.connect(partial(self._session.take, hole, place, text))
                menu.removeAction(action)
                menu.insertAction(waiting, action)
            if found:
                menu.removeAction(waiting)
            else:
                waiting.setText(tr("No other word is found"))

    def _press_margin(self, place: QPointF, at: QPoint) -> bool:
        if self._session.running:
            return False
        changes = [
            (hole, change)
            for where, hole, change in self._editor.drafts.changes()
            if where.top() <= place.y() < where.bottom()
        ]
        if not changes:
            return False
        menu = QMenu(self._editor)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for hole, change in changes:
            text = self._session.answer.texts[hole][slice(*change)].strip() or NOTHING
            text = text.replace("&", "&&").replace("\n", "⏎")
            menu.addAction(tr("Keep: {text}", text=text), partial(self._session.keep_change, hole, change))
            menu.addAction(tr("Drop: {text}", text=text), partial(self._session.drop_change, hole, change))
        menu.popup(at)
        return True

    def _tell(self, event: QHelpEvent) -> bool:
        hit = self._editor.drafts.hit(QPointF(event.pos()))
        if not hit:
            return False
        hole, index = hit
        written = self._session.shown.holes[hole]
        place = word_at(written.text, index)
        told = _told(written.text[slice(*place)], written.settled[place[0] : place[1]])
        QToolTip.showText(event.globalPos(), told, self._editor)
        if self._session.done:
            if self._asked:
                self._asked.cancel()
            self._asked = self._tell_more(event.globalPos(), told, hole, place)
        return True

    @started
    async def _tell_more(self, at: QPoint, told: str, hole: int, place: Range) -> None:
        found = await self._session.candidates(hole, place)
        if found and isValid(self) and QToolTip.isVisible():
            QToolTip.showText(
                at,
                tr("{told}; or: {names}", told=told, names=", ".join(text.strip() or NOTHING for text in found)),
                self._editor,
            )


def _told(text: str, settled: tuple[float, ...]) -> str:
    """How sure the model is of a word."""
    return tr("“{text}”: {least:.0%} sure", text=text.strip(), least=min(settled, default=1.0))
