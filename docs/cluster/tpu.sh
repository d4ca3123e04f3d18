#!/usr/bin/env bash
# Trains on all hosts of a Cloud TPU slice, with the words of `archspec train`:
#
#   docs/cluster/tpu.sh NAME ZONE resnet50 --workdir /shared/runs/resnet50 --mesh data=32
#
# JAX finds the other hosts and their number by the metadata of the TPU VMs. Once before, on all of them (a slice of type
# v5litepod-32 has 8 hosts with 4 chips each):
#
#   gcloud compute tpus tpu-vm create NAME --zone=ZONE --accelerator-type=v5litepod-32 --version=v2-alpha-tpuv5-lite
#   gcloud compute tpus tpu-vm ssh NAME --zone=ZONE --worker=all --command='
#     sudo apt-get install -y nfs-common && sudo mkdir -p /shared && sudo mount FILESTORE_ADDRESS:/vol1 /shared &&
#     python3 -m venv ~/archspec && ~/archspec/bin/pip install archspec-jax "jax[tpu]"'
#
# /shared is a network file system, as Filestore, which all hosts see: run folder, spec and data are there.
set -euo pipefail
if [ $# -lt 3 ]; then
  echo "usage: tpu.sh NAME ZONE SPEC --workdir DIR [more of archspec train]" >&2
  exit 2
fi
name=$1 zone=$2
shift 2
# The words are quoted for the shell there. FOLDER is where relative paths begin.
printf -v line '%q ' train "$@"
exec gcloud compute tpus tpu-vm ssh "$name" --zone="$zone" --worker=all \
  --command="cd ${FOLDER:-/shared} && exec ~/archspec/bin/archspec $line"
