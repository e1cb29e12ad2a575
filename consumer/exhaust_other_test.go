//go:build !linux

package consumer_test

import "os"

// exhaust ends as a process does that finds no more memory. Other systems have no limit that it could set itself.
func exhaust() { os.Exit(2) }
