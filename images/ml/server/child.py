"""The server's side of a process that runs a model."""

import os
import subprocess
import sys
import threading
import time

from server.frames import Gone, Late, Pipe
from server.tensors import Tensor, Wrong

LOAD_SECONDS = 180
FRAMEWORKS = "/opt/frameworks"


class Broken(Exception):
    """The model cannot be used; the text says why, in its framework's own words where it has any."""


class Busy(Exception):
    """Other requests come first, and did not end in time."""


class Child:
    """A model that is loaded, in a process of its own. It runs one request at a time."""

    def __init__(self, framework, folder, threads):
        self.turn = threading.Lock()
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.path.join(FRAMEWORKS, framework),
            "THREADS": str(threads),
            "OMP_NUM_THREADS": str(threads),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "TF_ENABLE_ONEDNN_OPTS": "0",
            "MALLOC_ARENA_MAX": "2",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server.worker", framework, folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=os.path.dirname(os.path.dirname(__file__)),
        )
        self.pipe = Pipe(self.process.stdout.fileno(), self.process.stdin.fileno())
        try:
            said = self.pipe.head(time.monotonic() + LOAD_SECONDS)
        except Gone:
            raise Broken(f"loading the model {self._how_it_ended()}") from None
        except Late:
            self.stop()
            raise Broken(f"loading the model took longer than {LOAD_SECONDS} s") from None
        if "error" in said:
            self.stop()
            raise Broken(said["error"])
        self.about = said["ready"]

    def alive(self):
        """Whether it can still be asked."""
        return self.process.poll() is None

    def run(self, asked, seconds):
        """Runs the model; the whole, waiting included, takes at most so many seconds."""
        deadline = time.monotonic() + seconds
        if not self.turn.acquire(timeout=seconds):
            raise Busy(f"the model had no time for this request within {seconds} s; send fewer at once or choose a larger plan")
        try:
            head = {"inputs": [tensor.about() for tensor in asked.inputs], "outputs": list(asked.outputs)}
            self.pipe.send(head, [tensor.data for tensor in asked.inputs], deadline)
            said = self.pipe.head(deadline)
            if "error" in said:
                raise Wrong(said["error"])
            return [self._tensor(about, deadline) for about in said["outputs"]]
        except Gone:
            raise Broken(f"the model's process {self._how_it_ended()}; it is started again") from None
        except Late:
            # It cannot be interrupted otherwise, and what it says later would answer the next request.
            self.stop()
            raise Late(f"the model gave no answer within {seconds} s; it is started again") from None
        finally:
            self.turn.release()

    def stop(self):
        """Ends it."""
        self.process.kill()
        self.process.wait()

    def retire(self, seconds):
        """Ends it when the request that it works on is done."""
        done = self.turn.acquire(timeout=seconds)
        self.stop()
        if done:
            self.turn.release()

    def _tensor(self, about, deadline):
        return Tensor(about["name"], about["datatype"], about["shape"], self.pipe.exactly(about["bytes"], deadline))

    def _how_it_ended(self):
        try:
            code = self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.stop()
            return "closed its output"
        if code == -9:
            return "was killed, most likely because the plan has too little memory for it"
        return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
