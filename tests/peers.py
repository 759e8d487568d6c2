"""A server on loopback that says whatever a test wants."""

import json
import socket
import socketserver
import threading

MODELS = {"object": "list", "data": [{"id": "one", "owned_by": "somebody"}, {"id": "two"}]}


class Peer(socketserver.ThreadingTCPServer):
    """A server on loopback that answers each path with raw bytes, or with whatever a function does to the socket."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, answer, models=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = {"/v1/chat/completions": answer, "/v1/models": models or whole(json.dumps(MODELS))}
        self.asked: list[tuple[str, bytes]] = []
        self.keys: list[str] = []
        self.headers: list[str] = []
        self.open = 0
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(socketserver.StreamRequestHandler):
    server: Peer

    def handle(self):
        self.server.open += 1
        try:
            while line := self.rfile.readline().decode():
                headers = {}
                while header := self.rfile.readline().decode().strip():
                    name, _, value = header.partition(": ")
                    headers[name.lower()] = value
                path = line.split()[1]
                body = self.rfile.read(int(headers.get("content-length", 0)))
                self.server.asked.append((path, body))
                self.server.keys.append(headers.get("authorization", ""))
                self.server.headers.append(headers.get("x-team", ""))
                answer = self.server.answers[path]
                if not isinstance(answer, bytes):
                    return answer(self.connection)
                self.wfile.write(answer)
        except OSError:
            pass  # the client went
        finally:
            self.server.open -= 1


def whole(body, status="200 OK", kind="application/json", more=""):
    body = body if isinstance(body, bytes) else body.encode()
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode() + body


def stream(*pieces, end=True):
    """An answer of server-sent events; without an end, the connection is cut."""
    told = [piece if isinstance(piece, bytes) else f"data: {piece}\n\n".encode() for piece in pieces]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in told)
    return head + body + b"0\r\n\r\n" if end else cut(head + body)


def delta(**said):
    return json.dumps({"choices": [{"index": 0, "delta": said}]})


def cut(raw):
    def answer(sock):
        sock.sendall(raw)
        sock.shutdown(socket.SHUT_RDWR)

    return answer
