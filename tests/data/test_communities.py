"""Graphs whose nodes belong to communities."""

import numpy as np

from harness.data.communities import Communities


def test_edges_are_of_a_block_model_and_features_say_the_community_with_noise():
    data = Communities(
        name="communities", nodes=40, communities=3, inside=0.4, between=0.1, noise=0.5
    )
    found = data.load(None)
    for part, count in ((found.examples, 600), (found.test, 200)):
        assert part.inputs.shape == (count, 40, 43)
        edges, members = part.inputs[..., :40], part.targets
        assert np.array_equal(edges, edges.transpose(0, 2, 1))
        assert set(np.unique(edges)) == {0, 1}
        assert not edges[:, range(40), range(40)].any()
        same = members[:, :, None] == members[:, None, :]
        other = ~np.eye(40, dtype=bool)
        assert abs(edges[same & other].mean() - 0.4) < 0.01
        assert abs(edges[~same].mean() - 0.1) < 0.01
        noise = part.inputs[..., 40:] - np.eye(3)[members]
        assert abs(noise.std() - 0.5) < 0.01
        assert abs(noise.mean()) < 0.02


def test_no_graph_stands_in_both_splits():
    found = Communities(name="communities").load(None)
    rows = np.concatenate([found.examples.inputs, found.test.inputs])[..., :30].reshape(800, -1)
    assert len(np.unique(rows, axis=0)) == 800
