package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Conversation is what a company's customer wrote, and what was answered. The provider serves it as JSON.
type Conversation struct {
	ID       string    `json:"id"`
	Account  string    `json:"account"`
	Channel  string    `json:"channel"`
	Subject  string    `json:"subject"`
	Rating   int       `json:"rating"` // 1 to 5 stars
	Customer Person    `json:"customer"`
	Opened   time.Time `json:"opened_at"`
	Turns    []Turn    `json:"turns"`
}

// Person is a customer.
type Person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Turn is one message of a conversation.
type Turn struct {
	From string    `json:"from"`
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// conversations makes n conversations, the same ones at every call.
func conversations(n int) []Conversation {
	r := rand.New(rand.NewPCG(2024, 6))
	opened := time.Date(2024, time.June, 3, 7, 12, 0, 0, time.UTC)
	all := make([]Conversation, 0, n)
	for i := range n {
		opened = opened.Add(time.Duration(1+r.IntN(3600)) * time.Second)
		by := companies[i%len(companies)]
		if i%50 == 43 {
			by = formerCustomer
		}
		all = append(all, conversation(r, by, fmt.Sprintf("cv-%05d", 10400+i*7), opened))
	}
	return all
}

func conversation(r *rand.Rand, by company, id string, opened time.Time) Conversation {
	about := pick(r, by.topics)
	first, last := pick(r, firstNames), pick(r, lastNames)
	agent := pick(r, agents)
	fill := strings.NewReplacer(
		"{product}", pick(r, by.products),
		"{days}", strconv.Itoa(2+r.IntN(12)),
		"{order}", strconv.Itoa(100000+r.IntN(900000)),
		"{name}", first,
		"{agent}", agent,
	)
	c := Conversation{
		ID:      id,
		Account: by.account,
		Channel: pick(r, channels),
		Subject: fill.Replace(about.subject),
		Rating:  about.worst + r.IntN(about.best-about.worst+1),
		Opened:  opened,
		Customer: Person{
			Name:  first + " " + last,
			Email: plain.Replace(strings.ToLower(first+"."+last)) + "@example.com",
		},
	}
	say := func(who, text string) {
		c.Turns = append(c.Turns, Turn{From: who, At: opened, Text: fill.Replace(text)})
		opened = opened.Add(time.Duration(2+r.IntN(240)) * time.Minute)
	}
	say(c.Customer.Name, pick(r, greetings)+pick(r, about.customer))
	say(agent, "Hi {name}, "+pick(r, about.agent))
	if r.IntN(3) > 0 {
		say(c.Customer.Name, pick(r, farewells))
	}
	return c
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// plain makes names in lower case fit for an address.
var plain = strings.NewReplacer(
	"á", "a", "ç", "c", "é", "e", "è", "e", "ë", "e", "í", "i", "ı", "i", "ł", "l",
	"ñ", "n", "ö", "oe", "ø", "o", "ü", "ue", "'", "", " ", "",
)
