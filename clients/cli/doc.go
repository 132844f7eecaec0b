// Package cli is the prekraft command: one file per subcommand.
//
// Output is a table for people and, with -o json, JSON for programs. The exit status is 0 when what was asked for happened, 1 when it didn't, and 2
// when the command line was wrong. Errors go to standard error and say what to do next.
package cli
