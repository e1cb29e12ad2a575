//go:build !unix

package main

import "time"

// usage returns 0: this system has no getrusage, and the tables then say nothing of CPU and memory.
func usage() (cpu time.Duration, peak int64) { return 0, 0 }
