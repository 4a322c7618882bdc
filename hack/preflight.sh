#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Says in one line why a local environment can't be made on this machine, before
# anything is installed or built. Changes nothing. What nodes need beyond this,
# `clusterup create` looks at.
set -eu
cd "$(dirname "$0")/.."

# What the first build of the servers leaves on the disk, and what it or three
# nodes take of the memory, rounded up.
disk_gib=20 memory_mib=2560

elsewhere="name an existing cluster in an environment file (docs/environments.md), for which \`make build\` is enough"

fail() {
	printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
	exit 1
}

system=$(uname -s)
[ "$system" = Linux ] || fail "a local environment needs Linux; this is $system" "$elsewhere"
[ "$(id -u)" = 0 ] || fail "a local environment needs root, because it makes namespaces and links" "run it as root; or $elsewhere"

# Bits 12 and 21 are CAP_NET_ADMIN and CAP_SYS_ADMIN.
can=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
[ $((0x$can >> 12 & 0x$can >> 21 & 1)) = 1 ] ||
	fail "root lacks CAP_NET_ADMIN or CAP_SYS_ADMIN here, as in a container" "run it where root has both; or $elsewhere"
grep -Eq '^[^ ]+ [^ ]+ cgroup2? ' /proc/self/mounts ||
	fail "a local environment needs cgroups, and none are mounted" "mount -t cgroup2 none /sys/fs/cgroup; or $elsewhere"

wanted=$(awk '$1 == "go" {print $2}' go.mod)
command -v go >/dev/null ||
	fail "go is not on PATH" "install Go $wanted or newer (https://go.dev/dl) and put its bin folder on PATH"
have=$(cd / && go env GOVERSION) # there no go.mod is in its way
have=${have#*go}
[ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
	fail "Go $wanted or newer is needed, and $(command -v go) is $have" "install it and put it first on PATH"

# Once the servers are built, only nodes need room, and `create` knows how much.
[ ! -e bin/servers/set.json ] || exit 0

# room FOLDER: the free space where a folder is, or where it will be made.
room() {
	folder=$1
	while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
	free=$(df -Pk "$folder" | awk 'NR == 2 {print int($4 / 1048576)}')
	[ "$free" -ge "$disk_gib" ] ||
		fail "the first build needs $disk_gib GiB of disk, and $free GiB are free in $folder" "free some; or $elsewhere"
}
room "${CLUSTERUP_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/clusterup}"
room "$(go env GOCACHE)"
free=$(awk '$1 == "MemAvailable:" {print int($2 / 1024)}' /proc/meminfo)
[ "$free" -ge "$memory_mib" ] ||
	fail "a local environment needs $memory_mib MiB of free memory, and $free MiB are there" "free some; or $elsewhere"
