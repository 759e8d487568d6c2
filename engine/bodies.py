"""What is asked of ``palimpsest serve`` and what it is answered with, as the APIs of OpenAI and vLLM have it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from tokenizers import Tokenizer

from palimpsest.engine.errors import RequestError
from palimpsest.engine.prompt import dialogue
from palimpsest.engine.request import Denoised, Fill, Options, Seeded
from palimpsest.engine.weights import find, has_chat_template

MOST_LOGPROBS, MOST_WANTED = 20, 128  # tokens at each position, as vLLM has it
LENGTH = 16  # tokens of a completion, as the API has it
SAID = 2048  # tokens of an answer in a conversation, where nobody says how many

Seed = Annotated[int, msgspec.Meta(ge=0)]


class Asked(msgspec.Struct, kw_only=True):
    """What both kinds of completions may be asked with; the rest of the API is accepted and makes no difference."""

    model: str = ""
    stream: bool = False
    n: int = 1
    seed: Seed | None = None
    stop: str | list[str] | None = None

    def options(self, length: int | None) -> Options:
        """As the engine's options. Raises RequestError."""
        return Options(seed=self.seed, length=length, alternatives=self.n)

    def cut(self, text: str) -> str:
        """The text up to where it shall stop."""
        return text[: min((place for stop in self._stops if (place := text.find(stop)) >= 0), default=len(text))]

    def settled(self, text: str) -> str:
        """What stays of a text that goes on: no half character at its end, and nothing that may become a stop."""
        text = text.rstrip("\ufffd")
        begun = (text[at:] for at in range(len(text)) if any(stop.startswith(text[at:]) for stop in self._stops))
        return text.removesuffix(next(begun, ""))

    @property
    def _stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else self.stop or []


class Diffusion(msgspec.Struct):
    """vLLM's arguments for one canvas."""

    diffusion_seed_canvas: list[int] | None = None
    diffusion_pinned: list[int] | None = None
    diffusion_canvas_length: Annotated[int, msgspec.Meta(gt=0)] | None = None
    diffusion_max_steps: Annotated[int, msgspec.Meta(gt=0)] | None = None
    diffusion_read_only: bool | int = False

    def canvas(self, most: int) -> tuple[int, ...] | int:
        """The ids that denoising begins with, or how many positions there are. Raises RequestError."""
        width, seed = self.diffusion_canvas_length or most, self.diffusion_seed_canvas
        if seed is None and self.diffusion_pinned is not None:
            raise RequestError("diffusion_pinned needs a diffusion_seed_canvas.")
        if seed is not None and len(seed) != width:
            raise RequestError(f"diffusion_seed_canvas has {len(seed)} ids and the canvas {width} positions.")
        return width if seed is None else tuple(seed)


class Completion(Asked):
    """The body of ``/v1/completions``."""

    prompt: str | list[str | int]
    suffix: str | None = None
    max_tokens: int | None = LENGTH
    logprobs: Annotated[int, msgspec.Meta(ge=0, le=MOST_LOGPROBS)] | None = None
    logprob_token_ids: Annotated[list[int], msgspec.Meta(max_length=MOST_WANTED)] = []
    return_tokens_as_token_ids: bool = False
    vllm_xargs: Diffusion | None = None
    kind = "text_completion"

    def fill(self) -> Fill:
        """The hole between prompt and suffix. Raises RequestError."""
        prompts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        if len(prompts) != 1 or not isinstance(prompts[0], str):
            raise RequestError("This server takes one prompt at a time, and tokens only for a canvas that is read.")
        return Fill(prompts[0], self.suffix or "", options=self.options(self.max_tokens))

    def seeded(self, tokens: "Tokens") -> Seeded | None:
        """The canvas to be denoised, where that is asked for. Raises RequestError."""
        diffusion = self.vllm_xargs
        if not diffusion:
            return None
        canvas = diffusion.canvas(tokens.canvas)
        if not diffusion.diffusion_read_only:
            raise RequestError("This server denoises one canvas at a time: set diffusion_read_only.")
        prompt = tokens.encode(self.prompt) if isinstance(self.prompt, str) else self.prompt
        ids = tuple(index for index in prompt if isinstance(index, int))
        if len(ids) < len(prompt):
            raise RequestError("This server takes one prompt at a time.")
        return Seeded(
            ids,
            canvas,
            tuple(diffusion.diffusion_pinned or ()),
            diffusion.diffusion_max_steps,
            self.seed,
            self.logprobs or 1,
            tuple(self.logprob_token_ids),
        )

    def spelled(self, denoised: Denoised, tokens: "Tokens") -> dict[str, Any]:
        """A canvas as an answer, no longer than it shall be."""

        def name(index: int) -> str:
            return f"token_id:{index}" if self.return_tokens_as_token_ids else tokens.decode([index])

        ids = denoised.ids[: self.max_tokens]
        told = denoised.told[: len(ids)]
        choice = self.choice(tokens.decode(ids), 0) | {"token_ids": ids}
        if self.logprobs is not None:
            choice["logprobs"] = {
                "tokens": [name(index) for index in ids],
                "token_logprobs": [row[index] for index, row in zip(ids, told, strict=True)],
                "top_logprobs": [{name(index): value for index, value in row.items()} for row in told],
                "text_offset": [],
            }
        return choice

    def choice(self, text: str, index: int, end: str | None = "stop") -> dict[str, Any]:
        """An answer, or a piece of it; ``end`` is why it ends, if it does."""
        return {"index": index, "text": text, "logprobs": None, "finish_reason": end}


class Part(msgspec.Struct):
    """A piece of a message; only text can be read."""

    type: str
    text: str = ""


class Message(msgspec.Struct):
    """Something said in a conversation."""

    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """What was said. Raises RequestError for pictures."""
        if not isinstance(self.content, list):
            return self.content or ""
        if any(part.type != "text" for part in self.content):
            raise RequestError("This server reads text only.")
        return "".join(part.text for part in self.content)


class Chat(Asked):
    """The body of ``/v1/chat/completions``."""

    messages: list[Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    kind = "chat.completion"

    @property
    def length(self) -> int | None:
        """Tokens of an answer at most, where that is said."""
        return self.max_completion_tokens or self.max_tokens

    def fill(self) -> Fill:
        """What goes on behind the conversation, by a model that was not tuned for any. Raises RequestError."""
        said = "\n\n".join(message.text for message in self.messages)
        return Fill(f"{said}\n\n", "", options=self.options(self.length))

    def choice(self, text: str, index: int, end: str | None = "stop") -> dict[str, Any]:
        """An answer, or a piece of it; ``end`` is why it ends, if it does."""
        message = {"role": "assistant", "content": text}
        return {"index": index, "delta" if self.stream else "message": message, "finish_reason": end}


class Tokens:
    """The checkpoint's vocabulary, as those who speak in tokens want it: special tokens are what their names say.

    ``canvas`` is how many one canvas has, ``ends`` are those that end a text, ``chats`` says whether the checkpoint was
    tuned for conversation.
    """

    def __init__(self, checkpoint: str | Path | None):
        folder = find(checkpoint)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._begin = self._tokenizer.token_to_id("<bos>")
        self.canvas: int = msgspec.json.decode((folder / "config.json").read_bytes())["canvas_length"]
        ends = msgspec.json.decode((folder / "generation_config.json").read_bytes())["eos_token_id"]
        self.ends = {ends} if isinstance(ends, int) else set(ends)
        self.chats = has_chat_template(folder)

    def conversation(self, messages: Sequence[Message]) -> list[int]:
        """The ids of a conversation up to where the model has its say. Raises RequestError for pictures."""
        return dialogue([(message.role, message.text) for message in messages], self._tokenizer)

    def encode(self, text: str, begin: bool = True) -> list[int]:
        """The ids of ``text``, behind that of a beginning if wanted."""
        head = [self._begin] if begin and self._begin is not None else []
        return head + self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """What ``ids`` say."""
        return self._tokenizer.decode(ids, skip_special_tokens=False)


class Text(msgspec.Struct):
    """The body of ``/tokenize``: a text, or a conversation."""

    prompt: str = ""
    messages: list[Message] | None = None
    add_special_tokens: bool = True

    def ids(self, tokens: Tokens) -> list[int]:
        """As tokens. Raises RequestError for a conversation with a model that was not tuned for any."""
        if self.messages is None:
            return tokens.encode(self.prompt, self.add_special_tokens)
        if not tokens.chats:
            raise RequestError("This model was not tuned for conversation: give a prompt.")
        return tokens.conversation(self.messages)


class Ids(msgspec.Struct):
    """The body of ``/detokenize``."""

    tokens: list[Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]]
