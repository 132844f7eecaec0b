package config

// The keys that plug-ins of Kafka read from the same file. They are no configs to Kafka, so DescribeConfigs hides their values.
const (
	// SuperUsers are the principals that may do everything: "User:CN=a,O=b;User:bob", separated by semicolons.
	SuperUsers = "super.users"
	// AllowEveryoneIfNoACLFound allows access to resources without any ACL when "true".
	AllowEveryoneIfNoACLFound = "allow.everyone.if.no.acl.found"
	// ConfigProviders names the providers that resolve ${provider:path:key} in values.
	ConfigProviders = "config.providers"
)

// CustomDef documents a key that is not in Kafka's table of configs but read all the same. A name ending in a dot is a prefix.
type CustomDef struct{ Name, Doc string }

// CustomDefs returns the documented keys outside of the table.
func CustomDefs() []CustomDef { return customDefs() }

func customDefs() []CustomDef {
	return []CustomDef{
		{SuperUsers, "Principals that may do everything, separated by semicolons: User:CN=a,O=b;User:bob. Read by the authorizer."},
		{AllowEveryoneIfNoACLFound, "true allows access to resources that have no ACL at all. Read by the authorizer."},
		{"authorizer.zookeeper.", "A zookeeper.* config for the authorizer's own session. Each defaults to the plain one."},
		{ConfigProviders, "Providers that resolve ${provider:path:key} in values, by name, comma separated."},
		{ConfigProviders + ".", "config.providers.<name>.class is the provider's class: EnvVarConfigProvider, FileConfigProvider and " +
			"DirectoryConfigProvider of Kafka are known. config.providers.<name>.param.* are its settings."},
	}
}
