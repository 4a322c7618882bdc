#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Compares clusterup with a bare client, kubectl, Flux and Helm: the same objects on
# the same API server, in turns (test/bench). Prints tables in Markdown; says how
# far it is on stderr. Needs what `make servers build` makes.
#
#   SIZES="500 1000 5000"          numbers of objects; with 10000 also the growth
#   PROFILES="configmaps mixed"    which kinds
#   ROUNDS=3                       runs of each; the medians count
#   KUBECTL=all                    up to how many objects kubectl takes part: a number, all or none
#   TOOLS="bare engine"            only these of bare, engine, create, flux, helm and kubectl
#   HELM=none                      leaves Helm out, which takes minutes to build
#   LIMIT=600                      seconds that one run of a tool may take
#   BENCH_PROFILES=FOLDER          keeps CPU profiles of the library tools, clusterup's engine too
#   GATE=1                         exit code 1 when a goal is missed
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
export HOME=${HOME:-~} CGO_ENABLED=0
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"

export SIZES=${SIZES:-500 1000 5000} PROFILES=${PROFILES:-configmaps mixed} ROUNDS=${ROUNDS:-3}
export KUBECTL=${KUBECTL:-all} LIMIT=${LIMIT:-600} GATE=${GATE:-}
CLUSTERUP_SERVERS=$(realpath "${CLUSTERUP_SERVERS:-bin/servers}")
export CLUSTERUP_SERVERS CLUSTERUP_REQUIRE_SERVERS=1
if [[ ! -x bin/clusterup || ! -e $CLUSTERUP_SERVERS/bin/kube-apiserver ]]; then
	printf 'bench: nothing is built\nhint: make servers build\n' >&2
	exit 1
fi
if [[ $KUBECTL != none ]] && ! command -v diff >/dev/null; then
	printf 'bench: kubectl diff needs diff\nhint: apt-get install diffutils, or KUBECTL=none\n' >&2
	exit 1
fi

BENCH_HELM=""
if [[ ${HELM:-} != none ]]; then
	echo 'building Helm (some minutes, once)' >&2
	BENCH_HELM=$PWD/bin/bench-helm
	(cd test/bench/helm && go build -trimpath -o "$BENCH_HELM" .)
fi
BENCH_TABLE=$(mktemp)
export BENCH_HELM BENCH_TABLE
trap 'rm -f "$BENCH_TABLE"' EXIT

status=0
(cd test/bench && go test -v -count=1 -timeout 0 -run '^TestBench$' .) >&2 || status=$?
cat "$BENCH_TABLE"
exit "$status"
