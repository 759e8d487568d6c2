"""In-fill on the canvas of a server that takes vLLM's diffusion arguments: what stands around the holes stays there.

Such a server denoises a canvas of given tokens behind a prompt of tokens, and tells the likeliest canvas with its
log-probabilities (vLLM's *structured reads*); pins are held in what the model sees, not in what it answers. No drafts
arrive while it does, so several candidate lengths are denoised a little, and the best of them to the end.
"""

import math
import re
import secrets
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, takewhile
from random import Random
from statistics import mean
from time import perf_counter
from typing import Any, TypeVar

from palimpsest.engine.canvas import OUTSIDE, Canvas, Row, in_parts
from palimpsest.engine.connection import Connection
from palimpsest.engine.errors import RequestError, ServerError
from palimpsest.engine.language import tr
from palimpsest.engine.manners import mended
from palimpsest.engine.prompt import LEAD, Prompt, conversation
from palimpsest.engine.ranking import LAST, Answer, differing, is_unwanted
from palimpsest.engine.request import Alternative, Done, Draft, Fill, Progress, Seeded, Waiting, Written, certain

SCOUT = 4  # steps after which candidates are compared
FOLLOWERS = 1  # tokens behind the first hole by which they are: more, hidden together, tell less
OWN = 0.5  # what the log-probability of the written counts beside that of the followers
SPARE = 2  # times as many answers are finished as alternatives are wanted
LONGEST, WIDEST = 8192, 1024  # tokens of prompt and canvas, and of the canvas, where the server does not say
ENDS = ("<eos>", "<turn|>", "<pad>")  # what ends a text in DiffusionGemma's vocabulary; the first one follows it
NO_ID = (1 << 31) - 1
UNKNOWN = (400, 404, 405, 422)  # how servers answer what they do not know; the first is how a refusal is told
KNOWN = re.compile(r"\[0, (\d+)\)")  # how many ids there are, as a refusal says it

T = TypeVar("T")
Waited = Generator[Draft | None, None, T]  # yields None while nothing comes


@dataclass(frozen=True)
class _Read:
    """A canvas as the server answers it: its ids, and log-probabilities of tokens at each position."""

    ids: list[int]
    told: list[dict[str, float]]
    own: list[float]


class Canvases:
    """Fills by the server's ``model``, once the server is ``found`` to take the arguments."""

    def __init__(self, connection: Connection, model: str):
        self._connection, self._model = connection, model
        self._pieces: dict[int, str] = {}  # what tokens say, as far as the server told

    def found(self) -> bool:
        """Does the server take the arguments? Raises ServerError."""
        try:
            self._connection.post("completions", self._payload(Seeded((0,), (NO_ID,), max_steps=1)))
        except ServerError as error:
            if error.status not in UNKNOWN:
                raise
            known = KNOWN.search(str(error))
        else:
            return False
        if not known:
            return False
        self._vocabulary = int(known[1])
        tokenize = partial(self._connection.post, "../tokenize")
        told, plain = tokenize(self._text("a", add_special_tokens=True)), _tokens(tokenize(self._text("a")))
        self._begin, self._longest = _tokens(told)[: -len(plain)], told.get("max_model_len") or LONGEST
        whole = self._connection.post("completions", self._payload(Seeded((*self._begin, 0), WIDEST, max_steps=1)))
        self._limit = len(_read(whole).ids)
        self._ends = [ids[0] for end in ENDS if len(ids := _tokens(tokenize(self._text(end)))) == 1]
        try:
            tokenize(self._conversation("?"))
            self._chats = True
        except ServerError:
            self._chats = False  # it was not tuned for conversation
        return bool(self._ends)

    def fill(self, fill: Fill) -> Generator[Progress | Done, None, None]:
        """Yield a Draft whenever candidates were compared, then Done. Raises RequestError for what cannot be asked
        so, and ServerError."""
        shown: Progress | Done = Waiting()
        for event in self._write(fill):
            shown = event or shown
            yield shown

    def _write(self, fill: Fill) -> Generator[Draft | Done | None, None, None]:
        began, options = perf_counter(), fill.options
        if fill.instruction and not self._chats:
            raise RequestError(
                tr("{model} was not tuned to follow instructions: fill in without one.", model=self._model)
            )
        seed = secrets.randbits(31) if options.seed is None else options.seed
        random = Random(seed)
        asked = yield from self._prompt(fill)
        prefix = asked.prefix + asked.lead
        if partly := options.strength < 1:
            rows = [(yield from self._partly_open(prefix, asked, options.strength))]
            if not any(rows[0].free):
                as_it_was = Alternative(tuple(map(certain, fill.selections)), 0.0)
                yield Done((as_it_was,), 0, 0, perf_counter() - began, seed)
                return
        else:
            rows = asked.open_rows(fill, self._limit, elastic=False)
        canvases = in_parts(rows, asked.right, self._limit, self._ends[0])
        answers: list[Answer] = []
        written: list[tuple[Written, ...]] = []
        stage, stages = 0, 2 * len(canvases)
        for canvas in canvases:
            keep = options.alternatives if canvas is canvases[-1] and canvas.free.any() else 1
            earlier = answers[0] if answers else None
            batch, left = canvas.repeated(keep), SPARE * keep
            # All to the end at once, where nothing is to be left out.
            for steps in (SCOUT, options.max_steps) if len(batch.ids) > left else (options.max_steps,):
                stage += 1
                told = yield from self._denoised(prefix, batch, steps, partly, random)
                told = yield from self._judged(prefix, batch, told, fill, random)
                order = sorted(range(len(told)), key=lambda row: told[row].score, reverse=True)[:left]
                batch = replace(batch, ids=batch.ids[order], free=batch.free[order], hole=batch.hole[order])
                answers = [told[row].behind(earlier) for row in order]
                written = yield from self._written(fill, answers)
                yield Draft(written[0], stage, stages)
            prefix = prefix + [index for index in answers[0].canvas if index not in self._ends]
            if not (fill.further or partly) and any(index in self._ends for index in answers[0].ids):
                break
        scores = [answer.score for answer in answers]
        alternatives = differing([Alternative(holes, score) for holes, score in zip(written, scores, strict=True)])
        tokens = sum(index not in self._ends for index in answers[0].ids)
        yield Done(alternatives[: options.alternatives], stage, tokens, perf_counter() - began, seed)

    def _prompt(self, fill: Fill) -> Waited[Prompt]:
        """The tokens around the holes, and those of what the model is told."""
        before, after, blank, *rest = yield from self._encode(
            [fill.before, fill.after, " ", *fill.selections, *fill.gaps]
        )
        left = [before.pop()] if before and before[-1:] == blank else []
        room = self._longest - 2 * self._limit
        if self._chats:
            marked, task = conversation(fill)
            [told] = yield from self._ask("../tokenize", [self._conversation(fill.before + marked + fill.after + task)])
            prefix, lead = _tokens(told), before[-LEAD:]
        else:
            prefix, lead = [*self._begin, *before[-room:]], []
        if len(prefix) > room:
            raise RequestError(
                tr(
                    "This is {count} tokens, and {model} reads {room}: select less.",
                    count=len(prefix),
                    model=self._model,
                    room=room,
                )
            )
        count = len(fill.selections)
        return Prompt(prefix, lead, left, rest[:count], rest[count:], after[: self._limit])

    def _partly_open(self, prefix: list[int], asked: Prompt, strength: float) -> Waited[Row]:
        """The row of what is selected with that share of its tokens open: those first in whose place the model is
        surest of another, then those it is least sure of."""
        whole = asked.row(lambda row, hole: row.append(asked.selections[hole], hole, free=True))
        sure: list[float] = []
        for canvas in in_parts([whole], asked.right, self._limit, self._ends[0]):
            ids, free = canvas.ids[0].tolist(), canvas.free[0].tolist()
            pinned = tuple(place for place, open_ in enumerate(free) if not open_)
            [read] = yield from self._read([Seeded(tuple(prefix), tuple(ids), pinned, 1)])
            for index, open_, new, own in zip(ids, free, read.ids, read.own, strict=True):
                sure += [math.exp(own) * (1 if new == index else -1)] if open_ else []
            prefix = prefix + ids
        return asked.partly_open(sure, strength, Row.append)

    def _denoised(
        self, prefix: list[int], batch: Canvas, steps: int | None, partly: bool, random: Random
    ) -> Waited[list[Answer]]:
        """Each canvas of the batch after so many steps, from noise on, or as it is where all is pinned; an end among
        changes to a part is none."""
        rows = list(zip(batch.ids.tolist(), batch.free.tolist(), batch.hole.tolist(), strict=True))
        asked = [self._seeded(prefix, ids, free, steps, random) for ids, free, _ in rows if any(free)]
        reads = iter((yield from self._read(asked)) if asked else [])
        answers = []
        for ids, free, holes in rows:
            read = next(reads) if any(free) else _Read(ids, [], [0.0] * len(ids))
            canvas = [new if open_ else index for index, open_, new in zip(ids, free, read.ids, strict=True)]
            inside = [place for place, hole in enumerate(holes) if hole != OUTSIDE]
            inside = [place for place in inside if not (partly and canvas[place] in self._ends)]
            sure = [math.exp(read.own[place]) if free[place] else 1.0 for place in inside]
            written, of = ([values[place] for place in inside] for values in (canvas, holes))
            answers.append(Answer(0.0, written, sure, of, canvas))
        return answers

    def _seeded(self, prefix: list[int], ids: list[int], free: list[bool], steps: int | None, random: Random) -> Seeded:
        """The canvas of ``ids`` with noise where it is free."""
        noise = [random.randrange(self._vocabulary) for _ in ids]
        canvas = [new if open_ else index for index, open_, new in zip(ids, free, noise, strict=True)]
        pinned = [place for place, open_ in enumerate(free) if not open_]
        return Seeded(tuple(prefix), tuple(canvas), tuple(pinned), steps)

    def _judged(
        self, prefix: list[int], batch: Canvas, answers: list[Answer], fill: Fill, random: Random
    ) -> Waited[list[Answer]]:
        """The answers with their scores: the log-probability of what follows the first hole where the model does not
        see it, and OWN times that of what was written."""
        if len(answers) == 1:
            return answers
        seeds, followers = [], []
        for free, answer in zip(batch.free.tolist(), answers, strict=True):
            behind = [place for place in range(free.index(True), len(free)) if not free[place]][:FOLLOWERS]
            followers.append([(place, answer.canvas[place]) for place in behind])
            hidden = [place in behind for place in range(len(free))]
            seeded = self._seeded(prefix, answer.canvas, hidden, 1, random)
            seeds.append(replace(seeded, wanted=tuple({index for _, index in followers[-1]})))
        reads = yield from self._read(seeds)
        texts = yield from self._texts([(answer.ids, answer.sure) for answer in answers])
        judged = []
        for answer, read, places, (text, _) in zip(answers, reads, followers, texts, strict=True):
            rows = ((read.told[place], index) for place, index in places)
            follows = sum(row.get(f"token_id:{index}", min(row.values())) for row, index in rows)
            own = OWN * sum(math.log(max(sure, 1e-9)) for sure in answer.sure)
            judged.append(replace(answer, score=follows + own - LAST * is_unwanted(text, fill.options.without)))
        return judged

    def _written(self, fill: Fill, answers: Sequence[Answer]) -> Waited[list[tuple[Written, ...]]]:
        """The holes of each answer, with their manners mended."""
        count = len(fill.selections)
        texts = yield from self._texts([answer.within(hole) for answer in answers for hole in range(count)])
        return [mended(fill, texts[start : start + count]) for start in range(0, len(texts), count)]

    def _texts(self, tokens: Iterable[tuple[list[int], list[float]]]) -> Waited[list[tuple[str, tuple[float, ...]]]]:
        """What each row of ids says up to an end, and how sure each of its characters is."""
        kept = [(list(takewhile(lambda index: index not in self._ends, ids)), sure) for ids, sure in tokens]
        asked = [{"model": self._model, "tokens": ids} for ids, _ in kept if ids]
        told = iter((yield from self._ask("../detokenize", asked)))
        texts = []
        for ids, sure in kept:
            text = _said(next(told), "prompt", str) if ids else ""
            pieces = [self._pieces.get(index, "") for index in ids]
            if "".join(pieces) == text:
                settled = [value for piece, value in zip(pieces, sure, strict=False) for _ in piece]
            else:  # characters that several tokens say, or text that was kept
                settled = yield from self._settled(ids, sure, len(text))
            texts.append((text, tuple(settled)))
        return texts

    def _settled(self, ids: list[int], sure: list[float], length: int) -> Waited[list[float]]:
        """How sure each character is, where the server did not tell what each token says: of what is kept, and of what
        is not, stretch by stretch."""
        runs = [list(run) for _, run in groupby(zip(ids, sure, strict=False), lambda one: one[1] == 1.0)]
        asked = [{"model": self._model, "tokens": [index for index, _ in run]} for run in runs]
        told = yield from self._ask("../detokenize", asked)
        lengths = [len(_said(one, "prompt", str)) for one in told]
        if sum(lengths) != length:  # a character is said by two of them
            runs, lengths = [list(zip(ids, sure, strict=False))], [length]
        settled: list[float] = []
        for run, count in zip(runs, lengths, strict=True):
            settled += [mean(value for _, value in run)] * count
        return settled

    def _encode(self, texts: Sequence[str]) -> Waited[list[list[int]]]:
        told = iter((yield from self._ask("../tokenize", [self._text(text) for text in texts if text])))
        return [_tokens(next(told)) if text else [] for text in texts]

    def _read(self, seeds: Sequence[Seeded]) -> Waited[list[_Read]]:
        told = yield from self._ask("completions", [self._payload(seeded) for seeded in seeds])
        reads = [_read(one) for one in told]
        for seeded, read, one in zip(seeds, reads, told, strict=True):
            if not isinstance(seeded.canvas, tuple) or len(read.ids) != len(seeded.canvas):
                raise _no_canvas()
            if not seeded.wanted:
                self._pieces |= zip(read.ids, one["choices"][0]["logprobs"]["tokens"], strict=True)
        return reads

    def _ask(self, path: str, payloads: Sequence[dict[str, Any]]) -> Waited[list[Any]]:
        return (yield from self._connection.ask(path, payloads)) if payloads else []

    def _text(self, text: str, add_special_tokens: bool = False) -> dict[str, Any]:
        return {"model": self._model, "prompt": text, "add_special_tokens": add_special_tokens}

    def _conversation(self, text: str) -> dict[str, Any]:
        messages, thinking = [{"role": "user", "content": text}], {"enable_thinking": False}
        return {"model": self._model, "messages": messages, "chat_template_kwargs": thinking}

    def _payload(self, seeded: Seeded) -> dict[str, Any]:
        """A read as vLLM has it."""
        arguments: dict[str, Any] = {"diffusion_read_only": True}
        if isinstance(seeded.canvas, tuple):
            arguments |= {"diffusion_seed_canvas": seeded.canvas, "diffusion_canvas_length": len(seeded.canvas)}
        if seeded.pinned:
            arguments["diffusion_pinned"] = seeded.pinned
        if seeded.max_steps:
            arguments["diffusion_max_steps"] = seeded.max_steps
        wanted = list(seeded.wanted)
        return {
            "model": self._model,
            "prompt": seeded.prompt,
            "max_tokens": seeded.canvas if isinstance(seeded.canvas, int) else len(seeded.canvas),
            "temperature": 1.0,
            "logprobs": len(wanted) or 1,
            **({"logprob_token_ids": wanted, "return_tokens_as_token_ids": True} if wanted else {}),
            "return_token_ids": True,
            "vllm_xargs": arguments,
        }


def _tokens(told: Any) -> list[int]:
    return _said(told, "tokens", list)


def _said(told: Any, name: str, kind: type[T]) -> T:
    if isinstance(told, dict) and isinstance(told.get(name), kind):
        return told[name]
    raise _no_canvas()


def _read(told: Any) -> _Read:
    """Raises ServerError for what is no canvas."""
    try:
        [choice] = told["choices"]
        ids, said = choice["token_ids"], choice["logprobs"]
        own, rows = said["token_logprobs"], said["top_logprobs"]
        if len(ids) == len(own) == len(rows) > 0 and all(isinstance(index, int) for index in ids):
            return _Read(ids, rows, own)
    except (KeyError, TypeError, ValueError):
        pass
    raise _no_canvas()


def _no_canvas() -> ServerError:
    return ServerError(tr("The server answered with something that is no canvas: choose another model or server."))
