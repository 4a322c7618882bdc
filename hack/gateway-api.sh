#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes the definitions of the Gateway API (standard channel) into the folder
# $1, from the module that Traefik is built with, so the two always fit.
set -euo pipefail
to=$(realpath "$1")
cd "$(dirname "$0")/../tools/traefik"
export GOFLAGS="${GOFLAGS:-} -buildvcs=false -mod=readonly"

module=sigs.k8s.io/gateway-api
go mod download "$module"
read -r version dir < <(go list -m -f '{{.Version}} {{.Dir}}' "$module")
rm -f "$to"/*.yaml
for file in "$dir"/config/crd/standard/gateway.networking.k8s.io_*.yaml; do
  name=${file##*_}
  {
    echo "# SPDX-License-Identifier: Apache-2.0"
    echo "# Copyright The Kubernetes Authors. From $module@$version,"
    echo "# config/crd/standard/${file##*/}, unchanged below these lines."
    echo "# Written by hack/gateway-api.sh; do not edit."
    cat "$file"
  } > "$to/$name"
done
