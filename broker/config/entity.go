package config

import (
	"errors"
	"math"
	"strconv"
)

// Entity is a kind of thing that quotas and credentials are set on.
type Entity int8

// The entities.
const (
	// EntityUser is a user without a client id: quotas and SCRAM credentials.
	EntityUser Entity = iota
	// EntityClient is a client id, alone or with a user: quotas.
	EntityClient
	// EntityIP is an address: connection rate.
	EntityIP
)

func (e Entity) table() *table {
	switch e {
	case EntityIP:
		return ipTable()
	case EntityClient:
		return quotaTbl()
	default:
		return userTable()
	}
}

// Errors of quotas, INVALID_REQUEST to Kafka.
var (
	// ErrUnknownQuota is wrapped by the error for a key that does not exist on an entity.
	ErrUnknownQuota = errors.New("unknown quota")
	// ErrQuotaValue is wrapped by the error for a value that the key's type cannot hold.
	ErrQuotaValue = errors.New("quota value")
)

// quotaError is in Kafka's words.
type quotaError struct {
	text string
	kind error
}

func (e quotaError) Error() string { return e.text }
func (e quotaError) Unwrap() error { return e.kind }

// QuotaText returns a quota as it is stored in ZooKeeper: whole for LONG and INT, as Java prints a number for DOUBLE. Requests
// carry all quotas as float64.
func QuotaText(e Entity, key string, v float64) (string, error) {
	d := e.table().byName[key]
	if d == nil || d.Type == TypeString {
		return "", quotaError{"Invalid configuration key " + key, ErrUnknownQuota}
	}
	if d.Type == TypeDouble {
		return formatDouble(v), nil
	}
	const epsilon = 1e-6 // clients send doubles; what is this near to a whole number is meant to be one
	limit := float64(math.MaxInt64)
	if d.Type == TypeInt {
		limit = math.MaxInt32
	}
	whole := int64(math.MaxInt64)
	if v+epsilon < math.MaxInt64 {
		whole = int64(v + epsilon)
	}
	if !(math.Abs(v) <= limit) || math.Abs(float64(whole)-v) > epsilon {
		return "", quotaError{"Configuration " + key + " must be a " + d.Type.String() + " value", ErrQuotaValue}
	}
	return strconv.FormatInt(whole, 10), nil
}

// ValidateEntity checks what would be stored on an entity: names and values. Unknown names wrap ErrUnknownQuota, bad values are
// an *Error.
func ValidateEntity(e Entity, props map[string]string) error {
	t := e.table()
	for key, text := range props {
		d := t.byName[key]
		if d == nil {
			return quotaError{"Unknown Dynamic Configuration: Set(" + key + ").", ErrUnknownQuota}
		}
		if _, err := d.parse(text); err != nil {
			return err
		}
	}
	return nil
}
