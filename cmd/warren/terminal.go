package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// isTerminal says whether a person reads or writes there.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is how many characters a line of the terminal has, or 0 if it is none.
func width(stream any) int {
	f, ok := stream.(*os.File)
	if !ok {
		return 0
	}
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// errNoTerminal is the lack of someone to ask.
var errNoTerminal = errors.New("there is no terminal to ask on")

// terminal is the one that the process was started from. Standard input may be a file of messages while a person sits
// there; but if errors go to a file, too, nobody waits for questions.
func terminal() (*os.File, error) {
	if !isTerminal(os.Stdin) && !isTerminal(os.Stderr) {
		return nil, errNoTerminal
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, errNoTerminal
	}
	return tty, nil
}

// ask puts a question to whoever sits at the terminal, and returns the answer without its line end. A hidden answer is
// not shown while it is typed.
func ask(ctx context.Context, question string, hidden bool) (string, error) {
	tty, err := terminal()
	if err != nil {
		return "", err
	}
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		return "", errors.Join(errNoTerminal, tty.Close())
	}
	if _, err := fmt.Fprint(tty, question); err != nil {
		return "", errors.Join(err, tty.Close())
	}
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := read(tty, hidden)
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		if hidden {
			_, _ = fmt.Fprintln(tty) // for the return that was not shown
		}
		return a.text, errors.Join(a.err, tty.Close())
	case <-ctx.Done():
		// Nothing ends a read from a terminal. The goroutine is left to the end of the process, which is near, and so
		// is the file that it reads. But nobody else would show again what is typed.
		_ = term.Restore(int(tty.Fd()), before)
		_, _ = fmt.Fprintln(tty)
		return "", context.Cause(ctx)
	}
}

func read(tty *os.File, hidden bool) (string, error) {
	if hidden {
		text, err := term.ReadPassword(int(tty.Fd()))
		return string(text), err
	}
	lines := bufio.NewScanner(tty)
	if lines.Scan() {
		return lines.Text(), nil
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	return "", io.ErrUnexpectedEOF
}
