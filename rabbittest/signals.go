package rabbittest

import (
	"os"
	"os/signal"
)

// The first call of signal.Notify in a process makes a channel for the runtime. If that happens in a bubble, as it does
// when an application of go.uber.org/fx is waited for, the channel is the bubble's, and the first signal, or the
// runtime's own look at it, kills the process: "select on synctest channel from outside bubble". So it is made here,
// before there is any bubble. Nothing is changed by it: Stop gives the signal its usual effect again.
func init() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	signal.Stop(c)
}
