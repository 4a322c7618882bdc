// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"
	"github.com/hashicorp/hcl/hcl/token"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// What Vault knows in a policy.
var (
	capabilities = []string{"create", "read", "update", "patch", "delete", "list", "sudo", "deny", "subscribe", "recover"}
	shorthands   = []string{"read", "write", "sudo", "deny"} // of policy = "...", which came before capabilities
	pathFields   = map[string]func(ast.Node) (int, error){
		"capabilities": checkCapabilities, "policy": checkShorthand, "comment": nil,
		"allowed_parameters": nil, "denied_parameters": nil, "required_parameters": nil,
		"min_wrapping_ttl": nil, "max_wrapping_ttl": nil, "mfa_methods": nil, "control_group": nil,
		"subscribe_event_types": nil,
	}
)

// checkRules reads the rules of a policy as Vault will, and gives the line of what
// Vault would refuse, or 0 if that is not known.
func checkRules(rules []byte) (line int, err error) {
	file, err := hcl.ParseBytes(rules)
	var at *parser.PosError
	switch {
	case errors.As(err, &at):
		return at.Pos.Line, at.Err
	case err != nil:
		return 0, errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	list, ok := file.Node.(*ast.ObjectList)
	if !ok || len(list.Items) == 0 {
		return 0, hint.With(errors.New("there is no rule in it"), `write path "secret/data/app/*" { capabilities = ["read"] }`)
	}
	for _, item := range list.Items {
		if line, err := checkRule(item); err != nil {
			return line, err
		}
	}
	return 0, nil
}

func checkRule(item *ast.ObjectItem) (int, error) {
	line := item.Pos().Line
	kind := text(item.Keys[0].Token)
	if kind == "name" && len(item.Keys) == 1 {
		return 0, nil
	}
	if kind != "path" {
		return line, hint.With(fmt.Errorf("a policy has no %q", kind), `rules are path "..." { capabilities = [...] }`)
	}
	block, ok := item.Val.(*ast.ObjectType)
	if len(item.Keys) != 2 || !ok {
		return line, hint.With(errors.New("path needs one path and a block"), `write path "secret/data/app/*" { capabilities = ["read"] }`)
	}
	path := text(item.Keys[1].Token)
	if strings.Contains(path, "+*") {
		return line, hint.With(fmt.Errorf("path %q: Vault knows no +*", path), "+ stands for one part of a path, * at the end for all that follows")
	}
	for _, field := range block.List.Items {
		name := text(field.Keys[0].Token)
		check, known := pathFields[name]
		if !known {
			return field.Pos().Line, hint.With(fmt.Errorf("path %q: unknown field %q", path, name),
				"%s", strictyaml.Nearest(name, slices.Collect(maps.Keys(pathFields))))
		}
		if check == nil {
			continue
		}
		if at, err := check(field.Val); err != nil {
			return at, hint.With(fmt.Errorf("path %q: %w", path, err), "%s", hint.Of(err))
		}
	}
	return 0, nil
}

func checkCapabilities(node ast.Node) (int, error) {
	list, ok := node.(*ast.ListType)
	if !ok {
		return node.Pos().Line, hint.With(errors.New("capabilities is no list"), `write capabilities = ["read"]`)
	}
	for _, one := range list.List {
		if line, err := among(one, "capability", capabilities); err != nil {
			return line, err
		}
	}
	return 0, nil
}

func checkShorthand(node ast.Node) (int, error) { return among(node, "policy", shorthands) }

func among(node ast.Node, kind string, known []string) (int, error) {
	literal, ok := node.(*ast.LiteralType)
	if !ok {
		return node.Pos().Line, fmt.Errorf("a %s is no text", kind)
	}
	if name := text(literal.Token); !slices.Contains(known, name) {
		return node.Pos().Line, hint.With(fmt.Errorf("unknown %s %q", kind, name), "%s", strictyaml.Nearest(name, known))
	}
	return 0, nil
}

// text is what a token stands for, without quotes.
func text(t token.Token) string {
	if value, ok := t.Value().(string); ok {
		return value
	}
	return t.Text
}
