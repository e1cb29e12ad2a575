package main

import "sync"

// store keeps the conversations that were fetched. In a program of yours it is a database, and put is
//
//	INSERT INTO conversations (id, ...) VALUES (...) ON CONFLICT (id) DO NOTHING
//
// The key is the conversation's own id, not the message's. Either makes a second delivery of the same message
// harmless. Only the conversation's makes it harmless, too, that a conversation is asked for twice, in two messages:
// someone starts the import again, or publishes a job again because the first time was publisher.ErrUnknown.
type store struct {
	mu   sync.Mutex
	byID map[string]Conversation
}

func newStore() *store { return &store{byID: make(map[string]Conversation)} }

// put stores a conversation. Storing it again changes nothing.
func (s *store) put(c Conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.byID[c.ID]; !there {
		s.byID[c.ID] = c
	}
}

// has says whether a conversation is stored.
func (s *store) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.byID[id]
	return there
}

func (s *store) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}
