// Package franz holds the tests with franz-go, in a module of its own so that the product does not depend on it.
package franz
