//go:build linux || darwin

package faults

import (
	"os"
	"syscall"
)

// lock waits until no other process changes what is in a folder, and keeps them all waiting until unlock. It leaves
// no file behind, since it locks the folder itself; and it ends with the process, however that ends.
func lock(folder string) (unlock func(), err error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err == nil {
			return func() { _ = f.Close() }, nil
		}
		if err != syscall.EINTR { //nolint:errorlint // an errno as it comes
			_ = f.Close()
			return nil, err
		}
	}
}
