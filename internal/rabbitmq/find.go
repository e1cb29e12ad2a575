package rabbitmq

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// programs are the absolute paths of what a node is made of.
type programs struct {
	Server string // rabbitmq-server
	Ctl    string // rabbitmqctl
	Epmd   string // Erlang's name server
}

// Available says whether a node can be started on this machine: nil, or an error that is [ErrNotInstalled].
func Available() error {
	_, err := installed()
	return err
}

// installed finds the RabbitMQ that may be used.
func installed() (programs, error) {
	if unwanted() {
		return programs{}, fmt.Errorf("%w: %s=%s", ErrNotInstalled, brokerVariable, noBroker)
	}
	if folder := os.Getenv(installationVariable); folder != "" {
		return named(folder)
	}
	return find(searchPath())
}

// named returns the RabbitMQ in a folder that somebody chose: its rabbitmq-server and rabbitmqctl are taken as they
// are, also if they are scripts that begin another one elsewhere. To look further would be to test what was not meant.
func named(folder string) (p programs, err error) {
	if !supported {
		return programs{}, ErrNotInstalled
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return programs{}, err
	}
	p = programs{Server: filepath.Join(folder, "rabbitmq-server"), Ctl: filepath.Join(folder, "rabbitmqctl")}
	for _, path := range []string{p.Server, p.Ctl} {
		if !executable(path) {
			return programs{}, fmt.Errorf("%s names %s, where there is no program %s", installationVariable, folder, filepath.Base(path))
		}
	}
	p.Epmd, err = findEpmd()
	return p, err
}

// unwanted says whether tests are to run as on a machine without RabbitMQ.
func unwanted() bool { return os.Getenv(brokerVariable) == noBroker }

// searchPath lists the folders in which RabbitMQ may be installed, in order.
func searchPath() []string {
	return append(filepath.SplitList(os.Getenv("PATH")), "/usr/lib/rabbitmq/bin")
}

// find finds the first RabbitMQ in these folders.
//
// Debian has a rabbitmq-server on PATH that is not the real one: it changes to the user rabbitmq, who
// may not write to our files. The real one has a rabbitmq-env beside it, which it reads.
func find(folders []string) (programs, error) {
	if !supported {
		return programs{}, ErrNotInstalled
	}
	for _, folder := range folders {
		p := programs{
			Server: filepath.Join(folder, "rabbitmq-server"),
			Ctl:    filepath.Join(folder, "rabbitmqctl"),
		}
		if !executable(p.Server) || !executable(p.Ctl) || !exists(filepath.Join(folder, "rabbitmq-env")) {
			continue
		}
		var err error
		if p.Epmd, err = findEpmd(); err != nil {
			return programs{}, err
		}
		return p, nil
	}
	return programs{}, ErrNotInstalled
}

// findEpmd finds Erlang's name server on PATH, or beside the Erlang that PATH leads to.
func findEpmd() (string, error) {
	if path, err := exec.LookPath("epmd"); err == nil {
		return filepath.Abs(path)
	}
	erl, err := exec.LookPath("erl")
	if err == nil {
		erl, err = filepath.EvalSymlinks(erl)
	}
	if err != nil {
		return "", fmt.Errorf("find Erlang: %w: %w", ErrNotInstalled, err)
	}
	beside, _ := filepath.Glob(filepath.Join(filepath.Dir(erl), "..", "erts-*", "bin", "epmd"))
	for _, path := range append(beside, filepath.Join(filepath.Dir(erl), "epmd")) {
		if executable(path) {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("find epmd: %w: none beside %s", ErrNotInstalled, erl)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
