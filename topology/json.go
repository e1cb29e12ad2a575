package topology

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// UnmarshalJSON reads what json.Marshal makes of a Plan. Whole numbers in
// arguments become int64 again, as RabbitMQ wants them, and others float64. A
// field that this release does not know is an error: what it asks for could not
// be told apart from nothing.
//
// JSON knows fewer types than AMQP: a time or bytes in the arguments of a
// binding become text.
func (p *Plan) UnmarshalJSON(data []byte) error {
	type plain Plan // without this method
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	d.DisallowUnknownFields()
	read := new(plain)
	if err := d.Decode(read); err != nil {
		return fmt.Errorf("read a plan: %w", err)
	}
	*p = Plan(*read)
	for _, args := range p.arguments() {
		for name, v := range args {
			v, err := exactly(v)
			if err != nil {
				return fmt.Errorf("read a plan: argument %s: %w", name, err)
			}
			args[name] = v
		}
	}
	return nil
}

// arguments returns every table of arguments in the plan.
func (p *Plan) arguments() []map[string]any {
	var all []map[string]any
	for _, q := range p.Queues() {
		all = append(all, q.Args)
	}
	for _, r := range p.Rungs {
		all = append(all, r.Args)
	}
	for _, e := range p.Exchanges {
		all = append(all, e.Args)
	}
	for _, b := range p.Bindings {
		all = append(all, b.Args)
	}
	return all
}

// exactly gives a value of JSON the type that it has in arguments.
func exactly(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err == nil && !bytes.ContainsAny([]byte(v), ".eE") {
			err = fmt.Errorf("%s does not fit in 64 bits", v)
		}
		return f, err
	case []any:
		for i := range v {
			e, err := exactly(v[i])
			if err != nil {
				return nil, err
			}
			v[i] = e
		}
	case map[string]any:
		for k := range v {
			e, err := exactly(v[k])
			if err != nil {
				return nil, err
			}
			v[k] = e
		}
	}
	return v, nil
}

// ReadPlans reads the JSON of plans: one, several one after the other, or a
// list of them. It reads to the end of r. No plan at all is an error, and so is
// one whose main queue has no name.
func ReadPlans(r io.Reader) ([]Plan, error) {
	d := json.NewDecoder(r)
	var all []Plan
	for {
		var next json.RawMessage
		err := d.Decode(&next)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read plans: %w", err)
		}
		var some []Plan
		if next[0] == '[' {
			err = json.Unmarshal(next, &some)
		} else {
			some = make([]Plan, 1)
			err = json.Unmarshal(next, &some[0])
		}
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	if len(all) == 0 {
		return nil, errors.New("read plans: there is none")
	}
	for i, p := range all {
		for _, q := range p.Queues() {
			if q.Name == "" {
				return nil, fmt.Errorf("read plans: plan %d has a queue without a name", i+1)
			}
		}
	}
	return all, nil
}
