"""HTTP: the Open Inference Protocol, the repository of models, health and figures.

Errors are `{"error": "…"}` as the protocol has them. Everything needs `Authorization: Bearer …` but the questions whether the
server lives and is ready.
"""

import json
import re
import threading
import time

from serving import Refused, Response, figures

from server import tensors
from server.child import Broken, Busy
from server.frames import Late
from server.repository import Full, Unknown

# A whole request to run a model; JSON takes about ten times its size in memory while it is read.
MAX_BODY = 16 << 20
MAX_CONTROL_BODY = 64 << 10
MAX_MODEL = 16 << 30
UPLOAD_SECONDS = 3600
# Requests whose bodies are in memory at once.
MAX_AT_ONCE = 8
STATUS = {tensors.Wrong: 400, Unknown: 404, Broken: 503, Busy: 503, Late: 504, Full: 507}

MODEL = r"/v2/models/(?P<name>[^/]{1,200})(?:/versions/(?P<version>[0-9]{1,9}))?"
STORED = r"/v2/repository/models/(?P<name>[^/]{1,200})"
ROUTES = [
    ("GET", r"/-/health", "serving"),
    ("GET", r"/v2/health/live", "live"),
    ("GET", r"/v2/health/ready", "ready"),
    ("GET", r"/v2/?", "server"),
    ("GET", r"/v2/models", "models"),
    ("GET", MODEL, "model"),
    ("GET", MODEL + r"/ready", "model_ready"),
    ("POST", MODEL + r"/infer", "infer"),
    ("POST", r"/v2/repository/index", "index"),
    ("PUT", STORED, "upload"),
    ("DELETE", STORED, "remove"),
    ("POST", STORED + r"/load", "load"),
    ("GET", r"(?:/-)?/metrics", "metrics"),
]
ROUTES = [(method, re.compile(path), name) for method, path, name in ROUTES]
OPEN = {"live", "ready", "serving"}


class Api:
    """Answers requests. `ready` is set once all models were loaded, or could not be."""

    def __init__(self, repository, counts, key, seconds):
        self.repository, self.counts = repository, counts
        self.key, self.seconds = key, seconds
        self.ready = False
        self.bodies = threading.BoundedSemaphore(MAX_AT_ONCE)

    def __call__(self, request):
        """Answers one request."""
        if request.path == self.key.ADDRESS:
            return self.key.change(request)
        began = time.monotonic()
        try:
            name, values = self._route(request)
            response = getattr(self, f"on_{name}")(request, **values)
        except Refused as refused:
            response = refusal(refused.status, refused.message, refused.headers)
        except tuple(STATUS) as error:
            status = STATUS[type(error)]
            response = refusal(status, str(error), [("Retry-After", "1")] if status == 503 else [])
        seconds = time.monotonic() - began
        if request.path.endswith("/infer") and response.status != 401:
            self.counts.ran(seconds, response.status >= 400)
        if request.path != "/-/health":
            print(f"{request.method} {request.target[:200]} {response.status} {1000 * seconds:.1f} ms", flush=True)
        return response

    def on_serving(self, _):
        """This server takes requests and uploads."""
        return Response(204 if self.ready else 503)

    def on_live(self, _):
        """The server runs."""
        return Response.json({"live": True})

    def on_ready(self, _):
        """Every model answers."""
        ready = self.ready and all(model.ready() for model in self.repository.all())
        return Response.json({"ready": ready}, 200 if ready else 503)

    def on_server(self, _):
        """What this is."""
        extensions = ["binary_tensor_data", "model_repository"]
        return Response.json({"name": "fondaco", "version": "1", "extensions": extensions})

    def on_models(self, _):
        """The models that are served."""
        return Response.json({"models": self._states()})

    def on_index(self, request):
        """The same, as the extension for repositories has it."""
        request.body(MAX_CONTROL_BODY)
        return Response.json(self._states())

    def on_model(self, _, name, version):
        """A model's inputs and outputs."""
        served = self.repository.find(name, version and int(version))
        about = self.repository.child(served).about
        versions = [str(known) for known in self.repository.versions(name)]
        return Response.json({"name": name, "versions": versions, **about})

    def on_model_ready(self, _, name, version):
        """Whether a model answers."""
        ready = self.repository.find(name, version and int(version)).ready()
        return Response.json({"name": name, "ready": ready}, 200 if ready else 503)

    def on_infer(self, request, name, version):
        """Runs a model."""
        served = self.repository.find(name, version and int(version))
        if not self.bodies.acquire(timeout=self.seconds):
            raise Busy("too many requests at once; try again")
        try:
            asked = tensors.read(request.body(MAX_BODY), head_length(request))
            child = self.repository.child(served)
            outputs = child.run(asked, self.seconds)
            body, length = tensors.write(asked, name, served.version, outputs)
        finally:
            self.bodies.release()
        if length is None:
            return Response(200, body, [("Content-Type", "application/json")])
        kind = ("Content-Type", "application/octet-stream")
        return Response(200, body, [kind, ("Inference-Header-Content-Length", str(length))])

    def on_upload(self, request, name):
        """Takes a file as the next version of a model."""
        if request.length == 0:
            raise Refused(400, "the body must be the model's file, with its Content-Length")
        pieces = request.pieces(MAX_MODEL, UPLOAD_SECONDS)
        try:
            version, digest = self.repository.put(name, pieces, request.length)
        except Broken as error:
            before = "what was served before still is" if name in self.repository.served else "nothing has changed"
            raise Refused(422, f"the file was not taken, {before}: {error}") from None
        print(f"model {name} version {version} is served (SHA-256 {digest})", flush=True)
        return Response.json({"name": name, "version": str(version), "sha256": digest, "bytes": request.length}, 201)

    def on_load(self, request, name):
        """Serves an older version, or the newest again."""
        said = request.json(MAX_CONTROL_BODY) if request.length else {}
        parameters = said.get("parameters", {}) if isinstance(said, dict) else None
        version = parameters.get("version") if isinstance(parameters, dict) else None
        if parameters is None or version is not None and not re.fullmatch(r"[0-9]{1,9}", str(version)):
            raise Refused(400, 'the body must be empty or {"parameters": {"version": "1"}}')
        try:
            served = self.repository.serve(name, version and int(version))
        except Broken as error:
            raise Refused(422, f"that version was not taken, what was served before still is: {error}") from None
        return Response.json({"name": name, "version": str(served)})

    def on_remove(self, _, name):
        """Takes a model away."""
        self.repository.remove(name)
        return Response(204)

    def on_metrics(self, _):
        """Figures for Prometheus."""
        return figures(self.counts.values(self.repository.all()))

    def _route(self, request):
        others = []
        for method, pattern, name in ROUTES:
            found = pattern.fullmatch(request.path)
            if found and method == ("GET" if request.method == "HEAD" else request.method):
                if name not in OPEN:
                    request.needs(self.key)
                return name, found.groupdict()
            others += [method] if found else []
        request.needs(self.key)
        if others:
            allowed = ", ".join(sorted(set(others)))
            raise Refused(405, f"this address takes {allowed}", [("Allow", allowed)])
        raise Refused(404, f"there is nothing at {request.path[:200]}")

    def _states(self):
        states = []
        for served in self.repository.all():
            state = {"name": served.name, "version": str(served.version), "state": "READY"}
            if not served.ready():
                state |= {"state": "UNAVAILABLE", "reason": served.reason}
            states.append(state)
        return states


def refusal(status, text, headers=()):
    """An answer that is an error."""
    return Response(status, json.dumps({"error": text}, ensure_ascii=False).encode(), [("Content-Type", "application/json"), *headers])


def head_length(request):
    """How long the JSON part of a body with binary data is; none: it is all JSON."""
    said = request.headers.get("Inference-Header-Content-Length")
    if said is not None and not re.fullmatch(r"[0-9]{1,9}", said):
        raise Refused(400, "Inference-Header-Content-Length must be a number")
    return None if said is None else int(said)
