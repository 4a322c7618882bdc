#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian packages that nodes on this machine need. Says what it
# installs; where nothing is missing it says nothing and changes nothing.
# No daemon is started: each node runs its own containerd.
set -eu
PATH=$PATH:/usr/sbin:/sbin # Debian's su without a dash leaves them out

# containerd and runc run the pods, the plugins and iptables (which they bring
# along) connect them; nft and conntrack also go into the kube-proxy image,
# busybox and the certificates into the images with a shell.
packages="containerd runc containernetworking-plugins nftables iproute2 conntrack busybox-static ca-certificates"

fail() {
	printf '%s\nhint: %s\n' "$1" "$2" >&2
	exit 1
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	lacking=""
	for program in containerd containerd-shim-runc-v2 ctr runc ip nft iptables conntrack nsenter busybox; do
		command -v "$program" >/dev/null || lacking="$lacking $program"
	done
	[ -x /usr/lib/cni/ptp ] || [ -x /opt/cni/bin/ptp ] || lacking="$lacking CNI-plugins"
	[ -e /etc/ssl/certs/ca-certificates.crt ] || lacking="$lacking /etc/ssl/certs/ca-certificates.crt"
	[ -n "$lacking" ] || exit 0
	fail "packages: this is not Debian, and it lacks$lacking" \
		"install them by your own means (Debian has them in $packages), or name an existing cluster in an environment file (docs/environments.md)"
fi

missing=""
for package in $packages; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

[ "$(id -u)" = 0 ] || fail "packages: missing$missing, and only root can install them" "sudo $0"

echo "installing Debian packages:$missing" >&2
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
own_policy=""
cleanup() {
	rm -f "$log"
	[ -z "$own_policy" ] || rm -f "$policy"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# Debian asks this file before a package starts its service.
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	own_policy=yes
fi

export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # the list is words on purpose
if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
	tail -n 20 "$log" >&2
	fail "packages: apt-get could not install$missing" "apt-get update && apt-get install$missing"
fi
