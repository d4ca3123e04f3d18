"""E57: processes that train together."""

from __future__ import annotations

from archspec.codes._code import Code

CODES = (
    Code(
        "E571",
        "the processes of a run do not find each other, or were not started for each other",
        "All meet at the address of process 0, which `--coordinator` names, or the cluster that JAX detects: SLURM, "
        "Open MPI, Kubernetes or a TPU pod. Each has a number of its own. They wait `--join-timeout` for each other.",
        "Start one for each number from 0, all with the same `--coordinator` and `--processes`; `--cluster none` "
        "trains alone.",
        commands=(
            "archspec train digits.yaml --coordinator 127.0.0.1:9999 --processes 2 --process-id 1 --join-timeout 1",
        ),
    ),
    Code(
        "E572",
        "processes of a run would not train alike",
        "Their specs, data, versions, devices or folders differ, which is compared before the first step. Such a run "
        "would hang, or mix two trainings.",
        "Start all with the same command and files, in the same environment, with as many devices each.",
        commands=(
            "archspec train digits.yaml --coordinator host0:9999 --processes 2 --process-id 0",
            "archspec train digits.yaml --coordinator host0:9999 --processes 2 --process-id 1 --set "
            "train.batch_size=32      # on host1",
        ),
    ),
    Code(
        "E573",
        "another process of a run is gone, or ended with an error",
        "It was killed, its host is down, or the network between. Each step waits for all processes, so none goes on "
        "without it. The exit status is 75 where it is gone.",
        "The same command on all hosts goes on from the last checkpoint; where one ended with an error, first mend "
        "that.",
        commands=(
            "archspec train digits.yaml --coordinator host0:9999 --processes 2 --process-id 0",
            "archspec train digits.yaml --coordinator host0:9999 --processes 2 --process-id 1      # on host1, which "
            "goes down",
        ),
    ),
)
