"""One fill from the ask to the verdict; ``finish`` is the only way out."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from enum import Enum

from PySide6.QtGui import QTextDocument

from palimpsest.app.bridge import EngineBridge
from palimpsest.app.drafts import DraftLayer
from palimpsest.app.span import Span, stretch
from palimpsest.engine import Done, Draft, Event, Failed, Fill, Options, Progress, Stopped

log = logging.getLogger(__name__)

REACH = 1 << 17  # UTF-16 units of text before and after the hole that are handed to the engine


class Verdict(Enum):
    KEEP = "keep"
    DROP = "drop"


def around(document: QTextDocument, span: Span) -> tuple[str, str]:
    """The text before and after ``span``, as far as the engine is told of it."""
    last = document.characterCount() - 1
    begin = document.findBlock(max(0, span.start - REACH)).position()
    end_block = document.findBlock(min(last, span.end + REACH))
    end = min(last, end_block.position() + end_block.length() - 1)
    return stretch(document, begin, span.start), stretch(document, span.end, max(span.end, end))


class FillSession:
    """Asks for a fill of the span, shows its drafts, and keeps or drops the last.

    ``report(event)`` is told every event as it arrives; ``ended(session)`` is called once, after the verdict. The
    writer's hand wins: a change inside the span drops the draft.
    """

    def __init__(
        self,
        span: Span,
        document: QTextDocument,
        layer: DraftLayer,
        report: Callable[[Event], None],
        ended: Callable[["FillSession"], None],
    ):
        self._span, self._document, self._layer = span, document, layer
        self._report, self._ended = report, ended
        self._selected = span.text()
        self._event: Event | None = None
        self._verdict: Verdict | None = None
        self._task: asyncio.Task | None = None
        self._start = span.start
        self._steps = document.availableUndoSteps()
        document.contentsChange.connect(self._text_changed)
        document.contentsChanged.connect(layer.refresh)

    @property
    def last(self) -> Event | None:
        """The last event that was told."""
        return self._event

    @property
    def done(self) -> bool:
        """Is there a finished draft to keep?"""
        return isinstance(self._event, Done)

    @property
    def failed(self) -> bool:
        """Did the fill end with an error, which the user has been told?"""
        return isinstance(self._event, Failed)

    def start(self, bridge: EngineBridge, instruction: str = "", options: Options | None = None) -> None:
        """Submit the fill and follow it. Raises RequestError for what cannot be asked."""
        before, after = around(self._document, self._span)
        fill = Fill(before, after, self._selected, instruction, options or Options())
        self._layer.show(self._span, self._selected, [1.0] * len(self._selected))
        self._task = asyncio.ensure_future(self._follow(bridge, fill))

    def finish(self, verdict: Verdict) -> None:
        """Keep the finished draft as one undo step, or drop it as if it had never been; the first call counts."""
        if self._verdict:
            return
        self._verdict = verdict
        self._document.contentsChange.disconnect(self._text_changed)
        self._document.contentsChanged.disconnect(self._layer.refresh)
        if self._task and self._event_is_open():
            self._task.cancel()
        self._layer.clear()
        if verdict is Verdict.KEEP and isinstance(self._event, Done):
            cursor = self._span.cursor()
            cursor.beginEditBlock()
            cursor.insertText(self._event.text + " ")
            # Qt merges the user's next key into a block that ends with an insertion, so end with a deletion.
            cursor.deletePreviousChar()
            cursor.endEditBlock()
        self._ended(self)

    async def _follow(self, bridge: EngineBridge, fill: Fill) -> None:
        try:
            async with aclosing(bridge.fill(fill)) as events:
                async for event in events:
                    self._event = event
                    self._show(event)
                    self._report(event)
        except Exception as error:  # one of the three places that catch
            log.exception("a fill failed in the window")
            self._event = Failed(f"No draft can be shown ({type(error).__name__}: {error}). Your text is untouched.")
            self._report(self._event)
        if isinstance(self._event, Failed | Stopped):
            self.finish(Verdict.DROP)

    def _show(self, event: Event) -> None:
        match event:
            case Draft(text=text, settled=settled):
                self._layer.show(self._span, text, settled)
            case Done(text=text):
                self._layer.show(self._span, text, [1.0] * len(text))

    def _event_is_open(self) -> bool:
        return self._event is None or isinstance(self._event, Progress)

    def _text_changed(self, position: int, removed: int, _added: int) -> None:
        steps, self._steps = self._steps, self._document.availableUndoSteps()
        # An empty hole's text cannot show that; new colours are told as a change too, but none that can be undone.
        swallowed = position < self._start < position + removed and steps != self._steps
        self._start = self._span.start
        if swallowed or self._span.text() != self._selected:
            self.finish(Verdict.DROP)
