"""Runs jobs: within their time, as often as they may, in bounded number."""

import http.client
import os
import selectors
import signal
import subprocess
import threading
import time
from urllib.parse import urlsplit

MAX_OUTPUT, MAX_AT_ONCE, MAX_WAITING, GRACE = 64 << 10, 8, 100, 5


class Output:
    """What a run writes: all of it goes to the log by line, the last of it is kept."""

    def __init__(self, label):
        self.label, self.kept, self._line = label, bytearray(), bytearray()

    def add(self, piece):
        self.kept.extend(piece)
        del self.kept[:-MAX_OUTPUT]
        self._line.extend(piece)
        *lines, rest = self._line.split(b"\n")
        if len(rest) > 4000:
            lines, rest = [*lines, rest], b""
        self._line = bytearray(rest)
        for line in lines:
            print(f"[{self.label}] {line.decode('utf-8', 'replace')}", flush=True)

    def note(self, text):
        self.end_line()
        self.add(text.encode() + b"\n")

    def end_line(self):
        if self._line:
            self.add(b"\n")

    def text(self):
        return self.kept.decode("utf-8", "replace")


class Run:
    """One run of a job, with its attempts."""

    def __init__(self, job, number):
        self.job, self.number, self.attempts, self.code = job, number, 0, None
        self.cancelled, self.output = threading.Event(), Output(f"{job.name} #{number}")
        self.why = ""

    def cancel(self, why):
        self.why = why
        self.cancelled.set()

    def go(self):
        """Tries until it succeeds, there are no retries left, or it is cancelled; the state in which it ends."""
        while True:
            self.attempts += 1
            state = self.request() if self.job.url else self.command()
            if self.cancelled.is_set():
                return self.why
            if state == "succeeded" or self.attempts > self.job.retries:
                return state
            pause = min(60, 2 ** (self.attempts - 1))
            self.output.note(f"attempt {self.attempts} {state}; the next comes in {pause} s")
            if self.cancelled.wait(pause):
                return self.why

    def command(self):
        environment = {**self.job.environment, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/data/work",
                       "LANG": "C.UTF-8", "JOB_NAME": self.job.name, "RUN_NUMBER": str(self.number),
                       "ATTEMPT": str(self.attempts)}
        # A job that takes all the memory is ended by the kernel before this program is.
        limited = "echo 900 >/proc/self/oom_score_adj; ulimit -c 0; exec bash -c \"$1\""
        process = subprocess.Popen(["bash", "-c", limited, "job", self.job.command], env=environment, cwd="/data/work",
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True, bufsize=0)
        late = self._follow(process, time.monotonic() + self.job.timeout)
        end_group(process)
        self.code = process.returncode
        self.output.end_line()
        if late and not self.cancelled.is_set():
            self.output.note(f"it was ended after {self.job.timeout} s")
            return "late"
        return "succeeded" if self.code == 0 else "failed"

    def _follow(self, process, until):
        """Reads what it writes until it ends; whether it had to be told to."""
        os.set_blocking(process.stdout.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if time.monotonic() > until or self.cancelled.is_set():
                    return True
                selector.select(0.2)
                piece = process.stdout.read(64 << 10)
                if piece:
                    self.output.add(piece)
                # What it left running may hold the pipe open: the run ends with the command itself.
                elif piece == b"" or process.poll() is not None:
                    return False if wait(process, until, self.cancelled) else True

    def request(self):
        parts = urlsplit(self.job.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"User-Agent": "cron-jobs", "X-Job": self.job.name, "X-Run": str(self.number)}
        connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=self.job.timeout)
        # The time-out of a connection is for each read; this one is for all of it.
        timer = threading.Timer(self.job.timeout, lambda: connection.sock and connection.sock.shutdown(2))
        timer.start()
        try:
            connection.request(self.job.method, target, headers=headers)
            response = connection.getresponse()
            self.code = response.status
            self.output.note(f"{self.job.method} {self.job.url} {response.status}")
            self.output.add(response.read(MAX_OUTPUT))
            self.output.end_line()
            return "succeeded" if response.status < 400 else "failed"
        except (OSError, http.client.HTTPException) as error:
            late = not timer.is_alive() or isinstance(error, TimeoutError)
            self.output.note(f"{self.job.url} did not answer: {error}" if not late
                             else f"{self.job.url} did not answer within {self.job.timeout} s")
            return "late" if late else "failed"
        finally:
            timer.cancel()
            connection.close()


def wait(process, until, cancelled):
    while process.poll() is None:
        if time.monotonic() > until or cancelled.wait(0.02):
            return False
    return True


def end_group(process):
    """Ends a command with all that it started: gently first."""
    if process.poll() is None:
        signal_group(process, signal.SIGTERM)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            pass
    signal_group(process, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


class Runner:
    """Starts runs, each in a thread; at most `MAX_AT_ONCE`, the others wait in order."""

    def __init__(self, history, pace):
        self.history, self.pace = history, pace
        self.lock, self.running, self.waiting = threading.Lock(), {}, []
        self.counts = {"runs": 0, "failures": 0, "skipped": 0}

    def plan(self, job, at, why):
        """Decides what becomes of a job whose time has come; the number of the run."""
        with self.lock:
            same = [run for run in [*self.running.values(), *self.waiting] if run.job.name == job.name]
            full = len(self.waiting) >= MAX_WAITING
            if full or (same and job.concurrency == "forbid"):
                self.counts["skipped"] += 1
                print(f"[{job.name}] skipped: " + ("too many wait" if full else "the run before has not ended"), flush=True)
                return self.history.planned(job.name, at, why, "skipped")
            if job.concurrency == "replace":
                for run in same:
                    run.cancel("replaced")
            run = Run(job, self.history.planned(job.name, at, why, "waiting"))
            self.waiting.append(run)
        self._start()
        return run.number

    def _start(self):
        with self.lock:
            while self.waiting and len(self.running) < MAX_AT_ONCE:
                run = self.waiting.pop(0)
                self.running[run.number] = run
                threading.Thread(target=self._run, args=(run,), daemon=True).start()

    def _run(self, run):
        began, state = time.monotonic(), "failed"
        self.history.started(run.number)
        try:
            state = run.go()
        except Exception as error:
            run.output.note(f"it could not be run: {error}")
        ms = (time.monotonic() - began) * 1000
        print(f"[{run.output.label}] {state} after {ms / 1000:.2f} s", flush=True)
        self.history.ended(run.number, state, run.attempts, run.code, run.output.text())
        self.pace.add(ms)
        with self.lock:
            del self.running[run.number]
            self.counts["runs"] += 1
            self.counts["failures"] += state in ("failed", "late")
        self._start()

    def stop(self):
        """Ends what runs, for the end of the program."""
        with self.lock:
            self.waiting.clear()
            for run in self.running.values():
                run.cancel("interrupted")
        until = time.monotonic() + GRACE + 1
        while self.running and time.monotonic() < until:
            time.sleep(0.05)
