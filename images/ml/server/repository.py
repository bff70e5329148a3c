"""The models on the volume, and those that are served.

    DATA/models/NAME/VERSION/model    one uploaded file; VERSION counts from 1
    DATA/models/NAME/current          which version is served
    DATA/incoming/…                   what is being uploaded or checked, or goes

A file becomes a version only after a process has loaded it; that very process then serves it. A kill at any point leaves the
version that was served before, or the new one.
"""

import hashlib
import os
import re
import secrets
import shutil
import threading
import time

from server.child import Broken, Child
from server.tensors import Wrong

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_MODELS = 16
KEPT_VERSIONS = 5
# Left free on the volume by an upload.
RESERVE = 4 << 20
CHUNK = 1 << 18


class Unknown(Exception):
    """There is no such model or version."""


class Full(Exception):
    """It does not fit."""


class Served:
    """One model: the version that is current, and its process while there is one."""

    def __init__(self, name):
        self.name = name
        self.version = None
        self.child = None
        self.reason = "it was not loaded yet"
        self.failures = 0
        self.next_try = 0.0

    def ready(self):
        """Whether it answers."""
        return self.child is not None and self.child.alive()


class Repository:
    """All models. `lock` is held for changes of what is served, never while a model is loaded or runs."""

    def __init__(self, data, framework, threads):
        self.models = os.path.join(data, "models")
        self.incoming = os.path.join(data, "incoming")
        self.framework, self.threads = framework, threads
        self.lock = threading.Lock()
        self.loading = threading.Lock()
        self.served = {}
        shutil.rmtree(self.incoming, ignore_errors=True)
        os.makedirs(self.incoming)
        os.makedirs(self.models, exist_ok=True)

    def seed(self, name, file):
        """Puts the example into a repository that has nothing yet."""
        if not os.listdir(self.models):
            with open(file, "rb") as source:
                self.put(name, iter(lambda: source.read(CHUNK), b""), os.path.getsize(file))

    def start(self):
        """Loads the current version of every model; which ones fail is told, and tried again when they are asked."""
        for name in sorted(os.listdir(self.models)):
            version = self._current(name)
            if version is None:
                continue
            served = self.served.setdefault(name, Served(name))
            if served.version is None:
                served.version = version
                self._revive(served)

    def all(self):
        """The models that are served, by name."""
        with self.lock:
            return [self.served[name] for name in sorted(self.served)]

    def find(self, name, version=None):
        """The model of that name, which must serve that version where one is given."""
        served = self.served.get(name)
        if served is None:
            raise Unknown(f"there is no model {name}; GET /v2/models lists them")
        if version is not None and version != served.version:
            raise Unknown(f"model {name} serves version {served.version}; POST /v2/repository/models/{name}/load serves another")
        return served

    def child(self, served):
        """The process of a model, which is started again when it has ended."""
        child = served.child
        if child is not None and child.alive():
            return child
        with self.lock:
            due = time.monotonic() >= served.next_try
            if due:
                served.next_try = time.monotonic() + min(60, 2 ** served.failures)
        if due:
            threading.Thread(target=self._revive, args=(served,), daemon=True).start()
        raise Broken(f"model {served.name} is not ready: {served.reason}")

    def put(self, name, pieces, size):
        """Takes a file of that size, piece by piece, as the next version of a model: stored, loaded as a check, then served."""
        if not NAME.fullmatch(name):
            raise Wrong("a model's name has letters, digits, '.', '_' and '-', and starts with a letter or digit; 64 at most")
        if name not in self.served and len(self.served) >= MAX_MODELS:
            raise Full(f"there are {MAX_MODELS} models; delete one first")
        free = shutil.disk_usage(self.incoming).free - RESERVE
        if size > free:
            raise Full(f"the file has {size} bytes, the plan's disk has {max(free, 0)} left; delete old versions first")
        folder = os.path.join(self.incoming, secrets.token_hex(8))
        os.mkdir(folder)
        try:
            digest = receive(pieces, size, os.path.join(folder, "model"))
            with self.loading:
                child = Child(self.framework, folder, self.threads)
                try:
                    return self._publish(name, folder, child), digest
                except BaseException:
                    child.stop()
                    raise
        except OSError as error:
            raise Full(f"the model could not be stored: {error.strerror}") from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def serve(self, name, version=None):
        """Serves a stored version, the newest when none is given."""
        known = self.versions(name)
        version = known[-1] if version is None and known else version
        if version not in known:
            raise Unknown(f"model {name} has no version {version}; it has {', '.join(map(str, known)) or 'none'}")
        with self.loading:
            child = Child(self.framework, os.path.join(self.models, name, str(version)), self.threads)
            self._switch(name, version, child)
        return version

    def remove(self, name):
        """Takes a model and all its versions away."""
        with self.loading:
            with self.lock:
                served = self.served.pop(name, None)
            folder = os.path.join(self.models, name)
            if served is None or not NAME.fullmatch(name) or not os.path.isdir(folder):
                raise Unknown(f"there is no model {name}; GET /v2/models lists them")
            gone = os.path.join(self.incoming, secrets.token_hex(8))
            os.rename(folder, gone)
        shutil.rmtree(gone, ignore_errors=True)
        if served.child is not None:
            served.child.retire(30)

    def replace(self, restored):
        """Takes the models of another folder in place of all there are."""
        with self.loading:
            with self.lock:
                gone, self.served = list(self.served.values()), {}
            old = os.path.join(self.incoming, secrets.token_hex(8))
            os.rename(self.models, old)
            os.rename(restored, self.models)
        shutil.rmtree(old, ignore_errors=True)
        for served in gone:
            if served.child is not None:
                served.child.stop()
        self.start()

    def stop(self):
        """Ends all processes."""
        for served in self.all():
            if served.child is not None:
                served.child.stop()

    def versions(self, name):
        """The stored versions of a model, oldest first."""
        try:
            found = os.listdir(os.path.join(self.models, name)) if NAME.fullmatch(name) else []
        except FileNotFoundError:
            found = []
        return sorted(int(entry) for entry in found if entry.isdigit())

    def _publish(self, name, folder, child):
        home = os.path.join(self.models, name)
        os.makedirs(home, exist_ok=True)
        version = max([*self.versions(name), 0]) + 1
        os.rename(folder, os.path.join(home, str(version)))
        self._switch(name, version, child)
        for old in self.versions(name)[:-KEPT_VERSIONS]:
            if old != version:
                shutil.rmtree(os.path.join(home, str(old)), ignore_errors=True)
        return version

    def _switch(self, name, version, child):
        half = os.path.join(self.models, name, "current.half")
        with open(half, "w", encoding="ascii") as file:
            file.write(str(version))
            file.flush()
            os.fsync(file.fileno())
        os.rename(half, os.path.join(self.models, name, "current"))
        with self.lock:
            served = self.served.setdefault(name, Served(name))
            old, served.child, served.version, served.failures = served.child, child, version, 0
        if old is not None:
            threading.Thread(target=old.retire, args=(60,), daemon=True).start()

    def _current(self, name):
        try:
            with open(os.path.join(self.models, name, "current"), encoding="ascii") as file:
                version = int(file.read(20))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            version = None
        known = self.versions(name)
        return version if version in known else (known[-1] if known else None)

    def _revive(self, served):
        with self.loading:
            version = served.version
            if served.ready() or self.served.get(served.name) is not served:
                return
            try:
                child = Child(self.framework, os.path.join(self.models, served.name, str(version)), self.threads)
            except Broken as error:
                served.reason = str(error)
                served.failures += 1
                print(f"model {served.name} version {version} could not be loaded: {error}", flush=True)
                return
            with self.lock:
                served.child, served.failures = child, 0
            served.reason = "its process has ended and is started again"


def receive(pieces, size, path):
    """Writes a stream of so many bytes to a file; gives their SHA-256."""
    digest, left = hashlib.sha256(), size
    with open(path, "wb") as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            left -= len(piece)
        file.flush()
        os.fsync(file.fileno())
    if left:
        raise Wrong(f"the file was announced with {size} bytes and came with {size - left}")
    return digest.hexdigest()
