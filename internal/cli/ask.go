// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/term"

	"clusterup.dev/clusterup/internal/cli/output"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// confirmPlan shows the plan and asks. A question that cannot be asked is an
// error that names the flag.
func (f *flags) confirmPlan(s Streams, planned []converge.Planned) error {
	output.Plan(s.Err, planned)
	return confirm(s, "carry this out?", "changed")
}

// confirm asks whether to go on; done is what was not done otherwise.
func confirm(s Streams, question, done string) error {
	answer, err := ask(s, question+" [y/N] ", "--yes")
	if err != nil {
		return err
	}
	if a := strings.ToLower(answer); a != "y" && a != "yes" {
		return fmt.Errorf("not confirmed: nothing was %s", done)
	}
	return nil
}

// confirmName has the environment's name typed before its data are at stake. given is
// the name from the command line, "" for none, and flag what gives it there.
func confirmName(s Streams, name, given, question, flag string) (err error) {
	if given == "" {
		if given, err = ask(s, question, flag); err != nil {
			return err
		}
	}
	if given != name {
		return errors.New("the name does not match: nothing was changed")
	}
	return nil
}

// ask puts a question on the terminal and reads one line.
func ask(s Streams, question, flag string) (string, error) {
	if s.In == nil || !term.IsTerminal(int(s.In.Fd())) {
		return "", hint.With(errors.New("there is no terminal to ask on"), "give %s to go on without a question", flag)
	}
	fmt.Fprint(s.Err, question)
	line, err := bufio.NewReader(s.In).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	return strings.TrimSpace(line), nil
}
