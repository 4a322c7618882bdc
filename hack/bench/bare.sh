#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The bare sequence that `clusterup create` is measured against: three nodes of
# namespaces, kubeadm, kubectl and the vault command, as somebody who has done it
# before would write it down. From nothing to a configured Vault; then all of it
# is taken away again.
#
#   bare.sh IN OUT
#   bare.sh clean    removes what a run has left that was killed
#
# IN holds consul.json and vault.json, the manifests with their secrets. OUT
# gets the seconds of each step. Called by hack/bench-create.sh.
set -euo pipefail
umask 022 # images and nodes need it; all secrets are in $work, which only root can enter
export LC_ALL=C
BENCH_DIR=${BENCH_DIR:-/var/lib/clusterup-bench}
unset KUBECONFIG VAULT_TOKEN VAULT_NAMESPACE CONSUL_HTTP_TOKEN
export no_proxy='*' NO_PROXY='*'

repository=$(realpath "$(dirname "$0")/../..")
servers=$(realpath "${CLUSTERUP_SERVERS:-$repository/bin/servers}")
bin=$servers/bin
export PATH=$bin:$PATH

name=bench
prefix=${BENCH_SUBNET:-10.120.0.0/16}
prefix=${prefix%.0.0/16} # nodes 10.120.0.11.., pods 10.120.N.0/24, services 10.120.128.0/17
images=$BENCH_DIR/images # unpacked
bridge=cupbench
cgroup=clusterup-bench
work=""
nodes=() # process ids of what holds a node
begun=0 last=0 # set when the clock starts

# -- helpers -----------------------------------------------------------------

# step NAME: writes how long it was since the last one.
step() {
	local now=${EPOCHREALTIME/./}
	printf '%-24s %5d ms\n' "$1" $(((now - last) / 1000)) >>"$out"
	last=$now
}

# await SECONDS COMMAND...: until it succeeds.
await() {
	local until=$((SECONDS + $1))
	shift
	until "$@" >"$work/await.$BASHPID" 2>&1; do
		if ((SECONDS > until)); then
			echo "bare.sh: gave up waiting for: $*" >&2
			tail -n 3 "$work/await.$BASHPID" >&2
			return 1
		fi
		sleep 0.1
	done < <(awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/self/mounts)
}

# together COMMAND...: COMMAND 1, COMMAND 2 and COMMAND 3 side by side.
together() {
	local i job jobs=()
	for i in 1 2 3; do
		"$@" "$i" &
		jobs+=($!)
	done
	for job in "${jobs[@]}"; do wait "$job"; done
}

# in_node N COMMAND...
in_node() {
	local pid
	pid=$(<"$work/$1/pid")
	shift
	nsenter --target "$pid" --mount --uts --ipc --net --pid -- env PATH="/opt/servers:$PATH" HOME=/root "$@"
}

# fill N TEMPLATE: the node's configuration, from the templates that clusterup uses.
fill() {
	local text
	text=$(<"$repository/templates/node/$2.tmpl")
	text=${text//'{{ .Name }}'/$name-$1}
	text=${text//'{{ .Address }}'/$prefix.0.1$1}
	text=${text//'{{ .Pods }}'/$prefix.$1.0/24}
	text=${text//'{{ .Cluster }}'/$prefix.0.0/17}
	text=${text//'{{ .Services }}'/$prefix.128.0/17}
	text=${text//'{{ .DNS }}'/$prefix.128.10}
	text=${text//'{{ .APIServer }}'/$prefix.0.11}
	text=${text//'{{ .Environment }}'/$name}
	text=${text//'{{ .Cgroup }}'//$cgroup/$name-$1}
	text=${text//'{{ .MTU }}'/$mtu}
	text=${text//'{{ .CNI }}'/$cni}
	text=${text//'{{ .Version }}'/$version}
	text=${text//'{{ .Skip }}'/preflight}
	text=${text//'{{ .Images.Pause }}'/$pause_image}
	text=${text//'{{ .Images.Storage }}'/$storage_image}
	if [[ $text == *'{{'* ]]; then
		echo "bare.sh: templates/node/$2.tmpl has a field that is not known here" >&2
		return 1
	fi
	printf '%s\n' "$text"
}

random_hex() { od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# -- the end -----------------------------------------------------------------

remove_cgroups() {
	local group left=0
	for group in /sys/fs/cgroup/"$cgroup" /sys/fs/cgroup/*/"$cgroup"; do
		if [[ -d $group ]]; then
			find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
			[[ ! -d $group ]] || left=1
		fi
	done
	return "$left"
}

# take_away removes all that this script makes, whether it is there or not.
take_away() {
	local holder child pid i
	for holder in "${nodes[@]}"; do
		# Its one child, the node's first process, takes all of the node along.
		child=$(cat "/proc/$holder/task/$holder/children" 2>/dev/null || true)
		kill -KILL "${child%% *}" 2>/dev/null || kill -KILL "$holder" 2>/dev/null || true
	done
	for holder in "${nodes[@]}"; do wait "$holder" 2>/dev/null || true; done
	for pid in $(jobs -p); do kill -TERM "$pid" 2>/dev/null || true; done
	wait
	for i in 1 2 3; do ip link delete "$bridge-$i" 2>/dev/null || true; done
	ip link delete "$bridge" 2>/dev/null || true
	nft delete table ip clusterup_bench_bare 2>/dev/null || true
	SECONDS=0
	until remove_cgroups; do # the last processes are still ending
		((SECONDS < 20)) || { echo "bare.sh: cgroups are left: /sys/fs/cgroup/*/$cgroup" >&2; return 1; }
		sleep 0.1
	done
	until rm -rf --one-file-system "$work" 2>/dev/null; do
		((SECONDS < 40)) || { echo "bare.sh: files are left: $work" >&2; return 1; }
		sleep 0.1
	done
}

at_exit() {
	local status=$?
	trap '' INT TERM
	trap - EXIT
	if ((status != 0)) && [[ -n ${BENCH_KEEP_LOGS:-} ]]; then
		mkdir -p "$BENCH_KEEP_LOGS"
		cp "$work"/*.log "$BENCH_KEEP_LOGS/" 2>/dev/null || true
		for i in 1 2 3; do cp "$work/$i/var/log/kubelet.log" "$BENCH_KEEP_LOGS/kubelet-$i.log" 2>/dev/null || true; done
	fi
	take_away || status=1
	exit "$status"
}
# -- nodes -------------------------------------------------------------------

make_cgroup() {
	local hierarchy dir part kind file
	while read -r hierarchy; do
		kind=$(stat -f -c %T "$hierarchy")
		dir=$hierarchy
		for part in "$cgroup" "$name-$1" system; do
			if [[ $kind == cgroup2fs ]]; then
				for file in cpuset cpu io memory pids; do
					echo "+$file" >"$dir/cgroup.subtree_control" 2>/dev/null || true
				done
			fi
			mkdir -p "$dir/$part"
			for file in cpuset.cpus cpuset.mems; do
				if [[ -e $dir/$part/$file && -z $(<"$dir/$part/$file") ]]; then
					cat "$dir/$file" >"$dir/$part/$file"
				fi
			done
			dir=$dir/$part
		done
		if [[ $kind == cgroup2fs ]]; then
			for file in cpuset cpu io memory pids; do
				echo "+$file" >"${dir%/system}/cgroup.subtree_control" 2>/dev/null || true
			done
		fi
	done < <(awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/self/mounts)
}

prepare_node() {
	local d=$work/$1 i
	mkdir -p "$d"/{root,etc/{ssl,alternatives,cni/net.d,containerd,kubernetes},var/{lib,log,tmp,local-path}}
	ln -s /run "$d/var/run"
	fill "$1" containerd.toml >"$d/etc/containerd/config.toml"
	fill "$1" cni.conflist >"$d/etc/cni/net.d/10-bench.conflist"
	echo "$prefix.0.1$1" >"$d/etc/node-ip"
	echo "$name-$1" >"$d/etc/hostname"
	random_hex 16 >"$d/etc/machine-id"
	awk '$1 == "nameserver" && $2 !~ /^127\./ && $2 != "::1"' /etc/resolv.conf >"$d/etc/resolv.conf"
	echo 'hosts: files dns' >"$d/etc/nsswitch.conf"
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n' >"$d/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$d/etc/group"
	{
		echo '127.0.0.1 localhost'
		for i in 1 2 3; do echo "$prefix.0.1$i $name-$i"; done
	} >"$d/etc/hosts"
	{
		printf 'link set lo up\naddress add %s/24 dev eth0\nlink set eth0 up\n' "$prefix.0.1$1"
		echo "route add default via $prefix.0.1"
		for i in 1 2 3; do
			((i == $1)) || echo "route add $prefix.$i.0/24 via $prefix.0.1$i"
		done
	} >"$d/ip.batch"
	place_images "$1"
	make_cgroup "$1"
}

make_bridge() {
	ip link add "$bridge" type bridge
	ip -batch - <<-END
		address add $prefix.0.1/24 dev $bridge
		link set $bridge up
		route add $prefix.128.0/17 via $prefix.0.11
		route add $prefix.1.0/24 via $prefix.0.11
		route add $prefix.2.0/24 via $prefix.0.12
		route add $prefix.3.0/24 via $prefix.0.13
	END
	nft -f - <<-END
		table ip clusterup_bench_bare {
			chain postrouting {
				type nat hook postrouting priority srcnat
				ip saddr $prefix.0.0/16 ip daddr != $prefix.0.0/16 masquerade
			}
		}
	END
}

# start_node has to be called by the script itself: what it starts dies with
# its parent.
start_node() {
	env -i PATH="$PATH" HOME=/root setpriv --pdeathsig KILL \
		unshare --mount --net --uts --ipc --pid --fork --kill-child=KILL \
		"$repository/hack/bench/node.sh" "$work/$1" "$name-$1" "$cgroup/$name-$1" "$bin" >"$work/node-$1.log" 2>&1 </dev/null &
	nodes+=($!)
}

link_node() {
	await 20 test -s "$work/$1/pid"
	ip -batch - <<-END
		link add $bridge-$1 mtu $mtu type veth peer name eth0 mtu $mtu netns $(<"$work/$1/pid")
		link set $bridge-$1 master $bridge up
	END
	await 30 in_node "$1" ctr version
}

# prepare_images unpacks the archives into a data folder of containerd, once for
# all runs and before the clock starts, as clusterup keeps them with the servers.
prepare_images() {
	local archive daemon
	[[ ! -d $images ]] || return 0
	printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >"$work/containerd.toml"
	setpriv --pdeathsig KILL unshare --mount containerd --config "$work/containerd.toml" --root "$images.new" \
		--state "$work/c" --address "$work/c.sock" --log-level warn >"$work/images.log" 2>&1 </dev/null &
	daemon=$!
	nodes+=("$daemon")
	await 20 ctr --address "$work/c.sock" version
	for archive in "$servers"/images-*.tar; do
		ctr --address "$work/c.sock" --namespace k8s.io images import "$archive" >/dev/null
	done
	kill -TERM "$daemon"
	wait "$daemon" || true
	nodes=()
	mv "$images.new" "$images"
}

# place_images gives a node a copy of that folder: links, but for the databases,
# because all else is never changed in place.
place_images() {
	local to=$work/$1/var/lib/containerd database
	cp --archive --link "$images" "$to"
	while IFS= read -r -d '' database; do
		rm "$to/$database"
		cp --preserve=all "$images/$database" "$to/$database"
	done < <(find "$images" -name '*.db' -printf '%P\0')
}

# -- Kubernetes --------------------------------------------------------------

kubeadm_init() {
	local text
	text=$(fill 1 kubeadm.yaml)
	text=${text/'kind: InitConfiguration'/$'kind: InitConfiguration\nbootstrapTokens: [{token: '"$join_token}]"}
	if [[ -e $repository/templates/node/coredns.yaml.tmpl ]]; then
		mkdir -p "$work/1/etc/kubernetes/patches"
		fill 1 coredns.yaml >"$work/1/etc/kubernetes/patches/corednsdeployment+strategic.yaml"
	fi
	{
		printf '%s\n---\n' "$text"
		fill 1 kubelet.yaml
	} >"$work/1/etc/kubernetes/kubeadm.yaml"
	in_node 1 kubeadm init --config /etc/kubernetes/kubeadm.yaml --ignore-preflight-errors all >"$work/kubeadm-1.log" 2>&1 ||
		{ tail -n 5 "$work/kubeadm-1.log" >&2; return 1; }
}

kubeadm_join() {
	local hash
	((1 != $1)) || return 0
	hash=$(openssl x509 -in "$work/1/etc/kubernetes/pki/ca.crt" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum)
	cat >"$work/$1/etc/kubernetes/kubeadm.yaml" <<-END
		apiVersion: kubeadm.k8s.io/v1beta4
		kind: JoinConfiguration
		nodeRegistration: {name: $name-$1, criSocket: "unix:///run/containerd/containerd.sock", taints: []}
		discovery:
		  bootstrapToken: {token: $join_token, apiServerEndpoint: "$prefix.0.11:6443", caCertHashes: ["sha256:${hash%% *}"]}
		skipPhases: [preflight]
	END
	in_node "$1" kubeadm join --config /etc/kubernetes/kubeadm.yaml --ignore-preflight-errors all >"$work/kubeadm-$1.log" 2>&1 ||
		{ tail -n 5 "$work/kubeadm-$1.log" >&2; return 1; }
}

node_ready() { [[ $(kubectl get node "$name-$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}') == True ]]; }

apply() { kubectl apply --server-side --force-conflicts -f "$1" >/dev/null; }

# pod_address NAMESPACE POD: only when it runs.
pod_address() { kubectl get pod -n "$1" "$2" -o json | jq -er 'select(.status.phase == "Running") | .status.podIP'; }

# -- Consul ------------------------------------------------------------------

# consul METHOD PATH [CURL'S ARGUMENTS]: asks the first server with the
# management token.
consul() {
	local method=$1 path=$2
	shift 2
	curl --silent --show-error --fail --max-time 10 --cacert "$work/consul-ca.crt" --connect-to "::$consul_address:" \
		--header "@$work/consul-header" --request "$method" "$@" "https://consul-server.consul.svc:8501/v1/$path"
}

leader() { [[ $(consul GET status/leader) == *:8300* ]]; }

# acl NAME RULES SECRET: a policy and the token that has it. The token's secret
# is that which the manifests name.
acl() {
	jq -n --arg name "$1" --rawfile rules "$2" '{Name: $name, Rules: $rules}' |
		consul PUT acl/policy --data-binary @- --output /dev/null
	jq -n --arg name "$1" --rawfile secret "$3" '{SecretID: ($secret | rtrimstr("\n")), Policies: [{Name: $name}]}' |
		consul PUT acl/token --data-binary @- --output /dev/null
}

quorum() {
	consul GET operator/autopilot/health |
		jq -e '.Healthy and ([.Servers[] | select(.Voter and .Healthy)] | length == 3) and any(.Servers[]; .Leader)' >/dev/null
}

# -- Vault -------------------------------------------------------------------

# at_vault N COMMAND...: with the vault command pointed at one replica.
at_vault() {
	local address
	address=$(<"$work/vault-$1.address")
	shift
	VAULT_ADDR=https://$address:8200 VAULT_CACERT=$work/vault-ca.crt VAULT_TLS_SERVER_NAME=vault.vault.svc \
		VAULT_CLI_NO_COLOR=1 "$@"
}

answers() {
	pod_address vault "vault-$(($1 - 1))" >"$work/vault-$1.address"
	curl --silent --fail --max-time 5 --cacert "$work/vault-ca.crt" --connect-to "::$(<"$work/vault-$1.address"):" \
		--output /dev/null https://vault.vault.svc:8200/v1/sys/seal-status
}

serves() {
	curl --silent --fail --max-time 5 --cacert "$work/vault-ca.crt" --connect-to "::$(<"$work/vault-$1.address"):" \
		"https://vault.vault.svc:8200/v1/sys/health?standbyok=true" >"$work/vault-$1.health"
}

unseal() {
	local share
	await 120 answers "$1"
	for share in 0 1; do
		jq --argjson share "$share" '{key: .unseal_keys_b64[$share]}' "$work/init.json" | at_vault "$1" vault write sys/unseal - >/dev/null
	done
	await 60 serves "$1"
}

active() {
	for active in 1 2 3; do
		serves "$active" || return 1
		! jq -e '.standby == false' "$work/vault-$active.health" >/dev/null || return 0
	done
	return 1
}

configure() {
	local policy
	VAULT_TOKEN=$(jq -r .root_token "$work/init.json")
	export VAULT_TOKEN
	at_vault "$active" vault audit enable -path=stdout file file_path=stdout
	at_vault "$active" vault secrets enable -path=secret -version=2 kv
	at_vault "$active" vault auth enable kubernetes
	at_vault "$active" vault write auth/kubernetes/config kubernetes_host=https://kubernetes.default.svc
	for policy in "$repository"/addons/vault/files/policies/*.hcl; do
		at_vault "$active" vault policy write "$(basename "$policy" .hcl)" "$policy"
	done
	at_vault "$active" vault write auth/kubernetes/role/clusterup bound_service_account_names=clusterup \
		bound_service_account_namespaces=vault token_policies=clusterup audience=vault token_ttl=600 token_max_ttl=600 \
		token_no_default_policy=true
	# The way in that stays, and then the end of the root token.
	kubectl create token clusterup --namespace vault --audience vault --duration 10m |
		VAULT_TOKEN='' at_vault "$active" vault write -field=token auth/kubernetes/login role=clusterup jwt=- >"$work/own-token"
	VAULT_TOKEN=$(<"$work/own-token") at_vault "$active" vault token revoke -self
	at_vault "$active" vault token revoke -self
	unset VAULT_TOKEN
}

# -- the sequence ------------------------------------------------------------

if [[ $1 == clean ]]; then
	for work in "$BENCH_DIR"/bare.*; do
		take_away
	done
	exit
fi
in=$(realpath "$1") out=$(realpath "$2")
work=$(mktemp -d "$BENCH_DIR/bare.XXXXXX")
export HOME=$work
trap at_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mtu=$(cat /sys/class/net/"$(ip -o -4 route show default | awk '{print $5; exit}')"/mtu 2>/dev/null || echo 1500)
mtu=$((mtu < 1500 ? mtu : 1500))
cni=/usr/lib/cni
[[ -e $cni/ptp ]] || cni=/opt/cni/bin
version=$(jq -r .servers.kubernetes "$servers/set.json")
pause_image=$(jq -r '[.images[][] | select(test("/pause:"))][0]' "$servers/set.json")
storage_image=$(jq -r '[.images[][] | select(test("/local-path-provisioner:"))][0]' "$servers/set.json")
join_token=$(random_hex 11)
join_token=${join_token:0:6}.${join_token:6}
: >"$out"

prepare_images
last=${EPOCHREALTIME/./}
begun=$last
make_bridge
together prepare_node
for i in 1 2 3; do start_node "$i"; done
together link_node
step 'nodes'
kubeadm_init
export KUBECONFIG=$work/1/etc/kubernetes/admin.conf
step 'kubeadm init'
together kubeadm_join
step 'kubeadm join, twice'
fill 1 cluster.yaml >"$work/cluster.yaml"
apply "$work/cluster.yaml"
for i in 1 2 3; do await 120 node_ready "$i"; done
await 60 kubectl get serviceaccount default
step 'nodes ready'

jq -r '.items[] | select(.kind == "ConfigMap" and .metadata.name == "consul-server").data["ca.crt"]' "$in/consul.json" >"$work/consul-ca.crt"
jq -r '.items[] | select(.kind == "Secret").data["secrets.hcl"] // empty | @base64d | capture("agent = \"(?<t>[^\"]+)\"").t' \
	"$in/consul.json" >"$work/server-agent.token"
jq -r '.items[] | select(.kind == "Secret" and .metadata.name == "vault-agent").data.token | @base64d' "$in/vault.json" >"$work/vault.token"
cp /proc/sys/kernel/random/uuid "$work/bootstrap.token"
printf 'X-Consul-Token: %s\n' "$(<"$work/bootstrap.token")" >"$work/consul-header"

apply "$in/consul.json"
await 180 pod_address consul consul-server-0
consul_address=$(pod_address consul consul-server-0)
await 180 leader
kubectl wait --namespace consul statefulset/consul-server --for='jsonpath={.status.readyReplicas}=3' --timeout 180s >/dev/null
step 'consul ready'
jq -n --rawfile secret "$work/bootstrap.token" '{BootstrapSecret: ($secret | rtrimstr("\n"))}' >"$work/bootstrap.json"
await 60 consul PUT acl/bootstrap --data-binary "@$work/bootstrap.json" --output /dev/null
acl server-agent "$repository/addons/consul/files/policy-server-agent.hcl" "$work/server-agent.token"
acl vault "$repository/addons/vault/files/consul-policy.hcl" "$work/vault.token"
await 120 quorum
step 'consul acl, quorum'

apply "$in/vault.json"
jq -r '.items[] | select(.kind == "ConfigMap" and .metadata.name == "vault").data["ca.crt"]' "$in/vault.json" >"$work/vault-ca.crt"
await 180 answers 1
step 'vault answers'
at_vault 1 vault operator init -key-shares 3 -key-threshold 2 -format json >"$work/init.json"
together unseal
await 60 active
step 'vault init, unseal'
configure >"$work/configure.log"
step 'vault configure'
printf '%-24s %5d ms\n' total $(((${EPOCHREALTIME/./} - begun) / 1000)) >>"$out"
