"""Tasks that generate, and how what they draw is measured: against references, and end to end."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from one_trial import train
from one_trial import trial_of as make
from scipy.linalg import sqrtm
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

from harness.data_spec import Form
from harness.models import build
from harness.models.transformer import Transformer
from harness.probes._samples import (
    frechet_distance,
    high_frequency_energy,
    kernel_distance,
    nearest_distance,
    precision_and_recall,
    sharpness_gap,
)
from harness.probes.base import Shown, artifact
from harness.probes.denoising_steps import DenoisingSteps
from harness.probes.mode_coverage import ModeCoverage
from harness.probes.sample_quality import SampleQuality
from harness.probes.sampling_steps import SamplingSteps
from harness.registry import PROBES, TASKS
from harness.study import InputError, load_study
from harness.tasks.diffusion import LEAST, signal, with_level
from harness.train import Checkpoints, Setting, train_in
from harness.train.stage_products import data_of
from harness.trial import Given, Phase
from harness.workloads import load

GAN = {
    "data": {"name": "digits", "limit": 300},
    "task": {"name": "adversarial", "noise": 8, "discriminator": {"name": "mlp", "depth": 1}},
    "model": {"name": "mlp", "depth": 1, "width": 32},
    "optimizer": {"name": "adam", "lr": 1e-3},
    "batch_size": 64,
    "epochs": 3,
    "keep": "last",
}
DIFFUSION = {**GAN, "task": {"name": "diffusion", "levels": 100, "sampling_steps": 10}}
WRITING = {**GAN, "task": {"name": "autoregressive", "levels": 8}, "batch_size": 32,
           "model": {"name": "recurrent", "cell": "gru", "width": 16, "embedding": 8}}  # fmt: skip
FORM = Form((1, 8, 8), 10)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """Return a classifier as a stage gives it."""
    folder = tmp_path_factory.mktemp("reader")
    trial = make(GAN, Phase.PRETRAINING, task=None, epochs=8)
    return Given(trial, FORM, train(trial, folder).products)


# --- measures, against references -----------------------------------------------------------------
def two_samples(count=400, features=6):
    draws = torch.Generator().manual_seed(0)
    mix = torch.randn(features, features, generator=draws)
    one = torch.randn(count, features, generator=draws) @ mix
    other = 0.7 * torch.randn(count, features, generator=draws) + 0.4
    return one, other


def test_the_frechet_distance_is_that_of_scipy_and_of_torchmetrics():
    one, other = (part.double().numpy() for part in two_samples())
    means, covariances = [x.mean(0) for x in (one, other)], [np.cov(x.T) for x in (one, other)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(sum(covariances) - 2 * root)
    found = frechet_distance(*two_samples())
    assert found == pytest.approx(expected, rel=1e-8)
    tensors = [torch.from_numpy(x) for x in (*means, *covariances)]
    reference = _compute_fid(tensors[0], tensors[2], tensors[1], tensors[3])
    assert found == pytest.approx(float(reference), rel=1e-6)


def test_the_frechet_distance_knows_constant_features_and_the_same_sample():
    one, _ = two_samples()
    flat = torch.cat([one, torch.ones(len(one), 2)], dim=1)
    assert frechet_distance(flat, flat) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(flat, flat + 1) == pytest.approx(8)


def test_the_kernel_distance_is_that_of_torchmetrics():
    one, other = (part.double() for part in two_samples(150))
    assert kernel_distance(one, other) == pytest.approx(float(poly_mmd(one, other)), rel=1e-8)
    halves = torch.randn(600, 6, generator=torch.Generator().manual_seed(2)).split(300)
    assert abs(kernel_distance(*halves)) < 0.3 < kernel_distance(one, other)


def test_precision_recall_and_coverage_by_their_definitions():
    one, other = (part[:60].double() for part in two_samples())
    radius = {}
    for name, points in (("one", one), ("other", other)):
        gaps = [[float((a - b).norm()) for b in points] for a in points]
        radius[name] = [sorted(row)[3] for row in gaps]
    apart = [[float((a - b).norm()) for b in other] for a in one]
    precision = np.mean([any(d <= r for d, r in zip(row, radius["other"], strict=True))
                         for row in apart])  # fmt: skip
    recall = np.mean([any(apart[i][j] <= radius["one"][i] for i in range(60)) for j in range(60)])
    coverage = np.mean([min(apart[i][j] for i in range(60)) <= radius["other"][j]
                        for j in range(60)])  # fmt: skip
    assert precision_and_recall(one, other) == pytest.approx((precision, recall, coverage))
    assert precision_and_recall(one, one) == (1, 1, 1)
    assert precision_and_recall(one + 1000, one) == (0, 0, 0)
    collapsed = one[:1] + 1e-3 * one  # all at one place of the data
    near, found, covered = precision_and_recall(collapsed, one)
    assert near > 0.9
    assert max(found, covered) < 0.3


def test_energy_at_high_frequencies_tells_sharp_from_blurred():
    stripes = torch.zeros(3, 1, 8, 8)
    stripes[..., ::2] = 1.0
    slow = torch.linspace(0, 2 * math.pi, 9)[:8].sin().expand(3, 1, 8, 8)
    assert high_frequency_energy(stripes) > 1000 * high_frequency_energy(slow)
    noise = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert sharpness_gap(noise, noise) == 0
    assert sharpness_gap(0.5 * noise, noise) == pytest.approx(math.log(4))


def test_repeated_training_examples_are_seen():
    known = torch.randn(3000, 4, generator=torch.Generator().manual_seed(0)).double()
    assert nearest_distance(known[:50], known) == pytest.approx(0, abs=1e-6)
    assert nearest_distance(known[:2500] + 10, known[2500:]) > 5


@pytest.mark.parametrize(
    "workload", [GAN, DIFFUSION, WRITING], ids=["adversarial", "diffusion", "autoregressive"]
)
def test_the_probe_measures_samples_and_keeps_some(workload, reader, tmp_path):
    trial = make(workload, probes=["sample_quality"], uses={"classifier": "reader"})
    record = train(trial, tmp_path, {"classifier": reader})
    found = {name.removeprefix("probe."): value for name, value in record.metrics.items()}
    assert set(SampleQuality(name="sample_quality").measures) <= set(found)
    assert found["frechet_distance"] > 0
    assert artifact(SampleQuality, record.details)["samples"].shape == (40, 1, 8, 8)
    again = train(trial, tmp_path, {"classifier": reader})
    assert again.deterministic_part() == record.deterministic_part()
    parts = artifact(SampleQuality, record.details)
    assert PROBES.read("sample_quality").draw([Shown("arm", 0, parts)], None)


# --- number by number -----------------------------------------------------------------------------
def test_numbers_are_written_as_their_distribution_says():
    """Of a network that gives each level its share, whatever came before, the shares are drawn."""
    shares = torch.tensor([0.5, 0.0, 0.3, 0.2])

    class Known(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.shares = torch.nn.Parameter(shares.log())

        def forward(self, tokens):
            return self.shares.expand(*tokens.shape, 4)

    task = TASKS.read({"name": "autoregressive", "levels": 4, "low": 0.0, "high": 4.0})
    with torch.no_grad():
        drawn = task.sample(Known(), 2000, torch.Generator().manual_seed(0), (1, 2, 3))
    assert drawn.shape == (2000, 1, 2, 3)
    assert set(drawn.unique().tolist()) == {0.5, 2.5, 3.5}
    found = torch.stack([(drawn == level + 0.5).double().mean() for level in range(4)])
    assert torch.allclose(found, shares.double(), atol=0.02)


def test_bits_fall_below_those_of_each_pixel_alone(tmp_path):
    record = train(make(WRITING, epochs=15, optimizer={"name": "adam", "lr": 0.01}), tmp_path)
    data = load(WRITING["data"], tmp_path).examples
    pixels = data.inputs.reshape(len(data), -1).astype(float)
    low, high = pixels.mean() - pixels.std(), pixels.mean() + 3 * pixels.std()
    levels = np.clip((pixels - low) / (high - low) * 8, 0, 7).astype(int)
    shares = np.bincount(levels.ravel()) / levels.size
    alone = -(shares[shares > 0] * np.log2(shares[shares > 0])).sum()
    assert record.metrics["test.bits"] < alone - 0.1


@pytest.mark.parametrize(
    "model",
    [{"name": "transformer", "causal": False}, {"name": "recurrent", "bidirectional": True}],
    ids=lambda model: model["name"],
)
def test_a_network_that_sees_what_comes_is_refused(model):
    study = {"study": "s", "question": "?", "workload": {**WRITING, "model": model}, "seeds": 5}
    with pytest.raises(InputError, match="sees the numbers that it is to predict"):
        load_study(study)


def test_a_network_that_turns_out_to_see_what_comes_is_refused():
    """Its outputs say so: a network of one's own declares nothing."""
    settings = SimpleNamespace(model=Transformer(name="transformer"))
    task = TASKS.read(WRITING["task"])

    def seeing(model, form, part):
        return build({"name": "transformer", "causal": part != "model"}, form, 0)

    with pytest.raises(ValueError, match="transformer sees the numbers"):
        task.build(settings, FORM, seeing)
    assert task.build(settings, FORM, lambda model, form, part: build(
        {"name": "transformer"}, form, 0))  # fmt: skip


@pytest.mark.parametrize(
    ("workload", "path", "levels", "metric"),
    [
        (WRITING, "task.levels", [4, 16], "test.bits"),
        (WRITING, "task.high", [2.0, 3.0], "test.bits"),
        (DIFFUSION, "task.levels", [10, 100], "test.noise_error"),
    ],
)
def test_a_setting_that_decides_what_a_metric_counts_is_no_factor_of_it(
    workload, path, levels, metric
):
    study = {
        "study": "s", "question": "?", "workload": workload, "seeds": 5,
        "factors": {"size": {"path": path, "levels": levels}},
        "claims": [{"id": "c", "says": "x", "metric": metric, "less_by": 0.1,
                    "contrast": {"size": levels}}],
    }  # fmt: skip
    with pytest.raises(InputError, match=f"`{path}` decides what it counts"):
        load_study(study)
    rates = {"size": {"path": "optimizer.lr", "levels": [0.001, 0.01]}}
    study["claims"][0]["contrast"] = {"size": [0.001, 0.01]}
    assert load_study({**study, "factors": rates})
    search = {"space": {path: {"choice": levels}}, "candidates": 2}
    with pytest.raises(InputError, match="changes what validation"):
        load_study({**study, "factors": rates, "search": search})


# --- diffusion ------------------------------------------------------------------------------------
def test_the_signal_falls_from_all_to_almost_nothing():
    levels = signal(torch.linspace(0, 1, 50))
    assert float(levels[0]) == pytest.approx(1)
    assert float(levels[-1]) == pytest.approx(LEAST)
    assert (levels.diff() <= 0).all()
    assert with_level(torch.zeros(2, 3, 4, 4), torch.tensor([0.1, 0.9])).shape == (2, 11, 4, 4)
    said = with_level(torch.zeros(2, 5), torch.tensor([0.1, 0.9]))
    assert said.shape == (2, 13)
    assert not torch.equal(said[0], said[1])


@pytest.mark.parametrize("predicts", ["velocity", "noise"])
def test_a_network_that_knows_the_example_takes_all_noise_off(predicts):
    """The steps are right if a perfect network leads to the only example there is."""
    target = torch.tensor([[0.5, -1.0, 2.0]])

    class Perfect(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.place = torch.nn.Parameter(torch.zeros(1))

        def forward(self, read):
            noisy = read[:, :3]
            # the level of each row, found again from its first sine (one half turn) and cosine
            level = torch.atan2(read[:, 3].abs(), read[:, 7]) / math.pi
            kept = signal(level)[:, None]
            noise = (noisy - kept.sqrt() * target) / (1 - kept).sqrt()
            return noise if predicts == "noise" else (
                kept.sqrt() * noise - (1 - kept).sqrt() * target)  # fmt: skip

    task = TASKS.read({**DIFFUSION["task"], "predicts": predicts})
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        drawn = task.sample(Perfect(), 4, draws, (3,))
    assert torch.allclose(drawn, target.expand(4, 3), atol=1e-3)


def test_diffusion_learns_the_clouds_of_a_ring(tmp_path):
    ring = {"name": "ring", "modes": 4, "examples": 800, "test": 100, "deviation": 0.1}
    trial = make(DIFFUSION, data=ring, epochs=60, optimizer={"name": "adam", "lr": 5e-3},
                 model={"name": "mlp", "depth": 2, "width": 64}, schedule="cosine",
                 probes=["mode_coverage"])  # fmt: skip
    record = train(trial, tmp_path)
    assert record.curve[-1]["validation.noise_error"] < 0.8 * record.curve[0][
        "validation.noise_error"]  # fmt: skip
    assert record.metrics["probe.covered_modes"] == 1
    assert record.metrics["probe.missed_a_mode"] == 0
    assert record.metrics["probe.near_a_mode"] > 0.5


def test_examples_are_measured_by_the_number_of_steps(reader, tmp_path):
    probe = {"name": "sampling_steps", "steps": [1, 4, 20], "samples": 200}
    whole = {"name": "sample_quality", "samples": 200}
    kept = [PROBES.read(one).for_trial(None) for one in (probe, whole)]
    task = {**DIFFUSION["task"], "sampling_steps": 4}
    trial = make(DIFFUSION, probes=kept, uses={"classifier": "reader"}, epochs=10, task=task)
    record = train(trial, tmp_path, {"classifier": reader})
    parts = artifact(SamplingSteps, record.details)
    one, four, twenty = parts["distances"]
    found = {name.removeprefix("probe."): value for name, value in record.metrics.items()}
    assert four == pytest.approx(found["frechet_distance"])  # of the task's own steps
    assert found["steps_ratio"] == pytest.approx(max(four / one, twenty / four))
    assert (found["frechet_in_fewest_steps"], found["frechet_in_most_steps"]) == (one, twenty)
    assert parts["samples"].shape == (3, 10, 1, 8, 8)
    assert SamplingSteps(name="sampling_steps").draw([Shown("arm", 0, parts)], None)


def test_a_mode_is_covered_by_a_tenth_of_its_share_and_not_by_one_stray_example():
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    draws = torch.Generator().manual_seed(0)
    targets = torch.arange(200) % 2
    train = SimpleNamespace(
        inputs=centres[targets] + torch.randn(200, 2, generator=draws), targets=targets
    )
    for strays, covered in ((1, 0.5), (4, 0.5), (5, 1.0)):
        drawn = centres[(torch.arange(100) < strays).long()]
        fitted = SimpleNamespace(
            task=SimpleNamespace(sample=lambda *_, drawn=drawn: drawn), seed=0,
            network=torch.nn.Identity(), splits=SimpleNamespace(train=train),
            form=Form((2,), 2),
        )  # fmt: skip
        found = ModeCoverage(name="mode_coverage", samples=100).measure(fitted).metrics
        assert found["covered_modes"] == covered
        assert found["missed_a_mode"] == (covered < 1)
        assert found["near_a_mode"] == 1


def test_a_resumed_diffusion_is_the_one_that_was_never_interrupted(tmp_path):
    trial = make(DIFFUSION, epochs=4)
    whole = train(trial, tmp_path)
    checkpoints = Checkpoints(str(tmp_path / "saved"), epochs=2)
    data = load(trial.workload["data"], tmp_path).for_phase(trial.phase)
    events = train_in(Setting(checkpoints=checkpoints), [trial], data)
    for _ in range(3):
        next(events)
    events.close()
    again = train(trial, tmp_path, checkpoints=checkpoints)
    assert again.cost["resumed_after_epoch"] == 2
    assert again.deterministic_part() == whole.deterministic_part()


def test_a_unet_predicts_for_images_and_its_steps_are_shown(tmp_path):
    model = {"name": "unet", "channels": [8, 16]}
    record = train(make(DIFFUSION, model=model, probes=["denoising_steps"]), tmp_path)
    assert artifact(DenoisingSteps, record.details)["ways"].shape == (4, 8, 1, 8, 8)
    parts = artifact(DenoisingSteps, record.details)
    assert PROBES.read("denoising_steps").draw([Shown("arm", 0, parts)], None)
    odd = build(model, Form((3, 7, 9), 63, "numbers"), 0)
    assert odd(torch.zeros(2, 3, 7, 9)).shape == (2, 63)
    for form, said in (
        (Form((3, 7, 9), 62, "numbers"), "62 numbers are none"),
        (Form((3, 1, 1), 1, "numbers"), "too many"),
        (Form((9,), 9, "numbers"), "images"),
    ):
        with pytest.raises(ValueError, match=said):
            build(model, form, 0)


# --- a generator that knows classes ---------------------------------------------------------------
def conditional(**more):
    return {**GAN, "task": {**GAN["task"], "conditional": True, **more}}


def test_a_conditional_generator_reads_the_class(tmp_path):
    trial = make(conditional(drawn=30), Phase.PRETRAINING)
    record = train(trial, tmp_path)
    assert record.weights["model.1.linear.weight"].shape[1] == 8 + 10
    assert record.weights["discriminator.1.linear.weight"].shape[1] == 64 + 10 * 64
    given = Given(trial, FORM, record.products)
    data = load(trial.workload["data"], tmp_path).for_phase(Phase.CONFIRMATION)
    helped = data_of(data, {"augmentation": given}, torch.device("cpu"))
    assert helped.examples.added == 30
    assert helped.examples.targets[-30:].tolist() == [*range(10)] * 3
    drawn = helped.examples.inputs[-30:]
    assert not np.allclose(drawn[0], drawn[10])  # other noise, the same class
    known = data.examples.inputs
    assert abs(drawn.mean() - known.mean()) < 3 * known.std()  # on the scale of the data
    untrained = Given(trial, FORM, {})
    assert data_of(data, {"augmentation": untrained}, torch.device("cpu")).examples.added == 0


@pytest.mark.parametrize("loss", ["standard", "wasserstein"])
def test_a_conditional_discriminator_of_images_reads_classes_as_channels(loss, tmp_path):
    cnn = {"name": "cnn", "channels": [4], "dense": 0, "norm": "none"}
    record = train(make(conditional(discriminator=cnn, loss=loss), Phase.PRETRAINING), tmp_path)
    assert record.weights["discriminator.0.linear.weight"].shape[1] == 11


def test_a_study_uses_labelled_samples_and_refuses_others():
    study = {
        "study": "s", "question": "?", "seeds": 5, "workload": {**GAN, "task": None},
        "stages": {"painter": {"task": conditional()["task"]}},
        "arms": {"alone": {}, "helped": {"uses": {"augmentation": "painter"}}},
    }  # fmt: skip
    assert len(load_study(study).arms) == 3
    study["stages"]["painter"]["task"] = GAN["task"]
    with pytest.raises(InputError, match="have no targets"):
        load_study(study)


# --- what reaches a generator ---------------------------------------------------------------------
def test_the_saturating_loss_starves_a_generator_whose_judge_is_sure(tmp_path):
    losses = {
        loss: TASKS.read({**GAN["task"], "loss": loss})
        for loss in ("standard", "saturating", "wasserstein")
    }
    slopes = {}
    for name, task in losses.items():
        scores = torch.full((4, 1), -8.0, requires_grad=True)  # sure that they are generated
        (slope,) = torch.autograd.grad(task.against(scores), scores)
        slopes[name] = float(slope.abs().sum())
    assert slopes["saturating"] < 0.001
    assert 0.9 < slopes["standard"] <= slopes["wasserstein"] == 1
    trial = make(GAN, probes=["generator_gradient"], task={**GAN["task"], "loss": "saturating"})
    found = train(trial, tmp_path).metrics
    assert found["probe.generator_gradient"] > 0
    assert 0 <= found["probe.judged_rightly"] <= 1
    critic = make(GAN, probes=["generator_gradient"], task={**GAN["task"], "loss": "wasserstein"})
    assert "probe.judged_rightly" not in train(critic, tmp_path).metrics


@pytest.mark.parametrize(
    ("workload", "probe", "said"),
    [
        ({**GAN, "task": None}, "sample_quality", "needs a task that generates"),
        (GAN, "sample_quality", "needs a classifier"),
        (GAN, "denoising_steps", "needs the task diffusion"),
        (GAN, "sampling_steps", "needs the task diffusion"),
        (DIFFUSION, "sampling_steps", "needs a classifier"),
        (
            {**DIFFUSION, "task": {"name": "diffusion", "levels": 20, "sampling_steps": 5}},
            "sampling_steps",
            "`steps` (50) are more than the task's `levels` (20)",
        ),
        (DIFFUSION, "generator_gradient", "needs the task adversarial"),
        (conditional(), "generator_gradient", "reads no classes"),
        ({**DIFFUSION, "loss": "cross_entropy"}, None, "`loss` is of no use with the task diffus"),
        ({**DIFFUSION, "model": "pca"}, None, "pca is no network"),
        (
            {**DIFFUSION, "task": {"name": "diffusion", "levels": 5, "sampling_steps": 9}},
            None,
            "`sampling_steps` (9) are more than `levels` (5)",
        ),
        (
            {**conditional(), "data": {"name": "table", "source": "diabetes"}},
            None,
            "`task.conditional` needs classes",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_refused(workload, probe, said):
    study = {"study": "s", "question": "?", "workload": workload, "seeds": 5}
    with pytest.raises(InputError, match=re.escape(said)):
        load_study({**study, "probes": [probe]} if probe else study)
