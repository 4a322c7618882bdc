#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzz target of the module for the given time.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-30s}

grep -rln --include='*_test.go' '^func Fuzz' internal | while read -r file; do
  package=./$(dirname "$file")
  for target in $(grep -oE '^func Fuzz[A-Za-z0-9]+' "$file" | cut -d' ' -f2); do
    echo "fuzzing $package $target for $time"
    go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time"
  done
done
