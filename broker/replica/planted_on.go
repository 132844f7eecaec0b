//go:build plant

package replica

import "os"

func planted(m mistake) bool { return os.Getenv("PREKRAFT_PLANT") == string(m) }
