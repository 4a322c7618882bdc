#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The first process of a node of bare.sh, in its own mount, net, uts, ipc and
# pid namespaces: builds the node's file system and network, and runs containerd
# and the kubelet. When it dies, the kernel ends everything in the node.
#
#   node.sh DIR NAME GROUP SERVERS
#
# DIR holds the node's etc, var, root (a mount point) and ip.batch.
set -euo pipefail
dir=$1 name=$2 group=$3 servers=$4
root=$dir/root

# /proc is still the machine's, so it shows our number there.
read -r pid _ </proc/self/stat
printf '%s\n' "$pid" >"$dir/pid.new"
mv "$dir/pid.new" "$dir/pid"

for hierarchy in /sys/fs/cgroup/*/; do
	if [[ -e $hierarchy$group/system/cgroup.procs ]]; then
		echo 0 >"$hierarchy$group/system/cgroup.procs"
	fi
done
if [[ -e /sys/fs/cgroup/$group/system/cgroup.procs ]]; then
	echo 0 >"/sys/fs/cgroup/$group/system/cgroup.procs"
fi
hostname "$name"

# The node's root: the machine's programs read-only, its own /etc and /var, all
# else fresh.
show() {
	if [[ -L $1 ]]; then
		cp -P "$1" "$root$1"
	elif [[ -d $1 ]]; then
		mkdir -p "$root$1"
		mount --rbind "$1" "$root$1"
		mount -o remount,bind,ro "$root$1"
	fi
}
mount --make-rprivate /
mount -t tmpfs -o mode=0755,size=16m tmpfs "$root"
mkdir -p "$root"/{etc,var,proc,sys,dev,run,tmp,root,old,opt/servers}
mount --bind "$dir/etc" "$root/etc"
mount --bind "$dir/var" "$root/var"
for path in /usr /bin /sbin /lib /lib32 /lib64 /libx32 /etc/ssl /etc/alternatives /opt/cni/bin; do
	show "$path"
done
if [[ ! -e /usr/lib/modules ]]; then # kube-proxy mounts it
	mkdir -p "$root/old/lib/modules"
	mount -t overlay -o "ro,lowerdir=$root/old:/usr" overlay "$root/usr"
fi
mount --bind "$servers" "$root/opt/servers"
mount -o remount,bind,ro "$root/opt/servers"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"

# The kubelet wants these of the whole machine: here it finds them set already.
mkdir "$root/run/tunables"
while read -r key value; do
	if [[ -e $root/proc/sys/$key ]]; then
		echo "$value" >"$root/run/tunables/${key##*/}"
		mount --bind "$root/run/tunables/${key##*/}" "$root/proc/sys/$key"
	fi
done <<-END
	vm/overcommit_memory 1
	vm/panic_on_oom 0
	kernel/panic 10
	kernel/panic_on_oops 1
	kernel/keys/root_maxkeys 1000000
	kernel/keys/root_maxbytes 25000000
END

# The other end links us to the bridge as soon as it knows our number.
until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done
ip -batch "$dir/ip.batch"
echo 1 >"$root/proc/sys/net/ipv4/ip_forward"

cd "$root"
pivot_root . old
cd /
umount -l /old
mount --make-rshared /

export PATH=/opt/servers:$PATH
containerd --config /etc/containerd/config.toml >/var/log/containerd.log 2>&1 &

# What the kubelet's unit does where there is an init system.
until [[ -s /var/lib/kubelet/kubeadm-flags.env && -s /var/lib/kubelet/config.yaml ]]; do sleep 0.1; done
KUBELET_KUBEADM_ARGS=""
# shellcheck disable=SC1091 # kubeadm writes it
source /var/lib/kubelet/kubeadm-flags.env
while true; do
	# shellcheck disable=SC2086 # flags are words
	kubelet --config=/var/lib/kubelet/config.yaml --kubeconfig=/etc/kubernetes/kubelet.conf \
		--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --cgroup-root="/$group" \
		--node-ip="$(</etc/node-ip)" $KUBELET_KUBEADM_ARGS >>/var/log/kubelet.log 2>&1 || true
	sleep 0.2
done
