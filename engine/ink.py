"""Makes a picture legible, and finds the ink on it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # H x W x 3
Mask = NDArray[np.uint8]  # H x W: 1 where there is ink

DARK = 115  # a ground darker than this is turned to its negative
CONTRAST = 120  # between ground and ink; less is stretched
MOST_PIXELS = 6_000_000  # of a page at work; twice a full screen
INK = 24  # darker than what is around it


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels; right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def shared(self, other: "Box") -> int:
        """The pixels that both hold."""
        across = min(self.right, other.right) - max(self.left, other.left)
        return max(0, across) * max(0, min(self.bottom, other.bottom) - max(self.top, other.top))

    def of(self, pixels: NDArray) -> NDArray:
        """The part of a picture that is inside."""
        return pixels[self.top : self.bottom, self.left : self.right]


def legible(pixels: Pixels) -> Pixels:
    """Dark on light, with enough contrast, and no larger than can be worked at."""
    pixels = _fitted(pixels)
    light = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    ground = int(np.median(light))
    if ground < DARK:
        pixels, light, ground = 255 - pixels, 255 - light, 255 - ground
    ink = int(np.percentile(light, 0.5))
    if 4 < ground - ink < CONTRAST:
        spread = (pixels.astype(np.float32) - ink) * (255 / (ground - ink))
        pixels = np.clip(spread, 0, 255).astype(np.uint8)
    return pixels


def _fitted(pixels: Pixels) -> Pixels:
    size = pixels.shape[0] * pixels.shape[1]
    if size <= MOST_PIXELS:
        return pixels
    scale = (MOST_PIXELS / size) ** 0.5
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # pyright: ignore


def turned(pixels: Pixels, degrees: float) -> Pixels:
    """The picture turned about its middle, what comes into view as light as its ground."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    ground = tuple(float(np.median(pixels[:, :, channel])) for channel in range(3))
    return cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=ground)  # pyright: ignore


def mask(pixels: Pixels) -> Mask:
    """Where there is ink: what is darker than its surroundings, and than the grain."""
    light = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    grain = float(np.median(cv2.absdiff(light, cv2.medianBlur(light, 3))))
    around = 51
    found = cv2.adaptiveThreshold(
        light, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, around, max(INK, 5 * grain)
    )
    return found.astype(np.uint8)


def tight(ink: Mask, box: Box) -> Box:
    """The box around the ink inside ``box``; the box itself where there is none."""
    part = box.of(ink)
    across, down = np.flatnonzero(part.any(0)), np.flatnonzero(part.any(1))
    if not len(across):
        return box
    return Box(
        box.left + int(across[0]), box.top + int(down[0]), box.left + int(across[-1]) + 1, box.top + int(down[-1]) + 1
    )


def left_over(ink: Mask, boxes: list[Box], height: float) -> list[Box]:
    """Ink of the size of text outside the boxes, glyphs side by side together."""
    rest = ink.copy()
    for box in boxes:
        box.of(rest)[:] = 0
    reach = max(1, round(height * 0.6))
    together = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((1, 2 * reach + 1), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(together, connectivity=8)
    found = []
    for left, top, width, tall, area in stats[1:count]:
        fits = 0.15 * height < tall <= 1.4 * height and 0.1 * height <= width <= 12 * height
        if fits and area >= 0.04 * height**2:
            found.append(Box(int(left), int(top), int(left + width), int(top + tall)))
    return found
