"""``palimpsest serve``: the model on this machine for others, by the API that OpenAI's clients speak, and with drafts.

``POST /v1/fills`` takes a ``Fill`` as JSON and answers with its events. ``/v1/completions`` (with ``suffix``) and
``/v1/chat/completions`` are a fill behind the prompt; streamed, each chunk carries the draft of one denoising step in
``draft``, and the last one the whole text. ``temperature`` and the like are the checkpoint's own.

A completion with vLLM's diffusion arguments and ``diffusion_read_only`` is one canvas of tokens, denoised;
``/tokenize`` and ``/detokenize`` say which tokens text is.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tokenizers import Tokenizer

from palimpsest.engine.backend import Backend, open_backend
from palimpsest.engine.engine import LOADING, Engine
from palimpsest.engine.errors import EngineError, RequestError, ServerError
from palimpsest.engine.request import (
    Denoised,
    Done,
    Draft,
    Event,
    Failed,
    Fill,
    Loading,
    Options,
    Progress,
    Ready,
    Seeded,
    Told,
    Unloaded,
)
from palimpsest.engine.weights import find
from palimpsest.engine.wire import fill_of, to_json

LARGEST_REQUEST = 16 << 20  # bytes
MOST_WAITING = 16  # fills
MOST_LOGPROBS, MOST_WANTED = 20, 128  # tokens at each position, as vLLM has it
HERE = ["localhost", "127.0.0.1", "[::1]"]
PATIENCE = 5  # seconds that answers which have begun get to end
LENGTH = 16  # tokens of a completion, as the API has it
ENDING = "The server is about to end."


class Filler:
    """The engine for many askers: one fill at a time, in the order they came."""

    def __init__(self, open_backend: Callable[[], Backend]):
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._events: dict[int, asyncio.Queue[Event]] = {LOADING: asyncio.Queue()}
        self._waiting = 0
        self._engine = Engine(open_backend, self._report)

    async def ready(self) -> Ready:
        """What was loaded. Raises EngineError."""
        while not isinstance(event := await self._events[LOADING].get(), Ready):
            if isinstance(event, Failed):
                raise EngineError(event.message)
        return event

    async def fill(self, fill: Fill) -> AsyncGenerator[Told, None]:
        """Yield progress, then Done, Failed or Stopped. Leaving early stops the fill. Raises ServerError when too many
        wait already."""
        async with aclosing(self._events_of(fill)) as events:
            async for event in events:
                assert not isinstance(event, Denoised)
                yield event

    async def denoise(self, seeded: Seeded) -> Denoised:
        """A seeded canvas, denoised. Raises EngineError."""
        async with aclosing(self._events_of(seeded)) as events:
            async for event in events:
                if isinstance(event, Failed):
                    raise RequestError(event.message)
                if isinstance(event, Denoised):
                    return event
        raise ServerError(ENDING)

    async def _events_of(self, asked: Fill | Seeded) -> AsyncGenerator[Told | Denoised, None]:
        if self._waiting >= MOST_WAITING:
            raise ServerError(f"{MOST_WAITING} fills wait already: try again later.")
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        job = self._engine.submit(asked)
        events = self._events[job] = asyncio.Queue()
        try:
            while True:
                event = await events.get()
                assert not isinstance(event, Loading | Ready | Unloaded)  # told of no fill
                yield event
                if not isinstance(event, Progress):
                    return
        finally:
            del self._events[job]
            self._engine.stop(job)
            self._turn.release()

    def close(self) -> bool:
        """Stop the engine; True when its thread has ended."""
        return self._engine.close()

    def _report(self, job: int, event: Event) -> None:
        self._loop.call_soon_threadsafe(self._leave, job, event)

    def _leave(self, job: int, event: Event) -> None:
        if events := self._events.get(job):
            events.put_nowait(event)


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
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return text[: min((place for stop in stops if (place := text.find(stop)) >= 0), default=len(text))]


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
        choice = self.choice(tokens.decode(ids), 0, finished=True) | {"token_ids": ids}
        if self.logprobs is not None:
            choice["logprobs"] = {
                "tokens": [name(index) for index in ids],
                "token_logprobs": [row[index] for index, row in zip(ids, told, strict=True)],
                "top_logprobs": [{name(index): value for index, value in row.items()} for row in told],
                "text_offset": [],
            }
        return choice

    def choice(self, text: str, index: int, finished: bool) -> dict[str, Any]:
        """An answer, or a piece of it."""
        return {"index": index, "text": text, "logprobs": None, "finish_reason": "stop" if finished else None}


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

    def fill(self) -> Fill:
        """What goes on behind the conversation. Raises RequestError."""
        said = "\n\n".join(message.text for message in self.messages)
        return Fill(f"{said}\n\n", "", options=self.options(self.max_completion_tokens or self.max_tokens))

    def choice(self, text: str, index: int, finished: bool) -> dict[str, Any]:
        """An answer, or a piece of it."""
        message = {"role": "assistant", "content": text}
        reason = "stop" if finished else None
        return {"index": index, "delta" if self.stream else "message": message, "finish_reason": reason}


class Tokens:
    """The checkpoint's vocabulary, as those who speak in tokens want it: special tokens are what their names say."""

    def __init__(self, checkpoint: str | Path | None):
        folder = find(checkpoint)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._begin = self._tokenizer.token_to_id("<bos>")
        self.canvas: int = msgspec.json.decode((folder / "config.json").read_bytes())["canvas_length"]

    def encode(self, text: str, begin: bool = True) -> list[int]:
        """The ids of ``text``, behind that of a beginning if wanted."""
        head = [self._begin] if begin and self._begin is not None else []
        return head + self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """What ``ids`` say."""
        return self._tokenizer.decode(ids, skip_special_tokens=False)


class Text(msgspec.Struct):
    """The body of ``/tokenize``."""

    prompt: str
    add_special_tokens: bool = True


class Ids(msgspec.Struct):
    """The body of ``/detokenize``."""

    tokens: list[Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]]


class Api:
    """The paths of the server, each a method."""

    def __init__(self, filler: Filler, ready: Ready, tokens: Tokens, key: str | None):
        self._filler, self._ready, self._tokens, self._key = filler, ready, tokens, key

    def application(self) -> Starlette:
        """All of it."""
        routes = [
            Route("/health", self.health),
            Route("/tokenize", self.tokenize, methods=["POST"]),
            Route("/detokenize", self.detokenize, methods=["POST"]),
            Route("/v1/models", self.models),
            Route("/v1/fills", self.fills, methods=["POST"]),
            Route("/v1/completions", partial(self.complete, kind=Completion), methods=["POST"]),
            Route("/v1/chat/completions", partial(self.complete, kind=Chat), methods=["POST"]),
        ]
        # Without a key, a page in a browser must not get here by a name of its own.
        guards = [] if self._key else [Middleware(TrustedHostMiddleware, allowed_hosts=HERE)]
        refused = dict.fromkeys((HTTPException, EngineError, msgspec.DecodeError), _refused)
        return Starlette(routes=routes, middleware=guards, exception_handlers=refused)

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(self, request: Request) -> Response:
        self._admit(request)
        model = {"id": self._ready.model, "object": "model", "created": 0, "owned_by": "palimpsest"}
        return JSONResponse({"object": "list", "data": [model]})

    async def tokenize(self, request: Request) -> Response:
        asked = msgspec.json.decode(await self._body(request), type=Text)
        ids = self._tokens.encode(asked.prompt, asked.add_special_tokens)
        return JSONResponse({"tokens": ids, "count": len(ids)})

    async def detokenize(self, request: Request) -> Response:
        asked = msgspec.json.decode(await self._body(request), type=Ids)
        return JSONResponse({"prompt": self._tokens.decode(asked.tokens)})

    async def fills(self, request: Request) -> Response:
        """The events of a fill, as ``palimpsest fill --drafts`` prints them."""
        fill = fill_of(await self._body(request))

        async def told() -> AsyncGenerator[dict[str, str], None]:
            async with aclosing(self._filler.fill(fill)) as events:
                async for event in events:
                    yield {"data": to_json(event)}

        return EventSourceResponse(_safe(told()))

    async def complete(self, request: Request, kind: type[Completion] | type[Chat]) -> Response:
        """A completion, whole or with its drafts."""
        asked = msgspec.json.decode(await self._body(request), type=kind)
        head = {"id": f"{asked.kind}-{secrets.token_hex(8)}", "created": int(time.time()), "model": self._ready.model}
        if isinstance(asked, Completion) and (seeded := asked.seeded(self._tokens)):
            choice = asked.spelled(await self._filler.denoise(seeded), self._tokens)
            return JSONResponse(head | {"object": asked.kind, "choices": [choice]})
        events = self._filler.fill(asked.fill())
        if asked.stream:
            return EventSourceResponse(_safe(self._chunks(asked, head, events)))
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Failed):
                    raise RequestError(event.message)
                if isinstance(event, Done):
                    choices = [
                        asked.choice(asked.cut(answer.text), index, finished=True)
                        for index, answer in enumerate(event.alternatives)
                    ]
                    return JSONResponse(head | {"object": asked.kind, "choices": choices, "usage": _usage(event)})
        raise ServerError(ENDING)

    async def _chunks(self, asked: Completion | Chat, head: dict, events: AsyncGenerator[Told, None]):
        head = head | {"object": "chat.completion.chunk" if isinstance(asked, Chat) else asked.kind}

        def chunk(choices: list[dict[str, Any]], **more: Any) -> dict[str, str]:
            return {"data": msgspec.json.encode(head | {"choices": choices} | more).decode()}

        async with aclosing(events):
            async for event in events:
                if isinstance(event, Draft):
                    draft = {"text": event.text, "step": event.step, "max_steps": event.max_steps}
                    yield chunk([asked.choice("", 0, finished=False)], draft=draft)
                if isinstance(event, Done):
                    for index, answer in enumerate(event.alternatives):
                        yield chunk([asked.choice(asked.cut(answer.text), index, finished=True)])
                    yield chunk([], usage=_usage(event))
                if isinstance(event, Failed):
                    yield {"data": _problem(event.message)}
        yield {"data": "[DONE]"}

    async def _body(self, request: Request) -> bytes:
        self._admit(request)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_REQUEST:
                raise HTTPException(413, f"A request may have {LARGEST_REQUEST >> 20} MB: send less text.")
        return body

    def _admit(self, request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._key and not secrets.compare_digest(given.encode(), self._key.encode()):
            raise HTTPException(401, "This server wants its key.")


async def _safe(events: AsyncGenerator[dict[str, str], None]) -> AsyncGenerator[dict[str, str], None]:
    """Whatever goes wrong once the answer has begun is told in it."""
    try:
        async with aclosing(events):
            async for event in events:
                yield event
    except EngineError as error:
        yield {"data": _problem(str(error))}


def _problem(said: str) -> str:
    return msgspec.json.encode({"kind": "failed", "message": said, "error": {"message": said}}).decode()


async def _refused(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 429 if isinstance(error, ServerError) else 400
    said = error.detail if isinstance(error, HTTPException) else str(error)
    return JSONResponse({"error": {"message": said, "type": type(error).__name__}}, status)


def _usage(done: Done) -> dict[str, int]:
    """What the answer took; what the prompt did is not counted."""
    return {"prompt_tokens": 0, "completion_tokens": done.tokens, "total_tokens": done.tokens}


def serve(
    checkpoint: str | Path | None,
    precision: str | None,
    host: str,
    port: int,
    key: str | None,
    tell: Callable[[Ready, str], None],
) -> None:
    """Serve until interrupted; ``tell`` learns what is served and where. Raises EngineError."""
    tokens = Tokens(checkpoint)
    opened = partial(open_backend, checkpoint=checkpoint, precision=precision)
    asyncio.run(_serve(opened, tokens, host, port, key, tell))


async def _serve(opened, tokens, host, port, key, tell) -> None:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ServerError(f"{host}:{port} cannot be listened at ({error.strerror}): choose another --port.") from error
    with listening:
        local = listening.getsockname()[0] in ("127.0.0.1", "::1")
        if not local and not key:
            raise ServerError("Others may ask this server only with a key: set PALIMPSEST_API_KEY to one.")
        filler = Filler(opened)
        try:
            ready = await filler.ready()
            application = Api(filler, ready, tokens, key).application()
            config = uvicorn.Config(
                application,
                log_level="warning",
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=PATIENCE,
            )
            bracketed = f"[{host}]" if ":" in host else host
            tell(ready, f"http://{bracketed}:{listening.getsockname()[1]}/v1")
            await uvicorn.Server(config).serve(sockets=[listening])
        finally:
            filler.close()
