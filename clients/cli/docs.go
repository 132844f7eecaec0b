package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// WriteReference writes the page about all commands, in Markdown: what each does, an example, its flags. docs/cli.md is that page.
func WriteReference(w io.Writer) error {
	root := (&app{version: "dev"}).root()
	var b strings.Builder
	b.WriteString("# Commands\n\nGenerated from the commands themselves; `prekraft COMMAND --help` shows the same.\n\n")
	b.WriteString(strings.TrimSpace(root.Long) + "\n\nOutput is a table for people and, with `-o json`, JSON for programs. The exit status is 0 when what was asked for happened, " +
		"1 when it didn't, and 2 when the command line was wrong. Errors go to standard error.\n\n")
	b.WriteString("Flags of every command:\n\n")
	writeFlags(&b, root.PersistentFlags().FlagUsages())
	b.WriteString("## The first five minutes\n\n" + codeBlock(root.Example))
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "## %s\n\n", strings.TrimSuffix(group.Title, ":"))
		for _, cmd := range root.Commands() {
			if cmd.GroupID == group.ID {
				writeCommand(&b, cmd)
			}
		}
	}
	b.WriteString("## Others\n\n`prekraft version` prints the version, `prekraft completion SHELL` a script that makes a shell complete commands and flags.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// writeCommand writes a command and those below it.
func writeCommand(b *strings.Builder, cmd *cobra.Command) {
	if !cmd.IsAvailableCommand() {
		return
	}
	usage := strings.TrimSuffix(cmd.UseLine(), " [flags]")
	if cmd.HasSubCommands() && cmd.Args != nil && len(cmd.Use) == len(cmd.Name()) && !cmd.HasLocalFlags() {
		usage += " COMMAND"
	}
	about := strings.TrimSpace(cmd.Long)
	if about == "" {
		about = cmd.Short + "."
	}
	fmt.Fprintf(b, "### %s\n\n%s\n\n", usage, about)
	if cmd.Example != "" {
		b.WriteString(codeBlock(cmd.Example))
	}
	writeFlags(b, cmd.LocalNonPersistentFlags().FlagUsages())
	for _, sub := range cmd.Commands() {
		writeCommand(b, sub)
	}
}

// codeBlock fences commands without their indentation.
func codeBlock(text string) string {
	var b strings.Builder
	b.WriteString("```sh\n")
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(strings.TrimPrefix(line, "  ") + "\n")
	}
	b.WriteString("```\n\n")
	return b.String()
}

// writeFlags writes flags as the help shows them, nothing when there is none.
func writeFlags(b *strings.Builder, usages string) {
	if usages = strings.TrimRight(usages, "\n"); usages != "" {
		b.WriteString("```text\n" + usages + "\n```\n\n")
	}
}
