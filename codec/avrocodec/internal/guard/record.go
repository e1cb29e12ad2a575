package guard

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/hamba/avro/v2"
)

// record compiles a record. Fields are matched by name, then by the aliases of the reader's.
func (c *compiler) record(w, r *avro.RecordSchema, t reflect.Type) (*node, error) {
	key := nodeKey{w, r, t}
	if n := c.nodes[key]; n != nil {
		return n, nil // also when it is in the making: a record that contains itself
	}
	n := new(node)
	c.nodes[key] = n
	made, err := c.fields(w, r, t)
	if err == nil && w != r {
		err = checkName(w, r)
	}
	if err != nil {
		*n = *fail(err.Error()) // somebody may have taken it already
		return nil, err
	}
	*n = *made
	return n, nil
}

// wanted is a field of the reader's that the Go type has a place for.
type wanted struct {
	*avro.Field
	t    reflect.Type
	from int // the nth that is kept of the writer's fields, or -1
}

func (c *compiler) fields(w, r *avro.RecordSchema, t reflect.Type) (*node, error) {
	n := &node{op: opRecord}
	all := wantedFields(r, t)
	matches := match(w, r)
	inOrder, last, kept := true, -1, 0
	for i, wf := range w.Fields() {
		s := step{name: wf.Name()}
		var err error
		at := slices.IndexFunc(all, func(f wanted) bool { return f.Field == matches[i] })
		if at < 0 {
			s.drop = true
			s.node, err = c.node(wf.Type(), wf.Type(), nil)
		} else {
			s.node, err = c.node(wf.Type(), all[at].Type(), all[at].t)
			all[at].from = kept
			kept++
			inOrder = inOrder && at > last
			last = at
		}
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", wf.Name(), err)
		}
		n.least += s.node.least
		n.steps = append(n.steps, s)
	}
	for _, rf := range r.Fields() {
		if !slices.Contains(matches, rf) && !rf.HasDefault() {
			return nil, fmt.Errorf("field %s: the writer has it not, and it has no default", rf.Name())
		}
	}
	return n, c.arrange(n, all, inOrder)
}

// match returns, for each field of the writer's, that of the reader's, or nil.
func match(w, r *avro.RecordSchema) []*avro.Field {
	found := make([]*avro.Field, len(w.Fields()))
	for _, rf := range r.Fields() {
		at := slices.IndexFunc(w.Fields(), func(wf *avro.Field) bool { return wf.Name() == rf.Name() })
		for i := 0; at < 0 && i < len(rf.Aliases()); i++ {
			at = slices.IndexFunc(w.Fields(), func(wf *avro.Field) bool { return wf.Name() == rf.Aliases()[i] })
		}
		if at >= 0 && (found[at] == nil || w.Fields()[at].Name() == rf.Name()) {
			found[at] = rf
		}
	}
	return found
}

// arrange puts the defaults of what the writer has not in between, and remembers the order if it is another.
func (c *compiler) arrange(n *node, all []wanted, inOrder bool) error {
	parts := make([]part, len(all))
	missing := false
	for i, f := range all {
		parts[i] = part{kept: f.from, name: f.Name()}
		if f.from >= 0 {
			continue
		}
		missing = true
		schema, err := c.shaper.shape(f.Type(), f.t)
		if err != nil {
			return err
		}
		d := new(filler)
		if err := d.add(schema, f.Type(), f.Default()); err != nil {
			return fmt.Errorf("field %s: its default: %w", f.Name(), err)
		}
		parts[i].fill, parts[i].values = d.out, d.values
	}
	switch {
	case !inOrder:
		n.order = parts
	case missing:
		n.steps = merge(n.steps, parts)
	}
	return nil
}

// merge returns the writer's steps with the parts that are filled in between, in the reader's order.
func merge(steps []step, parts []part) []step {
	var merged []step
	fill := func() {
		for len(parts) > 0 && parts[0].kept < 0 {
			merged = append(merged, step{name: parts[0].name, fill: parts[0].fill, values: parts[0].values})
			parts = parts[1:]
		}
	}
	for _, s := range steps {
		if !s.drop {
			fill()
			parts = parts[1:]
		}
		merged = append(merged, s)
	}
	fill()
	return merged
}
