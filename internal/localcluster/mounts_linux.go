// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

type mount struct {
	at      string
	kind    string // file system type
	options string // of the file system itself, as in the last column
}

// readMounts reads the mounts that a process sees.
func readMounts(pid string) ([]mount, error) {
	f, err := os.Open("/proc/" + pid + "/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseMounts(f)
}

// parseMounts reads lines such as
// "34 31 0:30 / /sys/fs/cgroup/cpuset rw,relatime shared:9 - cgroup cgroup rw,cpuset".
func parseMounts(r io.Reader) ([]mount, error) {
	var mounts []mount
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20) // an overlay names all of its layers
	for lines.Scan() {
		where, what, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(where), strings.Fields(what)
		if !ok || len(left) < 6 || len(right) < 2 {
			return nil, fmt.Errorf("mount %q is not of the form that proc(5) describes", lines.Text())
		}
		m := mount{at: unescape(left[4]), kind: right[0]}
		if len(right) > 2 {
			m.options = right[2]
		}
		mounts = append(mounts, m)
	}
	return mounts, lines.Err()
}

// unescape reads the octal escapes (\040 is a space) of a path in mountinfo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
