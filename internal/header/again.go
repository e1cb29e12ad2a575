package header

// CC and BCC are headers with further routing keys, which the broker obeys.
const (
	cc  = "CC"
	bcc = "BCC"
)

// Again returns the headers with which a received message is published again:
// its own, without what must not be sent twice. What that was goes into headers
// of ours.
//
//   - An expiration would delete the message where it goes, or shorten its wait.
//   - A user id of somebody else closes the channel.
//   - CC and BCC send copies to others, and make the mandatory flag blind: where
//     the queue is missing the message would be lost.
//   - The broker's own headers: see IsBrokers.
//
// Of our headers those go along for which keep says so. The map is new, and has
// room for a few more; the values are shared.
func Again(headers map[string]any, expiration, userID string, keep func(name string) bool) map[string]any {
	again := make(map[string]any, len(headers)+8)
	for name, v := range headers {
		switch {
		case IsBrokers(name), name == cc, name == bcc:
		case IsOurs(name) && !keep(name):
		default:
			again[name] = v
		}
	}
	// After the headers: what it has now is newer than what it once had.
	if v, present := headers[cc]; present {
		again[OriginalCC] = v
	}
	if v, present := headers[bcc]; present {
		again[OriginalBCC] = v
	}
	if expiration != "" {
		again[OriginalExpiration] = expiration
	}
	if userID != "" {
		again[OriginalUserID] = userID
	}
	return again
}
