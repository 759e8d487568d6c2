"""One server over HTTP: what it sends as it comes, and a sentence for each way in which it does not."""

import asyncio
import json
import logging
import re
import ssl
from collections.abc import AsyncGenerator, Coroutine, Generator, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

import httpx2

from palimpsest.engine.errors import RequestError, ServerError
from palimpsest.engine.language import tr

CONNECT, SILENCE, ALTOGETHER = 10.0, 60.0, 600.0  # seconds at most: to connect, without a word, for one answer
TICK = 0.1  # seconds after which whoever waits is asked whether it still does
LONGEST_EVENT = 4 << 20  # bytes
TOLD = 10_000  # bytes of an error that are read
ATTEMPTS = 2
AT_ONCE = 8  # requests


UNREACHED = (httpx2.HTTPError, httpx2.StreamError, ssl.SSLError, TimeoutError)
# A connection that was kept and has been closed meanwhile is told from a broken one by trying anew.
BROKEN = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)

Headers = Sequence[tuple[str, str]]
HEADER = re.compile(r"[\w!#$%&'*+.^`|~-]+=[!-~]+", re.ASCII)  # RFC 9110, without blanks

T = TypeVar("T")
log = logging.getLogger("palimpsest.requests")


class Connection:
    """Speaks with the server at an address like ``http://localhost:8000``, with or without the ``/v1``; used by one
    thread at a time. Raises RequestError for what is no address and no header."""

    def __init__(self, server: str, key: str | None = None, headers: Headers = ()):
        self.url = _api(server)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        for name, value in headers:
            if not HEADER.fullmatch(f"{name}={value}"):
                raise RequestError(
                    tr(
                        "{name}={value} is no header: give it a name and a value of plain letters.",
                        name=name,
                        value=value,
                    )
                )
            self._headers[name] = value
        self._loop = asyncio.new_event_loop()  # runs only while something is waited for, on the caller's thread
        self._client: httpx2.AsyncClient | None = None

    @property
    def host(self) -> str:
        """Its name, and the port where one is given."""
        return self.url.netloc.decode("ascii")

    def get(self, path: str) -> Any:
        """What the server tells as JSON. Raises ServerError."""
        return self._loop.run_until_complete(self._get(path))

    def post(self, path: str, payload: Any) -> Any:
        """What the server answers to ``payload`` as JSON. Raises ServerError."""
        [answer] = self._loop.run_until_complete(self._answers(path, [payload]))
        return answer

    def ask(self, path: str, payloads: Sequence[Any]) -> Generator[None, None, list[Any]]:
        """What the server answers to each of ``payloads``, asked side by side, as JSON; yields whenever nothing has
        come for a tick. Leaving early closes the requests. Raises ServerError."""
        return (yield from self._waited(self._answers(path, payloads)))

    def stream(self, path: str, payload: Any) -> Generator[str | None, None, None]:
        """The data of each event that the server sends in answer to ``payload``, and None whenever nothing has come
        for a tick. Leaving early closes the request. Raises ServerError."""
        events = self._events(path, payload)
        try:
            while (data := (yield from self._waited(_next(events)))) is not None:
                yield data
        finally:
            self._loop.run_until_complete(events.aclose())

    def close(self) -> None:
        """Close what is open."""
        if self._client:
            self._loop.run_until_complete(self._client.aclose())
        self._client = None
        self._loop.close()

    def _waited(self, coroutine: Coroutine[Any, Any, T]) -> Generator[None, None, T]:
        task = self._loop.create_task(coroutine)
        try:
            while True:
                self._loop.run_until_complete(asyncio.wait({task}, timeout=TICK))
                if task.done():
                    return task.result()
                yield
        finally:
            if not task.done():
                task.cancel()
                self._loop.run_until_complete(asyncio.wait({task}))

    def _opened(self) -> httpx2.AsyncClient:
        if self._client is None:
            timeout = httpx2.Timeout(SILENCE, connect=CONNECT)
            self._client = httpx2.AsyncClient(base_url=self.url, headers=self._headers, timeout=timeout)
        return self._client

    async def _get(self, path: str) -> Any:
        log.info("GET %s%s", self.url, path)
        try:
            async with asyncio.timeout(CONNECT + SILENCE):
                return await self._json("GET", path)
        except UNREACHED as error:
            raise self._unreachable(error) from error

    async def _answers(self, path: str, payloads: Sequence[Any]) -> list[Any]:
        room = asyncio.Semaphore(AT_ONCE)
        tasks = [asyncio.ensure_future(self._answer(path, payload, room)) for payload in payloads]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _answer(self, path: str, payload: Any, room: asyncio.Semaphore) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with room, asyncio.timeout(ALTOGETHER):
                    return await self._json("POST", path, **self._sent(path, payload))
            except UNREACHED as error:
                if not isinstance(error, BROKEN) or attempt == ATTEMPTS:
                    raise self._unreachable(error) from error

    async def _json(self, method: str, path: str, **sent: Any) -> Any:
        async with self._opened().stream(method, self.url.join(path), **sent) as response:
            await self._check(response)
            body = await _body(response, LONGEST_EVENT)
        self._came(path, response)
        try:
            return json.loads(body)
        except ValueError as error:
            raise ServerError(
                tr("{host} is not a server for models: give the address up to /v1.", host=self.host)
            ) from error

    async def _events(self, path: str, payload: Any) -> AsyncGenerator[str, None]:
        for attempt in range(1, ATTEMPTS + 1):
            answered = False
            try:
                async with asyncio.timeout(ALTOGETHER), aclosing(self._attempt(path, payload)) as events:
                    async for data in events:
                        answered = True
                        yield data
                return
            except httpx2.SSEError as error:
                raise ServerError(
                    tr("{host} answered with something else than a stream of text.", host=self.host)
                ) from error
            except UNREACHED as error:
                if not isinstance(error, BROKEN) or answered or attempt == ATTEMPTS:
                    raise self._unreachable(error) from error

    async def _attempt(self, path: str, payload: Any) -> AsyncGenerator[str, None]:
        sent = self._sent(path, payload)
        async with self._opened().sse(path, method="POST", max_event_size=LONGEST_EVENT, **sent) as source:
            await self._check(source.response)
            try:
                async for event in source:
                    yield event.data
            finally:
                self._came(path, source.response)

    def _sent(self, path: str, payload: Any) -> dict[str, Any]:
        body = json.dumps(payload).encode()
        log.info("POST %s: %d bytes", self.url.join(path), len(body))
        return {"content": body, "headers": {"Content-Type": "application/json"}}

    def _came(self, path: str, response: httpx2.Response) -> None:
        log.info("from %s: %d bytes", self.url.join(path), response.num_bytes_downloaded)

    async def _check(self, response: httpx2.Response) -> None:
        """Raises ServerError for an answer that is none."""
        status = response.status_code
        if 200 <= status < 300:
            return
        if status < 400:
            address = response.headers.get("location", tr("its new address"))
            raise ServerError(tr("{host} has moved: use {address}.", host=self.host, address=address))
        said = _said(await _body(response, TOLD))
        said = f" ({said})" if said else ""
        values = {"host": self.host, "said": said}
        told = {
            401: tr("{host} wants a key{said}: give it yours.", **values),
            403: tr("{host} does not take this key{said}: give it another.", **values),
            404: tr("{host} has nothing there{said}: give the address up to /v1, and a model that it has.", **values),
            413: tr("The text is too long for {host}{said}: select less.", **values),
            429: tr("{host} is busy, or was asked too often{said}: wait a little.", **values),
        }
        if status >= 500:
            other = tr("{host} failed (status {status}){said}: your text is untouched.", **values, status=status)
        else:
            other = tr("{host} refuses (status {status}){said}: your text is untouched.", **values, status=status)
        raise ServerError(told.get(status, other), status)

    def _unreachable(self, error: Exception) -> ServerError:
        if isinstance(error, httpx2.ConnectTimeout | httpx2.PoolTimeout):
            return ServerError(
                tr("{host} cannot be reached: is the address right, and the network there?", host=self.host)
            )
        if isinstance(error, httpx2.TimeoutException | TimeoutError):
            return ServerError(tr("{host} was silent for too long: try again, or ask for less.", host=self.host))
        if isinstance(error, httpx2.ProxyError):
            return ServerError(
                tr(
                    "The proxy on the way to {host} refuses ({error}): see to its settings.",
                    host=self.host,
                    error=error,
                )
            )
        if isinstance(error, ssl.SSLError) or "SSL" in str(error) or "certificate" in str(error):
            return ServerError(
                tr(
                    "The connection to {host} cannot be made safe ({error}): check the address.",
                    host=self.host,
                    error=error,
                )
            )
        if isinstance(error, httpx2.ConnectError):
            how = tr(", and with https") if self.url.scheme == "https" else ""
            return ServerError(tr("Nothing answers at {host}: is the server running{how}?", host=self.host, how=how))
        kind = type(error).__name__
        return ServerError(
            tr(
                "The connection to {host} broke off ({kind}): try again. Your text is untouched.",
                host=self.host,
                kind=kind,
            )
        )


async def _next(events: AsyncGenerator[str, None]) -> str | None:
    return await anext(events, None)


async def _body(response: httpx2.Response, most: int) -> bytes:
    """The answer, or its beginning."""
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > most:
            break
    return body


def _said(body: bytes) -> str:
    """What a server says of an error, in short."""
    try:
        told = json.loads(body)["error"]
        told = told["message"] if isinstance(told, dict) else told
    except (ValueError, KeyError, TypeError):
        return ""
    return " ".join(str(told).split())[:200]


def _api(server: str) -> httpx2.URL:
    """The address that the paths of the API are relative to."""
    try:
        url = httpx2.URL(server.strip())
    except httpx2.InvalidURL as error:
        raise RequestError(tr("{server} is no address: give one like http://localhost:8000.", server=server)) from error
    if url.scheme not in ("http", "https") or not url.host:
        raise RequestError(
            tr("{server} is no address of a server: give one like http://localhost:8000.", server=server)
        )
    path = url.path.rstrip("/")
    return url.copy_with(path=path + "/" if path.endswith("/v1") else path + "/v1/", query=None, fragment=None)
