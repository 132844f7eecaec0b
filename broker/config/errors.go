package config

import "errors"

// Error says what is wrong with a config.
type Error struct {
	// Key is the config's name. Empty when the error is about several of them; then Reason names them.
	Key string
	// Value is the value that was given, "[hidden]" for secrets.
	Value string
	// Where is the place the value came from; see Origin. Empty for values that come with a request.
	Where string
	// Reason says what is allowed, in Kafka's words where Kafka has words for it.
	Reason string
	// err is what errors.Is finds, if anything.
	err error
}

// Unwrap returns the kind of the error, if it has one.
func (e *Error) Unwrap() error { return e.err }

// ErrDynamicPassword is wrapped by the error for a password that cannot be stored in ZooKeeper: INVALID_CONFIG to Kafka, where all
// other errors of broker configs are INVALID_REQUEST.
var ErrDynamicPassword = errors.New("password cannot be dynamic")

// Message is the text that Kafka answers a request with. For topics it puts "Invalid config value for resource
// ConfigResource(type=TOPIC, name='t'): " in front if Key is set.
func (e *Error) Message() string {
	if e.Key == "" {
		return e.Reason
	}
	return "Invalid value " + e.Value + " for configuration " + e.Key + ": " + e.Reason
}

// Error returns the place and the message.
func (e *Error) Error() string {
	if e.Where == "" {
		return e.Message()
	}
	return e.Where + ": " + e.Message()
}

// reason makes an error that is not about one value.
func reason(text string) *Error { return &Error{Reason: text} }

// ErrUnknownTopicConfig is wrapped by the error for a name that no topic config has.
var ErrUnknownTopicConfig = errors.New("unknown topic config")

// unknownTopicConfig is the error for such a name, in Kafka's words.
type unknownTopicConfig string

func (n unknownTopicConfig) Error() string { return "Unknown topic config name: " + string(n) }

func (n unknownTopicConfig) Is(target error) bool { return target == ErrUnknownTopicConfig }
