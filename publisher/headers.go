package publisher

import (
	"maps"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/header"
)

// table returns headers as they are sent. It does not change them.
func table(headers map[string]any) (amqp.Table, error) {
	t, err := confirm.Table(allowed(headers))
	if err != nil {
		return nil, cannotEncode("%w", err)
	}
	for _, name := range []string{"CC", "BCC"} {
		if v, ok := t[name]; ok && !isTexts(v) {
			return nil, cannotEncode("the header %s must be a list of strings, it is %T", name, headers[name])
		}
	}
	return t, nil
}

// allowed returns headers without those that an application may not set; the
// same map, if there are none.
func allowed(headers map[string]any) map[string]any {
	for name := range headers {
		if isReserved(name) {
			kept := maps.Clone(headers)
			maps.DeleteFunc(kept, func(name string, _ any) bool { return isReserved(name) })
			return kept
		}
	}
	return headers
}

func isReserved(name string) bool { return header.IsOurs(name) || header.IsBrokers(name) }

// isTexts says whether v can stand in CC or BCC. The broker closes the channel
// on what is no list.
func isTexts(v any) bool {
	list, ok := v.([]any)
	if !ok {
		return false
	}
	for _, e := range list {
		if _, ok := e.(string); !ok {
			return false
		}
	}
	return true
}
