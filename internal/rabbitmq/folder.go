package rabbitmq

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	folderPrefix = "warren-rabbitmq-" // of every node's folder
	lockName     = "owner"            // a file there, locked while its owner lives
	factsName    = "node.json"        // a file there, by which another process finds the node
	cookieName   = ".erlang.cookie"   // a file there, the secret that the nodes of a cluster share
)

// facts are what it takes to talk to a node, from another process too.
type facts struct {
	Programs programs
	Name     string // of the Erlang node: warren-4f2a@localhost
	Port     int    // for AMQP
	DistPort int    // for Erlang's distribution, which rabbitmqctl speaks
	EpmdPort int
	Version  string // of RabbitMQ, once it has served

	ManagementPort int `json:",omitempty"` // for the management API, if the node has it
}

// prepare makes the folder of a node that is yet to start.
func prepare(bin programs, o Options) (_ *Node, err error) {
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(o.Dir, folderPrefix)
	if err != nil {
		return nil, fmt.Errorf("make the node's folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("fill the node's folder: %w", err), os.RemoveAll(folder))
		}
	}()
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, err
	}
	owner, err := claim(folder)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && owner != nil {
			_ = owner.Close()
		}
	}()
	if err := os.Mkdir(filepath.Join(folder, "conf.d"), 0o700); err != nil {
		return nil, err
	}
	cookie, epmdPort := rand.Text(), ports[2]
	if o.first != nil {
		text, err := os.ReadFile(filepath.Join(o.first.folder, cookieName))
		if err != nil {
			return nil, err
		}
		cookie, epmdPort = string(text), o.first.facts.EpmdPort
	}
	files := map[string]string{
		cookieName:      cookie,
		"rabbitmq.conf": o.Conf + "\n",
		"rabbitmq.env":  "", // or the system's would be read
	}
	managementPort, plugins := 0, o.Plugins
	if o.Management {
		managementPort, plugins = ports[3], append([]string{"rabbitmq_management"}, plugins...)
		files["rabbitmq.conf"] += fmt.Sprintf("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %d\n", managementPort)
	}
	files["enabled_plugins"] = "[" + strings.Join(plugins, ",") + "].\n"
	if o.Advanced != "" {
		files["advanced.config"] = o.Advanced + "\n"
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	name := o.Name
	if name == "" {
		name = "warren"
	}
	return &Node{
		folder: folder,
		owner:  owner,
		turn:   make(chan struct{}, 1),
		joined: o.first != nil,
		facts: facts{
			Programs: bin,
			Name:     name + "-" + strings.ToLower(rand.Text()[:6]) + "@localhost",
			Port:     ports[0],
			DistPort: ports[1],
			EpmdPort: epmdPort,

			ManagementPort: managementPort,
		},
	}, nil
}

// writeFacts leaves the facts in the node's folder for readFacts.
func (n *Node) writeFacts() error {
	text, err := json.Marshal(n.facts)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(n.folder, factsName), text, 0o600)
}

// attach finds a node that another process owns.
func attach(folder string) (*Node, error) {
	text, err := os.ReadFile(filepath.Join(folder, factsName))
	if err != nil {
		return nil, fmt.Errorf("find the node: %w", err)
	}
	n := &Node{folder: folder, lent: true}
	if err := json.Unmarshal(text, &n.facts); err != nil {
		return nil, fmt.Errorf("find the node in %s: %w", folder, err)
	}
	return n, nil
}

// environ is the whole environment of the node and of its rabbitmqctl: whatever else the caller's
// environment holds (RABBITMQ_… for a node of the system, say) does not reach them.
func (n *Node) environ() []string {
	in := func(name string) string { return filepath.Join(n.folder, name) }
	const local = "-kernel inet_dist_use_interface {127,0,0,1}"
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + n.folder, // where Erlang looks for its cookie
		"LANG=C.UTF-8",
		"TMPDIR=" + os.TempDir(),
		"ERL_CRASH_DUMP=" + in("erl_crash.dump"),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_EPMD_PORT=" + strconv.Itoa(n.facts.EpmdPort),

		"RABBITMQ_NODENAME=" + n.facts.Name,
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		"RABBITMQ_NODE_PORT=" + strconv.Itoa(n.facts.Port),
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(n.facts.DistPort),

		"RABBITMQ_CONF_ENV_FILE=" + in("rabbitmq.env"),
		"RABBITMQ_CONFIG_FILE=" + in("rabbitmq"), // RabbitMQ adds .conf
		"RABBITMQ_CONFIG_FILES=" + in("conf.d"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + in("advanced.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + in("enabled_plugins"),
		"RABBITMQ_GENERATED_CONFIG_DIR=" + in("config"),
		"RABBITMQ_SCHEMA_DIR=" + in("schema"),
		"RABBITMQ_MNESIA_BASE=" + in("data"),
		"RABBITMQ_LOG_BASE=" + in("log"),
		"RABBITMQ_PID_FILE=" + in("pid"),

		// With "input allowed" the script becomes the node instead of its parent, so that a signal reaches
		// the node itself. It must not read any, all the same.
		"RABBITMQ_ALLOW_INPUT=true",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput " + local,
		"RABBITMQ_CTL_ERL_ARGS=" + local,
		"RABBITMQ_CTL_DIST_PORT_MIN=" + strconv.Itoa(firstPort), // the first free one is taken
		"RABBITMQ_CTL_DIST_PORT_MAX=65535",
	}
}

// logTail returns the end of what the node has logged, or printed if it did not get as far.
func (n *Node) logTail() string {
	var text []byte
	logs, _ := filepath.Glob(filepath.Join(n.folder, "log", n.facts.Name+".log"))
	for _, path := range append(logs, filepath.Join(n.folder, "out")) {
		if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
			text = b
			break
		}
	}
	const most = 4000
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return strings.TrimSpace(string(text))
}
