"""Serverless functions over HTTP: /-/functions manages them, everything else runs them."""

import ctypes
import os
import re
import shutil
import threading
import time
from collections import Counter

from serving import Key, Pace, Refused, Response, figures, give_up, serve, settings

import frames
import pool
import sources
import store

NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}")
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8000}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
MAX_FUNCTIONS, MAX_HEADERS = 100, 60
OWN_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "te", "trailer",
               "server-timing"}
PR_SET_DUMPABLE = 4


class Functions:
    def __init__(self):
        chosen, memory = settings(), int(os.environ.get("MAX_MEMORY_MB", "256"))
        self.key = Key()
        self.closed = chosen.get("access") == "password"
        self.limit = float(chosen.get("timeoutSeconds", 10))
        self.environment = environment(chosen.get("environment") or {})
        self.memory_mb = max(32, min(512, memory // 4))
        concurrency = max(2, memory // 128)
        self.store = store.Store(os.environ.get("DATA_DIR", "/data"))
        self.pool = pool.Pool(concurrency, concurrency * 8, self.environment, self.memory_mb)
        self.pace, self.counts, self.lock, self.uploads = Pace(), Counter(), threading.Lock(), threading.Lock()

    def answer(self, request):
        if request.path == "/-/health":
            return Response.json({"status": "ok"})
        if request.path == Key.ADDRESS:
            return self.key.change(request)
        if not request.path.startswith("/-/"):
            return self.invoke(request)
        request.needs(self.key)
        if request.path == "/-/metrics":
            return self.figures()
        head, _, rest = request.path.removeprefix("/-/").partition("/")
        name, _, what = rest.partition("/")
        if head != "functions" or (name and not NAME.fullmatch(name)):
            raise Refused(404, "there is nothing at this address; names are of a-z, 0-9 and -, and begin with a letter")
        if not name:
            return Response.json({"functions": self.store.functions()})
        routes = {("PUT", ""): self.upload, ("GET", ""): self.show, ("DELETE", ""): self.remove,
                  ("GET", "versions"): self.show, ("POST", "activate"): self.activate, ("GET", "runs"): self.runs}
        if (request.method, what) not in routes:
            raise Refused(405, f"{request.method} has no meaning here")
        return routes[request.method, what](request, name)

    def show(self, _, name):
        return Response.json({**self.known(name), "versions": self.store.versions(name)})

    def known(self, name):
        found = self.store.function(name)
        if not found:
            raise Refused(404, "there is no such function")
        return found

    def runs(self, request, name):
        self.known(name)
        most = request.words().get("limit", "20")
        if not re.fullmatch("[0-9]{1,3}", most) or not 1 <= int(most) <= store.KEPT_RUNS:
            raise Refused(400, f"limit is a number from 1 to {store.KEPT_RUNS}")
        return Response.json({"runs": self.store.runs(name, int(most))})

    def remove(self, _, name):
        self.known(name)
        self.store.remove(name)
        self.pool.forget(name)
        return Response(204)

    def activate(self, request, name):
        version = request.words().get("version", "")
        if not re.fullmatch("[0-9]{1,9}", version) or not self.store.activate(name, int(version)):
            raise Refused(404, "there is no such version; give one as ?version=")
        return self.show(request, name)

    def upload(self, request, name):
        runtime, file = sources.kind(request)
        if not self.uploads.acquire(timeout=sources.COMPILE_TIME):
            raise Refused(503, "another upload takes long; try again", [("Retry-After", "5")])
        try:
            names = self.store.names()
            if name not in names and len(names) >= MAX_FUNCTIONS:
                raise Refused(409, f"there are {MAX_FUNCTIONS} functions, which is the most; delete one first")
            return self.take(request, name, runtime, file)
        finally:
            self.uploads.release()

    def take(self, request, name, runtime, file):
        """Takes a source, sees that it can run, and makes it the current version."""
        version, began, draft = self.store.next_version(name), time.perf_counter(), self.store.draft(name)
        folder = ""
        try:
            digest, size = sources.receive(request, f"{draft}/{file}")
            folder = self.store.path(name, version, digest)
            os.rename(draft, folder)
            sources.prove(self.pool, runtime, folder, file)
        except BaseException:
            shutil.rmtree(folder or draft, ignore_errors=True)
            raise
        self.store.add(name, version, runtime, size, digest)
        print(f"{name} has version {version}: {runtime}, {size} bytes", flush=True)
        prepared = round((time.perf_counter() - began) * 1000, 1)
        return Response.json({**self.known(name), "preparedMs": prepared}, 201)

    def invoke(self, request):
        if self.closed:
            request.needs(self.key)
        name, slash, rest = request.path.removeprefix("/").partition("/")
        if not NAME.fullmatch(name):
            raise Refused(404, "there is no such function")
        found, body, began = self.known(name), request.body(frames.MAX_BODY), time.perf_counter()
        head = {"name": name, "method": request.method, "path": slash + rest, "query": request.query,
                "peer": request.peer, "environment": self.environment,
                # Where the password opens the door, it is not for the functions behind it.
                "headers": [list(pair) for pair in request.headers.items()
                            if not (self.closed and pair[0].lower() == "authorization")]}
        response, output = self.run(found, head, body)
        ms = (time.perf_counter() - began) * 1000
        self.store.ran(name, found["version"], request.method, request.path, response.status, round(ms, 2), output)
        print(f"{name} v{found['version']} {request.method} {response.status} {ms:.1f} ms", flush=True)
        with self.lock:
            self.counts["requests", name] += 1
            self.counts["errors", name] += response.status >= 500
            self.counts["ms", name] += ms
        self.pace.add(ms)
        return response

    def run(self, found, head, body):
        """The response, and what the function wrote. Whatever a function does wrong ends here."""
        began = time.perf_counter()
        try:
            self.pool.enter(self.limit)
            try:
                waited = (time.perf_counter() - began) * 1000
                answer, content, output, timing = self.ask(found, head, body)
            finally:
                self.pool.leave()
        except pool.Failed as failed:
            again = [("Retry-After", "1")] if failed.status == 503 else []
            status = 502 if failed.status == 422 else failed.status
            return Response.json({"error": failed.message[:500]}, status, again), failed.output
        timing = {"queue": waited, **timing, **timings(answer)}
        timing = [("Server-Timing", ", ".join(f"{name};dur={ms:.3f}" for name, ms in timing.items()))]
        if "error" in answer:
            return Response.json({"error": str(answer["error"])[:500]}, 504 if answer.get("late") else 502, timing), output
        try:
            return Response(status_of(answer), content, headers_of(answer) + timing), output
        except Refused as refused:
            return Response.json({"error": refused.message}, 502, timing), output

    def ask(self, found, head, body):
        folder, limit = self.store.path(found["name"], found["version"], found["sha256"]), self.limit
        worker, started = self.pool.worker(sources.key(found["runtime"], folder))
        if found["runtime"] == "wasm":
            head |= {"module": f"{folder}/function.cwasm", "memory": self.memory_mb << 20, "limit": limit}
            limit += 0.5  # its own limit ends it by a trap; this one ends what sleeps in the engine
        began = time.perf_counter()
        try:
            answer, content, output = worker.ask(head, body, limit)
        except BaseException:
            worker.kill()
            raise
        ran = (time.perf_counter() - began) * 1000
        if answer.get("last"):
            worker.kill()  # with all that it left running
        else:
            self.pool.give_back(worker)
        return answer, content, output, {"start": started, "run": ran}

    def figures(self):
        with self.lock:
            counts = dict(self.counts)

        def of(kind):
            return [({"function": name}, value) for (what, name), value in counts.items() if what == kind]
        return figures([
            ("functions_requests_total", "counter", "Requests to functions.", of("requests")),
            ("functions_errors_total", "counter", "Requests that a function failed.", of("errors")),
            ("functions_milliseconds_total", "counter", "Time that requests took.", of("ms")),
            ("functions_mean_milliseconds", "gauge", "Mean time of the last minute.", [({}, round(self.pace.mean(), 3))]),
            ("functions_running", "gauge", "Requests that run now.", [({}, self.pool.running)]),
            ("functions_waiting", "gauge", "Requests that wait now.", [({}, self.pool.waiting)]),
        ])


def timings(answer):
    found = answer.get("timing")
    return {name: float(found[name]) for name in ("load", "instantiate")
            if isinstance(found, dict) and isinstance(found.get(name), (int, float))}


def status_of(answer):
    status = answer.get("status")
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise Refused(502, "the function's status is no number from 200 to 599")
    return status


def headers_of(answer):
    """What a function says in headers, as far as it may: nothing that would change how the answer is framed."""
    found = answer.get("headers")
    if not isinstance(found, list) or len(found) > MAX_HEADERS:
        raise Refused(502, f"the function gave no list of at most {MAX_HEADERS} headers")
    headers = []
    for pair in found:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(word, str) for word in pair)
                and TOKEN.fullmatch(pair[0]) and VALUE.fullmatch(pair[1])):
            raise Refused(502, "the function gave a header that is none")
        if pair[0].lower() not in OWN_HEADERS:
            headers.append(tuple(pair))
    return headers


def environment(chosen):
    """The variables that functions see."""
    if not isinstance(chosen, dict) or len(chosen) > 100:
        give_up("environment must be an object of at most 100 names with their values")
    for name, value in chosen.items():
        if not VARIABLE.fullmatch(name) or not isinstance(value, (str, int, float)) or "\0" in str(value):
            give_up(f"environment: {name[:100]!r} must be of letters, digits and _, and its value a text or a number")
    return {name: str(value) for name, value in chosen.items()}


def main():
    # Python functions run as the same user: this keeps the password in this program's memory from them.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    functions = Functions()
    serve(int(os.environ.get("PORT", "8080")), functions.answer)


if __name__ == "__main__":
    main()
