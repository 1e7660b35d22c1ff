"""The page that people share."""

import re
from html.parser import HTMLParser

from hapair.lab.demo import Result
from hapair.lab.page import headline, node_styles, page

VOID = {"meta"}


class Balance(HTMLParser):
    """Fails where an element is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_headline_counts_the_outages_on_return_too(good: Result, bad: Result) -> None:
    assert headline(good) == "The active node failed three times. Clients waited 0.35 s at most."
    assert headline(bad) == "The active node failed twice. Not every takeover went well."


def test_nodes_have_a_colour_each(good: Result) -> None:
    assert node_styles(good) == {
        "pi-a": "node-a",
        "pi-b": "node-b",
        "192.168.1.11": "node-a",
        "192.168.1.12": "node-b",
    }


def test_the_page_is_whole_and_fetches_nothing(good: Result) -> None:
    html = page(good)
    parser = Balance()
    parser.feed(html)
    assert parser.open == []
    assert parser.seen.count("svg") == 4
    assert {"script", "link", "img", "iframe"} & set(parser.seen) == set()
    assert not re.search(r"url\(|@import|src=|href=|https?:", html)
    assert "prefers-color-scheme: dark" in html


def test_words_from_outside_are_escaped(good: Result) -> None:
    assert "hapair 0 &lt;beta&gt;" in page(good)


def test_a_stale_vip_stands_out(good: Result, bad: Result) -> None:
    assert '<td class="bad">yes</td>' in page(bad)
    assert 'class="bad"' not in page(good)
