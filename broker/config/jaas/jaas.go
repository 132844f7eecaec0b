package jaas

import (
	"fmt"
	"slices"
	"strings"
)

// MaxBytes bounds a configuration.
const MaxBytes = 1 << 20

// Module is a login module with its options.
type Module struct {
	// Class is the Java class, such as org.apache.zookeeper.server.auth.DigestLoginModule.
	Class string
	// Flag is required, requisite, sufficient or optional.
	Flag    string
	Options map[string]string
}

// String hides the values of the options, which are secrets.
func (m Module) String() string { return m.Class + " " + m.Flag }

// GoString hides the values of the options.
func (m Module) GoString() string { return m.String() }

// Config has the sections of a file by name.
type Config map[string][]Module

// Error says where a configuration is wrong.
type Error struct {
	Line   int // from 1
	Reason string
}

// Error gives line and reason.
func (e *Error) Error() string {
	return fmt.Sprintf("JAAS configuration, line %d: %s", e.Line, e.Reason)
}

// Parse reads a file. Every error is an *Error.
func Parse(text string) (Config, error) {
	l, err := newLexer(text)
	if err != nil {
		return nil, err
	}
	out := Config{}
	for l.kind != end {
		name, line := l.text, l.line
		if l.kind == symbol {
			return nil, l.wrong("expected the name of a section")
		}
		if _, twice := out[name]; twice {
			return nil, &Error{line, "section " + name + " comes twice"}
		}
		if err := l.next(); err != nil {
			return nil, err
		}
		if err := l.expect("{"); err != nil {
			return nil, err
		}
		var modules []Module
		for !l.is("}") {
			m, err := l.module()
			if err != nil {
				return nil, err
			}
			modules = append(modules, m)
		}
		if len(modules) == 0 {
			return nil, l.wrong("section " + name + " names no login module")
		}
		if err := l.expect("}"); err != nil {
			return nil, err
		}
		if err := l.expect(";"); err != nil {
			return nil, err
		}
		out[name] = modules
	}
	return out, nil
}

// ParseModules reads the modules of one section, as the config sasl.jaas.config gives them. Every error is an *Error.
func ParseModules(text string) ([]Module, error) {
	l, err := newLexer(text)
	if err != nil {
		return nil, err
	}
	var modules []Module
	for l.kind != end {
		m, err := l.module()
		if err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
	if len(modules) == 0 {
		return nil, l.wrong("no login module")
	}
	return modules, nil
}

// module reads: class flag name="value" ... ;
func (l *lexer) module() (Module, error) {
	m := Module{Class: l.text, Options: map[string]string{}}
	if l.kind != word {
		return m, l.wrong("expected the class of a login module")
	}
	if err := l.next(); err != nil {
		return m, err
	}
	m.Flag = strings.ToLower(l.text)
	if l.kind != word || !slices.Contains([]string{"required", "requisite", "sufficient", "optional"}, m.Flag) {
		return m, l.wrong("expected required, requisite, sufficient or optional after the class of the login module")
	}
	if err := l.next(); err != nil {
		return m, err
	}
	for !l.is(";") {
		name := l.text
		if l.kind != word {
			return m, l.wrong("expected an option or the semicolon that ends the login module")
		}
		if _, twice := m.Options[name]; twice {
			return m, l.wrong("option " + name + " comes twice")
		}
		if err := l.next(); err != nil {
			return m, err
		}
		if !l.is("=") {
			return m, l.wrong("no value for option " + name)
		}
		if err := l.next(); err != nil {
			return m, err
		}
		if l.kind != word && l.kind != quoted {
			return m, l.wrong("no value for option " + name)
		}
		if strings.Contains(l.text, "${") {
			return m, l.wrong("the value of option " + name + " refers to a Java property with ${...}, which is not replaced here: write the value itself")
		}
		m.Options[name] = l.text
		if err := l.next(); err != nil {
			return m, err
		}
	}
	return m, l.next()
}
