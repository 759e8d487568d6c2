"""Reads the lines of text in a picture with small networks that need no GPU and no net."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from rapidocr import RapidOCR
from rapidocr.ch_ppocr_rec.typings import WordInfo
from rapidocr.main import RapidOCRError

from palimpsest.engine.errors import PictureError
from palimpsest.engine.ink import Box, Mask, Pixels, left_over, legible, mask, tight, turned
from palimpsest.engine.language import tr
from palimpsest.engine.textlines import TextLine

LEAST = 320  # pixels of the sides of what is searched; smaller pictures get a margin
QUIET = {"Global.log_level": "critical", "Rec.rec_batch_num": 1, "Det.limit_side_len": LEAST}
READERS = min(4, os.cpu_count() or 1)  # lines that are read at once

SKEW = 0.2  # degrees; lines that are less askew are read as they are
SMALL = 16  # pixels: pages whose lines are lower than that are enlarged
BAND = 1600  # pixels: higher pictures are searched band by band
GUESS = 0.5  # what was not seen as text at first, and is less certain, is none
STROKES = set("\"'“”‘’`·.,:;1Il|i!uUnNⅡ一 ")  # what the network takes quotation marks for that stand alone
EDGE = 3  # pixels left around the ink


class Reader:
    """The networks, loaded when one is made; what they hold is freed with it. Used by one thread at a time. Text is
    recognised by the ``network`` in that file, or by the one that comes with the installation. Raises PictureError for
    a file that cannot."""

    def __init__(self, network: Path | None = None):
        self._finder = RapidOCR(params=QUIET)
        # Two lines at once in a thread each are read sooner than one after the other by two threads.
        params = QUIET | {"EngineConfig.onnxruntime.intra_op_num_threads": 1}
        if network:
            _check(network)
            params |= {"Rec.model_path": str(network)}
        self._network = RapidOCR(params=params)
        self._network.return_word_box = True

    def lines(self, pixels: Pixels) -> Iterator[tuple[int, TextLine | None]]:
        """How many lines there may be, with each as it is read, or with None where nothing was."""
        page, found = self._upright(legible(pixels))
        if not found:
            return
        ink = mask(page)
        usual = median(box.height for box in found)
        boxes = [_around(box, tight(ink, box)) for box in found]
        boxes, more = _completed(boxes, left_over(ink, boxes, usual), usual)
        with ThreadPoolExecutor(READERS) as readers:
            for some in _batched([*boxes, *more], 2 * READERS):
                for box, line in zip(
                    some, readers.map(lambda box: self._line(page, ink, box, usual), some), strict=True
                ):
                    doubtful = line and box in more and np.mean(line.sure) < GUESS
                    yield len(boxes) + len(more), None if doubtful else line

    def _upright(self, page: Pixels) -> tuple[Pixels, list[Box]]:
        """The page with its lines level and large enough, and where they are."""
        corners = self._detect(page)
        angle = _skew(corners)
        if abs(angle) > SKEW:
            page = turned(page, angle)
            corners = self._detect(page)
        boxes = _apart([_level(four) for four in corners])
        if boxes and median(box.height for box in boxes) < SMALL and page.size < 3 * 2_000_000:
            page = cv2.resize(page, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)  # pyright: ignore
            boxes = _apart([_level(four) for four in self._detect(page)])
        return page, boxes

    def _detect(self, page: Pixels) -> list[NDArray]:
        """The four corners of each line, from the top left clockwise."""
        found = []
        for top, bottom in _bands(page):
            try:
                _, seen = self._finder.detect_and_crop(np.ascontiguousarray(_roomy(page[top:bottom])[:, :, ::-1]), {})
            except RapidOCRError:  # nothing was found
                continue
            assert seen.boxes is not None
            found += [four + np.array([0, top], four.dtype) for four in seen.boxes]
        return found

    def _line(self, page: Pixels, ink: Mask, box: Box, usual: float) -> TextLine | None:
        inked = tight(ink, box)
        read = self._network.recognize_txt([np.ascontiguousarray(box.of(page)[:, :, ::-1])])
        assert read.txts
        text, info = read.txts[0], read.word_results[0]
        if set(text) <= STROKES and (quotes := _quotes(ink, inked, usual)):
            text, places, sure = quotes, _spread(quotes, inked), [0.9] * len(quotes)
        elif text.strip() and isinstance(info, WordInfo):
            places, sure = _places(text, info, box), list(info.confs)
        else:
            return None
        return TextLine(text, inked.left, box.top, inked.right, box.bottom, tuple(places), tuple(sure))


def _check(network: Path) -> None:
    """Raises PictureError for a file that is no network with the characters it knows: RapidOCR would fetch those."""
    try:
        session = InferenceSession(network, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen kinds for damaged files
        raise PictureError(tr("{path} is damaged or incomplete ({error}).", path=network, error=error)) from error
    characters = session.get_modelmeta().custom_metadata_map.get("character", "").splitlines()
    classes = session.get_outputs()[0].shape[-1]  # a number where it is fixed
    fits = classes == len(characters) + 2 or isinstance(classes, str)  # nothing and the space go without saying
    if not (characters and fits):
        raise PictureError(tr("{path} does not say which characters it knows: take another file.", path=network))


def _batched(boxes: Sequence[Box], size: int) -> Iterator[Sequence[Box]]:
    return (boxes[at : at + size] for at in range(0, len(boxes), size))


def _roomy(page: Pixels) -> Pixels:
    """The picture with a margin at its right and below, where it is smaller or flatter than the network knows."""
    height, width = page.shape[:2]
    down, across = max(0, LEAST - height, width // 7 - height), max(0, LEAST - width)
    if not down and not across:
        return page
    ground = [float(np.median(page[:, :, channel])) for channel in range(3)]
    return cv2.copyMakeBorder(page, 0, down, 0, across, cv2.BORDER_CONSTANT, value=ground)  # pyright: ignore


def _bands(page: Pixels) -> Iterator[tuple[int, int]]:
    """Tops and bottoms of parts that are no higher than BAND, parted where there is least to part."""
    top, height = 0, page.shape[0]
    while height - top > BAND:
        rough = np.ptp(page[top + BAND // 2 : top + BAND, :, 0].astype(np.int16), axis=1)
        calm = np.flatnonzero(rough <= rough.min() + 8)
        bottom = top + BAND // 2 + int(calm[-1])
        yield top, bottom
        top = bottom
    yield top, height


def _skew(corners: list[NDArray]) -> float:
    """How many degrees the lines fall to the right; of what is too short to tell, 0."""
    long = [four for four in corners if np.ptp(four[:, 0]) > 5 * abs(four[3][1] - four[0][1])]
    angles = [np.degrees(np.arctan2(four[1][1] - four[0][1], four[1][0] - four[0][0])) for four in long]
    return float(np.median(angles)) if angles else 0.0


def _level(four: NDArray) -> Box:
    """The rectangle of a line that is hardly askew."""
    left, right = four[:, 0].min(), four[:, 0].max()
    top, bottom = (four[0][1] + four[1][1]) / 2, (four[2][1] + four[3][1]) / 2
    return Box(max(0, int(left)), max(0, int(top)), int(np.ceil(right)), int(np.ceil(bottom)))


def _apart(boxes: list[Box]) -> list[Box]:
    """The boxes without those that lie in others."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: box.width * box.height, reverse=True):
        if all(box.shared(other) < 0.5 * box.width * box.height for other in kept):
            kept.append(box)
    return kept


def _around(box: Box, inked: Box) -> Box:
    return Box(max(0, inked.left - EDGE), box.top, inked.right + EDGE, box.bottom)


def _completed(boxes: list[Box], rest: list[Box], usual: float) -> tuple[list[Box], list[Box]]:
    """Lines with the ink beside them that was overlooked; and what stands alone, as high as a line."""
    boxes, alone = list(boxes), []
    for more in rest:
        for at, box in enumerate(boxes):
            middle = (more.top + more.bottom) / 2
            near = more.left - box.right < usual and box.left - more.right < usual
            if near and box.top < middle < box.bottom:
                left, right = min(box.left, more.left - EDGE), max(box.right, more.right + EDGE)
                boxes[at] = Box(max(0, left), box.top, right, box.bottom)
                break
        else:
            room = max(EDGE, round((usual - more.height) / 2))
            alone.append(Box(max(0, more.left - EDGE), max(0, more.top - room), more.right + EDGE, more.bottom + room))
    return boxes, alone


def _quotes(ink: Mask, inked: Box, usual: float) -> str:
    """Quotation marks that stand alone, told by their strokes; empty for anything else."""
    if not 0.15 * usual < inked.height < 0.5 * usual or inked.width > 3 * usual:
        return ""
    count, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(inked.of(ink)), connectivity=8)
    strokes = [(int(wide), int(tall)) for _, _, wide, tall, _ in stats[1:count]]
    if not strokes or any(tall < 0.7 * inked.height for _, tall in strokes):
        return ""
    widest = max(wide for wide, _ in strokes)
    if len(strokes) in (2, 4, 6) and widest < 0.7 * inked.height:
        return '"' * (len(strokes) // 2)
    if len(strokes) == 3:
        return ('"' if widest > 0.75 * inked.height else "'") * 3
    return ""


def _spread(text: str, inked: Box) -> list[float]:
    return [inked.left + (at + 0.5) * inked.width / len(text) for at in range(len(text))]


def _places(text: str, info: WordInfo, box: Box) -> list[float]:
    """Where the middle of each character is; white space stands in the middle of its neighbours."""
    columns = iter([column for word in info.word_cols for column in word])
    wide = box.width / info.line_txt_len
    places = [None if char.isspace() else box.left + (next(columns) + 0.5) * wide for char in text]
    known = [at for at, place in enumerate(places) if place is not None]
    return list(np.interp(range(len(text)), known, [places[at] for at in known]))  # pyright: ignore
