package znode

import "fmt"

// FeaturePath holds the finalized features (KIP-584). Its zkVersion is the finalized features epoch of ApiVersions responses.
const FeaturePath = "/feature"

// Feature is the content of /feature.
type Feature struct {
	// Version of the JSON: 2 from inter.broker.protocol.version 3.3-IV0 on, else 1.
	Version int32
	// Enabled says whether the features count; false below inter.broker.protocol.version 2.7-IV0.
	Enabled bool
	// Features: finalized max version level, at least 1. Apache's brokers of the ZooKeeper era know none and exit if there is one.
	Features map[string]int16
}

// Encode gives the bytes.
func (f Feature) Encode() []byte {
	names := sortedKeys(f.Features)
	trieOrder(names)
	b := appendObject([]byte(`{"features":`), names, func(b []byte, name string) []byte {
		b = appendInt(append(b, `{"max_version_level":`...), f.Features[name])
		if f.Version == 1 {
			b = appendInt(append(b, `,"min_version_level":`...), f.Features[name])
		}
		return append(b, '}')
	})
	b = appendInt(append(b, `,"version":`...), f.Version)
	status := 0
	if f.Enabled {
		status = 1
	}
	return append(appendInt(append(b, `,"status":`...), status), '}')
}

// DecodeFeature reads /feature.
func DecodeFeature(data []byte) (Feature, error) {
	f, err := decodeFeature(data)
	if err != nil {
		return Feature{}, fmt.Errorf("feature: %w", err)
	}
	return f, nil
}

func decodeFeature(data []byte) (Feature, error) {
	out := Feature{Features: map[string]int16{}}
	v, err := parseObject(data)
	if err != nil {
		return out, err
	}
	f := v.fields("version", "status", "features")
	if out.Version, err = f[0].int32("version"); err != nil {
		return out, err
	}
	if out.Version < 1 || out.Version > 2 {
		return out, malformed("unsupported version %d", out.Version)
	}
	if f[2] == nil || f[2].isNull() {
		return out, malformed("field features is missing")
	}
	err = f[2].members(func(name string, val raw) error {
		if err := val.members(func(label string, n raw) error {
			_, err := n.int32(label)
			return err
		}); err != nil {
			return err
		}
		l := val.fields("max_version_level", "min_version_level")
		hi, err := l[0].level("max_version_level")
		if err != nil {
			return err
		}
		lo := int16(1)
		if out.Version == 1 {
			if lo, err = l[1].level("min_version_level"); err != nil {
				return err
			}
		}
		if lo < 1 || hi < lo {
			return malformed("feature %.30q has levels %d to %d", name, lo, hi)
		}
		out.Features[name] = hi
		return nil
	})
	if err != nil {
		return out, err
	}
	status, err := f[1].int32("status")
	if err != nil {
		return out, err
	}
	if status != 0 && status != 1 {
		return out, malformed("status %d", status)
	}
	out.Enabled = status == 1
	return out, nil
}
