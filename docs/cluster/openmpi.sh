#!/usr/bin/env bash
# Trains on several hosts by Open MPI's mpirun, with the words of `archspec train`:
#
#   docs/cluster/openmpi.sh node1,node2 resnet50 --workdir /shared/runs/resnet50 --mesh data=16
#
# One process a host, which has all GPUs of it. Open MPI starts the processes and carries no data.
#
# To stop, so that all save the state and end at the same step: kill -USR1 of mpirun, which is this script's own number.
# mpirun passes that on to the processes, where it becomes SIGTERM, and ends with 143. SIGTERM or Ctrl-C of mpirun kills
# them 1 s later: then the run goes on from its last checkpoint.
#
# The processes meet at the first host, at PORT. JAX finds the place by itself under Open MPI up to version 4, but takes
# it for the host on which mpirun runs, which need not be one of these; version 5 JAX knows from 0.12 on, and with the
# package mpi4py alone. So it is said here, which goes with any version.
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: [PORT=4711] openmpi.sh HOST[,HOST…] SPEC --workdir DIR [more of archspec train]" >&2
  exit 2
fi
IFS=, read -ra hosts <<<"$1"
shift
archspec=$(command -v archspec) || { echo "there is no archspec on the PATH" >&2; exit 2; }

# In each process. SIGUSR1 comes to both, the shell and archspec, which shall not mind it; 138 is a wait that it interrupted.
# mpirun kills all processes once one ends with a status other than 0. After a stop others may still write their part of
# the checkpoint, so none tells of its end before they have had 20 s.
# shellcheck disable=SC2016
one='(trap "" USR1; exec "$@" --processes "$OMPI_COMM_WORLD_SIZE" --process-id "$OMPI_COMM_WORLD_RANK") &
trap "kill -TERM $!" USR1
until wait $!; status=$?; [ $status != 138 ]; do :; done
[ $status != 143 ] || sleep 20
exit $status'

# ppr:1:node is one process a host, and bind-to none leaves it all cores.
exec mpirun --host "$(IFS=,; echo "${hosts[*]}")" -np "${#hosts[@]}" --map-by ppr:1:node --bind-to none \
  bash -c "$one" "$archspec" "$archspec" train "$@" --coordinator "${hosts[0]}:${PORT:-4711}"
