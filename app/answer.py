"""One answer to a fill: what it writes in each hole, and what of that is to stay."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from palimpsest.app.hunks import Range
from palimpsest.engine import Written, certain


@dataclass(frozen=True)
class Answer:
    """What stands in each hole; ``pins`` are for each hole the characters that stay when it is written anew."""

    holes: tuple[Written, ...]
    pins: tuple[tuple[Range, ...], ...]

    @classmethod
    def of(cls, holes: Iterable[Written]) -> "Answer":
        """An answer of which nothing is pinned."""
        written = tuple(holes)
        return cls(written, ((),) * len(written))

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(written.text for written in self.holes)

    def toggled(self, hole: int, place: Range) -> "Answer":
        """The same with a stretch pinned, or no longer."""
        inside = [pin for pin in self.pins[hole] if pin[0] < place[1] and place[0] < pin[1]]
        pins = [pin for pin in self.pins[hole] if pin not in inside] + ([] if inside else [place])
        return replace(self, pins=self._with(self.pins, hole, tuple(sorted(pins))))

    def unpinned(self) -> tuple[tuple[Range, ...], ...]:
        """For each hole the stretches between the pins."""
        found = []
        for written, pins in zip(self.holes, self.pins, strict=True):
            edges = [0, *(edge for pin in pins for edge in pin), len(written.text)]
            found.append(tuple(between for between in zip(edges[::2], edges[1::2], strict=True) if any(between)))
        return tuple(tuple((start, end) for start, end in ranges if start < end) for ranges in found)

    def with_text(self, hole: int, place: Range, text: str) -> "Answer":
        """The same with another text in a stretch, which is pinned."""
        stretches = tuple((place,) if number == hole else () for number in range(len(self.holes)))
        changed = self.merged(stretches, (certain(text),))
        return changed.toggled(hole, (place[0], place[0] + len(text))) if text else changed

    def merged(self, stretches: tuple[tuple[Range, ...], ...], written: Iterable[Written]) -> "Answer":
        """The same with these stretches of the holes written anew, as ``engine.reopen`` asks for them; pins stay on
        their words."""
        new, holes, pins = iter(written), [], []
        for old, kept, ranges in zip(self.holes, self.pins, stretches, strict=True):
            text, settled, moved, at = "", (), [], 0
            for number, (start, end) in enumerate((*ranges, (len(old.text), len(old.text)))):
                moved += [
                    (first - at + len(text), last - at + len(text))
                    for first, last in kept
                    if at <= first and last <= start
                ]
                text, settled = text + old.text[at:start], (*settled, *old.settled[at:start])
                if number < len(ranges):
                    one = next(new)
                    text, settled = text + one.text, (*settled, *one.settled)
                at = end
            holes.append(Written(text, settled))
            pins.append(tuple(moved))
        return Answer(tuple(holes), tuple(pins))

    def _with(self, values: tuple, place: int, value: object) -> tuple:
        return (*values[:place], value, *values[place + 1 :])
