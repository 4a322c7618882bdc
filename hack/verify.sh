#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Generates again what is generated, into a folder aside, and compares.
set -euo pipefail
cd "$(dirname "$0")/.."
export HOME=${HOME:-~}
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"

aside=$(mktemp -d)
trap 'rm -rf "$aside"' EXIT
mkdir "$aside/reference" "$aside/gateway-api"
go run ./internal/cli/reference "$aside/reference"
hack/gateway-api.sh "$aside/gateway-api"
failed=0
diff -ru docs/reference "$aside/reference" || failed=1
diff -rq addons/ingress/files/gateway-api "$aside/gateway-api" || failed=1
go mod tidy -diff || failed=1
(cd test/bench && go mod tidy -diff) || failed=1 # it follows the versions of this module
if [ "$failed" -ne 0 ]; then
  echo "error: generated files are out of date" >&2
  echo "hint: run \`make generate\` (and \`go mod tidy\`, also in test/bench) and commit the result" >&2
  exit 1
fi
