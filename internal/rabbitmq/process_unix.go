//go:build unix

package rabbitmq

import "syscall"

// supported says whether nodes can be run on this system.
const supported = true

const (
	freezeSignal = syscall.SIGSTOP
	thawSignal   = syscall.SIGCONT
)

func ownGroup(attr *syscall.SysProcAttr) { attr.Setpgid = true }

func signalGroup(pid int, sig syscall.Signal) error { return syscall.Kill(-pid, sig) }
