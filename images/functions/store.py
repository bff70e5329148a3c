"""What is kept: the functions, their versions, and their last runs. Sources are files, everything else is a database."""

import os
import shutil
import sqlite3
import threading
import time

KEPT_VERSIONS, KEPT_RUNS = 10, 100

SCHEMA = """
create table if not exists functions (
    name text primary key, current integer not null, newest integer not null);
create table if not exists versions (
    name text not null, version integer not null, runtime text not null, bytes integer not null,
    sha256 text not null, at real not null, primary key (name, version));
create table if not exists runs (
    id integer primary key, name text not null, version integer not null, at real not null, method text not null,
    path text not null, status integer not null, ms real not null, output text not null);
create index if not exists runs_of on runs (name, id);
"""


class Store:
    def __init__(self, folder):
        self.folder = folder
        self._lock = threading.Lock()
        self._db = sqlite3.connect(f"{folder}/functions.db", check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + SCHEMA)
        self._tidy()

    def _tidy(self):
        """Removes what uploads that were cut off left behind."""
        kept = {self.path(**row) for row in self._all("select name, version, sha256 from versions")}
        sources = f"{self.folder}/sources"
        os.makedirs(sources, exist_ok=True)
        for name in os.listdir(sources):
            for version in os.listdir(f"{sources}/{name}"):
                if f"{sources}/{name}/{version}" not in kept:
                    shutil.rmtree(f"{sources}/{name}/{version}", ignore_errors=True)

    def _all(self, sql, *values):
        with self._lock:
            return [dict(row) for row in self._db.execute(sql, values)]

    def path(self, name, version, sha256):
        """The folder of a version. Workers know it by that: another content is another folder, also after a deletion."""
        return f"{self.folder}/sources/{name}/{version}-{sha256[:16]}"

    def draft(self, name):
        """The folder of an upload whose content is not known yet, emptied."""
        path = f"{self.folder}/sources/{name}/draft"
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def names(self):
        return [row["name"] for row in self._all("select name from functions")]

    def functions(self):
        return self._all(
            "select f.name, f.current as version, v.runtime, v.bytes, v.at from functions f"
            " join versions v on v.name = f.name and v.version = f.current order by f.name")

    def function(self, name):
        found = self._all(
            "select f.name, f.current as version, v.runtime, v.bytes, v.sha256, v.at from functions f"
            " join versions v on v.name = f.name and v.version = f.current where f.name = ?", name)
        return found[0] if found else None

    def versions(self, name):
        return self._all(
            "select version, runtime, bytes, sha256, at from versions where name = ? order by version desc", name)

    def runs(self, name, most):
        return self._all(
            "select version, at, method, path, status, ms, output from runs where name = ? order by id desc limit ?",
            name, most)

    def next_version(self, name):
        found = self._all("select newest from functions where name = ?", name)
        return found[0]["newest"] + 1 if found else 1

    def add(self, name, version, runtime, size, sha256):
        """Makes an uploaded version the current one, and forgets the oldest beyond those that are kept."""
        with self._lock:
            self._db.execute("begin immediate")
            self._db.execute("insert into versions values (?, ?, ?, ?, ?, ?)",
                             (name, version, runtime, size, sha256, time.time()))
            self._db.execute("insert into functions values (?1, ?2, ?2) on conflict (name)"
                             " do update set current = ?2, newest = ?2", (name, version))
            old = [dict(row) for row in self._db.execute(
                "select name, version, sha256 from versions where name = ? order by version desc limit -1 offset ?",
                (name, KEPT_VERSIONS))]
            self._db.executemany("delete from versions where name = :name and version = :version", old)
            self._db.execute("commit")
        for one in old:
            shutil.rmtree(self.path(**one), ignore_errors=True)

    def activate(self, name, version):
        with self._lock:
            return self._db.execute(
                "update functions set current = ?2 where name = ?1"
                " and exists (select 1 from versions where name = ?1 and version = ?2)", (name, version)).rowcount == 1

    def remove(self, name):
        with self._lock:
            self._db.execute("begin immediate")
            gone = self._db.execute("delete from functions where name = ?", (name,)).rowcount == 1
            self._db.execute("delete from versions where name = ?", (name,))
            self._db.execute("delete from runs where name = ?", (name,))
            self._db.execute("commit")
        shutil.rmtree(f"{self.folder}/sources/{name}", ignore_errors=True)
        return gone

    def ran(self, name, version, method, path, status, ms, output):
        with self._lock:
            last = self._db.execute("insert into runs (name, version, at, method, path, status, ms, output)"
                                    " values (?, ?, ?, ?, ?, ?, ?, ?)",
                                    (name, version, time.time(), method, path[:500], status, ms, output)).lastrowid
            if last % 20 == 0:
                self._db.execute("delete from runs where name = ?1 and id <= (select id from runs where name = ?1"
                                 " order by id desc limit 1 offset ?2)", (name, KEPT_RUNS))
