#!/usr/bin/env bash
# Trains on several hosts without a scheduler, by ssh, with the words of `archspec train`. Started on the first of them:
#
#   docs/cluster/ssh.sh node1,node2 resnet50 --workdir /shared/runs/resnet50 --mesh data=16
#
# One process a host, which has all GPUs of it. They meet at the first host's name, as the others see it, at PORT, which a
# firewall lets through. archspec and this folder have the same path on all hosts, and ssh asks for no password.
#
# This script becomes the process of the first host, so Ctrl-C and SIGTERM reach it, upon which all processes save the
# state and end at the same step. Its status is 0, 130 or 143 after these, 75 where another process was lost.
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: [PORT=4711] ssh.sh HOST[,HOST…] SPEC --workdir DIR [more of archspec train]" >&2
  exit 2
fi
IFS=, read -ra hosts <<<"$1"
shift
archspec=$(command -v archspec) || { echo "there is no archspec on the PATH" >&2; exit 2; }
words=("$archspec" train "$@" --coordinator "${hosts[0]}:${PORT:-4711}" --processes "${#hosts[@]}")

for ((i = 1; i < ${#hosts[@]}; i++)); do
  # ssh gives the shell there one line, for which every word is quoted.
  printf -v line '%q ' "${words[@]}" --process-id "$i"
  # In the background, where bash has ssh ignore Ctrl-C. A host that is silent for a minute is given up.
  ssh -n -o BatchMode=yes -o ServerAliveInterval=15 -o ServerAliveCountMax=4 "${hosts[i]}" \
    "cd ${PWD@Q} && exec $line" 2>&1 | sed -u "s/^/${hosts[i]}: /" &
done
exec "${words[@]}" --process-id 0
