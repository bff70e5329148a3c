"""Starts the storage's programs and ends with the first of them that ends; tidies up from time to time.

    run.py             starts everything
    run.py new-key     reads the old secret key and the new one, a line each; the new one holds at once
"""

import os
import signal
import socket
import subprocess
import sys
import time

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


def program(name, kind, *options):
    return subprocess.Popen([f"swift-{name}", f"/etc/swift/{kind}-server.conf", *options, "-v"])


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
    running = [program(f"{kind}-server", kind) for kind in PORTS]
    for port in PORTS.values():
        await_port(port, time.monotonic() + 30)
    running.append(program("proxy-server", "proxy"))
    due = {name: time.monotonic() + every for every, name, _ in CHORES}
    chores = []
    while not stopped and all(one.poll() is None for one in running):
        time.sleep(0.2)
        chores = [one for one in chores if one.poll() is None]
        now = time.monotonic()
        for every, name, kind in CHORES:
            if now >= due[name] and not chores:
                due[name] = now + every
                chores.append(program(name, kind, "once"))
    for one in running + chores:
        one.terminate()
    for one in running + chores:
        one.wait()
    if not stopped:
        sys.exit("a part of the storage ended, so all of it does")


if __name__ == "__main__":
    main()
