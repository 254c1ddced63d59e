"""Features that were made by hand, and a regression on them."""

from types import SimpleNamespace

import pytest
import torch

from harness.data_spec import Form
from harness.models.hog_regression import HogRegression

pytest.importorskip("skimage")


def make(**settings):
    return HogRegression(name="hog_regression", **{"cell": 4, "block": 2, **settings})


def stripes(upright, count=20):
    """Images of stripes of any phase and contrast, upright or lying."""
    generator = torch.Generator().manual_seed(int(upright))
    phase, contrast = torch.rand(2, count, 1, 1, generator=generator)
    waves = torch.sin(torch.arange(8.0) + 6 * phase).expand(count, 8, 8) * (0.2 + contrast)
    return (waves if upright else waves.mT)[:, None]


def test_directions_are_told_apart_whatever_phase_and_contrast():
    inputs = torch.cat([stripes(True), stripes(False)])
    targets = torch.arange(2).repeat_interleave(20)
    found = make().fit(inputs, targets, Form((1, 8, 8), 2), None)
    assert found.parameters == 36 + 1
    assert found.measure(inputs, targets)["accuracy"] == 1
    assert (found.outputs(inputs).argmax(1) == targets).all()
    assert found.outcomes(inputs, targets)["accuracy"].all()
    assert found.outcomes(inputs, targets)["loss"].shape == (40,)


def test_features_do_not_change_with_brightness_and_scale():
    images = stripes(True, 3)
    torch.testing.assert_close(
        make().histograms(images), make().histograms(5 * images + 2), atol=2e-3, rtol=1e-2
    )
    colour = torch.cat([images, 0 * images, 0 * images], dim=1)
    torch.testing.assert_close(make().histograms(images), make().histograms(colour))
    assert make(cell=2, orientations=4).histograms(images).shape == (3, 9 * 4 * 4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"images": False, "shape": (30,)}, "looks at images"),
        ({"shape": (1, 6, 6)}, "does not fit"),
        ({"kind": "numbers"}, "kind class"),
    ],
)
def test_what_has_no_cells_is_refused(data, message):
    data = {
        "images": True,
        "guessed": False,
        "kind": "class",
        "name": "made",
        "shape": (1, 8, 8),
        **data,
    }
    given = SimpleNamespace(**data, form=SimpleNamespace(shape=data["shape"]))
    assert message in make().refusal(given)
