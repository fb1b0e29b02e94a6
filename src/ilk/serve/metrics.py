"""What a server counts, in Prometheus' terms, on a registry of its own. Labels are models that are served, routes as they are written down, and outcomes: never a
key, a user or a text."""
from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from ilk import __version__

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5)


class Metrics:
    """The counters of one server. Whoever does something counts it: `server.metrics.uploads_bytes.inc(n)`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("ilk_build", "Version", registry=self.registry).info({"version": __version__})
        self._of_requests()
        self._of_work()
        self._of_the_rest()

    def _of_requests(self) -> None:
        self.requests = self._count("requests", "Requests that were answered", "route", "code")
        self.running = self._gauge("requests_running", "Requests at work")
        self.waiting = self._gauge("requests_waiting", "Requests that wait for a model")
        self.rejected = self._count("requests_rejected", "Requests that were refused at the door", "reason")
        self.cancelled = self._count("requests_cancelled", "Requests whose client left")
        self.auth_failures = self._count("auth_failures", "Requests without a key of this server")
        self.duration = self._times("request_duration_seconds", "From a request's headers to the end of its answer", SECONDS, "route")
        self.lag = self._times("event_loop_lag_seconds", "How late the event loop came to what was due", SHORT)

    def _of_work(self) -> None:
        self.queued = self._times("queue_seconds", "How long a request waited for its model", SECONDS, "model")
        self.ttft = self._times("ttft_seconds", "From a request's headers to its first token", SECONDS, "model")
        self.between = self._times("inter_token_seconds", "Between two pieces of a text", SHORT, "model")
        self.prompt_tokens = self._count("prompt_tokens", "Tokens read", "model")
        self.completion_tokens = self._count("completion_tokens", "Tokens made", "model")
        self.loaded = self._gauge("model_loaded", "1 for a model in memory", "model")
        self.restarts = self._count("worker_restarts", "Workers that died and were started anew")
        self.dp_epsilon = self._gauge("dp_epsilon", "The privacy that a model was fitted with", "model")

    def _of_the_rest(self) -> None:
        self.jobs = self._gauge("jobs", "Jobs as they stand", "kind", "state")
        self.job_steps = self._count("job_steps", "Steps of jobs")
        self.checkpoints = self._times("checkpoint_seconds", "Writing a checkpoint", SECONDS)
        self.checkpoint_failures = self._count("checkpoint_failures", "Checkpoints that could not be written")
        self.uploads_bytes = self._count("uploads_bytes", "Bytes of files that were uploaded")
        self.tool_calls = self._count("tool_calls", "Calls of tools", "tool", "outcome")
        self.sandbox_kills = self._count("sandbox_kills", "Programs that the sandbox ended", "reason")
        self.content_filtered = self._count("content_filtered", "Answers that a filter held back")
        self.watermarked = self._count("watermark_embedded", "Items that carry a watermark")

    def refused(self, why: BaseException) -> None:
        """Counts what was refused, by the `reason` of its class."""
        if reason := getattr(why, "reason", ""):
            self.rejected.labels(reason).inc()
        if reason == "auth":
            self.auth_failures.inc()

    def follow(self, gauge: Gauge, value: Callable[[], float]) -> None:
        """The gauge is whatever the function says when it is read."""
        gauge.set_function(value)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)

    def _count(self, name: str, said: str, *labels: str) -> Counter:
        return Counter(f"ilk_{name}", said, labels, registry=self.registry)

    def _gauge(self, name: str, said: str, *labels: str) -> Gauge:
        return Gauge(f"ilk_{name}", said, labels, registry=self.registry)

    def _times(self, name: str, said: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"ilk_{name}", said, labels, registry=self.registry, buckets=buckets)
