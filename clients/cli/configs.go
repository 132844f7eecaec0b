package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/IBM/sarama"
	"github.com/spf13/cobra"
)

// configTarget is what a configs command is about.
type configTarget struct {
	topic, broker, loggers string
	brokerDefault          bool
}

func (t *configTarget) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&t.topic, "topic", "", "a topic's configs")
	flags.StringVar(&t.broker, "broker", "", "a broker's configs, by `ID`")
	flags.BoolVar(&t.brokerDefault, "broker-defaults", false, "the defaults of all brokers")
	flags.StringVar(&t.loggers, "broker-logger", "", "a broker's log levels, by `ID`")
}

// resource returns the protocol's name of the target, and one for people.
func (t *configTarget) resource() (sarama.ConfigResource, string, error) {
	var found []sarama.ConfigResource
	name := ""
	if t.topic != "" {
		found, name = append(found, sarama.ConfigResource{Type: sarama.TopicResource, Name: t.topic}), "topic "+t.topic
	}
	if t.broker != "" {
		found, name = append(found, sarama.ConfigResource{Type: sarama.BrokerResource, Name: t.broker}), "broker "+t.broker
	}
	if t.brokerDefault {
		found, name = append(found, sarama.ConfigResource{Type: sarama.BrokerResource}), "brokers in the cluster"
	}
	if t.loggers != "" {
		found, name = append(found, sarama.ConfigResource{Type: sarama.BrokerLoggerResource, Name: t.loggers}), "broker-logger "+t.loggers
	}
	if len(found) != 1 {
		return sarama.ConfigResource{}, "", fmt.Errorf("%w: say whose configs with one of --topic, --broker, --broker-defaults, --broker-logger", errUsage)
	}
	return found[0], name, nil
}

func (a *app) configsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "configs", Short: "Show and change the configs of topics and brokers"}
	cmd.AddCommand(a.configsDescribe(), a.configsAlter())
	return cmd
}

// configRow is one config in JSON.
type configRow struct {
	Name      string   `json:"name"`
	Value     *string  `json:"value"` // null when it is secret
	Source    string   `json:"source"`
	ReadOnly  bool     `json:"read_only"`
	Sensitive bool     `json:"sensitive"`
	Synonyms  []string `json:"synonyms,omitempty"`
}

func (a *app) configsDescribe() *cobra.Command {
	target := &configTarget{}
	var all bool
	cmd := &cobra.Command{
		Use: "describe", Short: "Show configs with the place each value comes from", Args: cobra.NoArgs,
		Example: "  prekraft configs describe --topic orders\n  prekraft configs describe --broker 1 --all",
		RunE: func(*cobra.Command, []string) error {
			resource, name, err := target.resource()
			if err != nil {
				return err
			}
			admin, client, err := a.admin()
			if err != nil {
				return err
			}
			defer admin.Close()
			if resource.Type == sarama.TopicResource {
				// sarama asks any broker; a topic that doesn't exist is an error of the answer.
				if _, err := client.Partitions(resource.Name); err != nil {
					return topicError(resource.Name, err)
				}
			}
			entries, err := describeConfigs(admin, resource)
			if err != nil {
				return err
			}
			slices.SortFunc(entries, func(x, y sarama.ConfigEntry) int { return strings.Compare(x.Name, y.Name) })
			if !all {
				entries = slices.DeleteFunc(entries, func(e sarama.ConfigEntry) bool {
					return e.Source == sarama.SourceDefault || e.Source == sarama.SourceStaticBroker
				})
			}
			if a.output == "json" {
				return a.json(configRows(entries))
			}
			kind := "Dynamic"
			if all {
				kind = "All"
			}
			fmt.Fprintf(a.out, "%s configs for %s are:\n", kind, name)
			for _, row := range configRows(entries) {
				value := "null"
				if row.Value != nil {
					value = *row.Value
				}
				fmt.Fprintf(a.out, "  %s=%s sensitive=%t synonyms={%s}\n", row.Name, value, row.Sensitive, strings.Join(row.Synonyms, ", "))
			}
			return nil
		},
	}
	target.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "static and default values too")
	return cmd
}

// describeConfigs asks for a resource's configs with all places that each value could come from.
func describeConfigs(admin sarama.ClusterAdmin, resource sarama.ConfigResource) ([]sarama.ConfigEntry, error) {
	results, err := admin.DescribeConfigs([]*sarama.ConfigResource{&resource}, sarama.DescribeConfigsOptions{IncludeSynonyms: true})
	if err != nil {
		return nil, err
	}
	var entries []sarama.ConfigEntry
	for _, r := range results {
		if r.ErrorCode != sarama.ErrNoError {
			return nil, fmt.Errorf("%w: %s", r.ErrorCode, r.ErrorMsg)
		}
		entries = append(entries, r.Configs...)
	}
	return entries, nil
}

func configRows(entries []sarama.ConfigEntry) []configRow {
	rows := make([]configRow, 0, len(entries))
	for _, e := range entries {
		row := configRow{Name: e.Name, Source: sourceName(e.Source), ReadOnly: e.ReadOnly, Sensitive: e.Sensitive}
		if !e.Sensitive {
			row.Value = new(e.Value)
		}
		for _, s := range e.Synonyms {
			row.Synonyms = append(row.Synonyms, fmt.Sprintf("%s:%s=%s", sourceName(s.Source), s.ConfigName, s.ConfigValue))
		}
		rows = append(rows, row)
	}
	return rows
}

// sourceName is the name that Kafka's tools print.
func sourceName(s sarama.ConfigSource) string {
	switch s {
	case sarama.SourceTopic:
		return "DYNAMIC_TOPIC_CONFIG"
	case sarama.SourceDynamicBroker:
		return "DYNAMIC_BROKER_CONFIG"
	case sarama.SourceDynamicDefaultBroker:
		return "DYNAMIC_DEFAULT_BROKER_CONFIG"
	case sarama.SourceStaticBroker:
		return "STATIC_BROKER_CONFIG"
	case sarama.SourceDefault:
		return "DEFAULT_CONFIG"
	}
	if s == 6 {
		return "DYNAMIC_BROKER_LOGGER_CONFIG"
	}
	return "UNKNOWN"
}

func (a *app) configsAlter() *cobra.Command {
	target := &configTarget{}
	var set, remove []string
	cmd := &cobra.Command{
		Use: "alter", Short: "Set and remove configs", Args: cobra.NoArgs,
		Example: "  prekraft configs alter --topic orders --set retention.ms=3600000\n  prekraft configs alter --broker-defaults --delete log.retention.ms",
		RunE: func(*cobra.Command, []string) error {
			resource, name, err := target.resource()
			if err != nil {
				return err
			}
			pairs, err := configPairs(set)
			if err != nil {
				return err
			}
			if len(pairs)+len(remove) == 0 {
				return fmt.Errorf("%w: nothing to do: give --set key=value or --delete key", errUsage)
			}
			changes := map[string]sarama.IncrementalAlterConfigsEntry{}
			for key, value := range pairs {
				changes[key] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: value}
			}
			for _, key := range remove {
				changes[key] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationDelete}
			}
			admin, _, err := a.admin()
			if err != nil {
				return err
			}
			defer admin.Close()
			if err := admin.IncrementalAlterConfig(resource.Type, resource.Name, changes, false); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "Completed updating config for %s.\n", name)
			return nil
		},
	}
	target.flags(cmd)
	cmd.Flags().StringArrayVar(&set, "set", nil, "`key=value` to set (repeatable)")
	cmd.Flags().StringSliceVar(&remove, "delete", nil, "`keys` to remove")
	return cmd
}
