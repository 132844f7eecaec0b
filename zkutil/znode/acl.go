package znode

import "strings"

// Permissions of an ACL, as ZooKeeper numbers them.
const (
	PermRead   int32 = 1
	PermWrite  int32 = 2
	PermCreate int32 = 4
	PermDelete int32 = 8
	PermAdmin  int32 = 16
	PermAll    int32 = 31
)

// ACL is one entry of a znode's access control list, in ZooKeeper's terms.
type ACL struct {
	Perms  int32  `json:"perms"`
	Scheme string `json:"scheme"` // world, auth, digest, ip, sasl, x509
	ID     string `json:"id"`     // anyone for world, empty for auth
}

// String writes the entry as ZooKeeper's shell does: scheme, id, and the letters of create, delete, read, write and admin.
func (a ACL) String() string {
	out := a.Scheme + ":" + a.ID + ":"
	for _, p := range []struct {
		bit    int32
		letter byte
	}{{PermCreate, 'c'}, {PermDelete, 'd'}, {PermRead, 'r'}, {PermWrite, 'w'}, {PermAdmin, 'a'}} {
		if a.Perms&p.bit != 0 {
			out += string(p.letter)
		}
	}
	return out
}

// sensitivePrefixes are the paths whose content nobody but the brokers may read. They are prefixes of the text of a path, as in Apache.
var sensitivePrefixes = [...]string{"/config/users", "/config/brokers", "/delegation_token/tokens"}

// Sensitive reports whether a path holds secrets.
func Sensitive(path string) bool {
	for _, p := range sensitivePrefixes {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// DefaultACLs returns the ACL that Kafka sets when it creates path. secure is zookeeper.set.acl: the creator may do everything, everyone may read
// what is not sensitive. /consumers stays open, since consumers of any identity write below it.
// Source: core/src/main/scala/kafka/zk/ZkData.scala.
func DefaultACLs(path string, secure bool) []ACL {
	if !secure || path == ConsumersPath {
		return []ACL{{PermAll, "world", "anyone"}}
	}
	acls := []ACL{{PermAll, "auth", ""}}
	if !Sensitive(path) {
		acls = append(acls, ACL{PermRead, "world", "anyone"})
	}
	return acls
}

// PersistentPaths are created by each broker at startup, with null data and all their parents.
func PersistentPaths() []string {
	return []string{
		ConsumersPath, BrokerIDsPath, TopicsPath, ConfigChangesPath, DeleteTopicsPath, BrokerSeqIDPath, IsrChangesPath,
		ProducerIDBlockPath, LogDirEventsPath, ConfigTypePath(ConfigTopics), ConfigTypePath(ConfigClients),
		ConfigTypePath(ConfigUsers), ConfigTypePath(ConfigBrokers), ConfigTypePath(ConfigIPs),
	}
}

// SecureRootPaths are the roots that a migration between secure and open ACLs walks.
func SecureRootPaths() []string {
	return []string{
		AdminPath, BrokersPath, ClusterPath, ConfigPath, ControllerPath, ControllerEpochPath, IsrChangesPath, ProducerIDBlockPath,
		LogDirEventsPath, DelegationTokenPath, ExtendedACLPath, MigrationPath, FeaturePath, ACLPath, ACLChangesPath,
		ExtendedACLPath + "/prefixed", ExtendedACLChangesPath,
	}
}
