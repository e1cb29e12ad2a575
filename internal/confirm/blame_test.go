package confirm

import (
	"errors"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A missing exchange may have been there for those before the last. A foreign
// user id is wrong for all.
func TestWhoIsBlamed(t *testing.T) {
	missing := &amqp.Error{Code: amqp.NotFound, Reason: "NOT_FOUND - no exchange 'x' in vhost '/'", Server: true}
	foreign := &amqp.Error{
		Code: amqp.PreconditionFailed, Server: true,
		Reason: "PRECONDITION_FAILED - user_id property set to 'u' but authenticated user was 'guest'",
	}
	local := &amqp.Error{Code: amqp.NotFound, Reason: missing.Reason}
	messages := []Message{
		{Exchange: "x"},
		{Exchange: "x", Publishing: amqp.Publishing{UserId: "u"}},
		{Exchange: "x"},
		{Exchange: "y", Publishing: amqp.Publishing{UserId: "u"}},
		{Exchange: "y"},
	}
	for _, test := range []struct {
		err  *amqp.Error
		want [5]error
	}{
		{missing, [5]error{nil, nil, ErrUnroutable, nil, nil}},
		{foreign, [5]error{nil, ErrRefused, nil, ErrRefused, nil}},
		{local, [5]error{}},
		{nil, [5]error{}},
	} {
		var c channel
		for i := range messages {
			c.flight.add(&Pending{message: messages[i]})
		}
		c.blame(test.err)
		p := c.flight.first
		for i, want := range test.want {
			if !errors.Is(p.fault, want) {
				t.Errorf("%v: message %d is blamed for %v", test.err, i, p.fault)
			}
			p = p.next
		}
	}
}

func TestFlightKeepsItsOrder(t *testing.T) {
	var f flight
	all := make([]*Pending, 6)
	for i := range all {
		all[i] = new(Pending)
		f.add(all[i])
	}
	check := func(want ...*Pending) {
		t.Helper()
		p := f.first
		for i, w := range want {
			if p != w {
				t.Fatalf("place %d is wrong", i)
			}
			if p.next == nil && f.last != p {
				t.Fatal("the last is wrong")
			}
			p = p.next
		}
		if p != nil || len(want) == 0 && f.last != nil {
			t.Fatal("there are more")
		}
	}
	f.remove(all[2])
	check(all[0], all[1], all[3], all[4], all[5])
	f.remove(all[0])
	f.remove(all[5])
	check(all[1], all[3], all[4])
	f.add(all[0]) // again
	check(all[1], all[3], all[4], all[0])
	for _, i := range []int{3, 0, 1, 4} {
		f.remove(all[i])
	}
	check()
	f.add(all[2])
	check(all[2])
}
