"""Times where clocks change, and settings that make no sense. Runs when the image is built."""

import random
import tempfile
import time
import unittest
from datetime import datetime, timedelta, timezone

import jobs
from history import KEPT, History
from runner import Runner
from schedule import Schedule
from serving import Pace

BERLIN = "Europe/Berlin"


def utc(*numbers):
    return datetime(*numbers, tzinfo=timezone.utc)


class Times(unittest.TestCase):
    def coming(self, expression, moment, count):
        return [f"{at:%m-%d %H:%M}" for at in Schedule(expression, BERLIN).coming(moment, count)]

    def test_an_hour_that_comes_twice(self):
        # On 25 October 2026 the hour from 2 to 3 comes twice, from 00:00 and from 01:00 UTC.
        self.assertEqual(self.coming("30 2 * * *", utc(2026, 10, 24, 12), 3), ["10-25 00:30", "10-26 01:30", "10-27 01:30"])
        self.assertEqual(self.coming("*/30 * * * *", utc(2026, 10, 25, 0, 10), 4),
                         ["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"])

    def test_an_hour_that_is_left_out(self):
        # On 29 March 2026 the hour from 2 to 3 is left out, at 01:00 UTC.
        self.assertEqual(self.coming("30 2 * * *", utc(2026, 3, 28, 12), 2), ["03-29 01:30", "03-30 00:30"])
        self.assertEqual(self.coming("15 * 29 3 *", utc(2026, 3, 28, 22), 3), ["03-28 23:15", "03-29 00:15", "03-29 01:15"])

    def test_times_only_go_forward(self):
        chance = random.Random(7)
        for _ in range(60):
            fields = [f"{chance.randrange(60)}", chance.choice(["*", "*/5", f"{chance.randrange(24)}"]),
                      chance.choice(["*", "1", "15"]), "*", chance.choice(["*", "0", "1-5"])]
            moment = utc(2026, 1, 1) + timedelta(minutes=chance.randrange(525_600))
            times = [moment, *Schedule(" ".join(fields), chance.choice([BERLIN, "UTC", "Asia/Kolkata"])).coming(moment, 20)]
            self.assertEqual(times, sorted(set(times)), fields)

    def test_any_text_is_a_schedule_or_refused(self):
        chance = random.Random(7)
        for _ in range(800):
            text = "".join(chance.choice("0123456789*/,-#L ?@aü\0") for _ in range(chance.randrange(14)))
            for expression in (text, f"{text[:4]} 1 * * *"):
                try:
                    Schedule(expression)
                except ValueError:
                    pass


class Settings(unittest.TestCase):
    def test_jobs_are_read_whole_or_refused(self):
        good = {"name": "a", "schedule": "@daily", "command": "true"}
        self.assertEqual(jobs.read({"jobs": [good]})["a"].timeout, 300)
        for odd in [{}, {"jobs": 5}, {**good, "name": "A b"}, {**good, "url": "http://x"}, {**good, "retries": True},
                    {**good, "timeoutSeconds": 0}, {**good, "timeZone": "../etc"}, {**good, "more": 1},
                    {"name": "a", "schedule": "@daily", "url": "http://x:99999/"}, {"name": "a", "schedule": "@daily"}]:
            with self.assertRaises(SystemExit):
                jobs.read({"jobs": [odd]})
        with self.assertRaises(SystemExit):
            jobs.read({"jobs": [good, good]})


class Runs(unittest.TestCase):
    def test_the_history_is_bounded(self):
        with tempfile.TemporaryDirectory() as folder:
            history = History(f"{folder}/jobs.db")
            for _ in range(KEPT + 50):
                history.ended(history.planned("a", time.time(), "asked", "waiting"), "succeeded", 1, 0, "")
            self.assertLessEqual(len(history.runs("a", 1000)), KEPT + 1)
            left = history.planned("a", time.time(), "asked", "waiting")
            self.assertEqual(History(f"{folder}/jobs.db").run(left)["state"], "interrupted")

    def test_times_of_another_schedule_were_not_missed(self):
        with tempfile.TemporaryDirectory() as folder:
            history = History(f"{folder}/jobs.db")
            self.assertIsNone(history.looked("a", "0 0 * * * UTC", 1.0))
            self.assertEqual(history.looked("a", "0 0 * * * UTC", 2.0), 1.0)
            self.assertIsNone(history.looked("a", "* * * * * UTC", 3.0))

    def test_an_address_that_does_not_answer(self):
        with tempfile.TemporaryDirectory() as folder:
            history = History(f"{folder}/jobs.db")
            job = jobs.read({"jobs": [{"name": "a", "schedule": "@daily", "url": "http://127.0.0.1:9/"}]})["a"]
            number = Runner(history, Pace()).plan(job, time.time(), "asked")
            for _ in range(100):
                if history.run(number)["ended"]:
                    break
                time.sleep(0.05)
            self.assertEqual(history.run(number)["state"], "failed")


unittest.main()
