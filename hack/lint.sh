#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Formats are checked with gofumpt and rules with golangci-lint, both pinned in
# tools/lint and kept in the cache once built.
set -euo pipefail
cd "$(dirname "$0")/.."
export HOME=${HOME:-~} # go's cache is below it, too
export GOFLAGS="${GOFLAGS:-} -buildvcs=false" # git may refuse a clone that another user owns

cache=${CLUSTERUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/clusterup}
key=$(cat tools/lint/go.mod tools/lint/go.sum <(go version) | sha256sum | cut -c1-16)
bin=$cache/lint-$key
if [ ! -e "$bin/golangci-lint" ]; then
  echo "building the linters (a few minutes, once)" >&2
  mkdir -p "$bin"
  (cd tools/lint && go build -trimpath -ldflags '-s -w' -o "$bin/gofumpt" mvdan.cc/gofumpt)
  (cd tools/lint && go build -trimpath -ldflags '-s -w' -o "$bin/golangci-lint.new" github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
  mv "$bin/golangci-lint.new" "$bin/golangci-lint"
fi

unformatted=$("$bin/gofumpt" -l addons cmd internal templates terraform test tools/*/*.go)
if [ -n "$unformatted" ]; then
  echo "error: not formatted: $unformatted" >&2
  echo "hint: run $bin/gofumpt -w on them" >&2
  exit 1
fi
"$bin/golangci-lint" run --allow-serial-runners ./...
(cd test/bench && "$bin/golangci-lint" run --allow-serial-runners ./...)
