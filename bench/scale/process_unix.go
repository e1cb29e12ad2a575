//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// used returns the CPU time that this process has used, and how often one of its threads has gone to sleep by itself.
func used() (cpu time.Duration, switches int64) {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), int64(u.Nvcsw) //nolint:unconvert // 32 bits on some systems
}

// resident returns how much of this process is in memory, in bytes; 0 where the system does not tell.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
