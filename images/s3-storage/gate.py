"""Two filters of the proxy: the gate lets the owner in by the S3 signature; the front counts, and answers for probes."""

import os
import time

from swift.common.swob import HTTPUnauthorized, Request, Response

import serving

ACCOUNT = "AUTH_storage"
KEY_FILE = os.environ.get("KEY_FILE", "/tmp/secret-key")


class Key:
    """The secret key, which is read again when its file was changed."""

    def __init__(self):
        self.stamp, self.secret = None, ""

    def read(self):
        stamp = os.stat(KEY_FILE).st_mtime_ns
        if stamp != self.stamp:
            with open(KEY_FILE, encoding="ascii") as file:
                self.secret = file.read().strip()
            self.stamp = stamp
        return self.secret

    @property
    def password(self):
        return self.read()


KEY = Key()


class Gate:
    """Everybody but the owner is refused. The interface asks for the access key's account; it is always the same one."""

    def __init__(self, app):
        self.app, self.access_key = app, os.environ["ACCESS_KEY"]

    def __call__(self, env, start_response):
        if env.get("swift.authorize_override"):
            return self.app(env, start_response)
        details = env.get("s3api.auth_details")
        known = details and details["access_key"] == self.access_key and details["check_signature"](KEY.read())
        if not known:
            return HTTPUnauthorized(request=Request(env))(env, start_response)
        env["PATH_INFO"] = env["PATH_INFO"].replace(self.access_key, ACCOUNT, 1)
        env["REMOTE_USER"] = f"{ACCOUNT},owner"
        env["swift_owner"] = True
        env["swift.authorize"] = lambda request: None
        return self.app(env, start_response)


class Front:
    def __init__(self, app):
        self.app, self.pace = app, serving.Pace()
        self.requests, self.errors, self.sent = 0, 0, 0

    def __call__(self, env, start_response):
        path = env.get("PATH_INFO", "")
        if path == "/-/health":
            return self.health()(env, start_response)
        if path == "/-/metrics":
            return self.metrics(env)(env, start_response)
        return self.counted(env, start_response)

    def counted(self, env, start_response):
        began, status = time.perf_counter(), []

        def start(line, headers, exc_info=None):
            status[:] = [line.split(" ", 1)[0]]
            return start_response(line, headers, exc_info)

        body = self.app(env, start)
        try:
            for piece in body:
                self.sent += len(piece)
                yield piece
        finally:
            if hasattr(body, "close"):
                body.close()
            ms, code = (time.perf_counter() - began) * 1000, status[0] if status else "499"
            self.requests += 1
            self.errors += code[0] == "5"
            self.pace.add(ms)
            path = env.get("PATH_INFO", "")[:200].encode("unicode_escape").decode()
            # By the descriptor: swift has put its logger in the place of standard output, and nothing behind 1.
            os.write(2, f"{env.get('REQUEST_METHOD')} {path} {code} {ms:.1f} ms\n".encode())

    def account(self):
        """What the storage says of itself: this asks through the whole way."""
        request = Request.blank("/v1/" + ACCOUNT, environ={"REQUEST_METHOD": "HEAD", "swift.authorize_override": True})
        return request.get_response(self.app)

    def health(self):
        found = self.account()
        fine = found.status_int in (200, 204, 404)
        words = b'{"status":"ok"}\n' if fine else f"the storage answers {found.status}\n".encode()
        return Response(status=200 if fine else 503, body=words, content_type="application/json" if fine else "text/plain")

    def metrics(self, env):
        kind, _, token = env.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind != "Bearer" or not serving.same(token.strip(), KEY.read()):
            return HTTPUnauthorized(request=Request(env))
        account = self.account().headers

        def stored(name):
            return [({}, int(account.get(f"X-Account-{name}", 0)))]
        text = serving.figures([
            ("s3_requests_total", "counter", "Requests.", [({}, self.requests)]),
            ("s3_errors_total", "counter", "Requests that the storage failed.", [({}, self.errors)]),
            ("s3_sent_bytes_total", "counter", "Bytes of answers.", [({}, self.sent)]),
            ("s3_mean_milliseconds", "gauge", "Mean time of the last minute.", [({}, round(self.pace.mean(), 3))]),
            ("s3_buckets", "gauge", "Buckets.", stored("Container-Count")),
            ("s3_objects", "gauge", "Objects.", stored("Object-Count")),
            ("s3_stored_bytes", "gauge", "Bytes of objects.", stored("Bytes-Used")),
        ])
        return Response(body=text.body, content_type="text/plain")


def front(*_, **__):
    return Front


def gate(*_, **__):
    return Gate
