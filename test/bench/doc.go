// SPDX-License-Identifier: Apache-2.0

// Package main compares clusterup with other tools that apply manifests, and with
// what they could cost at least: the same objects, the same API server, in turns.
//
// The program runs one tool once and prints what that took: every measurement has
// a process of its own, as a run in earnest has. The test beside it starts the
// servers, runs the program for every cell of the table, looks at what became
// of the objects and prints the table: see hack/bench.sh.
package main
