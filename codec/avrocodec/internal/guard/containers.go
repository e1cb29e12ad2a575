package guard

import "math"

// blocks reads an array or a map: blocks of a count and that many items, until a count of 0. A negative count is
// followed by the size of the block in bytes. The library believes that size when it skips; here it has to be right.
func (r *run) blocks(n *node) error {
	if err := r.enter(); err != nil {
		return err
	}
	least := n.item.least
	if n.op == opMap {
		least++ // the length of the key
	}
	for {
		from := r.pos
		count, err := r.varint(lenLong, "the count of a block")
		if err != nil {
			return err
		}
		if count == 0 {
			r.depth--
			return nil
		}
		end := -1
		if count < 0 {
			if count == math.MinInt64 {
				r.pos = from
				return r.malformed("the count of a block is the smallest number there is")
			}
			count = -count
			size, err := r.varint(lenLong, "the size of a block")
			if err != nil {
				return err
			}
			if size < 0 || size > int64(len(r.in)-r.pos) {
				return r.malformed("a block of %d bytes, where %d are left", size, len(r.in)-r.pos)
			}
			end = r.pos + int(size)
		}
		if err := r.items(n, count, least); err != nil {
			return err
		}
		if end >= 0 && r.pos != end {
			return r.malformed("a block that is not as long as it says")
		}
	}
}

// items reads one block's items. The count is believed only as far as the body has bytes for it.
func (r *run) items(n *node, count int64, least int) error {
	left := len(r.in) - r.pos
	switch {
	case least > 0 && count > int64(left/least):
		return r.malformed("%d items, where %d bytes are left", count, left)
	case least == 0 && count > int64(r.free):
		return r.limit("%d items that take no bytes", count)
	case count > int64(r.limits.Values):
		return r.limit("more than %d values", r.limits.Values)
	}
	if least == 0 {
		r.free -= int(count)
	}
	if err := r.charge(int(count)); err != nil {
		return err
	}
	for range count {
		if n.op == opMap {
			if err := r.str("the key of a map"); err != nil {
				return err
			}
		}
		if err := r.value(n.item); err != nil {
			return within(err, "[]")
		}
	}
	return nil
}

const (
	// fieldsPerValue is for how many fields a record counts as one more value: they take time, and may take no bytes.
	fieldsPerValue = 32

	// maxMoves is how often, on average, each byte of the largest body may be moved to put fields in order. Each level of
	// a recursive schema moves all levels within it.
	maxMoves = 16
)

func (r *run) record(n *node) error {
	if err := r.enter(); err != nil {
		return err
	}
	if err := r.charge(1 + len(n.steps)/fieldsPerValue); err != nil {
		return err
	}
	var err error
	if n.order != nil && r.muted == 0 {
		err = r.reorder(n)
	} else {
		err = r.steps(n.steps)
	}
	r.depth--
	return err
}

func (r *run) steps(steps []step) error {
	for i := range steps {
		if err := r.step(&steps[i]); err != nil {
			return within(err, steps[i].name)
		}
	}
	return nil
}

func (r *run) step(s *step) error {
	switch {
	case s.node == nil:
		return r.fillIn(s.fill, s.values)
	case s.drop:
		return r.drop(s.node)
	}
	return r.value(s.node)
}

func (r *run) fillIn(fill []byte, values int) error {
	if r.muted > 0 {
		return nil
	}
	if err := r.charge(values); err != nil {
		return err
	}
	return r.put(r.pos, fill)
}

// drop reads a value that is not to be kept. It is checked like any other.
func (r *run) drop(n *node) error {
	from := r.pos
	r.muted++
	err := r.value(n)
	r.muted--
	if err != nil {
		return err
	}
	return r.put(from, nil)
}

// reorder reads a record in the writer's order, remembers where each field that is kept went to, and puts them together
// in the reader's order.
func (r *run) reorder(n *node) error {
	r.flush(r.pos)
	start, first := len(r.out), len(r.spans)
	for i := range n.steps {
		s := &n.steps[i]
		from := len(r.out)
		if err := r.step(s); err != nil {
			return within(err, s.name)
		}
		r.flush(r.pos)
		if !s.drop {
			r.spans = append(r.spans, [2]int{from, len(r.out)})
		}
	}
	spans := r.spans[first:]
	r.spare = r.spare[:0]
	for i := range n.order {
		p := &n.order[i]
		if p.kept >= 0 {
			r.spare = append(r.spare, r.out[spans[p.kept][0]:spans[p.kept][1]]...)
			continue
		}
		if err := r.charge(p.values); err != nil {
			return within(err, p.name)
		}
		if len(p.fill) > r.limits.Bytes-start-len(r.spare) {
			return within(r.limit("more than %d bytes with the defaults of the reader's schema", r.limits.Bytes), p.name)
		}
		r.spare = append(r.spare, p.fill...)
	}
	if r.moved += len(r.spare); r.moved > maxMoves*r.limits.Bytes {
		return r.limit("records of another order are nested too deeply for their size")
	}
	r.out = append(r.out[:start], r.spare...)
	r.spans = r.spans[:first]
	return nil
}
