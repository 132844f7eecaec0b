package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/zkutil/identity"
)

// zkSettings are the configs that --jaas and --zk-tls-config-file give, in the form of --set. Of the file only what concerns the connection to ZooKeeper counts, with or without the
// prefix authorizer., as with Apache's tools: it may be a whole server.properties.
func (a *app) zkSettings() ([]string, error) {
	values := map[string]string{}
	if a.zkTLSFile != "" {
		text, err := os.ReadFile(a.zkTLSFile)
		if err != nil {
			return nil, fmt.Errorf("%w: --zk-tls-config-file: %w", errUsage, err)
		}
		properties, err := config.ParseProperties(text)
		if err != nil {
			return nil, fmt.Errorf("%w: --zk-tls-config-file: %s: %w", errUsage, a.zkTLSFile, err)
		}
		for _, p := range properties {
			if key := strings.TrimPrefix(p.Key, "authorizer."); strings.HasPrefix(key, "zookeeper.ssl.") || key == string(config.ZooKeeperClientCnxnSocket) {
				values[key] = p.Value
			}
		}
	}
	if a.jaas != "" {
		path, err := filepath.Abs(a.jaas) // dev's brokers have other working directories
		if err != nil {
			return nil, fmt.Errorf("--jaas: %w", err)
		}
		values[string(config.ZooKeeperSASLJAASFile)] = path
	}
	var set []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		set = append(set, key+"="+values[key])
	}
	return set, nil
}

// zkConfig is what the flags and KAFKA_OPTS say about ZooKeeper.
func (a *app) zkConfig() (*config.Config, error) {
	set, err := a.zkSettings()
	if err != nil {
		return nil, err
	}
	var env []string
	if opts, ok := os.LookupEnv("KAFKA_OPTS"); ok {
		env = []string{"KAFKA_OPTS=" + opts}
	}
	cfg, err := config.Load(config.Sources{Base: map[string]string{string(config.ZooKeeperConnect): a.zookeeper}, Env: env, Set: set})
	if err != nil {
		return nil, fmt.Errorf("identity towards ZooKeeper: %w", err)
	}
	return cfg, nil
}

// zkIdentity is who a command is towards ZooKeeper: by its flags, else by KAFKA_OPTS, as Apache's tools.
func (a *app) zkIdentity() (identity.Identity, error) {
	cfg, err := a.zkConfig()
	if err != nil {
		return identity.Identity{}, err
	}
	who, err := identity.Of(cfg)
	if err != nil {
		return who, fmt.Errorf("identity towards ZooKeeper: %w", err)
	}
	return who, nil
}

// zkServerFlags hand --jaas on to the embedded ZooKeeper of dev.
func (a *app) zkServerFlags() []string {
	if a.jaas == "" {
		return nil
	}
	path, err := filepath.Abs(a.jaas)
	if err != nil {
		path = a.jaas
	}
	return []string{"--jaas", path}
}

// zkUsers are the users that the embedded ZooKeeper lets log in: those of the section Server of the JAAS file that --jaas names, and has to have it, or KAFKA_OPTS, which may be meant for
// brokers alone.
func (a *app) zkUsers() (map[string]string, error) {
	cfg, err := a.zkConfig()
	if err != nil {
		return nil, err
	}
	path := cfg.String(config.ZooKeeperSASLJAASFile)
	if path == "" {
		return nil, nil
	}
	users, err := identity.Users(path)
	if err == nil && len(users) == 0 && a.jaas != "" {
		err = fmt.Errorf("%s has no section Server, which says who may log in", path)
	}
	return users, err
}
