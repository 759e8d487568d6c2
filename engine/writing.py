"""One fill by the model on this machine, from the request to the finished text."""

import itertools
import secrets
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial

import torch
from torch import Tensor

from palimpsest.engine import beam, prompt, ranking, syntax, words
from palimpsest.engine.cache import Prefix, Shelf
from palimpsest.engine.canvas import OPEN_LENGTHS, OUTSIDE, Canvas, Row, in_parts, lay_out, spaced
from palimpsest.engine.captured import Steps
from palimpsest.engine.denoise import Race, State, believed, denoise, step
from palimpsest.engine.errors import RequestError
from palimpsest.engine.language import tr
from palimpsest.engine.manners import mend, mended
from palimpsest.engine.model import Model
from palimpsest.engine.ngrams import Ngrams
from palimpsest.engine.ranking import Answer
from palimpsest.engine.request import Alternative, Done, Draft, Fill, Progress, Reading, Thought, Written, certain
from palimpsest.engine.sight import Gallery

MOST_THOUGHTS = 4  # canvases
LEAST_STEPS = 48  # that are taken, if nobody says otherwise, before it is given up to look for an answer that fits
SPARE = 4  # times as many answers are finished as alternatives are wanted: some say the same
REACH = 16_000  # characters behind the hole in which tokens are looked for again
STRIDE = 1009  # between the seeds of a fill's races: more than one takes steps, each of which has its own
WANTED = -ranking.LAST / 2  # above it is the score of what says something, and no word that is to be avoided


class Writing:
    """Fills as asked, by ``model``, with the caches on ``shelf``, by captured ``steps`` where there are some. ``shown``
    are the tokens of the fill's pictures. Raises RequestError for what does not fit."""

    def __init__(
        self,
        model: Model,
        shelf: Shelf | Gallery,
        fill: Fill,
        steps: Steps | None = None,
        shown: Sequence[int] = (),
    ):
        self._began = time.monotonic()
        self._model, self._shelf, self._fill, self._captured = model, shelf, fill, steps
        options = fill.options
        self._schedule = model.schedule.adapted(options)
        self._asked = prompt.build(fill, model.tokenizer, model.prefix_limit, model.canvas_limit, model.chats, shown)
        self._seed = secrets.randbits(31) if options.seed is None else options.seed
        self._generator = torch.Generator(model.device).manual_seed(self._seed)
        self._thought_end = model.tokenizer.token_to_id(prompt.THOUGHT_END)
        # Our own checkpoint follows an instruction from the text that stands there, as it was trained.
        self._revises = bool(fill.instruction) and model.delete is not None
        self._unwritten = {model.delete, *model.ends}  # slack and ends are no text
        self._banned = model.saying(options.without)
        self._steps = 0
        self._races_begun = 0

    def warm(self) -> Generator[Reading, None, None]:
        """Read the prefix and write nothing."""
        yield from self._shelf.read(self._asked.prefix + self._asked.lead)

    def run(self) -> Generator[Progress | Done, None, None]:
        """Yield what there is to tell, and at last a Done."""
        # 1. Lay out the holes.
        rows = self._rows()
        if not any(any(row.free) for row in rows):
            yield self._done((Alternative(tuple(map(certain, self._fill.selections)), 0.0),), 0, "")
            return
        # 2. Think, if asked to.
        prefix, thought = self._asked.prefix, ""
        if self._fill.options.think:
            ids = yield from self._think(prefix)
            prefix, thought = [*prefix, *ids, self._thought_end], self._model.detokenizer.text(ids)
        prefix = [*prefix, *self._asked.lead]
        # 3. Keep what is not to be changed.
        if self._fill.options.strength < 1:
            rows = [(yield from self._partly_open(prefix, rows[0]))]
        # 4. Write, and rank what differs.
        answers = yield from self._write(prefix, rows)
        alternatives = ranking.differing([Alternative(self._written(answer), answer.score) for answer in answers])
        alternatives = alternatives[: self._fill.options.alternatives]
        yield self._done(alternatives, sum(index not in self._unwritten for index in answers[0].ids), thought)

    def _done(self, alternatives: tuple[Alternative, ...], tokens: int, thought: str) -> Done:
        return Done(alternatives, self._steps, tokens, time.monotonic() - self._began, self._seed, thought)

    def _denoise(
        self, prefix: Prefix, canvas: Canvas, race: Race | None = None, most_steps: int | None = None
    ) -> Iterator[State]:
        model, schedule, generator = self._model, self._schedule, self._generator
        if self._captured and not self._banned:
            advance = self._captured.ready(canvas, prefix, schedule, self._seed + STRIDE * self._races_begun)
            self._races_begun += 1
            generator = advance.generator
        else:
            decode = partial(self._decode, prefix)
            advance = partial(step, decode=decode, schedule=schedule, draw=model.draw, generator=generator)
        scout = race is not None and not self._captured  # captured steps take all candidates in the time of one
        return denoise(canvas, advance, most_steps or schedule.max_steps, model.vocabulary, generator, race, scout)

    def _decode(self, prefix: Prefix, ids: Tensor, free: Tensor, guess: Tensor | None) -> Tensor:
        """The logits of the free positions, of which those of banned tokens are as low as can be."""
        logits = self._model.decode(prefix, ids, free, guess)
        if self._banned:
            logits[:, self._banned] = torch.finfo(logits.dtype).min
        return logits

    def _think(self, prefix: list[int]) -> Generator[Reading | Thought, None, list[int]]:
        """Denoise whole canvases until the thought ends."""
        ends, limit = {self._thought_end, *self._model.ends}, self._model.canvas_limit
        row = Row()
        row.open(limit, OUTSIDE)
        thought: list[int] = []
        new: list[int] = []
        for _ in range(MOST_THOUGHTS):
            view = yield from self._shelf.read(prefix + thought)
            for state in self._denoise(view, lay_out([row], None, limit, self._model.ends[0]).to(self._model.device)):
                new = list(itertools.takewhile(lambda index: index not in ends, state.best[0].tolist()))
                yield Thought(self._model.detokenizer.text(thought + new))
            thought += new
            if len(new) < limit:
                break
        return thought

    def _rows(self) -> list[Row]:
        """The tokens from the first hole to the last, for every candidate; below full strength those that stand there,
        open where any of them may change."""
        asked, options, model = self._asked, self._fill.options, self._model
        if options.strength < 1:
            changing = round(options.strength * sum(map(len, asked.selections))) > 0
            rows = [asked.row(lambda row, hole: row.append(asked.selections[hole], hole, changing))]
        elif self._revises:
            texts = [self._spaced(ids, options.length) for ids in asked.selections]
            rows = [asked.row(lambda row, hole: row.append(texts[hole], hole, free=True))]
        else:
            rows = asked.open_rows(self._fill, model.canvas_limit, elastic=model.delete is not None)
        longest, most = max(map(len, rows)), model.prefix_limit // 2
        if longest > most and any(rows[0].free):
            raise RequestError(
                tr(
                    "The holes and the text between them take {longest} tokens with room for changes, and this "
                    "model writes at most {most} at a time: select less.",
                    longest=longest,
                    most=most,
                )
            )
        return rows

    def _spaced(self, ids: list[int], length: int | None = None) -> list[int]:
        assert self._model.delete is not None
        return spaced(ids, length or (None if ids else OPEN_LENGTHS[-2]), self._model.delete)

    def _partly_open(self, prefix: list[int], row: Row) -> Generator[Reading, None, Row]:
        """The row with the options' share of its free tokens left free, those the model is least sure of."""
        sure: list[float] = []
        for canvas in self._canvases([row]):
            view = yield from self._shelf.read(prefix)
            guess = believed(canvas, self._model.vocabulary) if canvas.revised else None
            probabilities = self._model.decode(view, canvas.ids, canvas.free, guess).softmax(-1)
            sure += probabilities.gather(1, canvas.ids[canvas.free][:, None]).squeeze(1).tolist()
            prefix = prefix + canvas.ids[0].tolist()

        def write(row: Row, ids: list[int], hole: int, free: bool) -> None:
            row.append(self._spaced(ids) if free and self._revises else ids, hole, free)
            if free and self._model.delete is not None and not self._revises:
                row.open(1 + len(ids) // 2, hole)  # room to say it in more words

        return self._asked.partly_open(sure, self._fill.options.strength, write)

    def _canvases(self, rows: list[Row]) -> list[Canvas]:
        canvases = in_parts(rows, self._asked.right, self._model.canvas_limit, self._model.ends[0])
        return [replace(canvas.to(self._model.device), revised=self._revises) for canvas in canvases]

    def _write(self, prefix: list[int], rows: list[Row]) -> Generator[Reading | Draft, None, list[Answer]]:
        """Denoise canvas after canvas, each behind the best answer of the one before; the last one's answers, best
        first. So alternatives to a fill of several canvases differ in the last one only."""
        canvases = self._canvases(rows)
        answers: list[Answer] = []
        for canvas in canvases:
            answers = yield from self._race(prefix, canvas, canvases, answers[0] if answers else None)
            prefix = prefix + [index for index in answers[0].canvas if index not in self._unwritten]
            if self._ends(answers[0]):
                break
        return answers

    def _race(
        self, prefix: list[int], canvas: Canvas, canvases: list[Canvas], earlier: Answer | None
    ) -> Generator[Reading | Draft, None, list[Answer]]:
        """Denoise the candidates for one of the ``canvases`` behind ``earlier``; what they end with, best first.

        Where the best answer says nothing, or breaks what is Python without it, the steps that are left are spent on
        others, up to the first that fits.
        """
        view = yield from self._shelf.read(prefix)
        most_steps = self._fill.options.max_steps or max(self._schedule.max_steps, LEAST_STEPS)
        last = canvas is canvases[-1] and bool(canvas.free.any())
        keep = self._fill.options.alternatives if last else 1
        batch = canvas.repeated(keep)
        left = min(len(batch.ids), keep * SPARE) if keep > 1 else 1
        race = Race(left, ranking.judge(self._model, view, prefix[-1], batch, self._fill.options.without))
        answers: list[Answer] = []
        before = begun = self._steps
        end = before + most_steps
        while begun < end and not (answers and answers[0].fits):
            steps = min(self._schedule.max_steps, end - begun)
            first, new = answers, list[Answer]()
            for state in self._denoise(view, batch, race, steps):
                over = state.finished | (state.number == steps)
                alone = not answers and len(over) == 1  # compared with nobody, unless it is to be written anew
                for ended in map(state.only, over.nonzero()):
                    score = 0.0 if alone else race.judge(ended).item()
                    answer = self._answer(batch, ended, score).behind(earlier)
                    whole = last or self._ends(answer)
                    new.append(replace(answer, fits=not whole or self._fits(self._written(answer))))
                new.sort(key=lambda answer: answer.score, reverse=True)
                answers = [*first, *new]  # where none of the new ones fits either the first stands
                answers.sort(key=lambda answer: (answer.score > WANTED, answer.fits), reverse=True)
                self._steps = begun + state.number
                if begun > before and answers[0].fits:
                    break
                if not over.all():  # the last draft is the answer, whoever wins
                    # The leader is shown, and once some have ended the best of those.
                    shown = answers[0] if answers else self._answer(batch, state).behind(earlier)
                    yield Draft(self._written(shown), self._steps, most_steps * len(canvases))
            if last and (begun == before or answers[0].fits):  # when nothing fitted at first, the others did not either
                answers = self._among_others(view, prefix, answers)
            begun, race = self._steps, replace(race, keep=len(batch.ids))
            if begun > before:
                yield Draft(self._written(answers[0]), begun, most_steps * len(canvases))
        return answers

    def _among_others(self, view: Prefix, prefix: list[int], answers: list[Answer]) -> list[Answer]:
        """The ``answers``, best first, in competition with others."""
        if not self._may_compete:
            return answers
        model, last = self._model, prefix[-1]
        said: dict[str, Answer] = {}
        for answer in answers:
            said.setdefault(self._written(answer)[0].text, answer)
        ngrams = Ngrams(prefix, prompt.encode(model.tokenizer, self._fill.after[:REACH]))
        around = words.Around(self._fill)
        texts = [*said, *self._encoded(view, last, ngrams)]
        rivals = self._wanted([*texts, *self._words(view, last, around, texts)])
        if said.keys() >= {*rivals}:
            return answers
        spelled = [prompt.encode(model.tokenizer, self._blank + text) for text in rivals]
        known, kept = [*map(around.known, rivals)], len(self._wanted(texts))
        best, scores = ranking.compete(model, view, last, spelled, known, kept, self._asked.right, ngrams)
        compared = [prompt.encode(model.tokenizer, rivals[row]) for row in best]
        shares = scores.double().softmax(0).tolist()

        def scored(row: int, score: float, ids: list[int]) -> Answer:
            if answer := said.get(rivals[row]):
                return replace(answer, score=score)  # as sure as it was before
            return Answer(score, ids, ranking.sure(ids, compared, shares), [0] * len(ids), canvas=ids)

        chosen = map(scored, best, scores.tolist(), compared)
        fitting = (answer for answer in chosen if self._fits(self._written(answer)))
        return [*itertools.islice(fitting, len(answers))] or answers

    def _encoded(self, view: Prefix, last: int, ngrams: Ngrams) -> list[str]:
        """What the encoder would write up to what follows, without which the shortest would be the best."""
        fill = self._fill
        if not fill.after.strip():
            return []
        found = self._unblanked(beam.search(self._model, view, last, self._asked.right[0], ngrams))
        return [mend(text, fill.before, fill.selections[0], fill.after) for text in found]

    def _words(self, view: Prefix, last: int, around: words.Around, texts: list[str]) -> Iterator[str]:
        """Where any of ``texts`` is one word, or the first if nothing follows, those around the hole and likely ones,
        since what a small model makes up is often no word at all."""
        asked = texts if self._fill.after.strip() else texts[:1]
        if words.has_room(self._fill) and any(map(words.is_one, asked)):
            likely = beam.first(self._model, view, last).topk(ranking.LIKELY).indices[:, None]
            yield from filter(words.is_one, self._unblanked(likely.tolist()))
            yield from around.words

    def _wanted(self, texts: list[str]) -> list[str]:
        """Each of ``texts`` once that says something, and no word that is to be avoided."""
        return [text for text in dict.fromkeys(texts) if not ranking.is_unwanted(text, self._fill.options.without)]

    @property
    def _blank(self) -> str:
        """What the canvas has pinned before the hole, and text has as a part of its first word."""
        return " " if self._asked.left else ""

    def _unblanked(self, ids: list[list[int]]) -> list[str]:
        """The texts of the ``ids`` that begin with the blank, without it."""
        texts = map(self._model.detokenizer.text, ids)
        return [text.removeprefix(self._blank) for text in texts if text.startswith(self._blank)]

    @property
    def _may_compete(self) -> bool:
        """Measured with our own checkpoint only, for one hole of which nothing says how long it is or what is to become
        of it."""
        fill = self._fill
        asked = fill.instruction or fill.options.length or fill.options.strength < 1 or fill.further
        return self._model.delete is not None and not asked

    def _ends(self, answer: Answer) -> bool:
        """Is the text at its end, whatever canvases were laid out for it?"""
        return not self._fill.further and any(index in self._model.ends for index in answer.ids)

    def _fits(self, holes: tuple[Written, ...]) -> bool:
        """Do they say something, unless an instruction may have told to delete, and leave Python what is Python?"""
        says = bool(self._fill.instruction) or any(hole.text.strip() for hole in holes)
        return says and self._keeps(holes)

    @cached_property
    def _keeps(self) -> syntax.Keeps:
        return syntax.python(self._fill) or (lambda _: True)

    def _answer(self, canvas: Canvas, state: State, score: float = 0.0) -> Answer:
        """What the first canvas of ``state`` says."""
        ids, sure = state.best[0].tolist(), state.confidence[0].tolist()
        holes = canvas.hole[int(state.rows[0])].tolist()
        inside = [place for place, hole in enumerate(holes) if hole != OUTSIDE]
        if self._fill.options.strength < 1 or self._revises:
            # Text that is kept stands behind: an end among the changes is none.
            inside = [place for place in inside if ids[place] not in self._model.ends]
        taken = ([values[place] for place in inside] for values in (ids, sure, holes))
        return Answer(score, *taken, canvas=ids)

    def _written(self, answer: Answer) -> tuple[Written, ...]:
        """The text of every hole, with its manners mended."""
        holes = map(answer.within, range(len(self._fill.selections)))
        return mended(self._fill, [self._model.detokenizer.settled(ids, sure) for ids, sure in holes])
