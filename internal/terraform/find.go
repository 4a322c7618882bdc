// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"clusterup.dev/clusterup/internal/hint"
)

// Terraform and OpenTofu can lock a state with nothing but its bucket since
// this version.
const leastMajor, leastMinor = 1, 10

const tooOldHint = "Terraform or OpenTofu 1.10 or newer is needed: put one on the PATH, or run `make up`, which builds tofu"

// Find looks for terraform and then tofu on the PATH, and then for tofu in dirs.
// Where there are several, it passes over what is too old. The only one is not
// asked for its version: it will say itself that it is too old.
func Find(dirs ...string) (string, error) {
	names := []string{"terraform", "tofu"}
	for _, dir := range dirs {
		names = append(names, filepath.Join(dir, "tofu"))
	}
	var found []string
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		return "", hint.With(errors.New("neither terraform nor tofu is on the PATH"), "install one of them, or run `make up`")
	}
	for _, path := range found {
		if len(found) == 1 || newEnough(path) {
			return filepath.Abs(path)
		}
	}
	return filepath.Abs(found[0])
}

var says = regexp.MustCompile(`(?m)^(?:Terraform|OpenTofu) v(\d+)\.(\d+)\.`)

func newEnough(program string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "version")
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1") // else it asks the internet for news
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	version := says.FindSubmatch(out)
	if err != nil || version == nil {
		return false
	}
	major, _ := strconv.Atoi(string(version[1]))
	minor, _ := strconv.Atoi(string(version[2]))
	return major > leastMajor || major == leastMajor && minor >= leastMinor
}
