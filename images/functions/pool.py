"""Workers: processes that run functions, each one request at a time. They are kept for a while, in bounded number."""

import os
import selectors
import signal
import subprocess
import threading
import time

import frames

HERE = os.path.dirname(os.path.abspath(__file__))
START_TIME, IDLE_TIME, MAX_REQUESTS, MAX_OUTPUT = 10, 300, 1000, 16 << 10
WASM = ("wasm",)
# The kernel ends a worker rather than the server when the memory is used up; a crash leaves no core.
LIMITED = ["sh", "-c", 'echo 900 >/proc/self/oom_score_adj; ulimit -c 0; exec "$@"', "sh"]


class Failed(Exception):
    """A run that ended without an answer: what the caller is told, and by which status."""

    def __init__(self, status, message, output=""):
        super().__init__(message)
        self.status, self.message, self.output = status, message, output


class Worker:
    """A process that answers frames. `key` says what it can run."""

    def __init__(self, key, argv, environment):
        self.key, self.served, self.idle_since, self._input = key, 0, time.monotonic(), bytearray()
        base = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "DENO_DIR": "/tmp/deno",
                "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            LIMITED + argv, env={**environment, **base}, start_new_session=True, bufsize=0, cwd="/tmp",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            os.set_blocking(stream.fileno(), False)

    def start(self, limit=START_TIME):
        """Waits until it is ready; `Failed` says why it is not."""
        head, _, output = self._exchange(b"", limit)
        if head.get("ready") is not True:
            self.kill()
            raise Failed(422, str(head.get("error", "it said nothing"))[:1000], output)

    def ask(self, head, body, limit):
        """One request: the answer's head and body, and what the function wrote meanwhile."""
        self.served += 1
        return self._exchange(frames.frame(head, body), limit)

    def _exchange(self, data, limit):
        until, output, left = time.monotonic() + limit, bytearray(), memoryview(data)
        stdin, stdout, stderr = (getattr(self.process, name) for name in ("stdin", "stdout", "stderr"))
        with selectors.DefaultSelector() as selector:
            for stream in (stdout, stderr):
                selector.register(stream, selectors.EVENT_READ)
            if left:
                selector.register(stdin, selectors.EVENT_WRITE)
            while True:
                events = selector.select(max(0, until - time.monotonic()))
                if not events:
                    self._end(504, f"it ran longer than {limit:g} s", output)
                for key, _ in events:
                    if key.fileobj is stdin:
                        left = self._send(selector, stdin, left, output)
                    elif key.fileobj is stderr:
                        self._note(selector, stderr, output)
                    elif (answer := self._receive(stdout, output)) is not None:
                        self._note(selector, stderr, output)
                        return *answer, output.decode("utf-8", "replace")

    def _send(self, selector, stdin, left, output):
        try:
            left = left[stdin.write(left) or 0:]
        except BrokenPipeError:
            self._end(502, "it ended before it had read the request", output)
        if not left:
            selector.unregister(stdin)
        return left

    def _note(self, selector, stderr, output):
        """Keeps what the function writes, up to a bound; the rest is read and dropped."""
        piece = stderr.read(64 << 10)
        if piece == b"":
            selector.unregister(stderr)
        output.extend((piece or b"")[:MAX_OUTPUT - len(output)])

    def _receive(self, stdout, output):
        piece = stdout.read(256 << 10)
        if piece == b"":
            self._end(502, "it ended without an answer", output)
        self._input.extend(piece or b"")
        try:
            return frames.take(self._input)
        except (ValueError, RecursionError):
            self._end(502, "it wrote something else than an answer to its standard output", output)

    def _end(self, status, message, output):
        self.kill()
        rest = self.process.stderr.read(MAX_OUTPUT) or b""
        output.extend(rest[:MAX_OUTPUT - len(output)])
        raise Failed(status, message, output.decode("utf-8", "replace"))

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        """Ends it with all that it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


class Pool:
    """Bounds how many requests run and how many wait; keeps idle workers, one for WebAssembly always."""

    def __init__(self, concurrency, queue, environment, memory_mb):
        self.concurrency, self.queue, self.environment, self.memory_mb = concurrency, queue, environment, memory_mb
        self.waiting, self.running, self._idle = 0, 0, []
        self._free, self._short_of_wasm = threading.Condition(), threading.Event()
        self._short_of_wasm.set()
        threading.Thread(target=self._keep, daemon=True).start()

    def argv(self, key):
        kind, *path = key
        if kind == "javascript":
            return ["deno", "run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--no-npm", "--no-remote",
                    f"--v8-flags=--max-old-space-size={self.memory_mb}", path[0]]
        if kind == "python":
            limit = 'ulimit -v "$1"; shift; exec "$@"'
            return ["sh", "-c", limit, "sh", str((self.memory_mb + 64) << 10), "python3", f"{HERE}/run_python.py", *path]
        return ["python3", f"{HERE}/run_wasm.py"]

    def enter(self, patience):
        """Waits for a place among those that run."""
        with self._free:
            if self.running >= self.concurrency:
                if self.waiting >= self.queue:
                    raise Failed(503, f"{self.running} requests run and {self.waiting} wait, which is the most")
                self.waiting += 1
                found = self._free.wait_for(lambda: self.running < self.concurrency, patience)
                self.waiting -= 1
                if not found:
                    raise Failed(503, f"no place was free for {patience:g} s")
            self.running += 1

    def leave(self):
        with self._free:
            self.running -= 1
            self._free.notify()

    def worker(self, key):
        """An idle worker, or a new one and the milliseconds that its start took."""
        with self._free:
            found = next((one for one in reversed(self._idle) if one.key == key), None)
            if found:
                self._idle.remove(found)
            beyond = [] if found else self._beyond(self.concurrency - self.running)
        if key == WASM:
            self._short_of_wasm.set()
        for old in beyond:
            old.kill()
        if found and found.alive():
            return found, 0.0
        began = time.perf_counter()
        worker = Worker(key, self.argv(key), self.environment if key[0] == "python" else {})
        worker.start()
        return worker, (time.perf_counter() - began) * 1000

    def _beyond(self, most):
        """Takes the idle workers out that are more than `most`, the oldest first, but never the spare one."""
        spare = next((one for one in reversed(self._idle) if one.key == WASM), None)
        others = [one for one in self._idle if one is not spare]
        gone = others[:max(0, len(others) - max(0, most))]
        self._idle = [one for one in self._idle if one not in gone]
        return gone

    def give_back(self, worker):
        if not worker.alive() or worker.served >= MAX_REQUESTS:
            worker.kill()
            return
        worker.idle_since = time.monotonic()
        with self._free:
            self._idle.append(worker)
            beyond = self._beyond(self.concurrency)
        for old in beyond:
            old.kill()

    def forget(self, name):
        """Ends the idle workers of a function that is gone."""
        with self._free:
            gone = [one for one in self._idle if len(one.key) > 1 and f"/sources/{name}/" in one.key[1]]
            self._idle = [one for one in self._idle if one not in gone]
        for one in gone:
            one.kill()

    def _keep(self):
        """Ends what nobody used for long, and has a worker for WebAssembly ready before it is asked for."""
        while True:
            short = self._short_of_wasm.wait(timeout=5)
            self._short_of_wasm.clear()
            now = time.monotonic()
            with self._free:
                old = [one for one in self._idle if now - one.idle_since > IDLE_TIME and one.key != WASM]
                self._idle = [one for one in self._idle if one not in old]
                short = short and not any(one.key == WASM for one in self._idle)
            for one in old:
                one.kill()
            if short:
                self._prepare()

    def _prepare(self):
        try:
            spare = Worker(WASM, self.argv(WASM), {})
            spare.start()
            self.give_back(spare)
        except (Failed, OSError) as error:
            print(f"no worker could be made ready: {error}", flush=True)
