"""Tags that need another symbol."""

import numpy as np
import pytest
from pydantic import ValidationError

from harness.data.tagging import Tagging
from harness.data_spec import IGNORED


@pytest.mark.parametrize("offset", [2, -2])
def test_a_tag_is_the_sum_of_two_symbols(offset):
    data = Tagging(name="tagging", offset=offset, length=9, symbols=5, examples=50, test=20)
    found = data.load(None)
    for part in (found.examples, found.test):
        numbers = part.inputs - 1
        assert numbers.min() == 0
        assert numbers.max() == 4
        for place in range(9):
            other = place + offset
            tags = part.targets[:, place]
            if 0 <= other < 9:
                assert np.array_equal(tags, (numbers[:, place] + numbers[:, other]) % 5)
            else:
                assert (tags == IGNORED).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"offset": 0}, "needs no other symbol"),
        ({"offset": 9, "length": 9}, "out of every sequence"),
        ({"length": 4}, "both splits"),
    ],
)
def test_tags_that_say_nothing_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        Tagging(name="tagging", **settings)
