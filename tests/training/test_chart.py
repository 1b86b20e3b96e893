"""Charts: their points stand where the numbers say, and every file is whole XML whatever its labels."""

from xml.etree import ElementTree

import pytest

from electra.training.chart import BOTTOM, HEIGHT, LEFT, MANY, RIGHT, WIDTH, brief, line_chart, picture


def read(drawn):
    return ElementTree.fromstring(drawn)


def points(drawn):
    (line,) = read(drawn).iter("polyline")
    return [tuple(map(float, point.split(","))) for point in line.get("points").split()]


def test_points_stand_where_the_numbers_say():
    (x0, y0), (x1, y1), (x2, y2) = points(line_chart([("a", [(0, 1.0), (50, 3.0), (100, 2.0)])], title="t"))
    assert (x0, x1, x2) == (LEFT, pytest.approx((LEFT + WIDTH - RIGHT) / 2), WIDTH - RIGHT)
    assert y0 == HEIGHT - BOTTOM
    assert y2 == pytest.approx((y0 + y1) / 2)


def test_the_diagonal_goes_from_corner_to_corner_and_a_level_is_flat():
    for square, is_flat in (((0.0, 1.0), False), (None, True)):
        drawn = read(line_chart([("a", [(0.2, 0.4), (1.0, 0.9)])], title="t", level=("b", 0.5), square=square))
        line = [line for line in drawn.iter("line") if line.get("class") == "level"][-1]
        assert (line.get("x1"), line.get("x2")) == (f"{LEFT:.1f}", f"{WIDTH - RIGHT:.1f}")
        assert (line.get("y1") == line.get("y2")) == is_flat


def test_of_many_points_means_are_drawn_and_none_is_lost_from_the_band():
    values = [(step, 1.0 + (step == 500) * 0.5 + step / 1000) for step in range(1000)]
    drawn = line_chart([("a", values)], title="t", square=(0.0, 1000.0))
    assert len(points(drawn)) <= MANY
    (band,) = read(drawn).iter("polygon")
    assert len(band.get("points").split()) == 2 * len(points(drawn))


def test_the_first_steps_of_a_loss_do_not_flatten_the_rest():
    values = [(step, 100.0 if step < 2 else 1.0 + step % 2) for step in range(200)]
    heights = [y for _, y in points(line_chart([("a", values)], title="t"))]
    assert max(heights) - min(heights[2:]) > HEIGHT / 2


@pytest.mark.parametrize(
    "series", [[("<&>", [(1, 0.0)])], [("a", [(0, 5.0)])], [(f"s{i}", [(1, i), (2, 0)]) for i in range(14)]]
)
def test_any_labels_one_point_and_many_lines_are_drawn(series):
    drawn = line_chart(series, title='"<&>"', unit="<", level=("&", 1.0))
    assert read(drawn).get("aria-label") == '"<&>"'
    strokes = {(line.get("stroke"), line.get("stroke-dasharray")) for line in read(drawn).iter("polyline")}
    assert len(strokes) == len(series)


def test_a_picture_of_several_charts_is_one_file_with_its_style():
    chart = line_chart([("a", [(1, 2.0), (2, 3.0)])], title="t")
    drawn = read(picture([("One & two", chart), ("Three", chart)], "Both"))
    assert drawn.get("width") == str(2 * WIDTH)
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))) == 2
    assert "prefers-color-scheme: dark" in drawn.find("{*}style").text


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (0.12345, "0.123"), (2.1e-6, "2.1e-6"), (3e-4, "3e-4"), (0, "0"), (-3.0, "-3")],
)
def test_numbers_are_short(value, text):
    assert brief(value) == text
