"""Charts as SVG text, for pages and model cards: lines over the steps, a curve over probabilities. Light and dark by themselves.

Unusual here: no drawing library. The shapes are few, a page of twelve charts takes milliseconds, text stays text, and the same
numbers give the same bytes.
"""

import html
import math
from collections.abc import Sequence

from electra.training.styles import style

Points = Sequence[tuple[float, float]]
Series = list[tuple[str, list[tuple[float, float]]]]  # label, points (step, value)
Level = tuple[str, float]  # label, value

WIDTH, HEIGHT = 460, 250  # of the drawing; pages scale it
LEFT, RIGHT, BOTTOM, LINE = 60, 12, 38, 18  # margins, and the height of a line of the legend
MANY = 240  # points of a curve; of more, the means of neighbours are drawn, with all of them as a band
FEW = 36  # points up to which each is marked
MOST = 6  # lines up to which each has a colour of its own; the next ones are dashed
CHARACTER = 7.2  # width of one in the legend, about


def line_chart(
    series: Series, *, title: str, unit: str = "", x: str = "step", level: Level | None = None,
    square: tuple[float, float] | None = None, is_joined: bool = True,
) -> str:  # fmt: skip
    """Curves over `x`, and a dashed line at `level`.

    square     the ends of both axes; the dashed line, called level[0], is then the diagonal
    is_joined  False: points alone
    """
    spans = (square, square) if square else _spans(series, level)
    entries = [(label, f'stroke="var(--l{i % MOST})"{_dashes(i)}') for i, (label, _) in enumerate(series)]
    if level is not None:
        entries.append((level[0], 'class="level"'))
    legend, top = _legend(entries if len(entries) > 1 else [])
    top += LINE + 4 if unit else 8
    frame = _Frame(*spans, top)
    body = [_axes(frame, x, unit), *(_curve(frame, i, points, is_joined) for i, (_, points) in enumerate(series))]
    if level is not None:
        (x0, x1), ends = spans[0], square or (level[1], level[1])
        body.append(_line(frame.x(x0), frame.y(ends[0]), frame.x(x1), frame.y(ends[1]), "level"))
    name = html.escape(title, quote=True)
    return f'<svg class="chart" role="img" aria-label="{name}" viewBox="0 0 {WIDTH} {HEIGHT}">{legend}{"".join(body)}</svg>'


def picture(charts: Sequence[tuple[str, str]], title: str) -> str:
    """Charts side by side as one SVG file; each with the line above it.

    It brings its ground: a page around it may be light where the reader's own colours are dark.
    """
    name, width, height = html.escape(title, quote=True), max(1, len(charts)) * WIDTH, HEIGHT + 2 * LINE
    placed = "".join(
        f'<text x="{i * WIDTH + LEFT}" y="{LINE + 2}" style="font-size: 14px; font-weight: 600">{html.escape(above)}</text>'
        + drawn.replace("<svg", f'<svg x="{i * WIDTH}" y="{LINE * 1.7:g}" width="{WIDTH}" height="{HEIGHT}"', 1)
        for i, (above, drawn) in enumerate(charts)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" aria-label="{name}" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<style>{style("chart")}</style><rect class="under" width="{width}" height="{height}"/>{placed}</svg>\n'
    )


def brief(value: float) -> str:
    """Numbers as people read them: 12,345; 0.123; 2.1e-6."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 0.001 or not size:
        return f"{value:.3g}"
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits.removesuffix('.0')}e{int(power)}"


class _Frame:
    """Where values stand in the drawing."""

    def __init__(self, across: tuple[float, float], up: tuple[float, float], top: float) -> None:
        self.across, self.up, self.top = across, up, top

    def x(self, value: float) -> float:
        low, high = self.across
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low)

    def y(self, value: float) -> float:
        low, high = self.up
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - self.top) * share


def _spans(series: Series, level: Level | None) -> tuple[tuple[float, float], tuple[float, float]]:
    values = sorted(value for _, points in series for _, value in points)
    last = max((place for _, points in series for place, _ in points), default=0.0)
    # The first steps of a loss are far above all others: a fiftieth of the values may leave the chart at its top.
    low, high = values[0], values[int(len(values) * 0.98)] if len(values) > 100 else values[-1]
    if level is not None:
        low, high = min(low, level[1]), max(high, level[1])
    if low == high:
        low, high = low - abs(low) / 2 - 1e-9, high + abs(high) / 2 + 1e-9
    return (0.0, last or 1.0), (low, high)


def _ticks(low: float, high: float) -> list[float]:
    """Round values between two: at most six."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((n * power for n in (1, 2, 5) if n * power >= rough * 0.999), 10 * power)
    first = math.ceil(low / step - 1e-9)
    return [float(f"{n * step:.12g}") for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _axes(frame: _Frame, x: str, unit: str) -> str:
    parts = []
    for value in _ticks(*frame.up):
        y = frame.y(value)
        parts.append(_line(LEFT, y, WIDTH - RIGHT, y, "grid") + _text(LEFT - 6, y + 4, brief(value), "end"))
    for value in _ticks(*frame.across):
        place = frame.x(value)
        anchor = "start" if place < LEFT + 1 else "end" if place > WIDTH - RIGHT - 20 else "middle"
        parts.append(_text(place, HEIGHT - BOTTOM + 16, brief(value), anchor))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x, "middle"))
    return "".join(parts) + (_text(4, frame.top - 11, unit, "start") if unit else "")


def _legend(entries: Sequence[tuple[str, str]]) -> tuple[str, float]:
    """The entries in lines above the chart, and where the chart may begin."""
    parts, x, y = [], float(LEFT), 12.0
    for label, stroke in entries:
        width = 30 + CHARACTER * len(label)
        if x > LEFT and x + width > WIDTH:
            x, y = float(LEFT), y + LINE
        mark = f'<line x1="{x:g}" x2="{x + 16:g}" y1="{y - 4:g}" y2="{y - 4:g}" {stroke} stroke-width="3"/>'
        parts.append(mark + _text(x + 21, y, label, "start"))
        x += width + 8
    return "".join(parts), y + 6 if entries else 0.0


def _curve(frame: _Frame, number: int, points: Points, is_joined: bool) -> str:
    colour, marks, band = f"var(--l{number % MOST})", "", ""
    if len(points) <= FEW or not is_joined:
        dot = f'r="2.6" fill="{colour}"' + ' opacity="0.6"' * (not is_joined)
        marks = "".join(f'<circle cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" {dot}/>' for x, y in points)
    if not is_joined:
        return marks
    if len(points) > MANY:
        size = math.ceil(len(points) / MANY)
        groups = [points[i : i + size] for i in range(0, len(points), size)]
        places = [sum(place for place, _ in group) / len(group) for group in groups]
        edges = [[(x, pick(v for _, v in g)) for x, g in zip(places, groups, strict=True)] for pick in (max, min)]
        band = f'<polygon points="{_path(frame, [*edges[0], *edges[1][::-1]])}" fill="{colour}"/>'
        points = [(x, sum(v for _, v in g) / len(g)) for x, g in zip(places, groups, strict=True)]
    return f'{band}<polyline points="{_path(frame, points)}" stroke="{colour}"{_dashes(number)}/>{marks}'


def _dashes(number: int) -> str:
    return "" if number < MOST else f' stroke-dasharray="{2 + 4 * (number // MOST)} 4"'


def _path(frame: _Frame, points: Points) -> str:
    return " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in points)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'
