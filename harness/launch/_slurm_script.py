"""The batch file of `harness launch slurm`, with `$name` where a study and its options differ.

What is the shell's own is written `$$`.
"""

SCRIPT = r"""#!/bin/bash
# The study $job. Written by `harness launch slurm`; hand it in with: sbatch $file
#
# It starts Ray on all machines of the allocation, runs the study and ends Ray. Before the time
# limit the run is told to end: everything recorded is kept, the job queues itself again, and goes
# on with what has no record. It ends with the status of `harness run`; scancel ends it for good.
$options
cd -- $folder || exit 2
$setup
set -u
export PATH=$programs:"$$PATH"

# Only who knows the password may talk to Ray; it is a new one in every allocation.
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 PYTHONUNBUFFERED=1
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0  # what ends, ends at once: the run has ended before
RAY_AUTH_TOKEN=$$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN

# Other machines reach this one at the address that SLURM has for it, or if that is a name, at the
# one from which it would speak to them. On one machine only the loopback interface is used.
known_address() {
  scontrol show node --oneliner "$$1" | grep -o 'NodeAddr=[^ ]*' | cut -d= -f2
}
own_address() {
  python -P - "$$(known_address "$$SLURMD_NODENAME")" "$$1" <<'PYTHON'
import ipaddress, socket, sys
known, other = sys.argv[1:]
try:
    print(ipaddress.IPv4Address(known))
except ValueError:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as towards:
        towards.connect((other, 9))
        print(towards.getsockname()[0])
PYTHON
}
free_port() {
  python -P -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'
}
harness_address=127.0.0.1
if [ "$$SLURM_JOB_NUM_NODES" -gt 1 ]; then
  other=$$(scontrol show hostnames "$$SLURM_JOB_NODELIST" | sed -n 2p)
  harness_address=$$(own_address "$$(known_address "$$other")") || exit 1
else
  export RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0  # Ray's switch for the loopback interface
fi
harness_address=$$harness_address:$$(free_port)
harness_log=$log  # of Ray, for each machine
export harness_address harness_log

# One task on each machine. Ray's folder is private, on the machine's own disk, and its path short.
# While its lock is held it is in use; what a machine that was switched off left of one is removed
# by the next run there.
node() {
  ulimit -n "$$(ulimit -Hn)" || true
  folder=$$(mktemp -d /tmp/harness-ray-XXXXXXXX) || exit 1
  exec 9>"$$folder/owner" && flock 9
  trap 'kill $$ray 2>/dev/null; wait; rm -rf "$$folder"' EXIT
  trap 'exit 143' TERM INT
  options=(--block --disable-usage-stats --num-cpus="$$SLURM_CPUS_ON_NODE"
    --num-gpus="$${SLURM_GPUS_ON_NODE:-0}" --dashboard-agent-listen-port="$$(free_port)")
  if [ -n "$${SLURM_MEM_PER_NODE:-}" ]; then  # in MB; Ray would count on the whole machine
    shared=$$(df --block-size=1 --output=avail /dev/shm | tail -1)
    third=$$((SLURM_MEM_PER_NODE * 1048576 * 3 / 10))
    options+=(--object-store-memory="$$((third < shared * 9 / 10 ? third : shared * 9 / 10))"
      --memory="$$((SLURM_MEM_PER_NODE * 1048576 * 6 / 10))")
  fi
  if [ "$$SLURM_NODEID" = 0 ]; then
    options+=(--head --port="$${harness_address##*:}" --include-dashboard=false
      --temp-dir="$$folder/r" --node-ip-address="$${harness_address%:*}")
  else
    await_head || exit 1
    options+=(--address="$$harness_address" --temp-dir="$$folder/r"
      --node-ip-address="$$(own_address "$${harness_address%:*}")")
  fi
  ray start "$${options[@]}" &
  ray=$$!
  wait "$$ray"
}
await_head() {
  for _ in $$(seq 300); do
    (exec 3<>"/dev/tcp/$${harness_address%:*}/$${harness_address##*:}") 2>/dev/null && return
    [ -z "$${machines:-}" ] || kill -0 "$$machines" 2>/dev/null || break
    sleep 1
  done
  echo "harness: Ray did not start on the first machine (see $$harness_log)" >&2
  return 1
}
export -f node known_address own_address free_port await_head

records() {
  python -P - $database <<'PYTHON'
import pathlib, sqlite3, sys
try:
    file = pathlib.Path(sys.argv[1]).as_uri() + "?mode=ro"
    records = sqlite3.connect(file, uri=True, timeout=60)
    print(*records.execute("SELECT count(*) FROM records").fetchone())
except sqlite3.Error:
    print(0)
PYTHON
}
before=$$(records)

asked= study=
trap 'asked=limit; [ -z "$$study" ] || kill -TERM "$$study" 2>/dev/null' USR1
trap 'asked=end; [ -z "$$study" ] || kill -TERM "$$study" 2>/dev/null' TERM INT HUP

srun --overlap --kill-on-bad-exit=0 --wait=0 --cpus-per-task="$$SLURM_CPUS_PER_TASK" \
  --output="$$harness_log" bash -c node &
machines=$$!
await_head || { kill "$$machines"; wait; exit 1; }

[ -z "$$asked" ] || exit 143
$run &
study=$$!
[ -z "$$asked" ] || kill -TERM "$$study"
while kill -0 "$$study" 2>/dev/null; do wait "$$study"; done
wait "$$study"
status=$$?

# Ray is told to end, so that it leaves nothing behind; srun itself would kill it
scancel --signal=TERM "$$SLURM_JOB_ID.0" 2>/dev/null
for _ in $$(seq 15); do kill -0 "$$machines" 2>/dev/null && sleep 1; done
kill "$$machines" 2>/dev/null

if [ "$$asked" = limit ] && [ "$$status" = 143 ] && [ $requeues = 1 ]; then
  if [ $saves = 0 ] && [ "$$(records)" = "$$before" ]; then
    echo "harness: no trial ended within the time limit, so that it is not queued again; give it" \
      "more --time, or let trials be saved (checkpoints: in the study)" >&2
  else
    echo "harness: the time limit is near; the job queues itself again" >&2
    scontrol requeue "$$SLURM_JOB_ID" || sbatch $file
  fi
fi
wait
exit "$$status"
"""
