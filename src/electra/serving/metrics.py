"""Counts of a server in Prometheus' text format (version 0.0.4). All are changed on the event loop alone, so none is locked."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence

Labels = tuple[str, ...]
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCHES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


class Counter:
    """A number for each value of its labels, which only grows."""

    kind = "counter"

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name, self.text, self.labels = name, text, labels
        self.values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, *labels: str, amount: float = 1) -> None:
        """One more, of these labels."""
        self.values[labels] = self.values.get(labels, 0) + amount

    def lines(self) -> Iterator[str]:
        """The samples."""
        for labels, value in self.values.items():
            yield f"{self.name}{_braces(self.labels, labels)} {value:.15g}"


class Gauge:
    """Numbers that are asked for when they are shown: a function gives them by the value of the one label."""

    kind = "gauge"

    def __init__(self, name: str, text: str, labels: Sequence[str], read: Callable[[], Mapping[Labels, float]]) -> None:
        self.name, self.text, self.labels, self.read = name, text, labels, read

    def lines(self) -> Iterator[str]:
        """The samples."""
        for labels, value in self.read().items():
            yield f"{self.name}{_braces(self.labels, labels)} {value:.15g}"


class Histogram:
    """How many observations were at most so large, for each value of its labels."""

    kind = "histogram"

    def __init__(self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self.name, self.text, self.labels, self.bounds = name, text, labels, bounds
        self.counts: dict[Labels, list[int]] = {}
        self.sums: dict[Labels, float] = {}

    def observe(self, value: float, *labels: str) -> None:
        """One observation."""
        counts = self.counts.setdefault(labels, [0] * (len(self.bounds) + 1))
        counts[bisect_left(self.bounds, value)] += 1
        self.sums[labels] = self.sums.get(labels, 0.0) + value

    def lines(self) -> Iterator[str]:
        """The samples: cumulative buckets, their sum, their count."""
        for labels, counts in self.counts.items():
            below = 0
            for bound, count in zip([*(f"{b:g}" for b in self.bounds), "+Inf"], counts, strict=True):
                below += count
                yield f"{self.name}_bucket{_braces([*self.labels, 'le'], (*labels, bound))} {below}"
            yield f"{self.name}_sum{_braces(self.labels, labels)} {self.sums[labels]:.9g}"
            yield f"{self.name}_count{_braces(self.labels, labels)} {below}"


Metric = Counter | Gauge | Histogram


class Metrics:
    """What a server counts. Labels are of models that are served and of fixed words, so there are few."""

    def __init__(
        self, queued: Callable[[], Mapping[Labels, float]], in_flight: Callable[[], int], connected: Callable[[], int]
    ) -> None:
        self.requests = Counter("electra_requests_total", "Requests by model and status.", ("model", "status"))
        self.seconds = Histogram(
            "electra_request_seconds", "From a request's headers to its answer.", ("model",), SECONDS
        )
        self.batches = Histogram("electra_batch_inputs", "Inputs a model was given at once.", ("model",), BATCHES)
        self.rejected = Counter("electra_rejected_total", "Requests refused, by the code they were told.", ("code",))
        self.closed = Counter("electra_closed_connections_total", "Connections the server closed early.", ("cause",))
        self.all: tuple[Metric, ...] = (
            self.requests,
            self.seconds,
            self.batches,
            self.rejected,
            self.closed,
            Gauge("electra_queue_inputs", "Inputs that wait.", ("model",), queued),
            Gauge("electra_in_flight", "Requests for answers, under way.", (), lambda: {(): in_flight()}),
            Gauge("electra_connections", "Connections that are open.", (), lambda: {(): connected()}),
        )

    def text(self) -> str:
        """All of them."""
        return "".join(
            f"# HELP {metric.name} {metric.text}\n# TYPE {metric.name} {metric.kind}\n"
            + "".join(f"{line}\n" for line in metric.lines())
            for metric in self.all
        )


def _braces(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    escaped = (value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for value in values)
    return "{" + ",".join(f'{name}="{value}"' for name, value in zip(names, escaped, strict=True)) + "}"
