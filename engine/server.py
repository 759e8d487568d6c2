"""``palimpsest serve``: the model on this machine for others, by the API that OpenAI's clients speak, and with drafts.

``POST /v1/fills`` takes a ``Fill`` as JSON and answers with its events. ``/v1/completions`` (with ``suffix``) and
``/v1/chat/completions`` are a fill behind the prompt; streamed, each chunk carries the draft of one denoising step in
``draft``, and the last one the whole text. A checkpoint that was tuned for conversation answers a chat in its own
format instead, a chunk for each canvas. ``temperature`` and the like are the checkpoint's own.

A completion with vLLM's diffusion arguments and ``diffusion_read_only`` is one canvas of tokens, denoised;
``/tokenize`` and ``/detokenize`` say which tokens text is.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

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

from palimpsest.engine.backend import Backend, open_backend
from palimpsest.engine.bodies import SAID, Chat, Completion, Ids, Text, Tokens
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
    Progress,
    Ready,
    Seeded,
    Told,
    Unloaded,
)
from palimpsest.engine.wire import fill_of, to_json

LARGEST_REQUEST = 16 << 20  # bytes
MOST_WAITING = 16  # fills
HERE = ["localhost", "127.0.0.1", "[::1]"]
PATIENCE = 5  # seconds that answers which have begun get to end
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
        ids = asked.ids(self._tokens)
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
        if isinstance(asked, Chat) and self._tokens.chats:
            return await self._converse(asked, head)
        events = self._filler.fill(asked.fill())
        if asked.stream:
            return EventSourceResponse(_safe(self._chunks(asked, head, events)))
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Failed):
                    raise RequestError(event.message)
                if isinstance(event, Done):
                    choices = [
                        asked.choice(asked.cut(answer.text), index) for index, answer in enumerate(event.alternatives)
                    ]
                    return JSONResponse(
                        head | {"object": asked.kind, "choices": choices, "usage": _usage(event.tokens)}
                    )
        raise ServerError(ENDING)

    async def _converse(self, asked: Chat, head: dict) -> Response:
        asked.options(asked.length)  # says what is out of bounds before anything is answered
        said = self._said(asked, self._tokens.conversation(asked.messages))
        if asked.stream:
            return EventSourceResponse(_safe(self._spoken(asked, head, said)))
        texts, ends, tokens = [""] * asked.n, ["stop"] * asked.n, 0
        async with aclosing(said):
            async for index, text, count, end in said:
                texts[index] += text
                ends[index], tokens = end or "stop", tokens + count
        choices = [asked.choice(text, index, end) for index, (text, end) in enumerate(zip(texts, ends, strict=True))]
        return JSONResponse(head | {"object": asked.kind, "choices": choices, "usage": _usage(tokens)})

    async def _said(self, asked: Chat, prompt: list[int]) -> AsyncGenerator[tuple[int, str, int, str | None], None]:
        """Which answer goes on, by what text, how many tokens that took, and why it ends if it does: canvas after
        canvas, as the model writes by itself, as far as it reads. Raises EngineError."""
        for index in range(asked.n):
            ids, told, room, end = list(prompt), "", asked.length or SAID, None
            seed = None if asked.seed is None else asked.seed + index
            while end is None:
                width = min(room, self._tokens.canvas)
                try:
                    denoised = await self._filler.denoise(Seeded(tuple(ids), width, seed=seed))
                except EngineError:
                    if len(ids) == len(prompt):
                        raise
                    piece, end = [], "length"  # so far the model reads, or others wait
                else:
                    piece = [*takewhile(lambda one: one not in self._tokens.ends, denoised.ids)]
                    room -= len(piece)
                    end = "stop" if len(piece) < width else None if room else "length"
                ids += piece
                text = self._tokens.decode(ids[len(prompt) :])
                kept = asked.cut(text)
                end = "stop" if kept != text else end
                kept = kept if end else asked.settled(kept)
                yield index, kept[len(told) :], len(piece), end
                told = kept

    async def _spoken(self, asked: Chat, head: dict, said: AsyncGenerator) -> AsyncGenerator[dict[str, str], None]:
        tokens = 0
        async with aclosing(said):
            async for index, text, count, end in said:
                tokens += count
                yield _chunk(asked, head, [asked.choice(text, index, end)])
        yield _chunk(asked, head, [], usage=_usage(tokens))
        yield {"data": "[DONE]"}

    async def _chunks(
        self, asked: Completion | Chat, head: dict, events: AsyncGenerator[Told, None]
    ) -> AsyncGenerator[dict[str, str], None]:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Draft):
                    draft = {"text": event.text, "step": event.step, "max_steps": event.max_steps}
                    yield _chunk(asked, head, [asked.choice("", 0, None)], draft=draft)
                if isinstance(event, Done):
                    for index, answer in enumerate(event.alternatives):
                        yield _chunk(asked, head, [asked.choice(asked.cut(answer.text), index)])
                    yield _chunk(asked, head, [], usage=_usage(event.tokens))
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


def _chunk(asked: Completion | Chat, head: dict, choices: list[dict[str, Any]], **more: Any) -> dict[str, str]:
    kind = "chat.completion.chunk" if isinstance(asked, Chat) else asked.kind
    return {"data": msgspec.json.encode(head | {"object": kind, "choices": choices} | more).decode()}


def _usage(tokens: int) -> dict[str, int]:
    """What the answer took; what the prompt did is not counted."""
    return {"prompt_tokens": 0, "completion_tokens": tokens, "total_tokens": tokens}


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
