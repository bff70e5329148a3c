"""A worker that runs WebAssembly modules, each request in an instance of its own; or, with two files, compiles one.

A module speaks CGI (RFC 3875) over WASI: the request is in the environment and on stdin, the answer goes to stdout.
"""

import os
import sys
import threading
import time

import wasmtime

import frames

MAX_CACHED = 32


def engine():
    config = wasmtime.Config()
    config.epoch_interruption = True
    return wasmtime.Engine(config)


def compile_module(source, target):
    """Compiles a module once, so that loading it later is mapping a file."""
    with open(source, "rb") as file:
        code = file.read()
    module = wasmtime.Module(engine(), code)
    for needed in module.imports:
        if needed.module != "wasi_snapshot_preview1":
            raise wasmtime.WasmtimeError(f"it imports {needed.module}.{needed.name}; only WASI preview 1 is there")
    start = [export for export in module.exports if export.name == "_start"]
    if not start or not isinstance(start[0].type, wasmtime.FuncType):
        raise wasmtime.WasmtimeError("it exports no function _start: build a command, not a library")
    with open(target, "wb") as file:
        file.write(module.serialize())


class Runner:
    def __init__(self):
        self.engine = engine()
        self.linker = wasmtime.Linker(self.engine)
        self.linker.define_wasi()
        self.modules = {}

    def load(self, path):
        if path not in self.modules:
            if len(self.modules) >= MAX_CACHED:
                self.modules.pop(next(iter(self.modules)))
            # Linked once; an instance of it is made for each request.
            self.modules[path] = wasmtime.Module.deserialize_file(self.engine, path)
        return self.modules[path]

    def run(self, head, body):
        """What the module wrote, and the milliseconds that loading and making the instance took."""
        began = time.perf_counter()
        module = self.load(head["module"])
        loaded = time.perf_counter()
        written = bytearray()

        def take(piece):
            if len(written) + len(piece) > frames.MAX_BODY:
                raise OSError("the answer is too long")
            written.extend(piece)

        store = wasmtime.Store(self.engine)
        store.set_limits(memory_size=head["memory"], instances=10, tables=10, memories=1, table_elements=100_000)
        store.set_epoch_deadline(1)
        stdin = os.memfd_create("request")
        try:
            os.write(stdin, body)
            wasi = wasmtime.WasiConfig()
            wasi.argv = [head["name"]]
            wasi.env = list({**head["environment"], **frames.environ(head, len(body))}.items())
            wasi.stdin_file = f"/proc/self/fd/{stdin}"
            wasi.stdout_custom = take
            wasi.stderr_custom = lambda piece: sys.stderr.buffer.write(piece) and None
            store.set_wasi(wasi)
            instance = self.linker.instantiate(store, module)
            made = time.perf_counter()
            self.call(instance.exports(store)["_start"], store, head["limit"])
        finally:
            os.close(stdin)
            store.close()
        timing = {"load": (loaded - began) * 1000, "instantiate": (made - loaded) * 1000}
        return bytes(written), timing

    def call(self, start, store, limit):
        timer = threading.Timer(limit, self.engine.increment_epoch)
        timer.start()
        try:
            start(store)
        except wasmtime.ExitTrap as ended:
            if ended.code != 0:
                raise
        finally:
            timer.cancel()


def answer(written):
    """A CGI answer: header lines, an empty line, the body."""
    for gap in (b"\r\n\r\n", b"\n\n"):
        top, found, body = written.partition(gap)
        if found and b":" in top.split(b"\n", 1)[0]:
            break
    else:
        raise ValueError("the answer must begin with headers and an empty line, such as Content-Type: text/plain")
    status, headers = 200, []
    for line in top.decode("latin-1").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "status":
            status = int(value.split()[0])
        else:
            headers.append([name.strip(), value.strip()])
    return {"status": status, "headers": headers}, body


def main():
    if len(sys.argv) == 3:
        try:
            compile_module(sys.argv[1], sys.argv[2])
        except wasmtime.WasmtimeError as error:
            sys.exit(str(error)[:2000])
        return
    runner, output = Runner(), sys.stdout.buffer
    frames.write(output, {"ready": True})
    while (request := frames.read(sys.stdin.buffer)) is not None:
        try:
            written, timing = runner.run(*request)
            head, body = answer(written)
            frames.write(output, {**head, "timing": timing}, body)
        except (wasmtime.WasmtimeError, wasmtime.Trap, wasmtime.ExitTrap, ValueError, IndexError) as error:
            sys.stderr.write(f"{error}\n")
            late = getattr(error, "trap_code", None) == wasmtime.TrapCode.INTERRUPT
            words = "it ran longer than it may" if late else str(error).strip().rpartition("\n")[2].strip()
            frames.write(output, {"error": words[:500], "late": late})
        sys.stderr.flush()


if __name__ == "__main__":
    main()
