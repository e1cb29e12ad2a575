package rabbitmq

import (
	"os/exec"
	"runtime"
	"syscall"
)

// A process is a child, and whatever it starts in its process group.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once the child has ended and was waited for
	err  error         // how it ended; to be read after done
}

// spawn starts cmd in a process group of its own. The child is killed when this process dies, where the
// system can do that.
//
// The goroutine that starts the child also waits for it, and keeps its thread: Linux kills the child
// when the thread that started it ends, and not only when the process does.
func spawn(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	ownGroup(cmd.SysProcAttr)
	dieWithParent(cmd.SysProcAttr)

	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// ended says whether the child has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal sends sig to the child and its group.
func (p *process) signal(sig syscall.Signal) error {
	if p.ended() {
		return ErrNotRunning
	}
	return signalGroup(p.cmd.Process.Pid, sig)
}

// kill ends the child and its group at once, and returns when it is gone.
func (p *process) kill() {
	if p.signal(syscall.SIGKILL) != nil {
		_ = p.cmd.Process.Kill() // there is no group, or it has just ended
	}
	<-p.done
}
