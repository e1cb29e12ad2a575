package conformance_test

// settling is what a broker says to wrong answers.
var settling = section{"settle", []row{
	{
		name: "ack after a requeue",
		want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 1",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "x")
			return e.try(func(ch *channel) error {
				d := ch.hold(q, 1)[0]
				e.must(d.Nack(false, true))
				return d.Ack(false)
			})
		},
	},
	{
		name: "ack up to a tag that is acknowledged",
		want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 2, left 1(r),3(r)",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1", "2", "3")
			return e.try(func(ch *channel) error {
				held := ch.hold(q, 3)
				e.must(held[1].Ack(false))
				return held[1].Ack(true)
			}) + ", left " + e.stays(q)
		},
	},
	{
		name: "ack up to a tag beyond the last",
		want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 5, left 1(r),2(r)",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1", "2")
			return e.try(func(ch *channel) error {
				ch.hold(q, 2)
				return ch.Ack(5, true)
			}) + ", left " + e.stays(q)
		},
	},
	{
		name: "ack all",
		want: "none / 4",
		run: func(e *env) string {
			p, q := e.classic("p", nil), e.quorum("q", nil)
			e.put("", p, "1", "2")
			e.put("", q, "3", "4")
			ch := e.channel()
			ch.hold(p, 2)
			ch.hold(q, 1)
			e.must(ch.Ack(0, true))
			e.must(ch.Close())
			return e.stays(p) + " / " + e.drain(q)
		},
	},
	{
		name: "nack all",
		want: "1(r),2(r)",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1", "2")
			ch := e.channel()
			ch.hold(q, 2)
			e.must(ch.Nack(0, true, true))
			ch.fate()
			return list(ch.hold(q, 2))
		},
	},
}}
