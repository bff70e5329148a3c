"""What the server counts."""

import threading

from serving import Pace


class Counts:
    """Counters since the start, and the mean time of the last minute."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = self.errors = 0
        self.seconds = 0.0
        self.pace = Pace()

    def ran(self, seconds, failed):
        """A request to run a model has ended."""
        with self.lock:
            self.requests += 1
            self.errors += failed
            self.seconds += seconds
        self.pace.add(1000 * seconds)

    def values(self, models):
        """All of them, as `serving.figures` takes them."""
        with self.lock:
            requests, errors, seconds = self.requests, self.errors, self.seconds
        return [
            ("inference_requests_total", "counter", "Requests to run a model.", [({}, requests)]),
            ("inference_errors_total", "counter", "Requests to run a model that failed.", [({}, errors)]),
            ("inference_seconds_total", "counter", "Time that those requests took.", [({}, f"{seconds:.6f}")]),
            ("inference_response_milliseconds", "gauge", "Their mean time in the last minute.", [({}, f"{self.pace.mean():.3f}")]),
            ("inference_models", "gauge", "Models that are served.", [({}, len(models))]),
            ("inference_models_ready", "gauge", "Models that answer.", [({}, sum(model.ready() for model in models))]),
        ]
