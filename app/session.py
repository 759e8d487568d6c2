"""One fill from the ask to the verdict; ``finish`` is the only way out."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from enum import Enum
from itertools import pairwise

from PySide6.QtGui import QTextCursor, QTextDocument

from palimpsest.app.answer import Answer
from palimpsest.app.bridge import Asked
from palimpsest.app.drafts import DraftLayer
from palimpsest.app.hunks import Hunk, Range, hunks, next_word, with_hunks
from palimpsest.app.patch import Shown
from palimpsest.app.span import Span, stretch
from palimpsest.app.utf16 import units
from palimpsest.engine import (
    Done,
    Draft,
    Event,
    Failed,
    Fill,
    Hole,
    Options,
    Picture,
    RequestError,
    Stopped,
    Written,
    certain,
    reopen,
    unsure,
)
from palimpsest.engine.language import tr

log = logging.getLogger(__name__)

REACH = 1 << 17  # UTF-16 units of text before and after the holes that are handed to the engine
UNSURE = 0.5  # what is less settled is written anew when the unsure is
FRAME = 1 / 60  # seconds: no more drafts are shown than a screen does
CANDIDATES = 5

Merge = Callable[[tuple[Written, ...]], Answer]  # what the engine wrote -> what stands in the session's holes
Stretches = tuple[tuple[Range, ...], ...]


class Verdict(Enum):
    KEEP = "keep"
    DROP = "drop"


def around(document: QTextDocument, spans: Sequence[Span]) -> tuple[str, str]:
    """The text before the first of ``spans`` and after the last, as far as the engine is told of it."""
    start, stop, last = spans[0].start, spans[-1].end, document.characterCount() - 1
    begin = document.findBlock(max(0, start - REACH)).position()
    end_block = document.findBlock(min(last, stop + REACH))
    end = min(last, end_block.position() + end_block.length() - 1)
    return stretch(document, begin, start), stretch(document, stop, max(stop, end))


class FillSession:
    """Asks for a fill of the spans, shows its drafts, has them changed as the writer steers, and keeps or drops.

    ``report(event)`` is told every event as it arrives; ``ended(session)`` is called once, after the verdict. The
    writer's hand wins: a change inside a span drops the draft, unless it leads back to a text that it was shown over.
    """

    def __init__(
        self,
        spans: Sequence[Span],
        document: QTextDocument,
        layer: DraftLayer,
        report: Callable[[Event], None],
        ended: Callable[["FillSession"], None],
    ):
        self.spans, self._document, self._layer = list(spans), document, layer
        self._report, self._ended = report, ended
        self.began, self.instruction = datetime.now(), ""
        self.pictures: tuple[Picture, ...] = ()
        self._options, self._watched = Options(), True
        self._standing = self.original = self._texts()  # in the document
        self._seen = {self._standing}
        self._excluded: tuple[str, ...] = ()
        self.answers: list[Answer] = []
        self.number = 0
        self.by_itself = False  # did it begin without being asked for?
        self.doubtful = False  # is it shown in finished answers too what is unsure?
        self.bridged = False  # has the engine written any of it, rather than that it was brought back?
        self._draft: Answer | None = None  # of the step shown last, while the engine writes
        self._event: Event | None = None
        self._verdict: Verdict | None = None
        self._task: asyncio.Task | None = None
        self._putting = False
        self._starts = [span.start for span in self.spans]
        self._steps = document.availableUndoSteps()
        self._changes: list[tuple[int, int]] = []  # where the text was changed since it was last at rest, and what went
        document.contentsChange.connect(self._note)
        document.contentsChanged.connect(self._text_changed)

    @property
    def last(self) -> Event | None:
        """The last event that was told."""
        return self._event

    @property
    def running(self) -> bool:
        """Does the engine still write?"""
        return self._task is not None and not self._task.done()

    @property
    def done(self) -> bool:
        """Is there a finished draft to keep?"""
        return bool(self.answers) and not self.running

    @property
    def failed(self) -> bool:
        """Did the fill end with an error, which the user has been told?"""
        return isinstance(self._event, Failed)

    @property
    def kept(self) -> bool:
        """Was the draft kept?"""
        return self._verdict is Verdict.KEEP

    @property
    def shown(self) -> Answer:
        """What is on the screen, finished or not."""
        return self._draft or self.answer

    @property
    def answer(self) -> Answer:
        """The finished answer that is chosen."""
        return self.answers[self.number]

    # Asking

    def start(
        self,
        bridge: Asked,
        instruction: str = "",
        options: Options | None = None,
        watched: bool = True,
        pictures: tuple[Picture, ...] = (),
    ) -> None:
        """Submit the fill and follow it; what cannot be asked is told and ends the session. Unless it is ``watched``,
        nothing but the progress is shown until it is finished. The model is shown the ``pictures``."""
        self._bridge, self.instruction, self._options = bridge, instruction, options or Options()
        self._watched, self.pictures = watched, pictures
        self._draft = Answer.of(map(certain, self._standing))
        self._display()
        self._ask(lambda: (self._fill(self._standing), Answer.of))

    def offer(self, bridge: Asked, texts: Sequence[str], instruction: str = "") -> None:
        """Show texts that were written before as the finished draft."""
        self._bridge, self.instruction = bridge, instruction
        self.answers = [Answer.of(map(certain, texts))]
        self._display()

    def finish(self, verdict: Verdict) -> None:
        """Keep the finished draft as one undo step, or drop it as if it had never been; the first call counts."""
        if self._verdict:
            return
        self._verdict = verdict if self.done else Verdict.DROP
        self._document.contentsChange.disconnect(self._note)
        self._document.contentsChanged.disconnect(self._text_changed)
        self._halt()
        self._layer.clear()
        if self.kept:
            self._put(self.answer.texts)
        self._ended(self)

    # Steering

    def escape(self) -> None:
        """Stop what runs, and show what was written before; without that, or when nothing runs, drop it all."""
        if self.running and self.answers:
            self._halt()
            self._draft = None
            self._display()
        else:
            self.finish(Verdict.DROP)

    def stop_here(self) -> None:
        """Take the draft as it is now for finished."""
        if self.running and self._draft and isinstance(self._event, Draft):
            self._halt()
            self._add([self._draft])

    def turn(self, by: int) -> None:
        """Show the next answer or the one before; behind the last, ask for another."""
        if self.number + by >= len(self.answers):
            self.regenerate()
        elif self.done:
            self.number = max(0, self.number + by)
            self._display()

    def regenerate(self) -> None:
        """Write all anew but for what is pinned, or was kept already."""
        if self.answers and (any(self.answer.pins) or len(self._seen) > 1):
            self._rewrite(self._unkept())
        else:
            self._ask(lambda: (self._fill(self._standing), Answer.of))

    def write_from(self, hole: int, index: int) -> None:
        """Write anew what stands from a character of a hole on, in it and behind it."""
        stretches = tuple(
            tuple(
                (max(start, index) if number == hole else start, end)
                for start, end in ranges
                if number > hole or (number == hole and end > index)
            )
            for number, ranges in enumerate(self.answer.unpinned())
        )
        self._rewrite(stretches)

    def write_unsure(self) -> None:
        """Write anew the words that the model is not sure of."""
        self._rewrite(tuple(unsure(written, UNSURE) for written in self.answer.holes))

    def exclude(self, hole: int, place: Range) -> None:
        """Write a word anew, and never again the same."""
        self._excluded = (*self._excluded, self.answer.texts[hole][slice(*place)])
        self._rewrite(self._only(hole, place))

    def pin(self, hole: int, place: Range) -> None:
        """A word is to stay, or no longer; while the engine writes, it begins anew with that in mind."""
        if self.running and self._draft and isinstance(self._event, Draft):
            pinned = self._draft.toggled(hole, place)
            self._halt()
            self._add([pinned])
            self._rewrite(pinned.unpinned())
        elif self.done:
            self.answers[self.number] = self.answer.toggled(hole, place)
            self._display()

    def take(self, hole: int, place: Range, text: str) -> None:
        """Put another text in place of a stretch of the draft."""
        self._add([self.answer.with_text(hole, place, text)])

    def strengthen(self, by: float) -> None:
        """Ask again for a change of more of the text, or of less."""
        strength = min(1.0, max(0.1, self._options.strength + by))
        self._options = replace(self._options, strength=strength)
        self._ask(lambda: (self._fill(self._standing), Answer.of))

    def follow_up(self, instruction: str, options: Options, pictures: tuple[Picture, ...] = ()) -> None:
        """Have the draft itself rewritten as told; it stays compared with what stands in the document."""
        self.instruction, self._options, self.pictures = instruction, options, pictures
        self._ask(lambda: (self._fill(self.answer.texts), Answer.of))

    async def candidates(self, hole: int, place: Range) -> list[str]:
        """What else could stand in a stretch of the finished draft, the likeliest first."""
        word = self.answer.texts[hole][slice(*place)]
        fill = self._fill(self._standing, replace(self._options, alternatives=CANDIDATES), (word,))
        fill = reopen(fill, self.answer.holes, self._only(hole, place))
        async with aclosing(self._bridge.fill(fill)) as events:
            async for event in events:
                if isinstance(event, Done):
                    texts = dict.fromkeys(one.text for one in event.alternatives)
                    return [text for text in texts if text != word]
        return []

    # Keeping a part

    def keep_word(self) -> None:
        """Put the next changed word into the text, as an undo step of its own."""
        self._take_over(next_word)

    def keep_hunk(self) -> None:
        """Put the next change into the text."""
        self._take_over(lambda old, new, hunk: with_hunks(old, new, [hunk]))

    def keep_change(self, hole: int, place: Range) -> None:
        """Put the change whose new text stands there into the text."""
        old, new = self._standing[hole], self.answer.texts[hole]
        self._write(hole, with_hunks(old, new, [self._hunk(hole, place)]))

    def drop_change(self, hole: int, place: Range) -> None:
        """Leave what stands in the text where the draft has that change."""
        hunk = self._hunk(hole, place)
        self._add([self.answer.with_text(hole, hunk.new, self._standing[hole][slice(*hunk.old)])])

    def was(self, hole: int, place: Range) -> str | None:
        """What stands in the text where the draft has a changed word; None where it has none."""
        found = [hunk for hunk in self._hunks(hole) if hunk.new[0] <= place[0] and place[1] <= hunk.new[1]]
        return self._standing[hole][slice(*found[0].old)] if found else None

    def _take_over(self, taken: Callable[[str, str, Hunk], str]) -> None:
        if not self.done:
            return
        for hole in range(len(self.spans)):
            if found := self._hunks(hole):
                return self._write(hole, taken(self._standing[hole], self.answer.texts[hole], found[0]))
        self.finish(Verdict.KEEP)

    def _write(self, hole: int, text: str) -> None:
        texts = (*self._standing[:hole], text, *self._standing[hole + 1 :])
        self._put(texts)
        self._standing = texts
        self._seen.add(texts)
        if texts == self.answer.texts:
            self.finish(Verdict.KEEP)
        else:
            self._display()

    def _hunks(self, hole: int) -> list[Hunk]:
        return hunks(self._standing[hole], self.answer.texts[hole])

    def _hunk(self, hole: int, place: Range) -> Hunk:
        return next(hunk for hunk in self._hunks(hole) if hunk.new[0] <= place[0] and place[1] <= hunk.new[1])

    # The engine

    def _fill(self, selections: Sequence[str], options: Options | None = None, without: tuple[str, ...] = ()) -> Fill:
        before, after = around(self._document, self.spans)
        gaps = [stretch(self._document, one.end, other.start) for one, other in pairwise(self.spans)]
        options = options or self._options
        if options.seed is not None:
            options = replace(options, seed=options.seed + len(self.answers))
        if options.strength < 1 and not all(map(str.strip, selections)):
            options = replace(options, strength=1.0)  # of nothing no part can stay
        return Fill(
            before,
            after,
            selections[0],
            self.instruction,
            replace(options, without=self._excluded + without),
            tuple(map(Hole, gaps, selections[1:])),
            self.pictures,
        )

    def _rewrite(self, stretches: Stretches) -> None:
        """Have these stretches of the answer written anew."""
        answer = self.answer
        self._ask(
            lambda: (
                reopen(self._fill(self._standing), answer.holes, stretches),
                lambda written: answer.merged(stretches, written),
            )
        )

    def _only(self, hole: int, place: Range) -> Stretches:
        return tuple((place,) if number == hole else () for number in range(len(self.spans)))

    def _unkept(self) -> Stretches:
        """What is neither pinned nor, before the first change, in the text already."""
        begins = [found[0].new[0] if (found := self._hunks(hole)) else 0 for hole in range(len(self.spans))]
        if len(self._seen) == 1:
            begins = [0] * len(begins)
        return tuple(
            tuple((max(start, begin), end) for start, end in ranges if end > begin)
            for ranges, begin in zip(self.answer.unpinned(), begins, strict=True)
        )

    def _ask(self, build: Callable[[], tuple[Fill, Merge]]) -> None:
        try:
            fill, merge = build()
        except RequestError as error:
            self._tell(Failed(str(error)))
            if not self.answers:
                self.finish(Verdict.DROP)
            return
        self._halt()
        self._task = asyncio.ensure_future(self._follow(fill, merge))

    def _halt(self) -> None:
        if self._task:
            self._task.cancel()
            self._task = None

    async def _follow(self, fill: Fill, merge: Merge) -> None:
        try:
            async with aclosing(self._bridge.fill(fill)) as events:
                async for event in events:
                    self._arrived(event, merge)
                    if isinstance(event, Draft):
                        await asyncio.sleep(FRAME)  # meanwhile newer drafts take its place
        except Exception as error:  # one of the three places that catch
            log.exception("a fill failed in the window")
            self._tell(
                Failed(
                    tr(
                        "No draft can be shown ({name}: {error}). Your text is untouched.",
                        name=type(error).__name__,
                        error=error,
                    )
                )
            )
        if isinstance(self._event, Failed | Stopped):
            self._draft = self._task = None
            if self.answers:
                self._display()
            else:
                self.finish(Verdict.DROP)

    def _arrived(self, event: Event, merge: Merge) -> None:
        if isinstance(event, Draft):
            self._event, self._draft = event, merge(event.holes)
            self._display()
        elif isinstance(event, Done):
            self._task, self.bridged = None, True  # it has nothing more to do
            self._add([merge(one.holes) for one in event.alternatives])
        elif isinstance(event, Stopped) and isinstance(self._event, Draft) and self._draft:
            self._add([self._draft])  # the engine was asked for something else: what there is can be kept
        self._tell(event)

    def _tell(self, event: Event) -> None:
        self._event = event
        self._report(event)

    def _add(self, answers: list[Answer]) -> None:
        """More answers, of which the first is shown."""
        self.number, self._draft = len(self.answers), None
        self.answers += answers
        self._display()

    # The document and its layer

    def _display(self) -> None:
        answer, progress = self.shown, None
        if self._draft:
            last = self._event
            progress = last.step / last.max_steps if isinstance(last, Draft) else 0.0
            answer = self._draft if self._watched else Answer.of(map(certain, self._standing))
        shown = []
        for span, old, written, pins in zip(self.spans, self._standing, answer.holes, answer.pins, strict=True):
            changed = tuple(hunk.new for hunk in hunks(old, written.text))
            settled = written.settled if self._draft or self.doubtful else (1.0,) * len(written.text)
            shown.append(Shown(span, written.text, settled, changed, pins))
        self._layer.show(shown, progress)

    def _texts(self) -> tuple[str, ...]:
        return tuple(span.text() for span in self.spans)

    def _put(self, texts: Sequence[str]) -> None:
        """Write what is to stand in the holes, as one undo step that touches only what differs."""
        self._putting = True
        cursor = QTextCursor(self._document)
        cursor.beginEditBlock()
        for span, new in zip(self.spans, texts, strict=True):
            for hunk in reversed(hunks(old := span.text(), new)):
                start = span.start + units(old[: hunk.old[0]])
                cursor.setPosition(start)
                cursor.setPosition(start + units(old[slice(*hunk.old)]), QTextCursor.MoveMode.KeepAnchor)
                # Qt merges the user's next key into a block that ends with an insertion, so end with a deletion.
                cursor.insertText(new[slice(*hunk.new)] + " ")
                cursor.deletePreviousChar()
        cursor.endEditBlock()
        self._putting = False

    def _note(self, position: int, removed: int, _added: int) -> None:
        """Nothing more: the editor has yet to lay out the change."""
        self._changes.append((position, removed))

    def _text_changed(self) -> None:
        changes, self._changes = self._changes, []
        steps, self._steps = self._steps, self._document.availableUndoSteps()
        starts, self._starts = self._starts, [span.start for span in self.spans]
        if changes and not self._putting:
            # An empty hole's text cannot show that; new colours are told as a change too, but none that can be undone.
            empty = [start for start, text in zip(starts, self._standing, strict=True) if not text]
            gone = [start for start in empty for at, removed in changes if at < start < at + removed]
            texts = self._texts()
            meet = any(one.end >= other.start for one, other in pairwise(self.spans))  # whose would a text between be?
            if (gone and steps != self._steps) or meet or texts not in self._seen:
                return self.finish(Verdict.DROP)
            if texts != self._standing:
                self._standing = texts
                self._display()
        self._layer.refresh()
