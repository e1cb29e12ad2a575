package where

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// rewriter changes an expression so that it is lazy and bounded: body is
// decoded when it is asked for, and everything that is done for each item of
// something counts a step. It refuses what could not be bounded.
type rewriter struct {
	err  error
	done map[ast.Node]bool // the compiler visits a tree more than once
}

func (r *rewriter) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		switch n.Value {
		case bodyName:
			call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: decodedName}}
			call.SetLocation(n.Location())
			ast.Patch(node, call)
		case "$env":
			r.refuse(n, "unknown name $env")
		}
	case *ast.PredicateNode:
		if r.done[n] {
			return
		}
		if r.done == nil {
			r.done = map[ast.Node]bool{}
		}
		r.done[n] = true
		tick := &ast.CallNode{Callee: &ast.IdentifierNode{Value: tickName}}
		both := &ast.SequenceNode{Nodes: []ast.Node{tick, n.Node}}
		both.SetLocation(n.Node.Location())
		n.Node = both
	case *ast.BuiltinNode: // the compiler's own list does not hold for those with predicates
		if !slices.Contains(allowed, n.Name) {
			r.refuse(n, "unknown name "+n.Name)
		}
	case *ast.BinaryNode:
		// A body that brings its own regular expression could make it a costly one.
		if _, constant := n.Right.(*ast.StringNode); n.Operator == "matches" && !constant {
			r.refuse(n.Right, "what matches looks for must be a text in quotes")
		}
	}
}

func (r *rewriter) refuse(n ast.Node, text string) {
	if r.err == nil {
		r.err = &file.Error{Location: n.Location(), Message: text}
	}
}

// allowed are the functions of the language that an expression can call. Those
// are left out that could take more time or memory than the body has.
var allowed = []string{
	"all", "none", "any", "one", "filter", "map", "find", "count", "sum", "min", "max", "len",
	"abs", "ceil", "floor", "round", "int", "float", "string", "trim", "upper", "lower", "indexOf",
	"keys", "values", "first", "last", "get", "now", "date",
}

// functions are those and our own.
func functions() []expr.Option {
	options := []expr.Option{expr.DisableAllBuiltins()}
	for _, name := range allowed {
		options = append(options, expr.EnableBuiltin(name))
	}
	return append(options, expr.Function("duration", func(args ...any) (any, error) {
		return ParseDuration(args[0].(string))
	}, new(func(string) time.Duration)))
}

// ParseDuration is time.ParseDuration that also knows days: "3d", "1d12h".
func ParseDuration(s string) (time.Duration, error) {
	before, after, found := strings.Cut(s, "d")
	if !found {
		return time.ParseDuration(s)
	}
	days, err := strconv.ParseUint(before, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration; it should look like 3d, 2h or 1d12h30m", s)
	}
	d := time.Duration(days) * 24 * time.Hour
	if after == "" {
		return d, nil
	}
	rest, err := time.ParseDuration(after)
	if err != nil || rest < 0 {
		return 0, fmt.Errorf("%q is no duration; it should look like 3d, 2h or 1d12h30m", s)
	}
	return d + rest, nil
}
