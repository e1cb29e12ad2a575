package rabbitmq

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// dieWithParent has the kernel kill the child when this process dies.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// claim marks a node's folder as in use, for as long as the file that it returns is open: so no longer
// than this process lives.
//
// The lock is taken before the file gets the name that sweep looks for, or another process could find
// it in between and take the folder away.
func claim(folder string) (*os.File, error) {
	path := filepath.Join(folder, lockName)
	f, err := os.Create(path + ".new")
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// sweep deletes the folders in dir of nodes whose owner died without closing them. The nodes
// themselves died with it.
func sweep(dir string) {
	locks, _ := filepath.Glob(filepath.Join(dir, folderPrefix+"*", lockName))
	for _, path := range locks {
		f, err := os.Open(path)
		if err != nil {
			continue // its owner has just deleted it, or it is another user's
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
		_ = f.Close()
	}
}
