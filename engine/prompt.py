"""Before, after and instruction -> what the encoder reads, and what is pinned around the holes."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, groupby

from tokenizers import Tokenizer

from palimpsest.engine.canvas import Row, fitting, offers
from palimpsest.engine.errors import RequestError
from palimpsest.engine.language import tr
from palimpsest.engine.request import Fill

CHARACTERS_PER_TOKEN = 6  # generous for real text: what lies farther away is not even tokenised
LEAD = 64  # tokens before the first hole that begin an answer
LINE_ENDS = ("\n", "Ċ")  # as a line end is spelled in vocabularies of characters and of bytes
THOUGHT_END = "<channel|>"
AFTER = 512  # tokens after the last hole that a conversation tells


@dataclass(frozen=True)
class Prompt:
    """Token ids. The encoder reads ``prefix``, what the model thinks, and ``lead``; ``left``, ``gaps`` and ``right``
    are pinned on the canvas around the holes, where ``selections`` stand now."""

    prefix: list[int]
    lead: list[int]
    left: list[int]
    selections: list[list[int]]
    gaps: list[list[int]]
    right: list[int]

    def row(self, write: Callable[[Row, int], None]) -> Row:
        """The row in which ``write`` appends each hole."""
        row = Row()
        row.pin(self.left)
        for hole, gap in enumerate([*self.gaps, []]):
            write(row, hole)
            row.pin(gap)
        return row

    def partly_open(
        self, sure: Sequence[float], strength: float, write: Callable[[Row, list[int], int, bool], None]
    ) -> Row:
        """The row in which that share of the selected tokens is open, those that the model is least ``sure`` of.
        ``write`` appends tokens of a hole that are, or are not."""
        opened = set(sorted(range(len(sure)), key=sure.__getitem__)[: round(strength * len(sure))])
        places = count()

        def put(row: Row, hole: int) -> None:
            for free, run in groupby(self.selections[hole], lambda _: next(places) in opened):
                write(row, list(run), hole, free)

        return self.row(put)

    def open_rows(self, fill: Fill, limit: int, elastic: bool) -> list[Row]:
        """The rows of all candidate lengths that canvases of ``limit`` are for, with the holes open."""
        texts = zip(self.selections, fill.selections, strict=True)
        counts = [len(ids) if text.strip() else 0 for ids, text in texts]
        offered = offers(counts, fill.options.length, elastic)
        rows = [self.row(lambda row, hole, offer=offer: row.open(offer[hole], hole)) for offer in offered]
        return fitting(rows, len(self.right), limit)


def build(
    fill: Fill, tokenizer: Tokenizer, limit: int, canvas_limit: int, chats: bool, shown: Sequence[int] = ()
) -> Prompt:
    """Encode the text around the holes for a prefix of at most ``limit`` tokens.

    A model that ``chats`` is told the whole task in a conversation, behind the pictures ``shown``; another one reads
    the document, behind the instruction if there is one, as it was trained. Raises RequestError when instruction and
    selection alone exceed the prefix, and when a model that cannot think is asked to.
    """
    if fill.options.think and not chats:
        raise RequestError(tr("This model cannot think before it writes: turn thinking off or choose another model."))
    before = encode(tokenizer, fill.before[-limit * CHARACTERS_PER_TOKEN :])
    after = encode(tokenizer, fill.after[: max(canvas_limit, AFTER) * CHARACTERS_PER_TOKEN])
    # Words begin with their blank, so a lone blank before the hole belongs beside what comes: pin it on the canvas.
    left = [before.pop()] if before and before[-1:] == encode(tokenizer, " ") else []
    if chats:
        lead = before[-LEAD:]
        prefix = _conversation(fill, tokenizer, limit - len(lead), before + left, after[:AFTER], shown)
    else:
        lead = []
        prefix = _document(fill, tokenizer, limit, before)
    selections = [encode(tokenizer, text) for text in fill.selections]
    gaps = [encode(tokenizer, text) for text in fill.gaps]
    return Prompt(prefix, lead, left, selections, gaps, after[:canvas_limit])


def _document(fill: Fill, tokenizer: Tokenizer, limit: int, before: list[int]) -> list[int]:
    """The document up to the first hole. With an instruction, its last lines behind the user's turn and the opening of
    the model's: the answer is the document with the hole filled, and what stands there now is on the canvas."""
    bos = _id(tokenizer, "<bos>")
    if not fill.instruction:
        return [bos, *_tail(tokenizer, before, limit - 1)]
    begin, end = _turn(tokenizer)
    user = [*begin, *encode(tokenizer, f"user\n{fill.instruction}"), *end]
    prefix = [bos, *user, *begin, *encode(tokenizer, "model\n")]
    return [*prefix, *before[len(before) - min(len(before), LEAD, _room(limit, prefix)) :]]


def _conversation(
    fill: Fill, tokenizer: Tokenizer, limit: int, before: list[int], after: list[int], shown: Sequence[int]
) -> list[int]:
    """The user's turn, with what is shown and the document with its marked holes first, so that it is read once for
    many instructions, and the opening of the model's, with an empty thought where it is not to think (model card of
    Gemma 4)."""
    begin, end = _turn(tokenizer)
    marked, task = conversation(fill)
    thinking = fill.options.think
    system = [*begin, *encode(tokenizer, "system\n"), _id(tokenizer, "<|think|>"), *end] if thinking else []
    opening = [_id(tokenizer, "<bos>"), *system, *begin, *encode(tokenizer, "user\n"), *shown]
    rest = [*encode(tokenizer, marked), *after, *encode(tokenizer, task), *end, *_reply(tokenizer)]
    rest += [] if thinking else [_id(tokenizer, THOUGHT_END)]
    return [*opening, *_tail(tokenizer, before, _room(limit, opening + rest)), *rest]


def dialogue(said: Sequence[tuple[str, str]], tokenizer: Tokenizer) -> list[int]:
    """What was said, by whom, up to the model's turn with an empty thought (model card of Gemma 4). Raises RequestError
    where the vocabulary has no turns."""
    begin, end = _turn(tokenizer)
    ids = [_id(tokenizer, "<bos>")]
    for role, text in said:
        ids += [*begin, *encode(tokenizer, f"{'model' if role == 'assistant' else role}\n{text}"), *end]
    return [*ids, *_reply(tokenizer), _id(tokenizer, THOUGHT_END)]


def conversation(fill: Fill) -> tuple[str, str]:
    """The holes as a conversation marks them, and behind the text what is told of them."""
    marked = "".join(
        f"{gap}[[{number}: {text}]]"
        for number, (gap, text) in enumerate(zip(("", *fill.gaps), fill.selections, strict=True), 1)
    )
    told = fill.instruction or "Write what belongs there."
    task = (
        f"\n\nIn this text the places to be written anew are marked with double brackets. {told}\n"
        "Answer with the text as it then reads, without the marks, from shortly before the first one on."
    )
    return marked, task


def _room(limit: int, asked: Sequence[int]) -> int:
    if len(asked) > limit:
        raise RequestError(
            tr(
                "Instruction and selection are {count} tokens together and this model reads {limit}: select "
                "less or say it shorter.",
                count=len(asked),
                limit=limit,
            )
        )
    return limit - len(asked)


def _tail(tokenizer: Tokenizer, before: list[int], room: int) -> list[int]:
    """The last tokens of ``before`` that fit, from the beginning of a line.

    Which line depends on what it says, not on where it stands: while the text behind it grows or the caret moves, the
    prefix begins at the same place and the cache of it stays good.
    """
    if len(before) <= room:
        return before
    first = len(before) - room
    ends = [tokenizer.id_to_token(index) or "" for index in before[first - 1 : first + room // 4]]
    lines = [first + place for place, end in enumerate(ends) if end.endswith(LINE_ENDS)]
    start = min(lines, key=lambda place: zlib.crc32(repr(before[place : place + 8]).encode()), default=first)
    return before[start:]


def _reply(tokenizer: Tokenizer) -> list[int]:
    """The opening of the model's turn, and of its thought."""
    begin, _ = _turn(tokenizer)
    channel = [_id(tokenizer, "<|channel>"), *encode(tokenizer, "thought\n")]
    return [*begin, *encode(tokenizer, "model\n"), *channel]


def _turn(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    return [_id(tokenizer, "<|turn>")], [_id(tokenizer, "<turn|>"), *encode(tokenizer, "\n")]


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """The ids of ``text`` alone."""
    return tokenizer.encode(text, add_special_tokens=False).ids


def _id(tokenizer: Tokenizer, token: str) -> int:
    index = tokenizer.token_to_id(token)
    if index is None:
        raise RequestError(tr("The model's vocabulary has no {token}, so it cannot follow instructions.", token=token))
    return index
