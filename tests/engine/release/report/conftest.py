"""Studies of every verdict, and a reader of pages."""

import re

import pytest

from tests.engine.release.report.studies import VERDICTS, study
from tests.engine.release.test_pages import Page


class StudyPage(Page):
    """Also collects the words of charts that no key stands for, and texts by their section."""

    def __init__(self, text):
        self.drawn = []
        super().__init__(text)

    def handle_data(self, data):
        tags = [tag for tag, _ in self.open]
        if "svg" in tags and not any("data-key" in one for _, one in self.open):
            tick = any("tick" in one.get("class", "") for _, one in self.open)
            svg = next(one for tag, one in self.open if tag == "svg")
            self.drawn.append((svg.get("aria-labelledby", ""), tags[-1], tick, data))
        super().handle_data(data)


def words_of(text):
    """What a reader sees, with single spaces."""
    return " ".join("".join(StudyPage(text).text).split())


def first_screen(text):
    """Words from the top of a page to its lines to quote, without the numbers' tables."""
    page = re.sub(
        r"<details>.*?</details>", " ", text[: text.index('<h2 id="who">')], flags=re.DOTALL
    )
    return re.sub(r"<(style|title|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)


@pytest.fixture(params=VERDICTS)
def verdict(request):
    return request.param


@pytest.fixture
def results(verdict):
    return study(1, verdict)
