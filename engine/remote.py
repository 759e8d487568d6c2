"""A server that speaks as OpenAI's do: the text around the hole as a prompt, its answer as drafts.

Works with whatever serves ``/v1/chat/completions`` (vLLM, SGLang, llama.cpp, transformers serve ...). The answer comes from
left to right; what the server generates is cleaned and made to fit by the same manners as a local fill.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Generator
from time import perf_counter
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, SSEError, aconnect_sse

from palimpsest.engine.backend import Tell
from palimpsest.engine.errors import RequestError, ServerError
from palimpsest.engine.manners import mend
from palimpsest.engine.request import (
    LONGEST_SELECTION,
    Alternative,
    Done,
    Draft,
    Fill,
    Progress,
    Reading,
    Ready,
    Thought,
    Written,
)

CONNECT, SILENCE, ALTOGETHER = 10.0, 60.0, 600.0  # seconds at most: to connect, without a word, for one answer
TICK = 0.1  # seconds after which whoever waits is asked whether it still does
BEFORE, AFTER = 16_000, 4_000  # characters around the hole that are sent
LONGEST_ANSWER = 4 * LONGEST_SELECTION  # characters
WAITING = Reading(0, 1)
FENCE = "```"


class RemoteBackend:
    """Fills by the model that a server calls ``model``, or by the first one it has."""

    def __init__(self, server: str, model: str | None = None, key: str | None = None):
        self._url = _api(server)
        self._model, self._key = model, key
        self._loop = asyncio.new_event_loop()  # runs only while something is waited for, on the caller's thread
        self._client: httpx.AsyncClient | None = None

    def load(self, tell: Tell = lambda _: None) -> Ready:  # noqa: ARG002  (there is nothing to tell)
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = httpx.Timeout(SILENCE, connect=CONNECT)
        self._client = httpx.AsyncClient(base_url=self._url, headers=headers, timeout=timeout)
        served = self._loop.run_until_complete(self._models())
        if self._model is None and not served:
            raise ServerError(f"{self._host} does not say which models it has: name one.")
        if self._model and served and self._model not in served:
            raise ServerError(f"{self._host} has no model {self._model}; it has {', '.join(served)}.")
        self._model = self._model or served[0]
        return Ready(self._model, self._host, 0)

    def close(self) -> None:
        if self._client and not self._loop.is_closed():
            self._loop.run_until_complete(self._client.aclose())
        self._client = None
        self._loop.close()

    def warm(self, fill: Fill) -> Generator[Reading, None, None]:  # noqa: ARG002
        """Nothing is sent before the user asks."""
        yield from ()

    def fill(self, fill: Fill) -> Generator[Progress | Done, None, None]:
        """Yield a Draft for every piece of text that arrives, then Done. Raises RequestError for what a prompt cannot
        say, and ServerError."""
        if fill.further:
            raise RequestError("This server fills one place at a time: select one stretch.")
        if fill.options.strength < 1:
            raise RequestError("This server can only write all of the stretch anew: leave the strength at 1.")
        began, texts, pieces, thought = perf_counter(), [], 0, ""
        for number in range(fill.options.alternatives):
            raw = ""
            event: Progress = WAITING
            for kind, piece in self._each(self._answer(_payload(fill, self._model, number))):
                if kind == "text":
                    raw, pieces = raw + piece, pieces + 1
                    event = Draft((_written(_clean(raw)),), pieces, pieces + 1)
                elif kind == "thought":
                    thought += piece
                    event = Thought(thought)
                yield event
            if not raw.strip():
                raise ServerError(f"{self._host} answered without any text: ask for less, or choose another model.")
            texts.append(mend(_clean(raw), fill.before, fill.selected, fill.after))
        answers = tuple(Alternative((_written(text),), 0.0) for text in dict.fromkeys(texts))
        yield Draft(answers[0].holes, pieces, pieces)
        yield Done(answers, pieces, pieces, perf_counter() - began, fill.options.seed or 0, thought)

    @property
    def _host(self) -> str:
        return self._url.netloc.decode("ascii")

    def _each(self, pieces: AsyncGenerator[tuple[str, str], None]) -> Generator[tuple[str, str], None, None]:
        """What the server sends, and ("", "") whenever nothing has come for a tick; leaving early closes the request."""
        task = None
        try:
            while True:
                task = self._loop.create_task(_next(pieces))
                while not task.done():
                    self._loop.run_until_complete(asyncio.wait({task}, timeout=TICK))
                    if not task.done():
                        yield "", ""
                if (piece := task.result()) is None:
                    return
                yield piece
        finally:
            if task and not task.done():
                task.cancel()
                self._loop.run_until_complete(asyncio.wait({task}))
            self._loop.run_until_complete(pieces.aclose())

    async def _models(self) -> list[str]:
        assert self._client
        try:
            async with asyncio.timeout(CONNECT + SILENCE):
                response = await self._client.get("models")
        except (httpx.HTTPError, ssl.SSLError, TimeoutError) as error:
            raise self._unreachable(error) from error
        if self._model and response.status_code not in (401, 403):
            return []  # some servers cannot list what they serve
        self._check(response.status_code, response.headers)
        try:
            return [str(one["id"]) for one in response.json()["data"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(f"{self._host} is not a server for models: give the address up to /v1.") from error

    async def _answer(self, payload: dict[str, Any]) -> AsyncGenerator[tuple[str, str], None]:
        """("text", ...) and ("thought", ...), as they arrive."""
        assert self._client
        length = 0
        try:
            async with (
                asyncio.timeout(ALTOGETHER),
                aconnect_sse(self._client, "POST", "chat/completions", json=payload) as source,
            ):
                response = source.response
                self._check(response.status_code, response.headers, await _told(response))
                async for event in source.aiter_sse():
                    if event.data == "[DONE]":
                        return
                    for piece in self._pieces(event):
                        length += len(piece[1])
                        if length > LONGEST_ANSWER:
                            raise ServerError(f"{self._host} does not stop writing: ask for less.")
                        yield piece
        except SSEError as error:
            raise ServerError(f"{self._host} answered with something else than a stream of text.") from error
        except (httpx.HTTPError, httpx.StreamError, ssl.SSLError, TimeoutError) as error:
            raise self._unreachable(error) from error

    def _pieces(self, event: ServerSentEvent) -> list[tuple[str, str]]:
        try:
            told = json.loads(event.data)
            if problem := told.get("error"):
                said = problem.get("message", problem) if isinstance(problem, dict) else problem
                raise ServerError(f"{self._host} says: {str(said)[:300]}")
            deltas = [choice["delta"] for choice in told["choices"]]
            found = [("thought", delta.get("reasoning_content")) for delta in deltas]
            found += [("text", delta.get("content")) for delta in deltas]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ServerError(f"{self._host} answered with something that is no piece of text.") from error
        if not all(text is None or isinstance(text, str) for _, text in found):
            raise ServerError(f"{self._host} answered with something that is no piece of text.")
        return [(kind, text) for kind, text in found if text]

    def _check(self, status: int, headers: httpx.Headers, said: str = "") -> None:
        """Raises ServerError for an answer that is none."""
        if status < 300:
            return
        said = f" ({said})" if said else ""
        if status < 400:
            raise ServerError(f"{self._host} has moved: use {headers.get('location', 'its new address')} instead.")
        told = {
            401: f"{self._host} wants a key: set PALIMPSEST_API_KEY to yours.",
            403: f"{self._host} does not take this key: set PALIMPSEST_API_KEY to another.",
            404: f"{self._host} has nothing there{said}: give the address up to /v1, and a model that it has.",
            413: f"The text is too long for {self._host}{said}: select less.",
            429: f"{self._host} is busy, or you have asked it too often{said}: wait a little.",
        }
        kind = "failed" if status >= 500 else "refuses"
        raise ServerError(told.get(status, f"{self._host} {kind} (status {status}){said}: your text is untouched."))

    def _unreachable(self, error: Exception) -> ServerError:
        if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
            return ServerError(f"{self._host} cannot be reached: is the address right, and the network there?")
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            return ServerError(f"{self._host} was silent for too long: try again, or ask for less.")
        if "SSL" in str(error) or "CERTIFICATE" in str(error).upper() or isinstance(error, ssl.SSLError):
            return ServerError(f"The connection to {self._host} cannot be made safe ({error}): check the address.")
        if isinstance(error, httpx.ConnectError):
            return ServerError(f"Nothing answers at {self._host}: is the server running?")
        kind = type(error).__name__
        return ServerError(f"The connection to {self._host} broke off ({kind}): try again. Your text is untouched.")


async def _next(pieces: AsyncGenerator[tuple[str, str], None]) -> tuple[str, str] | None:
    return await anext(pieces, None)


async def _told(response: httpx.Response) -> str:
    """What a server says of an error, in short."""
    if response.status_code < 300:
        return ""
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > 10_000:
            break
    try:
        told = json.loads(body)["error"]
        told = told["message"] if isinstance(told, dict) else told
    except (ValueError, KeyError, TypeError):
        return ""
    return " ".join(str(told).split())[:200]


def _api(server: str) -> httpx.URL:
    """The address that the paths of the API are relative to. Raises RequestError."""
    try:
        url = httpx.URL(server.strip())
    except httpx.InvalidURL as error:
        raise RequestError(f"{server} is no address: give one like http://localhost:8000.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise RequestError(f"{server} is no address of a server: give one like http://localhost:8000.")
    path = url.path.rstrip("/")
    return url.copy_with(path=path + "/" if path.endswith("/v1") else path + "/v1/", query=None, fragment=None)


def _payload(fill: Fill, model: str | None, number: int) -> dict[str, Any]:
    """What is sent: the whole request but for the key."""
    options = fill.options
    told = fill.instruction or "Write what belongs there."
    without = f" Do not use: {', '.join(options.without)}." if options.without else ""
    prompt = (
        f"{fill.before[-BEFORE:]}[[{fill.selected}]]{fill.after[:AFTER]}\n\n"
        f"In this text one place is marked with double brackets. {told}{without}\n"
        "Answer with nothing but the text that shall stand in that place, without the brackets."
    )
    payload: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": True}
    payload["max_tokens"] = options.length or max(256, len(fill.selected))
    if options.seed is not None or number:
        payload["seed"] = (options.seed or 0) + number
    return payload


def _clean(text: str) -> str:
    """An answer without what models put around it: a fence, the brackets, empty lines."""
    text = text.strip("\n")
    first, _, rest = text.partition("\n")
    if first.startswith(FENCE) and not first.strip("`").strip().count(" "):
        text = rest.rpartition("\n" + FENCE)[0] or rest.removesuffix(FENCE)
    return text.removeprefix("[[").removesuffix("]]")


def _written(text: str) -> Written:
    return Written(text, (1.0,) * len(text))
