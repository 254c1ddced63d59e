"""What is chosen on a GPU, asked of a device that answers like one: precision, packs, streaming."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.optimizers.base import Scheduled, Stacked
from harness.train import pack_autotuning
from harness.train.device_data import DeviceData, free_memory
from harness.train.energy import GpuSensor
from harness.train.pack import PackContext
from harness.train.pack_autotuning import MEMORY_SHARE, members_that_fit, memory_for_packs
from harness.train.packed_program import program_for, uses_bfloat16
from harness.workloads import Examples

GPU = torch.device("cuda")
LARGE, SMALL = 10_000_000, 100_000


@pytest.fixture
def answers(monkeypatch):
    """Have PyTorch answer for a GPU: its free bytes, and whether it computes in bfloat16."""

    def say(free=80e9, bfloat16=True):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _=None: (int(free), int(90e9)))

        def supported(including_emulation=True):
            return bfloat16 or including_emulation  # older GPUs emulate it, slowly

        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)

    say()
    return say


def test_bfloat16_is_for_large_networks_on_gpus_that_have_it(answers):
    assert uses_bfloat16(GPU, LARGE)
    assert not uses_bfloat16(GPU, SMALL)
    answers(bfloat16=False)
    assert not uses_bfloat16(GPU, LARGE)
    assert uses_bfloat16(GPU, SMALL, "bfloat16")  # as the study says
    assert not uses_bfloat16(GPU, LARGE, "float32")
    assert not uses_bfloat16(torch.device("cpu"), LARGE)


def test_packs_are_as_large_as_the_free_memory_says(answers, make_trial, blobs):
    trial = make_trial(0, model={"width": 512})
    data = DeviceData(blobs.examples, torch.device("cpu"))
    context = PackContext(data, None, blobs.form, program_for(trial, blobs.form, data.device))
    pack_autotuning.measure([trial], context)  # which tells the memory of a step
    on_gpu = replace(context, data=SimpleNamespace(device=GPU, row_bytes=data.row_bytes))
    fitting = {}
    for free in (1e9, 8e9, 80e9):
        answers(free)
        assert free_memory(GPU) == free
        assert memory_for_packs(GPU) == MEMORY_SHARE["cuda"] * free
        fitting[free] = members_that_fit(on_gpu, trial)
    assert 1 < fitting[1e9] <= fitting[8e9] / 8  # whole members only
    assert fitting[80e9] == pytest.approx(10 * fitting[8e9], rel=0.1)
    parameters = sum(p.numel() for p in context.program.template.parameters())
    # at least weights, gradient, two moments, the best and the initial weights of each
    assert fitting[1e9] < 0.8e9 / (6 * 4 * parameters)
    answers(free=1e6)
    assert members_that_fit(on_gpu, trial) == 1


def test_what_is_larger_than_half_of_the_free_memory_stays_with_the_host(answers):
    examples = Examples(np.zeros((1000, 250), np.float32), np.zeros(1000, np.int64))  # 1.008 MB
    answers(free=2e6)
    data = DeviceData(examples, GPU)
    assert data.streamed
    assert data.inputs.device.type == data.targets.device.type == "cpu"
    answers(free=2.1e6)
    moved = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.Tensor, "to", lambda tensor, home: (moved.append(home), tensor)[1])
        assert not DeviceData(examples, GPU).streamed
    assert moved == [GPU, GPU]


def test_members_with_equal_settings_are_one_run_on_a_gpu_whatever_their_size():
    """A CPU's kernels round the ends of tensors otherwise; a GPU's do not."""
    adam = Scheduled.read({"name": "adam", "lr": 1e-3})
    parameter = torch.empty(4, 9, device="meta")
    (run,) = Stacked([adam] * 4, [parameter])._runs
    assert [tuple(one.shape) for one in run[1]] == [(4, 9)]
    (run,) = Stacked([adam] * 4, [torch.zeros(4, 9)])._runs
    assert [tuple(one.shape) for one in run[1]] == [(9,)] * 4


class Nvml:
    def __init__(self, millijoules, processes=1):
        self.values, self.processes = list(millijoules), processes

    def nvmlDeviceGetComputeRunningProcesses(self, _handle):  # noqa: N802  (NVML names it so)
        return [object()] * self.processes

    def nvmlDeviceGetTotalEnergyConsumption(self, _handle):  # noqa: N802  (NVML names it so)
        value = self.values.pop(0)
        if value is None:
            raise RuntimeError("Not Supported")
        return value


def test_a_gpus_counter_gives_joules_unless_another_process_computes_there():
    nvml = Nvml([1000, 4500, 4500, 9000])
    sensor = GpuSensor(nvml, None)
    assert sensor.spent() == 3.5
    nvml.processes = 2
    assert sensor.spent() is None
    nvml.processes = 1
    assert sensor.spent() is None  # what was spent meanwhile is not this process's alone
    assert GpuSensor(Nvml([None, None]), None).spent() is None
