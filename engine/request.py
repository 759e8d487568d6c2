"""What is asked of the engine and what comes back: frozen values, no Qt, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from palimpsest.engine.errors import RequestError
from palimpsest.engine.language import tr

PRECISIONS = ("bf16", "fp8", "int4")  # how weights are kept, the most exact way first
DETAILS = (70, 140, 280, 560, 1120)  # soft tokens that a picture may get (model card of Gemma 4)
WAYS = {  # what a server does, as the user reads it
    "ours": tr("fills as this machine does"),
    "canvas": tr("fills on its canvas"),
    "prompt": tr("writes by prompt"),
    "pictures": tr("takes images"),
    "thoughts": tr("thinks"),
}
LONGEST_SELECTION = 16_000  # characters in all holes of a fill: more than any model here can write at a time


@dataclass(frozen=True)
class Options:
    """How to fill. ``None`` leaves the choice to the checkpoint or the engine.

    ``seed`` makes a fill repeatable on one machine; ``length`` is the number of tokens each hole offers; ``strength``
    is the share of the selected tokens that may change; ``alternatives`` is how many answers are wanted; ``think`` lets
    a model that can think before it writes; ``detail`` is how many soft tokens each picture gets, one of DETAILS; the
    words of ``without`` are never written, where one token says them, and elsewhere only if nothing else is found. The
    others are the released model's settings of a denoising run: steps at most, the temperatures of the last and the
    first step, the entropy bound, the mean entropy (nats) under which a canvas that repeats is finished (0: never stop
    early), and how often it must repeat. Raises RequestError for a value that cannot work.
    """

    seed: int | None = None
    length: int | None = None
    strength: float = 1.0
    alternatives: int = 1
    think: bool = False
    detail: int | None = None
    without: tuple[str, ...] = ()
    max_steps: int | None = None
    t_min: float | None = None
    t_max: float | None = None
    entropy_bound: float | None = None
    confidence: float | None = None
    stability: int | None = None

    def __post_init__(self) -> None:
        if self.detail is not None and self.detail not in DETAILS:
            choices = ", ".join(map(str, DETAILS))
            raise RequestError(tr("detail is {value}: give one of {choices}.", value=self.detail, choices=choices))
        for name, kind, least, most in (
            ("seed", int, 0, 2**63 - 1),
            ("length", int, 1, 4096),
            ("strength", float, 0, 1),
            ("alternatives", int, 1, 16),
            ("max_steps", int, 1, 1000),
            ("t_min", float, 0.01, 10),
            ("t_max", float, 0.01, 10),
            ("entropy_bound", float, 0, 1000),
            ("confidence", float, 0, 10),
            ("stability", int, 0, 1000),
        ):
            value = getattr(self, name)
            if value is None and name not in ("strength", "alternatives"):
                continue
            if not (isinstance(value, kind | int) and least <= value <= most):
                number = tr("whole number") if kind is int else tr("number")
                raise RequestError(
                    tr(
                        "{name} is {value}: give a {number} from {least} to {most}.",
                        name=name,
                        value=value,
                        number=number,
                        least=least,
                        most=most,
                    )
                )


@dataclass(frozen=True)
class Picture:
    """What a model is shown: a PNG or JPEG file; of a video, what it shows at that ``second``. ``name`` is that of the
    file it was taken from, if any."""

    file: bytes
    second: int | None = None
    name: str = ""

    @property
    def kind(self) -> str:
        """Of the file, as in ``image/png``."""
        return "image/png" if self.file.startswith(b"\x89PNG") else "image/jpeg"

    @property
    def clock(self) -> str:
        """The time in a video, as the released model is told it (processor of Gemma 4)."""
        return "" if self.second is None else f"{self.second // 60:02}:{self.second % 60:02}"


@dataclass(frozen=True)
class Hole:
    """One more stretch the fill may write, after ``gap``, the text between the hole before and this one."""

    gap: str
    selected: str = ""


@dataclass(frozen=True)
class Fill:
    """One request: fill the hole between ``before`` and ``after`` in place of ``selected``, and ``further`` holes.

    Without an ``instruction`` the selected text only says how long the new one may be. With one, it is rewritten
    as told. All holes are filled jointly; ``after`` follows the last. Words of a selection that must stay are the gap
    between two holes. ``pictures`` are what a model is shown first, where it can see. Raises RequestError for
    an instruction with neither anything selected nor a picture, and for a selection that is too long.
    """

    before: str
    after: str
    selected: str = ""
    instruction: str = ""
    options: Options = field(default_factory=Options)
    further: tuple[Hole, ...] = ()
    pictures: tuple[Picture, ...] = ()

    def __post_init__(self) -> None:
        length = sum(map(len, self.selections))
        if length > LONGEST_SELECTION:
            raise RequestError(
                tr("The selection is {length} characters long: select a shorter stretch.", length=length)
            )
        if self.instruction and not self.pictures and not any(map(str.strip, self.selections)):
            raise RequestError(tr("There is nothing to rewrite: select the text the instruction is about."))
        if self.options.strength < 1 and not all(map(str.strip, self.selections)):
            raise RequestError(
                tr("A strength below 1 changes a part of the selected text: select some, or leave it at 1.")
            )

    @property
    def selections(self) -> tuple[str, ...]:
        """The text that stands in each hole now."""
        return (self.selected, *(hole.selected for hole in self.further))

    def filled(self, holes: "tuple[Written, ...]") -> str:
        """The whole text with ``holes`` filled in."""
        parts = [gap + hole.text for gap, hole in zip(("", *self.gaps), holes, strict=True)]
        return self.before + "".join(parts) + self.after

    @property
    def gaps(self) -> tuple[str, ...]:
        """The text between each hole and the next."""
        return tuple(hole.gap for hole in self.further)


@dataclass(frozen=True)
class Seeded:
    """One canvas of tokens, to be denoised behind a prompt of tokens (vLLM's structured reads).

    ``canvas`` are the ids that denoising begins with, or how many begin as noise; those at the positions ``pinned``
    stay. ``max_steps`` caps the checkpoint's own number, ``seed`` repeats it on one machine. The log-probabilities of
    the ``top`` likeliest tokens, and of those in ``wanted``, are told at each position.
    """

    prompt: tuple[int, ...]
    canvas: tuple[int, ...] | int
    pinned: tuple[int, ...] = ()
    max_steps: int | None = None
    seed: int | None = None
    top: int = 1
    wanted: tuple[int, ...] = ()


@dataclass(frozen=True)
class Denoised:
    """The likeliest token at each position of a seeded canvas, the pinned ones among them, with the log-probabilities
    (nats, temperature 1) of tokens there."""

    ids: tuple[int, ...]
    told: tuple[dict[int, float], ...]


@dataclass(frozen=True)
class Written:
    """What stands in one hole, and per character how sure the model is of it, from 0 to 1."""

    text: str
    settled: tuple[float, ...]


def certain(text: str) -> Written:
    """A text that nothing is unsure about."""
    return Written(text, (1.0,) * len(text))


class _Holes:
    """The first hole's text, for the many fills that have but one."""

    holes: tuple[Written, ...]

    @property
    def text(self) -> str:
        return self.holes[0].text

    @property
    def settled(self) -> tuple[float, ...]:
        return self.holes[0].settled


@dataclass(frozen=True)
class Ready:
    """The backend is loaded; its weights take so many bytes on the device. ``ways`` is how a server fills, of WAYS."""

    model: str
    device: str
    memory: int
    ways: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unloaded:
    """The backend has given its memory back; the next fill loads it again."""


@dataclass(frozen=True)
class Loading:
    """So many bytes of the checkpoint are loaded; at this pace the rest takes ``left`` seconds."""

    done: int
    total: int
    left: float


@dataclass(frozen=True)
class Waiting:
    """A server, or the model's process, is to answer and has not yet."""


@dataclass(frozen=True)
class Reading:
    """So many tokens of the text around the hole are read; told while reading takes several steps."""

    done: int
    total: int


@dataclass(frozen=True)
class Thought:
    """What the model thinks before it writes, so far. Never a part of the text, nor of a later request."""

    text: str


@dataclass(frozen=True)
class Draft(_Holes):
    """The holes after one denoising step."""

    holes: tuple[Written, ...]
    step: int
    max_steps: int


@dataclass(frozen=True)
class Alternative(_Holes):
    """One finished answer; ``score`` says how well the text behind it follows from it, compared with the others'."""

    holes: tuple[Written, ...]
    score: float


@dataclass(frozen=True)
class Done:
    """The finished answers that differ, best first. ``seed`` repeats the fill, but not by vLLM; ``tokens`` are those of
    the best."""

    alternatives: tuple[Alternative, ...]
    steps: int
    tokens: int
    seconds: float
    seed: int
    thought: str = ""

    @property
    def holes(self) -> tuple[Written, ...]:
        """What stands in each hole in the best answer."""
        return self.alternatives[0].holes

    @property
    def text(self) -> str:
        return self.alternatives[0].text


@dataclass(frozen=True)
class Failed:
    """The fill ended with an error; ``message`` is one sentence for the user."""

    message: str


@dataclass(frozen=True)
class Stopped:
    """The fill was stopped, by its asker or by a newer fill."""


Progress = Waiting | Reading | Thought | Draft  # what a fill tells while it runs
Told = Progress | Done | Failed | Stopped  # of a fill
Event = Loading | Ready | Unloaded | Told | Denoised


def in_words(ways: Sequence[str]) -> str:
    """What a server does, as the user reads it."""
    return ", ".join(WAYS.get(way, way) for way in ways)


def reopen(fill: Fill, holes: tuple[Written, ...], stretches: tuple[tuple[tuple[int, int], ...], ...]) -> Fill:
    """The fill that writes only ``stretches`` of what an earlier one wrote anew, and keeps the rest.

    ``stretches`` holds for each hole the character ranges to open again, in order. Raises RequestError when there is
    none.
    """
    before, texts, selections = fill.before, [], []
    gap = ""
    for written, ranges, following in zip(holes, stretches, (*fill.gaps, ""), strict=True):
        kept = 0
        for start, end in ranges:
            texts.append(gap + written.text[kept:start])
            selections.append(written.text[start:end])
            gap, kept = "", end
        gap += written.text[kept:] + following
    if not selections:
        raise RequestError(tr("There is nothing to write again: choose the words that shall change."))
    return replace(
        fill,
        before=before + texts[0],
        selected=selections[0],
        further=tuple(map(Hole, texts[1:], selections[1:])),
        after=gap + fill.after,
        instruction=fill.instruction if any(map(str.strip, selections)) else "",
        options=replace(fill.options, strength=1.0, length=None),
    )


def unsure(written: Written, below: float) -> tuple[tuple[int, int], ...]:
    """The character ranges of ``written`` that are less settled than ``below``."""
    open_ = [value < below for value in (*written.settled, 1.0)]
    edges = [index for index, (was, now) in enumerate(zip([False, *open_], open_, strict=False)) if was != now]
    return tuple(zip(edges[::2], edges[1::2], strict=True))
