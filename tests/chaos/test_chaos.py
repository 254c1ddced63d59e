"""Three seeded rounds of chaos, with every kind of kill; `make chaos` plays twenty."""

import pytest
from chaos_rounds import KINDS, play, undisturbed
from chaos_world import World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return undisturbed(tmp_path_factory.mktemp("peace"))


@pytest.fixture(scope="module")
def world():
    with World() as one:
        yield one


@pytest.mark.parametrize("seed", [2, 4, 5])
def test_whatever_is_killed_the_outcome_is_the_same(world, expected, seed):
    played = play(world, expected, seed)
    assert played.differences == []
    assert played.kills.total() >= 1
    assert set(played.kills) <= set(KINDS)
