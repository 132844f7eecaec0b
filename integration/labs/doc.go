// Package labs does what docs/labs tell their reader to do: the shell commands of each lab, in their order, with a cluster of the binary's own.
//
// A block ```sh is run as it stands. In a block ```sh other, which the reader types into other terminals, each line goes on beside what follows. A comment behind a block says what its
// output must have (a regular expression over all lines, (?ms)); readers don't see it:
//
//	<!-- sees: REGEXP -->
//	<!-- wait: TEXT -->    before a block: for the other terminal's line with that text to end
package labs
