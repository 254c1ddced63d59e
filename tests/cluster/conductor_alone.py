"""A small conductor, run by the tests as a process of its own: it can be killed or interrupted.

It prints one JSON document per line and nothing else, reads commands from standard input, and
trains with two threads.
"""

import gc
import json
import os
import sys
from pathlib import Path

import psutil
import ray
from cluster_models import custom

from harness.cli.interruptions import INTERRUPTIONS
from harness.cluster import Lost, Needs, Pack, open_executor
from harness.study import load_study
from harness.trial import Phase, Record, Trial
from harness.workloads import load

STUDY = Path(__file__).parents[2] / "studies" / "activations.yaml"


def tell(**facts):
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def run(executor, digits, model):
    base = load_study(STUDY, "quick").arms[0].workload
    workload = {**base, "epochs": 2, "model": model or base["model"]}
    trial = Trial(workload, os.getpid(), Phase.SEARCH, digits.fingerprint, "test")
    executor.submit(Pack((trial,)))
    while True:
        for event in executor.events(10.0):
            if isinstance(event, Record):
                tell(state=event.state, reason=event.reason, threads=event.environment["threads"])
                return
            if isinstance(event, Lost):
                tell(lost=event.cause, kind=event.kind)
                return


def main():
    options = json.loads(sys.argv[1])
    if options.pop("collect no garbage", False):
        gc.disable()
    if options.pop("public ray", False):
        leave_out_what_is_private()
    INTERRUPTIONS.install()  # as the command does: one that a callback of Ray's drops comes again
    executor = open_executor(needs=Needs(**options.pop("needs", {})), **options)
    try:
        started = [child.pid for child in psutil.Process().children(recursive=True)]
        tell(started=started, slots=executor.slots)
        digits = load({"name": "digits"}, Path())
        executor.provide(digits)
        for line in sys.stdin:
            command, _, name = line.strip().partition(" ")
            if command == "run":
                run(executor, digits, custom(name) if name else None)
            if command == "release":
                executor.release()
                tell(references=references())
            if command == "wait":
                tell(waiting=True)
                executor.submit(endless(digits))
                while True:
                    executor.events(60.0)
    except KeyboardInterrupt:
        INTERRUPTIONS.over = True
        tell(interrupted=True)
    finally:
        executor.close()
        tell(left=[child.pid for child in psutil.Process().children(recursive=True)])


def references():
    """Name what would tell Ray when it goes: streams and actors, of lost workers too."""
    kinds = ray.ObjectRefGenerator, ray.actor.ActorHandle
    return [repr(one) for one in gc.get_objects() if isinstance(one, kinds)]


def leave_out_what_is_private():
    """Be a program that imported Ray long ago, and a version that asks nobody about the path."""
    from harness.cluster import ray_session

    del ray_session._ApartFromHere._runtime_env_has_working_dir


def endless(digits):
    base = load_study(STUDY, "quick").arms[0].workload
    workload = {**base, "epochs": 10**6}
    return Pack((Trial(workload, 0, Phase.SEARCH, digits.fingerprint, "test"),))
