"""Statistics of hand-made sets, as numbers, text and page."""

import json
import re

import numpy as np
import pytest

from delineate.errors import OutputError
from delineate.quality.charts import heat_map, histogram, matrix
from delineate.quality.measures import measure
from delineate.quality.spread import Histogram, Spread, size_edges, whole_edges
from delineate.quality.statistics import statistics
from delineate.quality.statistics_html import statistics_html, write_statistics
from delineate.quality.statistics_text import statistics_text
from drawn_sets import Drawn, rectangle
from html_page import Page

SIZE = (200, 150)
EVIL = "<script>alert(1)</script>\"'&${title}"


def scenes(names=("cat", "dog", "owl")):
    """Three images: a small and a large cat, which touch; a medium dog; nothing."""
    return Drawn(
        [
            (SIZE, [rectangle(SIZE, 10, 10, 30, 30), rectangle(SIZE, 40, 10, 100, 100)], [0, 0]),
            (SIZE, [rectangle(SIZE, 50, 50, 40, 40)], [1]),
            ((100, 100), [], []),
        ],
        names=names,
    )


VOID = {"meta"}


def result(names=("cat", "dog", "owl"), splits=("train", "val")):
    measures = {split: measure(scenes(names)) for split in splits}
    return statistics("drawn", measures, tuple(names))


def test_numbers_by_hand():
    found = result()
    train = found.splits["train"]
    assert (train.images, train.without_objects, train.objects, train.crowds) == (3, 1, 3, 0)
    assert train.image_sizes == ((150, 200, 2), (100, 100, 1))
    assert train.by_size == {"small": 1, "medium": 1, "large": 1}
    assert train.sizes == Spread.of([30, 100, 40])
    assert train.per_image == Spread.of([2, 1, 0])
    assert train.relative_sizes == Spread.of(np.array([30, 100, 40]) / np.sqrt(200 * 150))
    assert (train.crowded, train.overlapped, train.at_border, train.in_parts) == (0, 0, 0, 0)
    assert train.touching == pytest.approx(2 / 3)
    assert train.distances.most == pytest.approx(np.hypot(65, 35) / 65)
    cat, dog, owl = train.classes
    assert (cat.name, cat.objects, cat.images, cat.small, cat.large) == ("cat", 2, 1, 1, 1)
    assert (cat.median_size, dog.median_size, owl.median_size) == (65, 40, 0)
    assert (dog.share, owl.objects) == (pytest.approx(1 / 3), 0)
    assert train.together == {"cat": {"cat": 1, "dog": 0}, "dog": {"cat": 0, "dog": 1}}
    assert found.total.objects == 6
    assert found.total.per_image == Spread.of([2, 1, 0, 2, 1, 0])
    covered = (30 * 30 + 100 * 100 + 40 * 40) / (200 * 150) / 3
    assert np.mean(train.positions) == pytest.approx(covered)


def test_crowded_and_hidden_objects_of_mixed_classes():
    bitmaps = [
        rectangle(SIZE, 0, 0, 40, 40),  # IoU 1/3 with the next
        rectangle(SIZE, 20, 0, 40, 40),
        rectangle(SIZE, 100, 100, 10, 10),
        rectangle(SIZE, 109, 100, 10, 10),  # a tenth in common: not more than the limit
        rectangle(SIZE, 60, 150, 8, 8),
    ]
    drawn = Drawn([(SIZE, bitmaps, [1, 0, 1, 0, 0])])
    train = statistics("drawn", {"train": measure(drawn)}, ("cat", "dog")).total
    assert (train.crowded, train.overlapped, train.touching) == (0.4, 0.4, 0.8)
    assert train.at_border == 0.4
    assert [(c.name, c.median_size) for c in train.classes] == [("cat", 10), ("dog", 25)]


def test_classes_are_balanced_over_train():
    measures = {"val": measure(scenes()), "train": measure(Drawn([(SIZE, [], [])]))}
    found = statistics("drawn", measures, ("cat", "dog", "owl"))
    assert found.balanced_split == "train"
    assert found.balance.advice == "No objects."


def test_spread_and_histogram():
    assert Spread.of([3, 1, 2]) == Spread(
        mean=2, least=1, q05=1.1, q25=1.5, median=2, q75=2.5, q95=2.9, most=3
    )
    assert Spread.of([]).most == 0
    assert whole_edges(np.array([0, 3])).tolist() == [0, 1, 2, 3, 4]
    assert whole_edges(np.array([61])).tolist() == list(range(0, 64, 3))
    edges = size_edges(np.array([4.0, 16.0, 0.0]))
    assert edges[[0, -2]].tolist() == [4, 16]
    counted = Histogram.of([4, 15.9, 16], edges)
    assert sum(counted.counts) == 3
    assert (counted.counts[0], counted.counts[-1]) == (1, 1)
    for value in (0.7, 1, 2**0.5, 31.99, 1024):
        one = size_edges(np.array([value]))
        assert one[0] <= value * (1 + 1e-12)
        assert value < one[-1]


KEYS = {
    *("images", "without_objects", "objects", "crowds", "widths", "heights", "image_sizes"),
    *("per_image", "per_image_histogram", "by_size", "sizes", "sizes_histogram"),
    *("relative_sizes", "aspects", "crowded", "distances", "overlapped", "touching"),
    *("touching_outline", "at_border", "in_parts", "most_parts", "with_holes", "most_holes"),
    *("without_pixels", "classes", "positions", "together"),
}
"""What machines rely on: change it on purpose, and the changelog with it."""


def test_json_is_one_schema():
    told = json.loads(json.dumps(result().to_json()))
    assert set(told) == {"name", "splits", "total", "balance"}
    assert set(told["total"]) == set(told["splits"]["train"]) == KEYS
    assert set(told["total"]["classes"][0]) == {
        *("name", "objects", "images", "share", "small", "medium", "large", "median_size")
    }
    assert set(told["balance"]) == {
        *("split", "imbalance", "effective_classes", "repeat_factor_lvis", "repeat_factor"),
        *("class_aware", "advice"),
    }
    assert set(told["balance"]["repeat_factor"]) == {"threshold", "epoch", "most", "shares"}
    assert told["balance"]["class_aware"]["threshold"] is None


def test_text_fits_a_terminal():
    text = statistics_text(result())
    lines = text.splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 100
    (row,) = [line for line in lines if line.startswith("objects  ")]
    assert row.split() == ["objects", "3", "3", "6"]
    assert "1 of 3 classes have no objects" in text
    assert "Balance (train):" in text


def test_text_of_many_classes_is_cut_and_says_so():
    names = [f"a class with a name that is very long indeed {i}" for i in range(100)]
    drawn = Drawn([(SIZE, [rectangle(SIZE, 0, 0, 5, 5)] * 100, range(100))], names=names)
    text = statistics_text(statistics("many", {"train": measure(drawn)}, tuple(names)))
    assert "... 84 more" in text
    assert len(text.splitlines()) <= 50


# -- the page ----------------------------------------------------------------------------------


def test_page_tells_all_and_loads_nothing():
    text = statistics_html(result())
    page = Page(text, VOID)
    assert page.tags.count("svg") >= 6
    for words in ("Statistics of drawn", "dog", "Seen together", "Where they are", "class-aware"):
        assert words in page.words
    assert not {"script", "link", "iframe", "img"} & set(page.tags)
    assert not [n for n, _ in page.attributes if n.startswith("on") or n in ("src", "href")]
    assert not re.search(r"https?://|url\(", text)
    assert "default-src 'none'" in text


def test_page_escapes_what_comes_from_strangers():
    page = Page(statistics_html(result((EVIL, "b", "c"), splits=("<b>", "val"))), VOID)
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert EVIL in page.words


@pytest.mark.parametrize("splits", [("train",), ("train", "val", "test")])
def test_page_of_one_class_or_nothing(splits):
    Page(statistics_html(result(("cat", "dog"), splits)), VOID)
    nothing = {split: measure(Drawn([(SIZE, [], [])])) for split in splits}
    page = Page(statistics_html(statistics("nothing", nothing, ("cat",))), VOID)
    assert "No objects." in page.words


def test_page_is_written_whole_or_not_at_all(tmp_path):
    write_statistics(tmp_path / "stats.html", result())
    assert (tmp_path / "stats.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(OutputError, match="cannot be written"):
        write_statistics(tmp_path / "none" / "stats.html", result())


# -- plots -------------------------------------------------------------------------------------


def numbers(text, pattern):
    return [tuple(map(float, found.groups())) for found in re.finditer(pattern, text)]


def test_heights_of_a_histogram_are_shares():
    total = Histogram(edges=(0, 1, 2), counts=(3, 1))
    text = histogram(total, {"a": total}, axis="n")
    (low, high) = numbers(text, r'class="column".*?height="([\d.]+)"')
    assert low[0] == pytest.approx(3 * high[0], abs=0.2)
    assert 'class="line' not in text
    two = histogram(total, {"a": total, "b": Histogram(edges=(0, 1, 2), counts=(0, 4))}, axis="n")
    assert two.count('class="line') == 2


def test_a_heat_map_covers_every_cell_once():
    rows = np.random.default_rng(0).random((5, 7)).tolist()
    seen = np.zeros((5, 7), int)
    for x, y, run in numbers(heat_map(rows, label="m"), r"M(\d+) (\d+)h(\d+)v1"):
        seen[int(y), int(x) : int(x + run)] += 1
    assert (seen == 1).all()


def test_a_matrix_tells_shares_of_the_row():
    text = matrix({"a": {"a": 4, "b": 1}, "b": {"a": 1, "b": 2}})
    assert numbers(text, r'fill-opacity="([\d.]+)"') == [(1,), (0.25,), (0.5,), (1,)]
    assert "b is in 1 of the 4 images with a" in text
