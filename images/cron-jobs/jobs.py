"""What the owner wrote in the setting `jobs`: read whole, or refused in one clear line."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from schedule import Schedule
from serving import give_up

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
POLICIES = ("forbid", "replace", "allow")
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD")
MAX_JOBS = 50


@dataclass
class Job:
    name: str
    schedule: Schedule
    command: str = ""
    url: str = ""
    method: str = "POST"
    timeout: int = 300
    concurrency: str = "forbid"
    retries: int = 0
    catch_up: bool = False
    environment: dict = field(default_factory=dict)

    def shown(self):
        what = {"command": self.command} if self.command else {"url": self.url, "method": self.method}
        return {"name": self.name, "schedule": self.schedule.expression, "timeZone": self.schedule.zone.key, **what,
                "timeoutSeconds": self.timeout, "concurrency": self.concurrency, "retries": self.retries,
                "catchUp": self.catch_up}


class Fields:
    """An entry of the list, whose values are asked for one by one. What is left at the end is unknown."""

    def __init__(self, entry, place):
        if not isinstance(entry, dict):
            raise ValueError(f"{place} is no object")
        self.entry, self.place, self.known = entry, place, set()

    def take(self, name, kind, default=None, fits=lambda _: True, words=""):
        self.known.add(name)
        value = self.entry.get(name, default)
        if value is None and default is None and name not in self.entry:
            return None
        if type(value) is not kind or not fits(value):
            raise ValueError(f"{self.place}: `{name}` must be {words}")
        return value

    def end(self):
        unknown = [str(name)[:40] for name in self.entry if name not in self.known]
        if unknown:
            raise ValueError(f"{self.place}: `{unknown[0]}` is not known; known are {', '.join(sorted(self.known))}")


def is_url(text):
    try:
        parts = urlsplit(text)
        return parts.scheme == "http" and bool(parts.hostname) and (parts.port or 80) > 0 and text.isprintable()
    except ValueError:
        return False


def job(entry, number):
    fields = Fields(entry, f"job {number}")
    name = fields.take("name", str, "", NAME.fullmatch, "of a-z, 0-9 and -")
    fields.place = f"the job {name}"
    expression = fields.take("schedule", str, "", bool, "a cron expression such as `30 2 * * *`")
    zone = fields.take("timeZone", str, "UTC", bool, "a time zone such as Europe/Berlin")
    command = fields.take("command", str, None, lambda text: 0 < len(text) <= 10_000 and "\0" not in text, "a shell command")
    url = fields.take("url", str, None, is_url, "an address such as http://my-api:8080/tidy")
    if bool(command) == bool(url):
        raise ValueError(f"{fields.place} needs either `command` or `url`")
    found = Job(
        name, None, command or "", url or "",
        fields.take("method", str, "POST", lambda word: word in METHODS, "one of " + ", ".join(METHODS)),
        fields.take("timeoutSeconds", int, 300, lambda n: 1 <= n <= 86_400, "a number from 1 to 86400"),
        fields.take("concurrency", str, "forbid", lambda word: word in POLICIES, "one of " + ", ".join(POLICIES)),
        fields.take("retries", int, 0, lambda n: 0 <= n <= 10, "a number from 0 to 10"),
        fields.take("catchUp", bool, False, words="true or false"))
    fields.end()
    try:
        found.schedule = Schedule(expression, zone)
    except ValueError as error:
        raise ValueError(f"{fields.place}: {error}") from None
    return found


def read(chosen):
    """The jobs of the settings; ends the program for one that makes no sense."""
    entries, environment = chosen.get("jobs", []), chosen.get("environment") or {}
    try:
        if not isinstance(entries, list) or len(entries) > MAX_JOBS:
            raise ValueError(f"the setting jobs must be a list of at most {MAX_JOBS} jobs")
        found = [job(entry, number) for number, entry in enumerate(entries, 1)]
        names = [one.name for one in found]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"two jobs are called {twice[0]}")
        if not isinstance(environment, dict) or not all(
                VARIABLE.fullmatch(name) and isinstance(value, (str, int, float)) and "\0" not in str(value)
                for name, value in environment.items()):
            raise ValueError("the setting environment must be an object of names and their texts or numbers")
    except ValueError as error:
        give_up(str(error).replace("\n", " "))
    for one in found:
        one.environment = {name: str(value) for name, value in environment.items()}
    return {one.name: one for one in found}
