"""What trials cost: seconds divided among those that share a worker, joules from counters."""

import pytest

from harness.train.energy import GpuSensor, Meter, ProcessorSensor, sensors


class Machine:
    """Files as Linux shows them, which a test moves on."""

    def __init__(self, folder, packages=2):
        self.powercap, self.processes = folder / "powercap", folder / "stat"
        for package in range(packages):
            for name in (f"intel-rapl:{package}", f"intel-rapl:{package}:0"):
                (self.powercap / name).mkdir(parents=True)
                (self.powercap / name / "max_energy_range_uj").write_text("1000000000\n")
        self.packages = packages
        self.set([0] * packages, 0)

    def set(self, microjoules, busy_ticks):
        for package, value in enumerate(microjoules):
            for name in (f"intel-rapl:{package}", f"intel-rapl:{package}:0"):
                (self.powercap / name / "energy_uj").write_text(f"{value}\n")
        self.processes.write_text(f"cpu  {busy_ticks} 0 0 999999 77 0 0 0 55 0\ncpu0 1 2 3\n")


@pytest.fixture
def own(monkeypatch):
    """The processor time of this process, which a test sets."""
    seconds = [0.0]
    monkeypatch.setattr("harness.train.energy.time.process_time", lambda: seconds[0])
    return seconds


def test_a_process_gets_its_share_of_all_packages(tmp_path, own):
    machine = Machine(tmp_path)
    sensor = ProcessorSensor(machine.powercap, machine.processes)
    assert sensor.works
    machine.set([30_000_000, 10_000_000], 400)  # 40 J while all processes worked for 4 s
    own[0] = 1.0
    assert sensor.spent() == pytest.approx(10.0)
    assert sensor.spent() == 0.0


def test_a_counter_that_starts_anew_has_not_lost_anything(tmp_path, own):
    machine = Machine(tmp_path, packages=1)
    machine.set([990_000_000], 0)
    sensor = ProcessorSensor(machine.powercap, machine.processes)
    machine.set([15_000_000], 100)
    own[0] = 1.0
    assert sensor.spent() == pytest.approx(25.0)


def test_without_counters_or_without_the_right_to_read_them_there_is_no_sensor(tmp_path):
    assert not ProcessorSensor(tmp_path / "nothing", tmp_path / "stat").works
    machine = Machine(tmp_path)
    for zone in machine.powercap.iterdir():
        (zone / "energy_uj").unlink()
    assert not ProcessorSensor(machine.powercap, machine.processes).works
    assert sensors("cuda") == ()


class Counter:
    name = "counter"

    def __init__(self, *values):
        self.values = list(values)

    def spent(self):
        return self.values.pop(0)


def test_a_pack_shares_what_it_holds_evenly_among_those_present():
    meter = Meter("cpu", [Counter(5.0, 8.0, 3.0)])
    meter.enter(["a", "b"])  # what was before belongs to nobody
    a, b = meter.leave("a"), meter.leave("b")
    assert a["joules"] == pytest.approx(4.0)
    assert b["joules"] == pytest.approx(7.0)
    assert b["worker_seconds"] >= a["worker_seconds"] > 0
    assert "gpu_seconds" not in a


def test_what_was_not_sensed_all_the_time_is_absent():
    meter = Meter("cuda", [Counter(0.0, 1.0, None)])
    meter.enter(["a", "b"])
    assert meter.leave("a")["joules"] == pytest.approx(0.5)
    left = meter.leave("b")
    assert "joules" not in left
    assert left["gpu_seconds"] == left["worker_seconds"]


def test_a_gpu_that_others_compute_on_tells_nothing():
    class Nvml:
        processes, energy = 1, 0.0

        def nvmlDeviceGetComputeRunningProcesses(self, handle):  # noqa: N802
            return [object()] * self.processes

        def nvmlDeviceGetTotalEnergyConsumption(self, handle):  # noqa: N802
            return self.energy

    nvml = Nvml()
    sensor = GpuSensor(nvml, None)
    nvml.energy = 2500.0
    assert sensor.spent() == 2.5
    nvml.processes = 2
    assert sensor.spent() is None


def test_every_record_has_the_seconds_of_its_worker(make_trial, blobs, records_of):
    records = records_of([make_trial(seed) for seed in range(3)], blobs)
    for record in records:
        assert record.cost["worker_seconds"] > 0
        assert ("joules" in record.cost) == bool(sensors("cpu"))
    longest = max(record.ended for record in records) - min(record.started for record in records)
    assert sum(record.cost["worker_seconds"] for record in records) <= longest + 0.1
