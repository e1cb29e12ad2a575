package engine

import (
	"fmt"
	"slices"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// longestExpiry bounds a time to live: ten years, in milliseconds (rabbit_misc.erl, check_expiry).
const longestExpiry = 10 * 365 * 24 * 60 * 60 * 1000

// The checks of a declaration's arguments return what is wrong with a value, as an Erlang term, or nothing.

func intOf(v any) int64 {
	n, _ := integer(v)
	return n
}

func integers(_ *Profile, v any) string {
	if _, ok := integer(v); !ok {
		return quoted("expected integer, got %s", wire.TypeName(v))
	}
	return ""
}

func notNegative(p *Profile, v any) string {
	if why := integers(p, v); why != "" {
		return why
	}
	if n := intOf(v); n < 0 {
		return fmt.Sprintf("{value_negative,%d}", n)
	}
	return ""
}

func positive(p *Profile, v any) string {
	if why := notNegative(p, v); why != "" {
		return why
	}
	if intOf(v) == 0 {
		return "{value_zero,0}"
	}
	return ""
}

func expiry(p *Profile, v any) string {
	if why := integers(p, v); why != "" {
		return why
	}
	return badExpiry(intOf(v))
}

func lifetime(p *Profile, v any) string {
	if why := positive(p, v); why != "" {
		return why
	}
	return badExpiry(intOf(v))
}

// badExpiry says what is wrong with a number of milliseconds.
func badExpiry(ms int64) string {
	switch {
	case ms > longestExpiry:
		return fmt.Sprintf("{value_too_large,%d}", ms)
	case ms < 0:
		return fmt.Sprintf("{value_negative,%d}", ms)
	}
	return ""
}

func priorities(p *Profile, v any) string {
	if why := notNegative(p, v); why != "" {
		return why
	}
	if n := intOf(v); n > 255 {
		return fmt.Sprintf("{max_value_exceeded,%d}", n)
	}
	return ""
}

func boolean(_ *Profile, v any) string {
	if _, ok := v.(bool); !ok {
		return unacceptable(v)
	}
	return ""
}

func isString(_ *Profile, v any) string {
	if _, ok := v.(string); !ok {
		return unacceptable(v)
	}
	return ""
}

// oneOf accepts these strings, and has a word for others.
func oneOf(word string, names ...string) func(*Profile, any) string {
	return func(p *Profile, v any) string {
		if why := isString(p, v); why != "" {
			return why
		}
		if !slices.Contains(names, v.(string)) {
			return word
		}
		return ""
	}
}

// mode is x-queue-mode, which means nothing any more, but was checked for longer.
func mode(p *Profile, v any) string {
	if p.IgnoresQueueMode {
		return ""
	}
	if why := isString(p, v); why != "" {
		return why
	}
	if v != "default" && v != "lazy" {
		return quoted("unsupported queue mode '%s'", v)
	}
	return ""
}

func version(p *Profile, v any) string {
	if why := notNegative(p, v); why != "" {
		return why
	}
	if n := intOf(v); n != 2 && (n != 1 || !p.QueueVersion1) {
		return quoted("unsupported queue version '%d'", n)
	}
	return ""
}

func unacceptable(v any) string { return fmt.Sprintf("{unacceptable_type,%s}", wire.TypeName(v)) }

func quoted(format string, args ...any) string { return "\"" + fmt.Sprintf(format, args...) + "\"" }
