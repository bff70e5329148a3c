"""A small HTTP/1.1 server with a limit on everything that strangers send, for the programs in the images.

A program makes a function of `Request` to `Response` and calls `serve`. What it refuses it raises as `Refused`.
"""

import hashlib
import hmac
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote

SECRETS = os.environ.get("SECRETS_DIR", "/run/secrets")
# Seconds for a request's head, for a pause between two requests, and for one read of a body.
HEAD_TIME, BODY_TIME = 15, 30
MAX_TARGET, MAX_CONNECTIONS, DRAIN = 8 << 10, 256, 256 << 10
BAD_CONFIGURATION = 78


class Refused(Exception):
    """A request that is refused: what happened, and what to do, for the caller."""

    def __init__(self, status, message, headers=()):
        super().__init__(message)
        self.status, self.message, self.headers = status, message, list(headers)


@dataclass
class Response:
    status: int = 200
    body: bytes = b""
    headers: list = field(default_factory=list)

    @classmethod
    def json(cls, value, status=200, headers=()):
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        return cls(status, body, [("Content-Type", "application/json"), *headers])

    @classmethod
    def text(cls, text, status=200, kind="text/plain; charset=utf-8"):
        return cls(status, text.encode(), [("Content-Type", kind)])


class Request:
    """A request whose body was not read yet."""

    def __init__(self, handler, length):
        target = handler.path.split("#", 1)[0]
        path, _, self.query = target.partition("?")
        self.method, self.target, self.headers = handler.command, path, handler.headers
        self.path = unquote(path, errors="replace")
        self.peer, self.length, self.left = handler.client_address[0], length, length
        self._from = handler.rfile
        self.waits = handler.headers.get("Expect", "").lower() == "100-continue"
        self._handler = handler

    def words(self):
        """The parameters of the address; of a repeated one the last."""
        try:
            return dict(parse_qsl(self.query, keep_blank_values=True, max_num_fields=50))
        except ValueError:
            raise Refused(400, "the address has too many parameters") from None

    def pieces(self, most, seconds=4 * BODY_TIME):
        """The body, piece by piece; one that is longer than `most` bytes is refused before it is read."""
        if self.length > most:
            raise Refused(413, f"the body has {self.length} bytes; at most {most} are taken")
        until = time.monotonic() + seconds
        self._ask_for_it()
        while self.left:
            piece = self._from.read1(min(self.left, 64 << 10))
            if not piece or time.monotonic() > until:
                raise ConnectionError("the body did not come whole")
            self.left -= len(piece)
            yield piece

    def _ask_for_it(self):
        """Tells a sender who waits for that to send the body. Who was refused before sends nothing."""
        if self.waits and self.left:
            self._handler.send_response_only(100)
            self._handler.end_headers()
            self._handler.wfile.flush()
        self.waits = False

    def body(self, most):
        return b"".join(self.pieces(most))

    def json(self, most=64 << 10):
        try:
            return json.loads(self.body(most))
        except (ValueError, RecursionError):
            raise Refused(400, "the body is no JSON") from None

    def needs(self, key):
        """Refuses who does not bring the password as bearer token."""
        kind, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if kind.lower() != "bearer" or not same(token.strip(), key.password):
            raise Refused(401, "this needs the header Authorization: Bearer with the deployment's password",
                          [("WWW-Authenticate", "Bearer")])


class Key:
    """The deployment's password: the secret file at the start, and what it is changed to meanwhile."""

    ADDRESS = "/-/password"

    def __init__(self):
        try:
            with open(f"{SECRETS}/password", encoding="utf-8") as file:
                self.password = file.read().strip() or give_up("the secret file password is empty")
        except FileNotFoundError:
            give_up("the secret file password is missing")

    def change(self, request):
        """Takes a new password, which who runs the container says from within."""
        if request.method != "PUT" or request.peer != "127.0.0.1":
            raise Refused(404, "there is nothing at this address")
        request.needs(self)
        self.password = request.body(1000).decode("ascii", "replace").strip() or self.password
        return Response(204)


def same(one, other):
    """Whether two secrets are the same, in a time that does not tell where they differ."""
    digests = [hashlib.sha256(word.encode("utf-8", "surrogateescape")).digest() for word in (one, other)]
    return hmac.compare_digest(*digests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "fondaco", ""
    disable_nagle_algorithm = True
    wbufsize = -1  # a head and its body leave together
    timeout = BODY_TIME

    def handle_one_request(self):
        self.server.await_until(self.connection, time.monotonic() + HEAD_TIME)
        super().handle_one_request()

    def handle_expect_100(self):
        return True  # said when the body is read

    def respond(self):
        self.server.await_until(self.connection, None)
        request = None
        try:
            request = Request(self, self._length())
            response = self.server.application(request)
        except Refused as refused:
            response = Response.json({"error": refused.message}, refused.status, refused.headers)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        except Exception:
            traceback.print_exc()
            response = Response.json({"error": "this program failed; its log says why"}, 500)
        self._drain(request)
        self._send(response)
        if request is not None and request.left:
            self._linger()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond

    def _length(self):
        if len(self.path) > MAX_TARGET:
            raise Refused(414, f"the address is longer than {MAX_TARGET} bytes")
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise Refused(411, "send the body with a Content-Length")
        if not lengths:
            return 0
        if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()) or len(lengths[0]) > 15:
            self.close_connection = True
            raise Refused(400, "the Content-Length is no number")
        return int(lengths[0])

    def _drain(self, request):
        """Reads what is left of a small body, so that the connection can go on; ends it after a large one."""
        if request is None or request.left > DRAIN or request.waits:
            self.close_connection = True
            return
        try:
            for _ in request.pieces(request.length):
                pass
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _linger(self):
        """Reads on for a moment: closing while a body comes would take the answer from its reader."""
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1)
            until = time.monotonic() + 2
            while time.monotonic() < until and self.rfile.read1(64 << 10):
                pass
        except OSError:
            pass

    def _send(self, response):
        self.send_response_only(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        if response.status >= 200 and response.status != 204:
            self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and response.status not in (204, 304):
            self.wfile.write(response.body)

    def log_message(self, *_):
        pass


def most_connections():
    """Each takes a thread: at most a third of the processes and threads that the container may have."""
    for path in ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"):
        try:
            with open(path, encoding="ascii") as file:
                limit = file.read().strip()
        except OSError:
            continue
        if limit.isdigit():
            return max(8, min(MAX_CONNECTIONS, int(limit) // 3))
    return MAX_CONNECTIONS


class _Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size, allow_reuse_address = True, 128, True

    def __init__(self, port, application):
        self.application = application
        self._places = threading.BoundedSemaphore(most_connections())
        self._awaited, self._lock = {}, threading.Lock()
        super().__init__(("0.0.0.0", port), _Handler)
        threading.Thread(target=self._end_slow_ones, daemon=True).start()

    def await_until(self, connection, moment):
        """A connection whose request has not come by then is ended; None is for one that is being answered."""
        with self._lock:
            if moment is None:
                self._awaited.pop(connection, None)
            else:
                self._awaited[connection] = moment

    def _end_slow_ones(self):
        while True:
            time.sleep(1)
            now = time.monotonic()
            with self._lock:
                slow = [connection for connection, moment in self._awaited.items() if moment < now]
                for connection in slow:
                    del self._awaited[connection]
            for connection in slow:
                try:
                    connection.shutdown(2)
                except OSError:
                    pass

    def process_request(self, request, client_address):
        if not self._places.acquire(timeout=5):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            # No further thread can be had.
            self._places.release()
            self.shutdown_request(request)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.await_until(request, None)
            self._places.release()

    def handle_error(self, *_):
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            traceback.print_exc()


def serve(port, application, on_stop=lambda: None):
    """Serves until the container is stopped."""
    server = _Server(port, application)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    print(f"ready on port {port}", flush=True)
    stop.wait()
    server.shutdown()
    on_stop()


def settings():
    """What the deployment's owner chose."""
    try:
        with open(f"{SECRETS}/settings.json", encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def give_up(line):
    """Ends the program for a setting that makes no sense. The line becomes the reason that the owner reads."""
    print(line, file=sys.stderr, flush=True)
    sys.exit(BAD_CONFIGURATION)


def figures(values):
    """Prometheus text of counters and gauges: a list of (name, kind, help, [(labels, value)])."""
    lines = []
    for name, kind, words, samples in values:
        lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
        for labels, value in samples:
            text = ",".join(f'{key}="{word}"' for key, word in labels.items())
            lines.append(f"{name}{{{text}}} {value}" if text else f"{name} {value}")
    return Response.text("\n".join(lines) + "\n", kind="text/plain; version=0.0.4")


class Pace:
    """The mean time of the answers of the last minute, in milliseconds."""

    def __init__(self):
        self._recent, self._lock = deque(maxlen=10_000), threading.Lock()

    def add(self, ms):
        with self._lock:
            self._recent.append((time.monotonic(), ms))

    def mean(self):
        since = time.monotonic() - 60
        with self._lock:
            recent = [ms for at, ms in self._recent if at >= since]
        return sum(recent) / len(recent) if recent else 0.0


def tell_new_password(port):
    """Reads the old password and the new one, a line each, and tells the server. Telling it twice is telling it once."""
    old, new = sys.stdin.readline().strip(), sys.stdin.readline().strip()
    for known in (old, new):
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("PUT", Key.ADDRESS, new, {"Authorization": f"Bearer {known}"})
        if connection.getresponse().status == 204:
            return
    sys.exit("neither password holds")


if __name__ == "__main__":
    tell_new_password(int(os.environ.get("PORT", "8080")))
