package znode

import (
	"fmt"
	"strings"
)

// Paths of AclAuthorizer. Literal patterns are stored apart from prefixed ones, which old brokers do not know.
const (
	ACLPath         = "/kafka-acl"
	ExtendedACLPath = "/kafka-acl-extended"
	ACLChangesPath  = "/kafka-acl-changes"
	// ACLChangePrefix is what a notification for a literal pattern is created with.
	ACLChangePrefix        = "/kafka-acl-changes/acl_changes_"
	ExtendedACLChangesPath = "/kafka-acl-extended-changes"
	// ExtendedACLChangePrefix is what a notification for a prefixed pattern is created with.
	ExtendedACLChangePrefix = "/kafka-acl-extended-changes/acl_changes_"
)

// ResourceType is the kind of thing an ACL guards, spelt as in paths.
type ResourceType string

// The resource types that have a node of their own.
const (
	ResourceTopic           ResourceType = "Topic"
	ResourceGroup           ResourceType = "Group"
	ResourceCluster         ResourceType = "Cluster"
	ResourceTransactionalID ResourceType = "TransactionalId"
	ResourceDelegationToken ResourceType = "DelegationToken"
	ResourceUser            ResourceType = "User"
)

// ResourceTypes returns all resource types.
func ResourceTypes() []ResourceType {
	return []ResourceType{ResourceTopic, ResourceGroup, ResourceCluster, ResourceTransactionalID, ResourceDelegationToken, ResourceUser}
}

// enumName is the spelling of notifications.
func (t ResourceType) enumName() string {
	switch t {
	case ResourceTransactionalID:
		return "TRANSACTIONAL_ID"
	case ResourceDelegationToken:
		return "DELEGATION_TOKEN"
	}
	return strings.ToUpper(string(t))
}

func resourceTypeOf(name string) (ResourceType, error) {
	for _, t := range ResourceTypes() {
		if strings.EqualFold(t.enumName(), name) {
			return t, nil
		}
	}
	return "", malformed("resource type %.30q", name)
}

// ResourcePattern names the resources that a list of ACLs is about.
type ResourcePattern struct {
	Type ResourceType
	// Name must not contain a slash. "*" is the wildcard of literal patterns; the cluster is named kafka-cluster.
	Name string
	// Prefixed says that every resource whose name starts with Name is meant; else exactly Name.
	Prefixed bool
}

// ACLTypePath is the parent of the resources of a type.
func ACLTypePath(t ResourceType, prefixed bool) string {
	if prefixed {
		return ExtendedACLPath + "/prefixed/" + string(t)
	}
	return ACLPath + "/" + string(t)
}

// Path holds the ACLs of the resource.
func (r ResourcePattern) Path() string { return ACLTypePath(r.Type, r.Prefixed) + "/" + r.Name }

// ChangePrefix is what a notification about the resource is created with.
func (r ResourcePattern) ChangePrefix() string {
	if r.Prefixed {
		return ExtendedACLChangePrefix
	}
	return ACLChangePrefix
}

// EncodeChange gives the content of a notification about the resource: text for a literal pattern, JSON for a prefixed one.
func (r ResourcePattern) EncodeChange() []byte {
	if !r.Prefixed {
		return []byte(r.Type.enumName() + ":" + r.Name)
	}
	b := appendString([]byte(`{"version":1,"resourceType":`), r.Type.enumName())
	b = appendString(append(b, `,"name":`...), r.Name)
	return append(b, `,"patternType":"PREFIXED"}`...)
}

// DecodeACLChange reads a child of /kafka-acl-changes. Here and in the other kind of change, an unknown resource or pattern type is an error; Apache makes
// it UNKNOWN and finds nothing to do.
func DecodeACLChange(data []byte) (ResourcePattern, error) {
	typ, name, ok := strings.Cut(string(data), ":")
	if !ok {
		return ResourcePattern{}, fmt.Errorf("acl change: %w", malformed("%.60q is not type:name", data))
	}
	t, err := resourceTypeOf(typ)
	if err != nil {
		return ResourcePattern{}, fmt.Errorf("acl change: %w", err)
	}
	return ResourcePattern{Type: t, Name: name}, nil
}

// DecodeExtendedACLChange reads a child of /kafka-acl-extended-changes. Apache binds it to a class, which refuses unknown fields.
func DecodeExtendedACLChange(data []byte) (ResourcePattern, error) {
	r, err := decodeExtendedACLChange(data)
	if err != nil {
		return ResourcePattern{}, fmt.Errorf("extended acl change: %w", err)
	}
	return r, nil
}

func decodeExtendedACLChange(data []byte) (r ResourcePattern, err error) {
	v, err := parseObject(data)
	if err != nil {
		return r, err
	}
	if err := v.only("version", "resourceType", "name", "patternType"); err != nil {
		return r, err
	}
	f := v.fields("version", "resourceType", "name", "patternType")
	version, err := f[0].int32("version")
	if err != nil {
		return r, err
	}
	if version > 1 {
		return r, malformed("unsupported version %d", version)
	}
	typ, err := f[1].str("resourceType")
	if err != nil {
		return r, err
	}
	if r.Type, err = resourceTypeOf(typ); err != nil {
		return r, err
	}
	if r.Name, err = f[2].str("name"); err != nil {
		return r, err
	}
	pattern, err := f[3].str("patternType")
	if err != nil {
		return r, err
	}
	switch strings.ToUpper(pattern) {
	case "PREFIXED":
		r.Prefixed = true
	case "LITERAL":
	default:
		return r, malformed("pattern type %.30q", pattern)
	}
	return r, nil
}

// Unknown stands for a permission or an operation that this version does not know; it matches nothing.
const Unknown = "Unknown"

// AccessRule is one entry of a resource's list, in Kafka's spelling: Allow or Deny; Read, Write, ..., All.
type AccessRule struct {
	Principal  string // Type:name
	Permission string
	Host       string
	Operation  string
}

// EncodeAccessRules gives the content of a resource's node.
func EncodeAccessRules(rules []AccessRule) []byte {
	b := []byte(`{"acls":[`)
	for i, r := range rules {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"principal":`...), r.Principal)
		b = appendString(append(b, `,"permissionType":`...), r.Permission)
		b = appendString(append(b, `,"host":`...), r.Host)
		b = append(appendString(append(b, `,"operation":`...), r.Operation), '}')
	}
	return append(b, `],"version":1}`...)
}

// operations are spelt as AccessRule spells them.
var operations = [...]string{
	"Read", "Write", "Create", "Delete", "Alter", "Describe", "ClusterAction", "DescribeConfigs", "AlterConfigs",
	"IdempotentWrite", "CreateTokens", "DescribeTokens", "All",
}

// DecodeAccessRules reads a resource's node. No data means no rules. Stricter than Apache, which takes data that is not JSON for no rules.
func DecodeAccessRules(data []byte) ([]AccessRule, error) {
	rules, err := decodeAccessRules(data)
	if err != nil {
		return nil, fmt.Errorf("acls: %w", err)
	}
	return rules, nil
}

func decodeAccessRules(data []byte) ([]AccessRule, error) {
	out := []AccessRule{}
	if len(data) == 0 {
		return out, nil
	}
	v, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	f := v.fields("version", "acls")
	version, err := f[0].int32("version")
	if err != nil {
		return nil, err
	}
	if version != 1 {
		return nil, malformed("unsupported version %d", version)
	}
	if f[1] == nil {
		return nil, malformed("field acls is missing")
	}
	err = f[1].elements(func(e raw) error {
		r, err := e.accessRule()
		out = append(out, r)
		return err
	})
	return out, err
}

func (v raw) accessRule() (r AccessRule, err error) {
	if !v.isObject() {
		return r, malformed("expected an object, found %.20s", v)
	}
	f := v.fields("principal", "permissionType", "host", "operation")
	if r.Principal, err = f[0].str("principal"); err != nil {
		return r, err
	}
	if !strings.Contains(r.Principal, ":") {
		return r, malformed("%.60q is not a principal", r.Principal)
	}
	permission, err := f[1].str("permissionType")
	if err != nil {
		return r, err
	}
	r.Permission = spelling(permission, "Allow", "Deny")
	if r.Host, err = f[2].str("host"); err != nil {
		return r, err
	}
	op, err := f[3].str("operation")
	r.Operation = spelling(op, operations[:]...)
	return r, err
}

func spelling(s string, known ...string) string {
	for _, k := range known {
		if strings.EqualFold(s, k) {
			return k
		}
	}
	return Unknown
}
