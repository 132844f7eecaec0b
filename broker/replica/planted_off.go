//go:build !plant

package replica

func planted(mistake) bool { return false }
