package consumer_test

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// exhaust takes memory until there is no more. It sees to it that this is soon.
func exhaust() {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	var size uint64 // with the race detector it is enormous
	_, after, _ := bytes.Cut(status, []byte("VmSize:"))
	if _, err := fmt.Fscan(bytes.NewReader(after), &size); err != nil {
		panic(err)
	}
	limit := size<<10 + 256<<20
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		panic(err)
	}
	var all [][]byte
	for {
		all = append(all, make([]byte, 32<<20))
		clear(all[len(all)-1])
	}
}
