package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Markdown writes docs/configs.md: every config of the table with its type, default, allowed values, scope and meaning.
func Markdown(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, `# Configs

Generated from the table in broker/config (a test keeps it so). Names, types, defaults and ranges are those of Apache Kafka 3.9;
the section "Our own" lists what it does not have. "Set" says when a config can be changed: read-only (files, environment,
command line; needs a restart), per-broker or cluster-wide (while running, with `+"`prekraft configs`"+` or Kafka's tools).

Precedence, highest first: topic override, dynamic broker, dynamic cluster default, --set, environment, file, default.

Environment variables: KAFKA_ or KAFKA_CFG_ and the name in upper case with underscores for dots: KAFKA_LOG_DIRS.
`)
	for _, t := range []struct {
		title string
		defs  []Def
	}{
		{"Broker configs", brokerTable().defs},
		{"Broker configs that exist only in ZooKeeper", dynamicOnlyTable().defs},
		{"Topic configs", topicTable().defs},
		{"User configs", userTable().defs},
		{"IP configs", ipTable().defs},
	} {
		fmt.Fprintf(b, "\n## %s\n", t.title)
		last := ""
		for i := range t.defs {
			d := &t.defs[i]
			if d.Section != last {
				fmt.Fprintf(b, "\n### %s\n\n| name | type | default | allowed | set | meaning |\n|---|---|---|---|---|---|\n", d.Section)
				last = d.Section
			}
			fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n", d.Name, strings.ToLower(d.Type.String()), d.defaultText(), cell(d.allowedText()),
				d.Scope, cell(d.docText()))
		}
	}
	fmt.Fprint(b, "\n## Other keys\n\nNot in Kafka's table of configs, but read from the same place.\n\n| name | meaning |\n|---|---|\n")
	for _, d := range customDefs() {
		name := d.Name
		if strings.HasSuffix(name, ".") {
			name += "*"
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, cell(d.Doc))
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write config documentation: %w", err)
	}
	return nil
}

func (d *Def) defaultText() string {
	switch {
	case d.NoDefault:
		return "not set"
	case d.Default == "":
		return "(empty)"
	}
	return "`" + cell(d.Default) + "`"
}

func (d *Def) allowedText() string {
	if strings.Contains(d.valid.text, "0.8.0") {
		return "0.8.0 to 3.9-IV0"
	}
	return d.valid.text
}

func (d *Def) docText() string {
	text := d.Doc
	if len(d.Synonyms) > 0 && d.Synonyms[0] != d.Name {
		text += " Broker config: " + strings.Join(d.Synonyms, ", ") + "."
	}
	if d.Deprecated {
		text += " Deprecated."
	}
	if d.Internal {
		text += " Internal."
	}
	switch {
	case d.Refused:
		text += " **Any other value than the default is refused: it " + d.Why + ".**"
	case !d.Acted:
		text += " **Accepted without effect: it " + d.Why + ".**"
	}
	return text
}

// cell keeps a text within its column.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s)
}
