//go:build !unix

package rabbitmq

import (
	"errors"
	"syscall"
)

const supported = false

// Nothing is ever sent here: no node can be started.
const (
	freezeSignal = syscall.Signal(0)
	thawSignal   = syscall.Signal(0)
)

func ownGroup(*syscall.SysProcAttr) {}

func signalGroup(int, syscall.Signal) error { return errors.ErrUnsupported }
