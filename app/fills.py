"""The fills of a window: asked for, steered and ended by its commands, for the page in front."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QRect, Signal
from PySide6.QtGui import QTextCursor
from shiboken6 import isValid

from palimpsest.app import instructions
from palimpsest.app.askbar import AskBar
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.draftmenu import DraftMenu
from palimpsest.app.editor import Editor
from palimpsest.app.history import Filled, History
from palimpsest.app.incoming import Image
from palimpsest.app.page import Page
from palimpsest.app.reading import PictureReader, Shown, seen
from palimpsest.app.servers import Servers
from palimpsest.app.session import FillSession, Verdict, around, stretch
from palimpsest.app.settings import Settings
from palimpsest.app.span import Span
from palimpsest.app.statusbar import StatusBar
from palimpsest.app.tasks import started
from palimpsest.app.thumbnail import Thumbnail
from palimpsest.engine import Event, Failed, Fill, Options, Picture, PictureError
from palimpsest.engine.language import tr

STRONGER = 0.25  # of the text, by which a change is made bigger or smaller at a time


class Fills(QObject):
    """Emits ``changed`` when other commands than before are possible."""

    changed = Signal()

    def __init__(
        self,
        front: Callable[[], Page],
        bridge: EngineBridge,
        servers: Servers,
        status: StatusBar,
        bar: AskBar,
        options: Options,
    ):
        super().__init__(bar)
        self._front, self._bridge, self._servers = front, bridge, servers
        self._status, self._bar, self.options = status, bar, options
        self._reader = PictureReader(self)
        self.settings = Settings()
        self.history: list[Filled] = []
        self._following_up = False
        bar.asked.connect(self._told)

    @property
    def session(self) -> FillSession | None:
        return self._front().session

    @property
    def filling(self) -> bool:
        """Is there a draft, running or finished, that waits for a verdict?"""
        return self.session is not None

    @property
    def drafted(self) -> bool:
        """Is there a finished draft?"""
        return self.session is not None and self.session.done

    @property
    def running(self) -> bool:
        """Does a draft form?"""
        return self.session is not None and self.session.running

    # Asking

    def fill_in(self) -> None:
        """Fill what is selected, all of it jointly, or the caret's place, from what stands around it."""
        self._start("", self.options)

    def ask_rewrite(self) -> None:
        """Let the user say how the selection, or the draft, is to be rewritten."""
        editor = self._front().editor
        self._following_up = self.drafted
        shown = self.session.pictures if self.session and self.drafted else ()
        self._bar.open(self._caret, instructions.offered(self.settings, editor.prose), self.options, shown)
        self.warm()

    def ask_about(self, pictures: Sequence[Shown]) -> None:
        """Let the user say what is to be written of pictures, in place of the selection or at the caret."""
        self._following_up = False
        self._bar.open(self._caret, instructions.offered_of_pictures(self.settings), self.options, pictures)

    def rewrite(self, instruction: str, options: Options | None = None) -> None:
        """Rewrite the selection as told."""
        self._start(instruction, options or self.options)

    def warm(self) -> None:
        """The user chooses what to ask; meanwhile the engine reads what stands before the selection."""
        self._bridge.warm(self.asked())

    def asked(self) -> Fill:
        """What would be asked to fill what is selected, or the caret's place."""
        editor = self._front().editor
        spans = self._holes(editor)
        before, after = around(editor.document(), spans)
        return Fill(before, after, stretch(editor.document(), spans[0].start, spans[0].end))

    def go_on(self) -> None:
        """Write on at the caret because the user has paused there."""
        self._start("", self.options)
        if self.session:
            self.session.by_itself = True

    def read(self, page: Page, pictures: Sequence[Image]) -> None:
        """Show the text of pictures as a draft in place of the page's selection, or at its caret."""
        if page.session:
            page.session.finish(Verdict.DROP)
        session = self._open(page, [page.editor.selection()])
        session.doubtful = True

        def tell(message: str) -> None:
            page.banner.tell(message, {tr("Dismiss"): page.banner.hide})

        form = "markdown" if page.editor.language == "markdown" else "auto"
        bridge = self._reader.bridge(pictures, form, self.settings.images, self._servers.asked_by(page), tell)
        session.start(bridge)
        self.changed.connect(Thumbnail(page.editor, session, pictures[0]).follow)
        self.changed.emit()

    @property
    def _caret(self) -> QRect:
        """Where it is on the screen."""
        editor = self._front().editor
        caret = editor.cursorRect()
        return QRect(editor.viewport().mapToGlobal(caret.topLeft()), caret.size())

    # Steering

    def keep(self) -> None:
        """Put the finished draft into the text."""
        if self.session and self.drafted:
            end, editor = self.session.spans[-1], self._front().editor
            inside = any(one.start <= editor.textCursor().position() <= one.end for one in self.session.spans)
            self.session.finish(Verdict.KEEP)
            if inside:
                editor.carets.clear()
                caret = editor.textCursor()
                caret.setPosition(end.end)
                editor.setTextCursor(caret)
        else:
            self._status.showMessage(tr("The draft is not finished yet; Esc stops it, Ctrl+. takes it as it is"))

    def keep_and_go_on(self) -> None:
        """Keep the finished draft and have what follows it written."""
        self.keep()
        if not self.filling:
            self.fill_in()

    def drop(self) -> None:
        """Cancel a running draft or drop a finished one."""
        if self.session:
            self.session.escape()

    def steer(self, do: Callable[[FillSession], object]) -> None:
        """Have something done with the draft, if there is one."""
        if self.session:
            do(self.session)
            self.changed.emit()

    def stop_here(self) -> None:
        """Take the running draft as it is."""
        if self.session:
            self.session.stop_here()
            self._status.showMessage(tr("Tab keeps the draft, Esc drops it"))
            self.changed.emit()

    def turn(self, by: int) -> None:
        """Show the next answer or the one before; behind the last, another is asked for."""
        if self.session:
            self.session.turn(by)
            self._tell_number()

    def offer_words(self) -> None:
        """Show what else could stand in place of the draft's least sure word."""
        if self.session and self.session.done:
            holes = enumerate(self.session.answer.holes)
            places = [(sure, hole, index) for hole, one in holes for index, sure in enumerate(one.settled)]
            if places:
                _, hole, index = min(places)
                editor = self._front().editor
                place = editor.drafts.place(hole, index).bottomLeft().toPoint()
                self._menu.open(hole, index, editor.viewport().mapToGlobal(place))

    def unload(self) -> None:
        """Have the model give its memory back; the next fill loads it again."""
        self._bridge.unload()

    def strengthen(self, more: bool) -> None:
        """Have more of the text changed, or less."""
        if self.session:
            self.session.strengthen(STRONGER if more else -STRONGER)

    # Bringing back

    def show_history(self) -> None:
        """Show the fills of this session, from which any can be had again."""
        dialog = History(self.history, self._bar.window())
        dialog.wanted.connect(self.bring_back)
        dialog.show()

    def bring_back(self, filled: Filled) -> None:
        """Show what a fill wrote as a draft, where it stood, or at the caret where that is gone."""
        page = self._front()
        if page.session:
            page.session.finish(Verdict.DROP)
        there = isValid(page.editor.document()) and all(span.of(page.editor.document()) for span in filled.spans)
        spans = filled.spans if there else [page.editor.selection()]
        after = filled.after if there else ["\n".join(filled.after)]
        self._open(page, spans).offer(self._servers.asked_by(page), after)
        self._status.showMessage(tr("Tab keeps the draft, Esc drops it"))
        self.changed.emit()

    # One session

    def _holes(self, editor: Editor) -> list[Span]:
        """What is selected at all carets; without any selection, the caret's place alone."""
        spans: list[Span] = []
        for caret in filter(QTextCursor.hasSelection, editor.carets.all):
            start = caret.selectionStart()
            if spans and spans[-1].end >= start:
                start = spans.pop().start
            spans.append(Span(editor.document(), start, caret.selectionEnd()))
        return spans or [editor.selection()]

    def _told(self, instruction: str, options: Options) -> None:
        instructions.remember(instruction)
        holes = self._holes(self._front().editor)

        def ask(pictures: tuple[Picture, ...] = ()) -> None:
            if self._following_up and self.session and self.drafted:
                self.session.follow_up(instruction, options, pictures)
            else:
                self._start(instruction, options, pictures, holes)

        if self._bar.pictures:
            self._look(self._bar.pictures, ask)
        else:
            ask()

    @started
    async def _look(self, pictures: Sequence[Shown], ask: Callable[[tuple[Picture, ...]], None]) -> None:
        """Ask with the pictures as a model is shown them, unless the user has begun something else meanwhile."""
        page, session = self._front(), self.session
        self._status.showMessage(tr("Looking at the images…"))  # a video takes a while
        try:
            shown = await seen(pictures)
        except PictureError as error:
            if isValid(page):
                page.banner.tell(str(error), {tr("Dismiss"): page.banner.hide})
            return
        finally:
            self._status.clearMessage()
        if isValid(page) and page is self._front() and session is self.session:
            ask(shown)

    def _start(
        self,
        instruction: str,
        options: Options,
        pictures: tuple[Picture, ...] = (),
        holes: list[Span] | None = None,
    ) -> None:
        page = self._front()
        if page.session:
            page.session.finish(Verdict.DROP)
        session = self._open(page, holes or self._holes(page.editor))
        watched = self.settings.drafts == "while they form"
        session.start(self._servers.asked_by(page), instruction, options, watched, pictures)
        self.changed.emit()

    def _open(self, page: Page, spans: list[Span]) -> FillSession:
        editor = page.editor

        def report(event: Event) -> None:
            if page is self._front():
                self._status.report(event)
                self._tell_number()
                self.changed.emit()
            if isinstance(event, Failed):
                page.banner.tell(event.message, {tr("Try again"): again, tr("Dismiss"): page.banner.hide})

        def again() -> None:
            page.banner.hide()
            if page is self._front():
                self._start(session.instruction, self.options, session.pictures)

        def ended(session: FillSession) -> None:
            menu.deleteLater()
            if page.session is session:
                page.session = None
            if session.answers and session.bridged:
                self.history.append(Filled.of(session, page.title))
            if page is self._front() and not session.failed:
                self._status.ended()
            self.changed.emit()

        page.session = session = FillSession(spans, editor.document(), editor.drafts, report, ended)
        self._menu = menu = DraftMenu(editor, session)
        return session

    def _tell_number(self) -> None:
        session = self.session
        if session and session.done and len(session.answers) > 1:
            self._status.tell_answer(session.number + 1, len(session.answers))
