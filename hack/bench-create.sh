#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Times `clusterup create` beside the bare sequence by hand (hack/bench/bare.sh):
# the same nodes, manifests and waits. Prints a table; exit code 1 when a goal is
# missed. Needs what `make servers build` makes, root, and curl and jq.
#
#   ROUNDS=3        runs of each; the median counts (default 1)
#   BENCH_SUBNET=   the /16 that is used (default 10.120.0.0/16)
#   BENCH_DIR=      where nodes keep their data, not on overlayfs
set -euo pipefail
export LC_ALL=C
umask 022

# The goals: create at most this many hundredths of the bare sequence, the second
# run at most this many ms, clusterup itself less than this many MB.
goal_ratio=150 goal_again=3000 goal_memory=150

rounds=${ROUNDS:-1}
export BENCH_SUBNET=${BENCH_SUBNET:-10.120.0.0/16} BENCH_DIR=${BENCH_DIR:-/var/lib/clusterup-bench}
repository=$(realpath "$(dirname "$0")/..")
servers=$(realpath "${CLUSTERUP_SERVERS:-$repository/bin/servers}")
export CLUSTERUP_SERVERS=$servers

fail() {
	printf 'bench-create: %s\nhint: %s\n' "$1" "$2" >&2
	exit 1
}
[[ $(id -u) == 0 ]] || fail 'nodes need root' 'sudo make bench-create'
[[ $rounds =~ ^[1-9][0-9]*$ ]] || fail "ROUNDS=$rounds is not a number above zero" 'ROUNDS=3 make bench-create'
[[ $BENCH_SUBNET =~ ^[0-9]+\.[0-9]+\.0\.0/16$ ]] || fail "BENCH_SUBNET=$BENCH_SUBNET is not a /16" 'such as 10.120.0.0/16'
[[ -x $repository/bin/clusterup && -e $servers/set.json ]] || fail 'nothing is built' 'make servers build'
for program in curl jq openssl; do
	command -v "$program" >/dev/null || fail "$program is missing" "apt-get install $program"
done
made=0
[[ -d $BENCH_DIR ]] || { mkdir -p "$BENCH_DIR"; made=1; }
chmod 700 "$BENCH_DIR"
[[ $(stat -f -c %T "$BENCH_DIR") != overlayfs ]] || fail "$BENCH_DIR lies on overlayfs" 'BENCH_DIR=FOLDER on another file system'
exec 9<"$BENCH_DIR"
flock --nonblock 9 || fail "another bench-create works in $BENCH_DIR" 'wait for its end'

running="" # the process that is being waited for; with a minus sign: its group
work=""

# destroy FOLDER: the environment of a run, if there is one.
destroy() {
	[[ -d $1/state ]] || return 0
	HOME=$1/home "$1/bin/clusterup" destroy "$1/bench.yaml" --yes --purge >"$1/destroy.log" 2>&1 9>&-
}

# shellcheck disable=SC2317 # called by the trap
at_exit() {
	local status=$?
	trap '' INT TERM HUP
	trap - EXIT
	if [[ -n $running ]]; then
		kill -TERM -- "$running" 2>/dev/null || true
		wait "${running#-}" 2>/dev/null || true
	fi
	if ! destroy "$work"; then
		tail -n 5 "$work/destroy.log" >&2
		echo "bench-create: the environment of $work is still there; the next run removes it" >&2
		exit 1
	fi
	rm -rf --one-file-system "$work" "$BENCH_DIR/images" "$BENCH_DIR/images.new"
	((made == 0)) || rmdir "$BENCH_DIR" 2>/dev/null || true
	exit "$status"
}

# What a run left that was killed and could not clean up.
for old in "$BENCH_DIR"/run.*; do
	[[ -d $old ]] || continue
	echo "removing what a killed run left in $old"
	destroy "$old" || fail "the environment of $old does not go" "see $old/destroy.log"
	rm -rf --one-file-system "$old"
done
"$repository/hack/bench/bare.sh" clean 9>&-

work=$(mktemp -d "$BENCH_DIR/run.XXXXXX")
trap at_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

mkdir "$work/bin" "$work/home"
cp "$repository/bin/clusterup" "$work/bin/" # one program for all rounds
cat >"$work/bench.yaml" <<END
apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata: {name: bench}
spec:
  development: true
  cluster:
    terraform:
      module: local
      variables: {nodes: 3, subnet: $BENCH_SUBNET, state: $work/state}
  operators: [{name: me, self: true}]
  custodian: me
  addons:
    - name: consul
    - name: vault
      values: {threshold: 2, holders: [{operator: me, shares: 3}]}
END

# watch PID: the most memory that a process itself holds, in kB, until it ends.
watch() {
	local key value peak=0
	while [[ -e /proc/$1/status ]]; do
		while read -r key value _; do
			[[ $key != VmHWM: ]] || peak=$value
		done 2>/dev/null <"/proc/$1/status" || true
		sleep 0.05
	done 2>/dev/null
	echo "$peak"
}

# clusterup NAME ARGUMENTS...: runs it, and sets ms and kB; NAME.log is what it
# says.
clusterup() {
	local log=$work/$1.log start watcher status=0
	shift
	start=${EPOCHREALTIME/./}
	HOME=$work/home NO_COLOR=1 setpriv --pdeathsig TERM "$work/bin/clusterup" "$@" >"$log" 2>&1 </dev/null 9>&- &
	running=$!
	watch "$running" >"$work/peak" 9>&- &
	watcher=$!
	wait "$running" || status=$?
	ms=$(((${EPOCHREALTIME/./} - start) / 1000))
	running=""
	wait "$watcher"
	kB=$(<"$work/peak")
	if ((status != 0)); then
		tail -n 20 "$log" >&2
		fail "clusterup $1 ended with $status" "the log is above; without $work: ./bin/clusterup create local"
	fi
}

# capture: the manifests as they are in the cluster, with their secrets.
capture() {
	local kubectl=$servers/bin/kubectl kinds addon
	mkdir -m 700 "$work/manifests"
	HOME=$work/home "$work/bin/clusterup" kubeconfig "$work/bench.yaml" >"$work/manifests/kubeconfig"
	chmod 600 "$work/manifests/kubeconfig"
	export KUBECONFIG=$work/manifests/kubeconfig
	kinds=$(HOME=$work/home "$kubectl" api-resources --verbs=list,create -o name |
		grep -vE '^(pods|events|endpoints|endpointslices|persistentvolumeclaims)(\.|$)' | paste -sd,)
	for addon in consul vault; do
		HOME=$work/home "$kubectl" get "$kinds" --all-namespaces -o json \
			-l "app.kubernetes.io/managed-by=clusterup,clusterup.dev/addon=$addon" |
			jq -f "$repository/hack/bench/manifest.jq" >"$work/manifests/$addon.json"
	done
	unset KUBECONFIG
}

bare() {
	local status=0
	setpriv --pdeathsig TERM setsid "$repository/hack/bench/bare.sh" "$work/manifests" "$work/bare.steps" >"$work/bare.log" 2>&1 </dev/null 9>&- &
	running=-$!
	wait "${running#-}" || status=$?
	running=""
	if ((status != 0)); then
		cat "$work/bare.steps" "$work/bare.log" >&2 2>/dev/null || true
		fail "the bare sequence ended with $status" 'its steps and its last words are above'
	fi
	ms=$(awk '$1 == "total" {print $2}' "$work/bare.steps")
}

median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
seconds() { printf '%d.%d' $((($1 + 50) / 1000)) $((($1 + 50) % 1000 / 100)); }
all_seconds() {
	local one text=""
	for one in "$@"; do text+=" $(seconds "$one")"; done
	printf '%s' "${text# }"
}

creates=() agains=() bares=() peak=0
for ((round = 1; round <= rounds; round++)); do
	echo "round $round of $rounds: clusterup create"
	clusterup create create "$work/bench.yaml" --yes
	creates+=("$ms")
	((peak = kB > peak ? kB : peak))
	clusterup again create "$work/bench.yaml" --yes
	agains+=("$ms")
	((peak = kB > peak ? kB : peak))
	grep -q 'nothing to do' "$work/again.log" || fail 'the second run had something to do' "$(tail -n 1 "$work/again.log")"
	((round > 1)) || capture
	destroy "$work" || fail 'the environment could not be destroyed' "$(tail -n 1 "$work/destroy.log")"
	echo "round $round of $rounds: the bare sequence"
	bare
	bares+=("$ms")
done

peak=$((peak * 1024 / 1000000))
create=$(median "${creates[@]}") again=$(median "${agains[@]}") bare=$(median "${bares[@]}")
ratio=$((create * 100 / bare))
missed=0
row() { # NAME VALUE GOAL VALUE-AS-NUMBER GOAL-AS-NUMBER
	local verdict=ok
	(($4 <= $5)) || { verdict=MISSED missed=1; }
	printf '  %-28s %-12s %-12s %s\n' "$1" "$2" "$3" "$verdict"
}
printf '\nthe steps of the last bare run\n'
awk '{printf "  %-28s %s\n", substr($0, 1, 24), $(NF-1) / 1000}' "$work/bare.steps"
printf '\nthe steps of the last create\n'
grep -E '^  [a-z/]+ +[0-9.]+s$' "$work/create.log" || true
printf '\n  %-28s %s\n' 'bare sequence, s' "$(all_seconds "${bares[@]}")"
printf '  %-28s %s\n\n' 'clusterup create, s' "$(all_seconds "${creates[@]}")"
printf '  %-28s %-12s %s\n' '' 'measured' 'goal'
printf '  %-28s %s\n' 'bare sequence' "$(seconds "$bare") s" 'nothing to unsealed' "$(seconds "$create") s"
row 'create : bare' "$((ratio / 100)).$(printf %02d $((ratio % 100)))" '<= 1.50' "$ratio" "$goal_ratio"
row 'second run' "$(seconds "$again") s" '<= 3.0 s' "$again" "$goal_again"
row 'memory of clusterup' "$peak MB" "< $goal_memory MB" "$peak" "$((goal_memory - 1))"
printf '  load of the machine: %s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
exit "$missed"
