package cli

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// update writes generated files instead of comparing with them: go test ./clients/cli -run Reference -update.
var update = flag.Bool("update", false, "write docs/cli.md instead of comparing with it")

func TestReferenceIsCurrent(t *testing.T) {
	const path = "../../docs/cli.md"
	var page bytes.Buffer
	require.NoError(t, WriteReference(&page))
	if *update {
		require.NoError(t, os.WriteFile(path, page.Bytes(), 0o644))
		return
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, page.String(), string(have), "the page is behind the commands: go test ./clients/cli -run Reference -update")
}
