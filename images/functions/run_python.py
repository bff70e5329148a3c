"""A worker for one Python function: a module with a WSGI `application` (PEP 3333). One request at a time."""

import importlib.util
import io
import os
import sys
import time
from wsgiref.handlers import SimpleHandler

import frames


class Handler(SimpleHandler):
    """Keeps the status and the headers apart from the body."""

    wsgi_run_once, wsgi_multiprocess, wsgi_multithread = False, True, False

    failed, said = None, None

    def send_headers(self):
        self.headers_sent = True
        headers = [[name, value] for name, value in self.headers.items()]
        self.said = {"status": int(self.status.split()[0]), "headers": headers}

    def log_exception(self, exc_info):
        self.failed = exc_info[1]
        super().log_exception(exc_info)


def load(path):
    spec = importlib.util.spec_from_file_location("function", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["function"] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, "application", None)):
        raise TypeError("it has no function `application(environ, start_response)`")
    return module.application


def run(application, head, body):
    output = io.BytesIO()
    handler = Handler(io.BytesIO(body), output, sys.stderr, frames.environ(head, len(body)))
    handler.run(application)
    if handler.failed is not None:
        return {"error": f"{type(handler.failed).__name__}: {handler.failed}"[:500]}, b""
    return handler.said, output.getvalue()


def has_children():
    """Whether the function left processes running."""
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                if file.read().strip():
                    return True
        except OSError:
            pass
    return False


def main():
    # What the function prints is its log; frames go by a descriptor that it does not know.
    frames_out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    began = time.perf_counter()
    try:
        application = load(sys.argv[1])
    except BaseException as error:
        frames.write(frames_out, {"error": f"{type(error).__name__}: {error}"[:2000]})
        return
    timing = {"load": (time.perf_counter() - began) * 1000}
    frames.write(frames_out, {"ready": True})
    while (request := frames.read(sys.stdin.buffer)) is not None:
        head, body = run(application, *request)
        sys.stdout.flush()
        sys.stderr.flush()
        frames.write(frames_out, {**head, "timing": timing, "last": has_children()}, body)
        timing = {}


if __name__ == "__main__":
    main()
