"""What is asked of the engine and what comes back: frozen values, no Qt, no torch."""

from dataclasses import dataclass, field

from palimpsest.engine.errors import RequestError

LONGEST_SELECTION = 16_000  # characters: no canvas holds more, and laying out more would take noticeable time


@dataclass(frozen=True)
class Options:
    """How to fill. ``None`` leaves the choice to the checkpoint or the engine.

    ``length`` is the number of tokens the hole offers; ``seed`` makes a fill repeatable on one machine.
    Raises RequestError for a value that cannot work.
    """

    seed: int | None = None
    length: int | None = None
    max_steps: int | None = None

    def __post_init__(self) -> None:
        for name, least, most in (("seed", 0, 2**63 - 1), ("length", 1, 2**20), ("max_steps", 1, 1000)):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise RequestError(f"{name} is {value}: give a whole number from {least} to {most}.")


@dataclass(frozen=True)
class Fill:
    """One request: fill the hole between ``before`` and ``after`` in place of ``selected``.

    Without an ``instruction`` the selected text only says how long the new one may be. With one, it is rewritten
    as told. Raises RequestError for an instruction with nothing selected and for a selection no canvas can hold.
    """

    before: str
    after: str
    selected: str = ""
    instruction: str = ""
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        if len(self.selected) > LONGEST_SELECTION:
            raise RequestError(f"The selection is {len(self.selected)} characters long: select a shorter stretch.")
        if self.instruction and not self.selected.strip():
            raise RequestError("There is nothing to rewrite: select the text the instruction is about.")


@dataclass(frozen=True)
class Ready:
    """The backend is loaded."""

    model: str
    device: str


@dataclass(frozen=True)
class Draft:
    """The hole's text after one denoising step, and per character how settled it is, from 0 to 1."""

    text: str
    settled: tuple[float, ...]
    step: int
    max_steps: int


@dataclass(frozen=True)
class Done:
    """The finished text. ``seed`` repeats the fill; ``tokens`` counts what the text holds."""

    text: str
    steps: int
    tokens: int
    seconds: float
    seed: int


@dataclass(frozen=True)
class Failed:
    """The fill ended with an error; ``message`` is one sentence for the user."""

    message: str


@dataclass(frozen=True)
class Stopped:
    """The fill was stopped, by its asker or by a newer fill."""


Event = Ready | Draft | Done | Failed | Stopped
