"""What periods cover before a day equals sets of days, on small days full of overlaps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.events import NEVER
from kernels.spells import OPEN_END, covered_before_into
from tests.kernels.support import examples

COUNTED = 2
START = st.integers(-3, 12)
SPELL = st.tuples(START, st.integers(0, 9) | st.just(OPEN_END), st.integers(0, 7))
GROUP = st.tuples(
    st.lists(st.integers(0, 12) | st.just(NEVER), max_size=5), st.lists(SPELL, max_size=8)
)


@examples(150, 40)
@given(st.lists(GROUP, max_size=4), st.integers(0, 15))
def test_cover(groups, window):
    spells = [sorted(own) for _, own in groups]
    row_first = np.cumsum([0, *(len(rows) for rows, _ in groups)])
    spell_first = np.cumsum([0, *map(len, spells)])
    day = np.array([day for rows, _ in groups for day in rows], np.int32)
    begin = np.where(day == NEVER, NEVER, day - window).astype(np.int32)
    flat = [spell for own in spells for spell in own]
    start = np.array([spell[0] for spell in flat], np.int32)
    end = np.array(
        [OPEN_END if spell[1] == OPEN_END else spell[0] + spell[1] for spell in flat], np.int32
    )
    kinds = np.array([spell[2] for spell in flat], np.uint16)
    met, days = np.full(len(day), 99, np.uint16), np.full((len(day), COUNTED), 99, np.int32)
    covered_before_into(
        row_first, spell_first, day, begin, start, end, kinds, met, days, 0, len(groups)
    )
    for g in range(len(groups)):
        for i in range(row_first[g], row_first[g + 1]):
            asked = set() if day[i] == NEVER else set(range(begin[i], day[i]))
            seen, covered = 0, [set() for _ in range(COUNTED)]
            for s in range(spell_first[g], spell_first[g + 1]):
                inside = {one for one in asked if start[s] <= one <= end[s]}
                seen |= int(kinds[s]) if inside else 0
                for k in range(COUNTED):
                    if kinds[s] >> k & 1:
                        covered[k] |= inside
            assert met[i] == seen
            assert days[i].tolist() == [len(one) for one in covered]


def test_an_unbounded_window_is_met_by_what_began_before():
    one = np.array([0, 1])
    met, days = np.zeros(1, np.uint16), np.zeros((1, 0), np.int32)
    day, begin = np.array([10], np.int32), np.array([NEVER + 1], np.int32)
    for start, expected in ((9, 1), (10, 0), (-(2**30), 1)):
        spell = np.array([start], np.int32)
        covered_before_into(
            one, one, day, begin, spell, spell, np.ones(1, np.uint16), met, days, 0, 1
        )
        assert met[0] == expected
