"""Starts the storage's programs and ends with the first of them that ends; tidies up from time to time.

    run.py             starts everything
    run.py new-key     reads the old secret key and the new one, a line each; the new one holds at once
"""

import gc
import os
import signal
import socket
import subprocess
import sys
import time

# What all of the servers need is loaded here, once.
import pkg_resources  # noqa: F401
import swift.account.server  # noqa: F401
import swift.common.middleware.s3api.s3api  # noqa: F401
import swift.common.middleware.versioned_writes  # noqa: F401
import swift.container.server  # noqa: F401
import swift.obj.server
import swift.proxy.server  # noqa: F401
from swift.common.wsgi import run_wsgi

import gate
import serving

PORTS = {"account": 6202, "container": 6201, "object": 6200}
MINUTE = 60
# What swift's own programs do now and then, and every how many seconds: sums for the account, updates that came to
# nothing while something was busy, what is left of deleted things.
CHORES = [
    (2 * MINUTE, "container-updater", "container"), (5 * MINUTE, "object-updater", "object"),
    (360 * MINUTE, "object-replicator", "object"), (360 * MINUTE, "container-replicator", "container"),
    (360 * MINUTE, "account-replicator", "account"),
]


def write_key(secret):
    new = f"{gate.KEY_FILE}.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(secret)
    os.replace(new, gate.KEY_FILE)


def server(kind):
    """Forks a server off, so that what all of them need is loaded and kept in memory once; its number."""
    number = os.fork()
    if number:
        return number
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    more = {"global_conf_callback": swift.obj.server.global_conf_callback} if kind == "object" else {}
    try:
        os._exit(run_wsgi(f"/etc/swift/{kind}-server.conf", f"{kind}-server", verbose=True, **more) or 0)
    finally:
        os._exit(1)


def chore(name, kind):
    return subprocess.Popen([f"swift-{name}", f"/etc/swift/{kind}-server.conf", "once", "-v"])


def has_ended(number):
    return os.waitpid(number, os.WNOHANG)[0] == number


def await_port(port, until):
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"what listens on port {port} did not start")


def main():
    if sys.argv[1:] == ["new-key"]:
        sys.stdin.readline()
        write_key(sys.stdin.readline().strip())
        return
    write_key(serving.Key().password)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    gc.freeze()  # what is shared with the servers stays shared
    running = [server(kind) for kind in PORTS]
    for port in PORTS.values():
        await_port(port, time.monotonic() + 30)
    running.append(server("proxy"))
    due, now_and_then = {name: time.monotonic() + every for every, name, _ in CHORES}, None
    while not stopped and not any(has_ended(one) for one in running):
        time.sleep(0.2)
        for every, name, kind in CHORES:
            if time.monotonic() >= due[name] and (now_and_then is None or now_and_then.poll() is not None):
                due[name], now_and_then = time.monotonic() + every, chore(name, kind)
    for one in running:
        os.kill(one, signal.SIGTERM)
    if not stopped:
        sys.exit("a part of the storage ended, so all of it does")
    for one in running:
        os.waitpid(one, 0)


if __name__ == "__main__":
    main()
