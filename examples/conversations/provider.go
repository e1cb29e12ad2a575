package main

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// provider is a server of conversations as one meets them: it limits its callers, knows some keys and
// not others, and has its bad moments. Its bad moments are the same in every run.
type provider struct {
	server *http.Server
	done   chan struct{} // closed when the server has ended

	conversations map[string]Conversation
	moods         map[string]mood
	limit         int // requests in a window

	mu     sync.Mutex
	window time.Time      // when the current window began
	used   int            // requests in it
	asked  map[string]int // requests for each conversation that passed the limit
	served map[string]int // answers, by what they were
}

// windowSize is the provider's: so many requests are free every two seconds.
const windowSize = 2 * time.Second

// mood is how the provider answers for one conversation.
type mood int

const (
	fine     mood = iota
	deleted       // 404
	private       // 403, and nothing that waiting would help
	busy          // 403 with Retry-After at the first request, which some providers say instead of 429
	failing       // 500 at the first request
	broken        // 500 at the first two
	dropping      // half an answer at the first request, then the connection is dropped
	slow          // no answer to the first request for as long as anyone waits
	dead          // no answer to any
)

// moods of every hundred conversations, the others are fine.
var moods = map[int]mood{
	3: deleted, 53: deleted,
	7: failing, 27: broken, 67: failing,
	11: dropping, 61: dropping,
	19: slow, 69: slow,
	23: busy, 73: busy,
	31: dead,
	37: private,
}

// keys are the API keys of the accounts that are open.
var keys = map[string]string{
	"Bearer demo-bluebird":  "bluebird-bikes",
	"Bearer demo-kettle":    "kettle-and-co",
	"Bearer demo-northwind": "northwind-notes",
}

// startProvider serves these conversations on a loopback port until close.
func startProvider(all []Conversation, perSecond int) (*provider, string, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	p := &provider{
		done:          make(chan struct{}),
		conversations: make(map[string]Conversation),
		moods:         make(map[string]mood),
		limit:         perSecond * int(windowSize/time.Second),
		asked:         make(map[string]int),
		served:        make(map[string]int),
	}
	for i, c := range all {
		p.conversations[c.ID] = c
		p.moods[c.ID] = moods[i%100]
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /v1/conversations/{id}", p.conversation)
	p.server = &http.Server{Handler: routes, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(p.done)
		_ = p.server.Serve(l) // until close
	}()
	return p, "http://" + l.Addr().String(), nil
}

// close ends the server and what it is still answering.
func (p *provider) close() {
	_ = p.server.Close()
	<-p.done
}

// answers returns how often the provider gave each kind of answer.
func (p *provider) answers() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.served)
}

func (p *provider) conversation(w http.ResponseWriter, r *http.Request) {
	account, known := keys[r.Header.Get("Authorization")]
	if !known {
		p.refuse(w, http.StatusUnauthorized, "unknown API key")
		return
	}
	if wait := p.overLimit(time.Now()); wait > 0 {
		retryAfter(w, wait)
		p.refuse(w, http.StatusTooManyRequests, "rate limit exceeded")
		return
	}
	id := r.PathValue("id")
	c, known := p.conversations[id]
	if !known || c.Account != account {
		p.refuse(w, http.StatusNotFound, "no such conversation")
		return
	}
	switch m, request := p.moods[id], p.ask(id); {
	case m == deleted:
		p.refuse(w, http.StatusNotFound, "this conversation was deleted at its author's request")
	case m == private:
		p.refuse(w, http.StatusForbidden, "this conversation is private")
	case m == busy && request == 1:
		retryAfter(w, time.Second)
		p.refuse(w, http.StatusForbidden, "secondary rate limit exceeded")
	case m == failing && request == 1, m == broken && request <= 2:
		p.refuse(w, http.StatusInternalServerError, "internal error")
	case m == dropping && request == 1:
		p.drop(w, c)
	case m == slow && request == 1, m == dead:
		p.count("no answer")
		<-r.Context().Done() // the caller has hung up
	default:
		p.count("200")
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(c) // a caller that has left gets none
	}
}

// overLimit counts a request, and returns how long to wait if it is one too many.
func (p *provider) overLimit(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.window) >= windowSize {
		p.window, p.used = now, 0
	}
	if p.used >= p.limit {
		return p.window.Add(windowSize).Sub(now)
	}
	p.used++
	return 0
}

// ask returns which request for this conversation this is, from 1.
func (p *provider) ask(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[id]++
	return p.asked[id]
}

func (p *provider) count(answer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.served[answer]++
}

// retryAfter says for how long to wait, in whole seconds, as HTTP does.
func retryAfter(w http.ResponseWriter, wait time.Duration) {
	seconds := int((wait + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
}

func (p *provider) refuse(w http.ResponseWriter, status int, why string) {
	answer := strconv.Itoa(status)
	if w.Header().Get("Retry-After") != "" {
		answer += " with Retry-After"
	}
	p.count(answer)
	http.Error(w, why, status)
}

// drop sends half an answer and hangs up.
func (p *provider) drop(w http.ResponseWriter, c Conversation) {
	p.count("half an answer")
	var whole strings.Builder
	_ = json.NewEncoder(&whole).Encode(c) // it has no values that JSON lacks
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(whole.Len()))
	_, _ = w.Write([]byte(whole.String()[:whole.Len()/2]))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
