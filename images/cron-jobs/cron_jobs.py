"""Jobs at their times. Over HTTP: which there are, when they run next, what their runs did, and run now."""

import os
import re
import threading
import time
from datetime import datetime, timezone

from serving import Key, Pace, Refused, Response, figures, serve, settings

import jobs
from history import KEPT, History
from runner import Runner

DATA = os.environ.get("DATA_DIR", "/data")


def moment(stamp):
    """A time as the interface has it: RFC 3339, UTC."""
    if isinstance(stamp, float):
        stamp = datetime.fromtimestamp(stamp, timezone.utc)
    return stamp and stamp.isoformat(timespec="seconds").replace("+00:00", "Z")


def shown(run):
    return {**run, "planned": moment(run["planned"]), "started": moment(run["started"]), "ended": moment(run["ended"])}


class Clock(threading.Thread):
    """Starts each job at its times. A time that passed while nothing ran is noted, and made up for where that is wished."""

    def __init__(self, known, runner, history):
        super().__init__(daemon=True)
        self.known, self.runner, self.history, self.next = known, runner, history, {}

    def run(self):
        now = datetime.now(timezone.utc)
        for job in self.known.values():
            self._missed(job, now)
            self.next[job.name] = job.schedule.after(now)
        while True:
            due = min(self.next.values(), default=None)
            if due is None:
                return
            # Short sleeps: the clock of the machine may be set meanwhile.
            time.sleep(max(0.01, min(0.5, (due - datetime.now(timezone.utc)).total_seconds())))
            now = datetime.now(timezone.utc)
            for name, at in list(self.next.items()):
                if at <= now:
                    job = self.known[name]
                    self.history.looked(name, job.schedule.text(), now.timestamp())
                    self.runner.plan(job, at.timestamp(), "schedule")
                    self.next[name] = job.schedule.after(now)

    def _missed(self, job, now):
        before = self.history.looked(job.name, job.schedule.text(), now.timestamp())
        if before is None:
            return
        due = job.schedule.after(datetime.fromtimestamp(before, timezone.utc))
        if due > now:
            return
        print(f"[{job.name}] missed {moment(due)}, when nothing ran here", flush=True)
        if job.catch_up:
            self.runner.plan(job, due.timestamp(), "catch-up")
        else:
            self.history.planned(job.name, due.timestamp(), "schedule", "missed")


class Desk:
    def __init__(self):
        self.key, self.known, self.pace = Key(), jobs.read(settings()), Pace()
        os.makedirs(f"{DATA}/work", exist_ok=True)
        self.history = History(f"{DATA}/jobs.db")
        self.runner = Runner(self.history, self.pace)
        self.clock = Clock(self.known, self.runner, self.history)
        self.clock.start()

    def answer(self, request):
        if request.path == "/-/health":
            if self.known and not self.clock.is_alive():
                raise Refused(503, "the clock stands still")
            return Response.json({"status": "ok"})
        if request.path == Key.ADDRESS:
            return self.key.change(request)
        request.needs(self.key)
        if request.path == "/-/metrics":
            return self.figures()
        match request.method, request.path.strip("/").split("/"):
            case "GET", [""] | ["jobs"]:
                return Response.json({"jobs": [self.shown(job) for job in self.known.values()]})
            case "GET", ["jobs", name]:
                return Response.json(self.shown(self.job(name)))
            case "GET", ["jobs", name, "runs"]:
                return self.runs(request, self.job(name))
            case "POST", ["jobs", name, "run"]:
                return self.run_now(self.job(name))
            case "GET", ["runs", number] if re.fullmatch("[0-9]{1,15}", number):
                return self.run(int(number))
        raise Refused(404, "there is nothing here; see /jobs, /jobs/NAME, /jobs/NAME/runs, /runs/NUMBER")

    def job(self, name):
        if name not in self.known:
            raise Refused(404, "there is no such job; jobs stand in the deployment's settings")
        return self.known[name]

    def shown(self, job):
        last = self.history.runs(job.name, 1)
        coming = [moment(at) for at in job.schedule.coming(datetime.now(timezone.utc), 5)]
        return {**job.shown(), "next": coming, "last": shown(last[0]) if last else None}

    def runs(self, request, job):
        most = request.words().get("limit", "20")
        if not re.fullmatch("[0-9]{1,3}", most) or not 1 <= int(most) <= KEPT:
            raise Refused(400, f"limit is a number from 1 to {KEPT}")
        return Response.json({"runs": [shown(run) for run in self.history.runs(job.name, int(most))]})

    def run(self, number):
        found = self.history.run(number)
        if not found:
            raise Refused(404, f"there is no such run; the last {KEPT} of each job are kept")
        return Response.json(shown(found))

    def run_now(self, job):
        number = self.runner.plan(job, time.time(), "asked")
        return Response.json(shown(self.history.run(number)), 202, [("Location", f"/runs/{number}")])

    def figures(self):
        counts = dict(self.runner.counts)
        return figures([
            ("jobs_runs_total", "counter", "Runs that ended.", [({}, counts["runs"])]),
            ("jobs_failures_total", "counter", "Runs that failed or took too long.", [({}, counts["failures"])]),
            ("jobs_skipped_total", "counter", "Runs that were left out.", [({}, counts["skipped"])]),
            ("jobs_mean_milliseconds", "gauge", "Mean time of the runs of the last minute.", [({}, round(self.pace.mean(), 3))]),
            ("jobs_running", "gauge", "Runs now.", [({}, len(self.runner.running))]),
        ])


def main():
    desk = Desk()
    serve(int(os.environ.get("PORT", "8080")), desk.answer, desk.runner.stop)


if __name__ == "__main__":
    main()
