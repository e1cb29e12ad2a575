package conformance_test

import amqp "github.com/rabbitmq/amqp091-go"

// single are the arguments of a queue with one consumer at a time.
func single(more ...any) amqp.Table {
	return arguments(append(more, "x-single-active-consumer", true)...)
}

// singleActive is a queue that one consumer has at a time.
var singleActive = section{"have a single active consumer", []row{
	{
		name: "the first gets all, the second after its cancel",
		want: "1,2,- / -, then 3,-",
		run: func(e *env) string {
			q := e.classic("q", single())
			one, two := e.channel(), e.channel()
			a, b := one.consume(q, "a", nil), two.consume(q, "b", nil)
			e.put("", q, "1", "2")
			seen := e.rest(a) + " / " + e.rest(b)
			e.must(one.Cancel("a", false))
			e.put("", q, "3")
			return seen + ", then " + e.rest(b)
		},
	},
	{
		name: "the first gets all of a quorum queue, the second after its cancel",
		want: "1,2,- / -, then 3,-",
		run: func(e *env) string {
			q := e.quorum("q", single())
			one, two := e.channel(), e.channel()
			a, b := one.consume(q, "a", nil), two.consume(q, "b", nil)
			e.put("", q, "1", "2")
			seen := e.rest(a) + " / " + e.rest(b)
			e.must(one.Cancel("a", false))
			e.put("", q, "3")
			return seen + ", then " + e.rest(b)
		},
	},
	{
		name: "the second takes over what the first held",
		want: "1,2, then 1(r),2(r),3,-",
		run: func(e *env) string {
			q := e.classic("q", single())
			one := e.channelOn(e.connect())
			a, b := one.consume(q, "a", nil), e.channel().consume(q, "b", nil)
			e.put("", q, "1", "2")
			seen := e.receive(a, 2)
			e.must(one.conn.Close())
			e.put("", q, "3")
			return seen + ", then " + e.rest(b)
		},
	},
	{
		name: "the second takes over what the first held of a quorum queue",
		want: "1,2, then 1(r),2(r),3,-",
		run: func(e *env) string {
			q := e.quorum("q", single())
			one := e.channelOn(e.connect())
			a, b := one.consume(q, "a", nil), e.channel().consume(q, "b", nil)
			e.put("", q, "1", "2")
			seen := e.receive(a, 2)
			e.must(one.conn.Close())
			e.put("", q, "3")
			return seen + ", then " + e.rest(b)
		},
	},
	{
		name: "cancelled while one is ready and two are held",
		want: "b: -, after the close 1(r),2,-",
		on: map[string]string{
			"4": "b: 2,-, after the close 1(r),-",
		},
		run: func(e *env) string {
			q := e.classic("q", single())
			e.put("", q, "0", "1", "2")
			one, two := e.channel(), e.channel()
			e.must(one.Qos(2, 0, false))
			a := one.consume(q, "a", nil)
			first := e.next(a)
			e.next(a)
			b := two.consume(q, "b", nil)
			e.must(one.Cancel("a", false))
			seen := "b: " + e.rest(b)
			e.must(first.Ack(false))
			e.must(one.Close())
			return seen + ", after the close " + e.rest(b)
		},
	},
	{
		name: "cancelled while one is ready and two are held, quorum",
		want: "b: 2,-, after the close 1(r),-",
		run: func(e *env) string {
			q := e.quorum("q", single())
			e.put("", q, "0", "1", "2")
			one, two := e.channel(), e.channel()
			e.must(one.Qos(2, 0, false))
			a := one.consume(q, "a", nil)
			first := e.next(a)
			e.next(a)
			b := two.consume(q, "b", nil)
			e.must(one.Cancel("a", false))
			seen := "b: " + e.rest(b)
			e.must(first.Ack(false))
			e.must(one.Close())
			return seen + ", after the close " + e.rest(b)
		},
	},
	{
		name: "the third waits for the second",
		want: "closed / 1,- / -, then 1(r),2,-",
		run: func(e *env) string {
			q := e.classic("q", single())
			one, two, three := e.channel(), e.channel(), e.channel()
			a, b, c := one.consume(q, "a", nil), two.consume(q, "b", nil), three.consume(q, "c", nil)
			e.must(one.Close())
			e.put("", q, "1")
			seen := e.rest(a) + " / " + e.rest(b) + " / " + e.rest(c)
			e.must(two.Close())
			e.put("", q, "2")
			return seen + ", then " + e.rest(c)
		},
	},
	{
		name: "a higher priority",
		want: "1,2,- / -",
		run: func(e *env) string {
			q := e.classic("q", single())
			a := e.channel().consume(q, "a", nil)
			b := e.channel().consume(q, "b", arguments("x-priority", 10))
			e.put("", q, "1", "2")
			return e.rest(a) + " / " + e.rest(b)
		},
	},
	{
		name: "a higher priority in a quorum queue",
		want: "1,2,- / -",
		on: map[string]string{
			"4": "- / 1,2,-",
		},
		run: func(e *env) string {
			q := e.quorum("q", single())
			a := e.channel().consume(q, "a", nil)
			b := e.channel().consume(q, "b", arguments("x-priority", 10))
			e.put("", q, "1", "2")
			return e.rest(a) + " / " + e.rest(b)
		},
	},
	{
		name: "a higher priority in a quorum queue, while one is held",
		want: "2,- / -, after the ack - / -",
		on: map[string]string{
			"4": "- / -, after the ack - / 2,-",
		},
		run: func(e *env) string {
			q := e.quorum("q", single())
			a := e.channel().consume(q, "a", nil)
			e.put("", q, "1")
			d := e.next(a)
			b := e.channel().consume(q, "b", arguments("x-priority", 10))
			e.put("", q, "2")
			seen := e.rest(a) + " / " + e.rest(b)
			e.must(d.Ack(false))
			return seen + ", after the ack " + e.rest(a) + " / " + e.rest(b)
		},
	},
	{
		name: "get",
		want: `body=x redelivered=false exchange="" rk="q"`,
		run: func(e *env) string {
			q := e.classic("q", single())
			e.put("", q, "x")
			return e.taken(q)
		},
	},
	{
		name: "a higher priority in a quorum queue, while one is held and then requeued",
		want: "1(r),- / -, messages=0 consumers=1, then 2,- / -, messages=0 consumers=1",
		on: map[string]string{
			"4.0": "- / -, messages=1 consumers=0, then - / -, messages=2 consumers=0",
			"4.3": "- / 1(r),-, messages=0 consumers=1, then - / 2,-, messages=0 consumers=1",
		},
		run: func(e *env) string {
			q := e.quorum("q", single())
			a := e.channel().consume(q, "a", nil)
			e.put("", q, "1")
			d := e.next(a)
			b := e.channel().consume(q, "b", arguments("x-priority", 10))
			e.must(d.Nack(false, true))
			seen := e.rest(a) + " / " + e.rest(b) + ", " + e.counts(q)
			e.put("", q, "2")
			return seen + ", then " + e.rest(a) + " / " + e.rest(b) + ", " + e.counts(q)
		},
	},
	{
		name: "all count as consumers of a quorum queue",
		want: "messages=0 consumers=1",
		run: func(e *env) string {
			q := e.quorum("q", single())
			e.channel().consume(q, "a", nil)
			e.channel().consume(q, "b", nil)
			return e.counts(q)
		},
	},
	{
		name: "all count as consumers",
		want: "messages=0 consumers=2",
		run: func(e *env) string {
			q := e.classic("q", single())
			e.channel().consume(q, "a", nil)
			e.channel().consume(q, "b", nil)
			return e.counts(q)
		},
	},
}}
