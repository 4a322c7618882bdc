// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"
	hcltoken "github.com/hashicorp/hcl/hcl/token"
	jsonparser "github.com/hashicorp/hcl/json/parser"

	"clusterup.dev/clusterup/internal/strictyaml"
)

// ruleWords are the words that rules begin with, and what each block may say;
// nil for those that are no block. Consul passes over any other word as if it
// were not there, so that a policy with a misspelt one allows less than it says.
var ruleWords = func() map[string][]string {
	words := map[string][]string{"acl": nil, "keyring": nil, "mesh": nil, "operator": nil, "peering": nil}
	for _, word := range []string{"agent", "event", "key", "node", "query", "service", "session"} {
		says := []string{"policy"}
		if word == "service" {
			says = append(says, "intentions")
		}
		words[word], words[word+"_prefix"] = says, says
	}
	return words
}()

// A wrongRule is what is wrong in rules, and where.
type wrongRule struct {
	line, column  int
	message, hint string
}

func wrongAt(pos hcltoken.Pos, known []string, name, format string, args ...any) *wrongRule {
	w := &wrongRule{line: max(pos.Line, 1), column: max(pos.Column, 1), message: fmt.Sprintf(format, args...)}
	if known != nil {
		w.hint = strictyaml.Nearest(name, known)
	}
	return w
}

// checkRules reads the rules of a policy, in HCL or JSON; nil when they are right.
func checkRules(text string) *wrongRule {
	parse := parser.ParseDontErrorOnDuplicateKeys // which are told below, with their place
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		if wrong := checkJSON(text); wrong != nil {
			return wrong
		}
		parse = jsonparser.Parse
	}
	file, err := parse([]byte(text))
	var at *parser.PosError
	switch {
	case errors.As(err, &at):
		return wrongAt(at.Pos, nil, "", "%s", firstLine(at.Err))
	case err != nil:
		return wrongAt(hcltoken.Pos{}, nil, "", "%s", firstLine(err))
	}
	list, ok := file.Node.(*ast.ObjectList)
	if !ok {
		return wrongAt(file.Pos(), nil, "", "rules have to be blocks")
	}
	seen := map[string]bool{}
	for _, item := range list.Items {
		word := keyText(item, 0)
		says, known := ruleWords[word]
		var wrong *wrongRule
		switch {
		case !known:
			wrong = wrongAt(item.Pos(), slices.Collect(maps.Keys(ruleWords)), word, "Consul has no rules for %q", word)
		case says == nil && seen[word]:
			wrong = wrongAt(item.Pos(), nil, "", "%s is said twice", word)
		case says == nil:
			wrong = checkAccess(item, word, false)
		default:
			wrong = checkBlock(item, item.Keys[1:], item.Val, word, says)
		}
		if wrong != nil {
			return wrong
		}
		seen[word] = true
	}
	return nil
}

// checkBlock checks what follows the word: names, and in a block what is said of
// them. Names may also stand in a block of their own, as they do in JSON.
func checkBlock(item *ast.ObjectItem, names []*ast.ObjectKey, value ast.Node, word string, says []string) *wrongRule {
	if list, ok := value.(*ast.ListType); ok { // JSON: several of them
		for _, one := range list.List {
			if wrong := checkBlock(item, names, one, word, says); wrong != nil {
				return wrong
			}
		}
		return nil
	}
	block, ok := value.(*ast.ObjectType)
	if !ok || len(names) > 1 {
		return wrongAt(item.Pos(), nil, "", `%s needs a name and a block: %s "" { policy = "read" }`, word, word)
	}
	if len(names) == 0 {
		for _, below := range block.List.Items {
			if wrong := checkBlock(below, below.Keys, below.Val, word, says); wrong != nil {
				return wrong
			}
		}
		return nil
	}
	seen := map[string]bool{}
	for _, field := range block.List.Items {
		name := keyText(field, 0)
		switch {
		case !slices.Contains(says, name):
			return wrongAt(field.Pos(), says, name, "%s has no %q", word, name)
		case seen[name]:
			return wrongAt(field.Pos(), nil, "", "%s is said twice", name)
		}
		if wrong := checkAccess(field, name, strings.HasPrefix(word, "key")); wrong != nil {
			return wrong
		}
		seen[name] = true
	}
	if !seen["policy"] {
		return wrongAt(item.Pos(), nil, "", "%s %q has no policy", word, names[0].Token.Value())
	}
	return nil
}

// checkAccess checks what is allowed: keys can also be listed.
func checkAccess(item *ast.ObjectItem, name string, list bool) *wrongRule {
	levels := []string{"deny", "read", "write"}
	if list {
		levels = append(levels, "list")
	}
	literal, ok := item.Val.(*ast.LiteralType)
	if !ok || literal.Token.Type != hcltoken.STRING || len(item.Keys) != 1 {
		return wrongAt(item.Pos(), nil, "", `%s has to be one of %s, in quotes`, name, strings.Join(levels, ", "))
	}
	if level, _ := literal.Token.Value().(string); !slices.Contains(levels, level) {
		return wrongAt(literal.Pos(), levels, level, "%s cannot be %q", name, level)
	}
	return nil
}

// checkJSON checks the form of JSON: the library takes some that has no end, and
// knows no places in it.
func checkJSON(text string) *wrongRule {
	var whole json.RawMessage
	err := json.Unmarshal([]byte(text), &whole)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return nil
	}
	before := text[:min(int(syntax.Offset), len(text))]
	return &wrongRule{line: 1 + strings.Count(before, "\n"), column: max(1, len(before)-1-strings.LastIndex(before, "\n")), message: err.Error()}
}

func keyText(item *ast.ObjectItem, i int) string {
	if len(item.Keys) <= i {
		return ""
	}
	text, _ := item.Keys[i].Token.Value().(string)
	return text
}

func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
