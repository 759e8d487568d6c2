"""A server on loopback that is like Hugging Face's hub, with one model."""

import hashlib
import json
import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = "somebody/small"
COMMIT = "c" * 40


class Hub(ThreadingHTTPServer):
    """Serves the files of a folder as ``somebody/small`` where the tests look for a hub, and clears their cache."""

    daemon_threads = True

    def __init__(self, folder: Path):
        super().__init__(("127.0.0.1", int(os.environ["HF_ENDPOINT"].rpartition(":")[2])), Handler)
        self.files = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
        self.refusing: tuple[int, str] | None = None
        self.broken_at: int | None = None  # byte of a large file at which the connection ends
        self.slow = False  # do large files never come to their end?
        self.asked: list[str] = []
        self.begun: set[str] = set()
        self.sent: dict[str, int] = {}
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
        shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


class Handler(BaseHTTPRequestHandler):
    server: Hub  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET(head=True)

    def do_GET(self, head=False):
        self.server.asked.append(self.path)
        if self.server.refusing:
            status, code = self.server.refusing
            return self.answer(b"{}", status, {"x-error-code": code, "x-error-message": "no"}, head)
        path, _, _ = self.path.partition("?")
        api = f"/api/models/{NAME}"
        if path in (api, f"{api}/revision/main", f"{api}/revision/{COMMIT}"):
            return self.json({"id": NAME, "sha": COMMIT, "siblings": [], "cardData": {"license": "apache-2.0"}}, head)
        if path == f"{api}/tree/{COMMIT}":
            return self.json([self.entry(name, data) for name, data in self.server.files.items()], head)
        name = path.removeprefix(f"/{NAME}/resolve/{COMMIT}/").removeprefix(f"/{NAME}/resolve/main/")
        if name in self.server.files:
            return self.file(name, head)
        code = "EntryNotFound" if NAME in path else "RepoNotFound"
        return self.answer(b"{}", 404, {"x-error-code": code}, head)

    def entry(self, name, data):
        large = name.endswith(".safetensors")
        told = {"type": "file", "path": name, "size": len(data), "oid": etag(name, data)}
        return told | ({"lfs": {"oid": etag(name, data), "size": len(data), "pointerSize": 1}} if large else {})

    def file(self, name, head):
        data = self.server.files[name]
        start = int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {"x-repo-commit": COMMIT, "etag": f'"{etag(name, data)}"', "x-linked-size": str(len(data))}
        status = 206 if "range" in self.headers else 200
        headers |= {"content-range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if status == 206 else {}
        if self.server.slow and name.endswith(".safetensors") and not head:
            self.server.begun.add(name)
            self.answer(data[:-1], status, headers | {"content-length": str(len(data))}, head)
            return self.rfile.read(1)  # until whoever asked goes
        at = self.server.broken_at
        cut = at - start if at is not None and name.endswith(".safetensors") and not head else None
        self.answer(data[start:], status, headers, head, cut)
        if not head:
            self.server.sent[name] = self.server.sent.get(name, 0) + min(len(data) - start, cut or len(data))

    def json(self, told, head):
        self.answer(json.dumps(told).encode(), 200, {"content-type": "application/json"}, head)

    def answer(self, body, status, headers, head, cut=None):
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if not head:
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True


def etag(name, data):
    if name.endswith(".safetensors"):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
