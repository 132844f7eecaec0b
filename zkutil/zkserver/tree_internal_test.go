package zkserver

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// A set of children agrees with a map, small and large, and so does its copy.
func TestChildSet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, names := range []int{5, 20, 200} {
		var set childSet
		model := map[string]bool{}
		check := func(s *childSet) {
			t.Helper()
			require.Equal(t, len(model), s.len())
			for _, n := range s.names {
				require.True(t, model[n], n)
			}
			for n, i := range s.index {
				require.Equal(t, n, s.names[i])
			}
		}
		for range 2000 {
			n := strconv.Itoa(r.IntN(names))
			if !model[n] {
				set.add(n)
				model[n] = true
			} else {
				set.remove(n)
				delete(model, n)
			}
			set.remove("absent")
			check(&set)
		}
		c := set.clone()
		check(&c)
		for _, n := range slices.Clone(set.names) {
			set.remove(n)
			delete(model, n)
		}
		check(&set)
		require.Nil(t, set.index, "an empty set gives its memory back")
	}
}

func TestPathRules(t *testing.T) {
	for _, p := range []string{"/", "/a", "/a/b", "/.a", "/a.", "/...", "/..a/b", "/ a", "/日本", "/a%20b"} {
		require.True(t, validPath(p), "%q", p)
	}
	for _, p := range []string{"", "a", "//", "/a/", "/a//b", "/.", "/..", "/a/./b", "/a/../b", "/a\x00", "/\x1f", "/\x7f", "/\ue000", "/\uf8ff", "/\ufff0", "/\ufffd", "/😀"} {
		require.False(t, validPath(p), "%q", p)
	}
}

func TestIPMatch(t *testing.T) {
	for _, c := range []struct {
		have, want string
		match      bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"127.0.0.3", "127.0.0.2/31", true},
		{"127.0.0.4", "127.0.0.2/31", false},
		{"10.1.2.3", "0.0.0.0/0", true},
		{"::1", "::1", true},
		{"fe80::1", "fe80::/10", true},
		{"::1", "0.0.0.0/0", false},
		{"", "0.0.0.0/0", false},
		{"10.0.0.1", "10.0.0.1/99", false},
	} {
		require.Equal(t, c.match, matchIPID(c.have, c.want), "%s %s", c.have, c.want)
	}
	require.False(t, validIPID("fe80::1%eth0"))
}

// The shared lists are bounded; what is shared does not change what is allowed.
func TestACLCacheIsBounded(t *testing.T) {
	c := newACLCache(false, false)
	for i := range 10 * maxSharedACLs {
		l := c.intern([]ACL{{PermRead, "digest", "u" + strconv.Itoa(i) + ":x"}})
		require.LessOrEqual(t, len(c.lists), maxSharedACLs)
		require.True(t, l.allows(PermRead, []authID{{"digest", "u" + strconv.Itoa(i) + ":x"}}))
		require.False(t, l.allows(PermRead, []authID{{"digest", "v:x"}}))
		require.True(t, l.allows(PermAll, []authID{{"super", ""}}))
	}
}

func TestNames(t *testing.T) {
	require.Equal(t, "multi", OpMulti.String())
	require.Equal(t, "op(77)", Op(77).String())
	require.Equal(t, "NODEEXISTS", CodeNodeExists.String())
	require.Equal(t, "code(5)", Code(5).String())
	err := &CorruptError{Path: "p", Offset: 7, Err: errCRC}
	require.ErrorIs(t, err, errCRC)
	require.Contains(t, err.Error(), "p damaged at 7")
}
