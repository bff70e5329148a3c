"""The runs that were: a small database, bounded for each job."""

import sqlite3
import threading
import time

KEPT = 100
SCHEMA = """
create table if not exists runs (
    id integer primary key, job text not null, planned real not null, started real, ended real, why text not null,
    state text not null, attempts integer not null default 0, code integer, output text not null default '');
create index if not exists runs_of on runs (job, id);
create table if not exists looked (job text primary key, schedule text not null, at real not null);
"""
COLUMNS = "id, job, planned, started, ended, why, state, attempts, code"


class History:
    def __init__(self, path):
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + SCHEMA)
        # What ran when this program was ended has no end of its own.
        self._do("update runs set state = 'interrupted', ended = ? where state in ('running', 'waiting')", time.time())

    def _do(self, sql, *values):
        with self._lock:
            return self._db.execute(sql, values).lastrowid

    def _all(self, sql, *values):
        with self._lock:
            return [dict(row) for row in self._db.execute(sql, values)]

    def planned(self, job, at, why, state):
        """Notes a run, and forgets those that are too old."""
        run = self._do("insert into runs (job, planned, why, state) values (?, ?, ?, ?)", job, at, why, state)
        self._do("delete from runs where job = ?1 and state not in ('running', 'waiting') and id <= "
                 "(select id from runs where job = ?1 order by id desc limit 1 offset ?2)", job, KEPT)
        return run

    def started(self, run):
        self._do("update runs set state = 'running', started = ? where id = ?", time.time(), run)

    def ended(self, run, state, attempts, code, output):
        self._do("update runs set state = ?, attempts = ?, code = ?, output = ?, ended = ? where id = ?",
                 state, attempts, code, output, time.time(), run)

    def looked(self, job, schedule, at):
        """Up to when the times of a job were looked at; what it was before, None where it had no such schedule."""
        before = self._all("select at from looked where job = ? and schedule = ?", job, schedule)
        self._do("insert into looked values (?1, ?2, ?3) on conflict (job) do update set schedule = ?2, at = ?3",
                 job, schedule, at)
        return before[0]["at"] if before else None

    def runs(self, job, most):
        return self._all(f"select {COLUMNS} from runs where job = ? order by id desc limit ?", job, most)

    def run(self, number):
        found = self._all(f"select {COLUMNS}, output from runs where id = ?", number)
        return found[0] if found else None
