"""The model of a server: fills as they are by ``palimpsest serve``, on its canvas by vLLM where that serves
DiffusionGemma, and by prompt whatever else speaks as OpenAI's do.

A server of the last kind (SGLang, llama.cpp, transformers serve ...) writes from left to right; its answer is cleaned
and made to fit by the same manners as a local fill.
"""

import json
from base64 import b64encode
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from itertools import takewhile
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

from palimpsest.engine.backend import Probed, Tell
from palimpsest.engine.connection import Connection, Headers
from palimpsest.engine.errors import RequestError, ServerError
from palimpsest.engine.language import tr
from palimpsest.engine.manners import mend
from palimpsest.engine.request import (
    LONGEST_SELECTION,
    Alternative,
    Denoised,
    Done,
    Draft,
    Failed,
    Fill,
    Options,
    Picture,
    Progress,
    Reading,
    Ready,
    Seeded,
    Stopped,
    Thought,
    Waiting,
    certain,
    in_words,
)
from palimpsest.engine.wire import event_of

if TYPE_CHECKING:
    from palimpsest.engine.vllm import Canvases

BEFORE, AFTER = 16_000, 4_000  # characters around the hole that are sent
LONGEST_ANSWER = 4 * LONGEST_SELECTION  # characters
OURS, VLLM = "palimpsest", "vllm"  # who owns the models of a server
FENCE = "```"


class RemoteBackend:
    """Fills by the model that a server calls ``model``, or by the first one it has; every request has ``headers``.
    Raises RequestError for what is no address and no header."""

    def __init__(self, server: str, model: str | None = None, key: str | None = None, headers: Headers = ()):
        self._connection = Connection(server, key, headers)
        self._model = model
        self._ours = self._vllm = False  # is the server one of ``palimpsest serve``, or vLLM?
        self._canvases: Canvases | None = None  # where the server denoises canvases as vLLM does

    def load(self, tell: Tell = lambda _: None) -> Ready:  # noqa: ARG002  (there is nothing to tell)
        """Find out what the server has. Raises ServerError."""
        served = self._served()
        if self._model is None and not served:
            raise ServerError(tr("{host} does not say which models it has: name one.", host=self._host))
        if self._model and served and self._model not in served:
            raise ServerError(
                tr(
                    "{host} has no model {model}; it has {served}.",
                    host=self._host,
                    model=self._model,
                    served=", ".join(served),
                )
            )
        self._model = self._model or next(iter(served))
        self._ours = served.get(self._model) == OURS
        self._vllm = served.get(self._model) == VLLM
        if self._vllm:
            from palimpsest.engine.vllm import Canvases  # torch only where it is used

            canvases = Canvases(self._connection, self._model)
            self._canvases = canvases if canvases.found() else None
        way = "ours" if self._ours else "canvas" if self._canvases else "prompt"
        return Ready(self._model, self._host, 0, (way,))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def warm(self, fill: Fill) -> Generator[Reading, None, None]:  # noqa: ARG002
        """Nothing is sent before the user asks."""
        yield from ()

    def fill(self, fill: Fill) -> Generator[Progress | Done, None, None]:
        """Yield a Draft for whatever arrives, then Done. Raises RequestError for what a prompt cannot say, and
        ServerError."""
        near = _near(fill)
        if self._ours:
            yield from self._filled(near)
        elif self._canvases and not fill.options.think and not fill.pictures:
            yield from self._canvases.fill(near)
        elif fill.options.strength < 1:
            raise RequestError(
                tr("This server writes all anew, at least with images or thinking: leave the strength at 1.")
            )
        else:
            yield from self._prompted(near)

    def denoise(self, seeded: Seeded) -> Generator[Progress | Denoised, None, None]:  # noqa: ARG002  (none is taken)
        """Raises RequestError: what is served is not served again."""
        raise RequestError(tr("A server's canvases are asked for at its own address."))

    @property
    def _host(self) -> str:
        return self._connection.host

    def _served(self) -> dict[str, str]:
        """Each model and its owner; none where the server cannot say and a model is named."""
        try:
            told = self._connection.get("models")
            return {str(one["id"]): str(one.get("owned_by")) for one in told["data"]}
        except ServerError:
            if self._model:
                return {}  # some servers cannot list what they serve; what else is wrong, the fill will tell
            raise
        except (KeyError, TypeError, AttributeError) as error:
            raise ServerError(
                tr("{host} is not a server for models: give the address up to /v1.", host=self._host)
            ) from error

    def _filled(self, fill: Fill) -> Generator[Progress | Done, None, None]:
        event: Progress = Waiting()
        for data in self._connection.stream("fills", msgspec.to_builtins(fill)):
            if data is not None:
                try:
                    told = event_of(data)
                except ValueError as error:
                    raise ServerError(
                        tr("{host} answered with something that is no draft.", host=self._host)
                    ) from error
                if isinstance(told, Failed):
                    raise ServerError(told.message)
                if isinstance(told, Stopped):
                    break
                if isinstance(told, Done):
                    yield told
                    return
                if not isinstance(told, Progress):
                    raise ServerError(tr("{host} answered with something that is no draft.", host=self._host))
                event = told
            yield event
        raise ServerError(tr("{host} ended before the fill did: try again. Your text is untouched.", host=self._host))

    def _prompted(self, fill: Fill) -> Generator[Progress | Done, None, None]:
        if fill.further:
            raise RequestError(tr("This server fills one place at a time: select one stretch."))
        began, texts, pieces, thought = perf_counter(), [], 0, ""
        for number in range(fill.options.alternatives):
            raw = ""
            event: Progress = Waiting()
            for kind, piece in self._answer(_payload(fill, self._model, number, self._vllm)):
                if kind == "text":
                    raw, pieces = raw + piece, pieces + 1
                    event = Draft((certain(_clean(raw)),), pieces, pieces + 1)
                elif kind == "thought":
                    thought += piece
                    event = Thought(thought)
                yield event
            if not raw.strip():
                raise ServerError(
                    tr("{host} answered without any text: ask for less, or choose another model.", host=self._host)
                )
            texts.append(mend(_clean(raw), fill.before, fill.selected, fill.after))
        answers = tuple(Alternative((certain(text),), 0.0) for text in dict.fromkeys(texts))
        yield Draft(answers[0].holes, pieces, pieces)
        yield Done(answers, pieces, pieces, perf_counter() - began, fill.options.seed or 0, thought)

    def _answer(self, payload: dict[str, Any]) -> Generator[tuple[str, str], None, None]:
        """("text", ...) and ("thought", ...) as they arrive, and ("", "") while nothing does."""
        length = 0
        for data in self._connection.stream("chat/completions", payload):
            if data is None:
                yield "", ""
                continue
            if data == "[DONE]":
                return
            for kind, text in self._pieces(data):
                length += len(text)
                if length > LONGEST_ANSWER:
                    raise ServerError(tr("{host} does not stop writing: ask for less.", host=self._host))
                yield kind, text

    def _pieces(self, data: str) -> list[tuple[str, str]]:
        try:
            told = json.loads(data)
            if problem := told.get("error"):
                said = problem.get("message", problem) if isinstance(problem, dict) else problem
                raise ServerError(tr("{host} says: {text}", host=self._host, text=str(said)[:300]))
            deltas = [choice["delta"] for choice in told["choices"]]
            found = [("thought", delta.get("reasoning_content") or delta.get("reasoning")) for delta in deltas]
            found += [("text", delta.get("content")) for delta in deltas]
            if all(isinstance(text, str | None) for _, text in found):
                return [(kind, text) for kind, text in found if text]
            raise TypeError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ServerError(
                tr("{host} answered with something that is no piece of text.", host=self._host)
            ) from error


def probe(**arguments) -> Probed:
    """What a server can do and how fast it is, by three small fills, given what RemoteBackend takes. Raises
    RequestError and ServerError."""
    began = perf_counter()
    with closing(RemoteBackend(**arguments)) as backend:
        ready = backend.load()
        listed, first = perf_counter(), None
        for event in backend.fill(Fill("def add(a, b):\n    return ", "\n", options=Options(length=8))):
            if first is None and isinstance(event, Draft):
                first = perf_counter()
        ended = perf_counter()
        thinks = _tells(backend, Fill("one, two, ", "\n", options=Options(length=64, think=True)), Thought)
        sees = _tells(backend, Fill("", "", instruction="Name its colour.", pictures=(Picture(_dot()),)), Draft)
    ways = (*ready.ways, *["pictures"] * sees, *["thoughts"] * thinks)
    times = tr(
        "answers in {listed:.2f} s, first words in {first:.2f} s",
        listed=listed - began,
        first=(first or ended) - listed,
    )
    told = tr(
        "{device} {way} with {model}: {times}, a small fill in {ended:.2f} s.",
        device=ready.device,
        way=in_words(ways),
        model=ready.model,
        times=times,
        ended=ended - listed,
    )
    return Probed(ways, told)


def _tells(backend: RemoteBackend, fill: Fill, kind: type[Draft] | type[Thought]) -> bool:
    """Is an event of that kind among the first that a fill tells?"""
    try:
        with closing(backend.fill(fill)) as events:
            return any(isinstance(event, kind) for event in takewhile(lambda one: not isinstance(one, Done), events))
    except (RequestError, ServerError):
        return False


def _dot() -> bytes:
    from PIL import Image

    file = BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    return file.getvalue()


def _near(fill: Fill) -> Fill:
    """The fill with no more around it than is ever sent, and no names of files."""
    nameless = tuple(replace(picture, name="") for picture in fill.pictures)
    return replace(fill, before=fill.before[-BEFORE:], after=fill.after[:AFTER], pictures=nameless)


def prompt(fill: Fill) -> str:
    """The task in words: all of the file that is sent."""
    options, near = fill.options, _near(fill)
    told = fill.instruction or "Write what belongs there."
    without = f" Do not use: {', '.join(options.without)}." if options.without else ""
    return (
        f"{near.before}[[{fill.selected}]]{near.after}\n\n"
        f"In this text one place is marked with double brackets. {told}{without}\n"
        "Answer with nothing but the text that shall stand in that place, without the brackets."
    )


def _payload(fill: Fill, model: str | None, number: int, is_vllm: bool) -> dict[str, Any]:
    options, text = fill.options, prompt(fill)
    parts = [*_shown(fill.pictures), {"type": "text", "text": text}]
    messages = [{"role": "user", "content": parts if fill.pictures else text}]  # a plain text is what all servers take
    payload: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
    if options.think:
        payload["chat_template_kwargs"] = {"enable_thinking": True}  # as vLLM, SGLang and llama.cpp have it
    if fill.pictures and options.detail and is_vllm:
        payload["mm_processor_kwargs"] = {"max_soft_tokens": options.detail}
    payload["max_tokens"] = options.length or max(256, len(fill.selected))
    if (options.seed is not None or number) and not is_vllm:  # which refuses one for diffusion models
        payload["seed"] = (options.seed or 0) + number
    return payload


def _shown(pictures: Sequence[Picture]) -> Iterator[dict[str, Any]]:
    """The pictures, those of a video each behind its time, as the model is shown videos."""
    for picture in pictures:
        if picture.clock:
            yield {"type": "text", "text": picture.clock}
        url = f"data:{picture.kind};base64,{b64encode(picture.file).decode()}"
        yield {"type": "image_url", "image_url": {"url": url}}


def _clean(text: str) -> str:
    """An answer without what models put around it: a fence, the brackets, empty lines."""
    text = text.strip("\n")
    first, _, rest = text.partition("\n")
    if first.startswith(FENCE) and not first.strip("`").strip().count(" "):
        text = rest.rpartition("\n" + FENCE)[0] or rest.removesuffix(FENCE)
    return text.removeprefix("[[").removesuffix("]]")
