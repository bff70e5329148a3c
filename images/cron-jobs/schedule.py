"""When jobs run: cron expressions in a time zone, also where its clocks change."""

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

ALIASES = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
           "@yearly": "0 0 1 1 *"}


class Schedule:
    """A cron expression of five fields in a time zone."""

    def __init__(self, expression, zone="UTC"):
        text = ALIASES.get(expression, expression)
        if len(text) > 200 or len(text.split()) != 5:
            raise ValueError("expected five fields, such as `30 2 * * 1-5`, or one of " + ", ".join(ALIASES))
        try:
            self.zone = ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"the time zone {zone[:100]!r} is not known; expected one such as Europe/Berlin") from None
        self.expression, self.hourly = text, text.split()[1].startswith("*")
        try:
            self.after(datetime.now(timezone.utc))
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(str(error)[:300]) from None

    def text(self):
        return f"{self.expression} {self.zone.key}"

    def after(self, moment):
        """The first time after a moment, in UTC."""
        return self._steady(moment) if self.hourly else self._by_clock(moment)

    def _by_clock(self, moment):
        """Once for each time on the clock: an hour that comes twice counts once, one that is left out counts later."""
        times = croniter(self.expression, moment.astimezone(self.zone).replace(tzinfo=None))
        while True:
            found = times.get_next(datetime).replace(tzinfo=self.zone).astimezone(timezone.utc)
            if found > moment:
                return found

    def _steady(self, moment):
        """For what runs in every hour: it goes on evenly, also through an hour that comes twice."""
        while True:
            offset = moment.astimezone(self.zone).utcoffset()
            clock = moment.replace(tzinfo=None) + offset
            found = (croniter(self.expression, clock).get_next(datetime) - offset).replace(tzinfo=timezone.utc)
            if croniter.match(self.expression, found.astimezone(self.zone).replace(tzinfo=None)):
                return found
            moment = found

    def coming(self, moment, count):
        """The next few times after a moment."""
        times = []
        for _ in range(count):
            moment = self.after(moment)
            times.append(moment)
        return times
