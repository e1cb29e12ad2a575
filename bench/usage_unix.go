//go:build unix

package main

import (
	"runtime"
	"syscall"
	"time"
)

// usage returns the CPU time that this process has used, in user code and in the kernel, and the most memory that it has
// had at a time, in bytes.
func usage() (cpu time.Duration, peak int64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it knows no other error than a wrong argument
	}
	peak = u.Maxrss
	if runtime.GOOS != "darwin" && runtime.GOOS != "ios" { // which count in bytes, all others in KiB
		peak *= 1024
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), peak
}
