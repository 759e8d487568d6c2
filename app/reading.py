"""Reads pictures beside the window and tells it as a fill is told, so that a draft shows what they say."""

import asyncio
import tempfile
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

from PySide6.QtCore import QObject, QTimer

from palimpsest.app.bridge import Asked
from palimpsest.app.incoming import Image
from palimpsest.app.tasks import portion
from palimpsest.engine import (
    Alternative,
    Done,
    Draft,
    Event,
    Failed,
    Fill,
    Picture,
    PictureError,
    Reading,
    Transcriber,
    Transcribing,
    Transcript,
    Written,
    pictures_of,
)
from palimpsest.engine.language import tr

BETWEEN = "\n\n"  # pages
IDLE = 60_000  # milliseconds after which the networks are given back

Shown = Image | Picture  # to a model, which may have seen it before
Told = Transcribing | Transcript | str  # the string says why a picture could not be read


class PictureReader(QObject):
    """Owns what reads pictures, for all pages of a window."""

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._transcriber, self._lock = Transcriber(), threading.Lock()
        self._idle = QTimer(self, singleShot=True, interval=IDLE)
        self._idle.timeout.connect(self._transcriber.close)

    def bridge(
        self, pictures: Sequence[Image], form: str, language: str, engine: Asked, tell: Callable[[str], None]
    ) -> "PictureBridge":
        """What to ask for the text of these pictures. ``tell`` hears of those that cannot be read."""
        read = partial(self._transcriber.read, form=form, language=language)
        return PictureBridge(lambda: self._told(_read(read, pictures)), engine, tell)

    async def _told(self, reading: Generator[Told, None, None]) -> AsyncGenerator[Told, None]:
        self._idle.stop()
        try:
            while some := await asyncio.to_thread(self._portion, reading):
                for told in some:
                    yield told
        finally:
            # Not here: what is being read just now has to end first.
            asyncio.get_running_loop().run_in_executor(None, self._close, reading)
            self._idle.start()

    def _portion(self, reading: Iterator[Told]) -> list[Told]:
        with self._lock:
            return portion(reading)

    def _close(self, reading: Generator[Told, None, None]) -> None:
        with self._lock:
            reading.close()


class PictureBridge:
    """Answers the first fill with the text of pictures, and what is asked of that text from then on by the engine."""

    def __init__(self, read: Callable[[], AsyncGenerator[Told, None]], engine: Asked, tell: Callable[[str], None]):
        self._read, self._engine, self._tell = read, engine, tell
        self._answered = False

    async def fill(self, fill: Fill) -> AsyncGenerator[Event, None]:
        """As the engine's bridge tells a fill: Reading and, for every page, a Draft, then Done or Failed."""
        async with aclosing(self._engine.fill(fill) if self._answered else self._pages()) as events:
            async for event in events:
                yield event

    async def _pages(self) -> AsyncGenerator[Event, None]:
        began, pages, wrong = perf_counter(), [], []
        async with aclosing(self._read()) as reading:
            async for told in reading:
                match told:
                    case Transcribing(line=line, lines=lines):
                        yield Reading(line, lines)
                    case Transcript(page=page, pages=count) if told.text:
                        pages.append(told)
                        yield Draft((_written(pages),), page, count)
                    case str():
                        wrong.append(told)
        self._answered = bool(pages)
        if pages and wrong:
            self._tell(" ".join(wrong))
        if pages:
            yield Done((Alternative((_written(pages),), 0.0),), 0, 0, perf_counter() - began, 0)
        else:
            yield Failed(" ".join(wrong) or tr("No text was found in the picture."))


def _written(pages: list[Transcript]) -> Written:
    """The pages below each other; words that may be wrong are the less settled the less certain they are."""
    settled: list[float] = []
    for page in pages:
        settled += [1.0] * len(BETWEEN) if settled else []
        start = len(settled)
        settled += [1.0] * len(page.text)
        for at, word, sure in page.doubtful:
            settled[start + at : start + at + len(word)] = [sure] * len(word)
    return Written(BETWEEN.join(page.text for page in pages), tuple(settled))


async def seen(shown: Sequence[Shown]) -> tuple[Picture, ...]:
    """The pictures as a model is shown them. Raises PictureError."""

    def read(one: Shown) -> tuple[Picture, ...]:
        if isinstance(one, Picture):
            return (one,)
        with _file(one) as path:
            return pictures_of(path)

    return tuple([picture for one in shown for picture in await asyncio.to_thread(read, one)])


def _read(read: Callable[[Path], Iterator[Told]], pictures: Sequence[Image]) -> Generator[Told, None, None]:
    for picture in pictures:
        try:
            with _file(picture) as path:
                yield from read(path)
        except PictureError as error:
            yield str(error)


@contextmanager
def _file(picture: Image) -> Iterator[Path]:
    """The picture as a file, for as long as it is needed."""
    if isinstance(picture, Path):
        yield picture
        return
    with tempfile.TemporaryDirectory(prefix="palimpsest-") as folder:
        path = Path(folder) / "picture.png"
        if not picture.save(str(path)):
            raise PictureError(tr("The clipboard's picture cannot be read."))
        yield path
