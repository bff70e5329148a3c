"""Taking sources in: what they are, how large they may be, and whether they can run."""

import hashlib
import os
import subprocess

import pool
from serving import Refused

MAX_SOURCE, COMPILE_TIME = 32 << 20, 60
KINDS = {
    "application/wasm": ("wasm", "function.wasm"), "text/wat": ("wasm", "function.wasm"),
    "text/javascript": ("javascript", "function.js"), "application/javascript": ("javascript", "function.js"),
    "text/typescript": ("javascript", "function.ts"), "application/typescript": ("javascript", "function.ts"),
    "text/x-python": ("python", "function.py"), "application/x-python": ("python", "function.py"),
}
MAIN = """import run from "file://{here}/run_javascript.js";
import * as uploaded from "./{file}";
await run(uploaded);
"""


def kind(request):
    name = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if name not in KINDS:
        raise Refused(415, "the Content-Type says what it is: " + ", ".join(KINDS))
    return KINDS[name]


def key(runtime, folder):
    """What tells which worker can run it: one for all WebAssembly, one of its own for everything else."""
    return pool.WASM if runtime == "wasm" else (
        runtime, f"{folder}/main.js" if runtime == "javascript" else f"{folder}/function.py")


def receive(request, path):
    """Writes the body to a file; its digest and size."""
    digest, size = hashlib.sha256(), 0
    with open(path, "wb") as file:
        for piece in request.pieces(MAX_SOURCE):
            digest.update(piece)
            file.write(piece)
            size += len(piece)
        file.flush()
        os.fsync(file.fileno())
    if not size:
        raise Refused(400, "the body is empty; send the source, such as by curl --upload-file")
    return digest.hexdigest(), size


def prove(workers, runtime, folder, file):
    """Compiles WebAssembly; starts a worker of the other kinds once, which stays for the first request."""
    if runtime == "wasm":
        compiled(f"{folder}/{file}", f"{folder}/function.cwasm")
        return
    if runtime == "javascript":
        with open(f"{folder}/main.js", "w", encoding="utf-8") as main:
            main.write(MAIN.format(here=pool.HERE, file=file))
    try:
        worker, _ = workers.worker(key(runtime, folder))
    except pool.Failed as failed:
        raise Refused(422, f"it does not start: {failed.message}\n{failed.output}"[:3000].strip()) from None
    workers.give_back(worker)


def compiled(source, target):
    """Compiles in a process of its own, whose time is bounded: sources are strangers' bytes."""
    argv = pool.LIMITED + ["python3", f"{pool.HERE}/run_wasm.py", source, target]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=COMPILE_TIME, check=False)
    except subprocess.TimeoutExpired:
        raise Refused(422, f"compiling it took longer than {COMPILE_TIME} s") from None
    if done.returncode < 0:
        raise Refused(422, "compiling it took more memory than the plan has")
    if done.returncode:
        raise Refused(422, f"it does not compile: {done.stderr.strip()[:2000]}")
