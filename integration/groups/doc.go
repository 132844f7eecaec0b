// Package groups tests consumer groups from outside: with sarama's groups in real time, and with requests made by hand where time or errors matter.
package groups
