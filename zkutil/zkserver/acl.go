package zkserver

import (
	"crypto/sha1" //nolint:gosec // the digest scheme is defined by it
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
)

// Permissions of an ACL entry.
const (
	PermRead   int32 = 1
	PermWrite  int32 = 2
	PermCreate int32 = 4
	PermDelete int32 = 8
	PermAdmin  int32 = 16
	PermAll    int32 = 31
)

// ACL is one entry of a znode's access control list.
type ACL struct {
	Perms  int32
	Scheme string
	ID     string
}

// aclList is immutable once it is made and shared between nodes.
type aclList struct {
	entries []ACL
	open    bool  // world:anyone may do everything
	size    int64 // bytes that count towards Options.MaxData: none for the small lists that nodes share
}

// authID is an identity of a connection.
type authID struct{ scheme, id string }

// aclCache shares equal lists. It is emptied when it is full: sharing saves memory, nothing depends on it.
type aclCache struct {
	lists      map[string]*aclList
	key        []byte
	sasl, x509 bool // the schemes beyond digest and ip that this server has
}

const (
	maxSharedACLs = 256
	maxFreeACL    = 512 // bytes
)

func newACLCache(sasl, x509 bool) *aclCache {
	return &aclCache{lists: map[string]*aclList{}, sasl: sasl, x509: x509}
}

// proves says whether an identity of this scheme is one that auth expands to.
func (c *aclCache) proves(scheme string) bool {
	return scheme == "digest" || scheme == "super" || c.valid(scheme)
}

// valid says whether the server has one of the schemes that are there only when it is configured for them.
func (c *aclCache) valid(scheme string) bool {
	return scheme == "sasl" && c.sasl || scheme == "x509" && c.x509
}

func (c *aclCache) intern(entries []ACL) *aclList {
	c.key = putACLs(c.key[:0], entries)
	if l, ok := c.lists[string(c.key)]; ok {
		return l
	}
	l := &aclList{entries: entries}
	if len(c.key) > maxFreeACL {
		l.size = int64(len(c.key))
	}
	for _, e := range entries {
		if e.Scheme == "world" && e.ID == "anyone" && e.Perms&PermAll == PermAll {
			l.open = true
		}
	}
	if len(c.lists) >= maxSharedACLs {
		clear(c.lists)
	}
	c.lists[string(c.key)] = l
	return l
}

func putACLs(b []byte, entries []ACL) []byte {
	b = putInt32(b, int32(len(entries)))
	for _, e := range entries {
		b = putInt32(b, e.Perms)
		b = putString(b, e.Scheme)
		b = putString(b, e.ID)
	}
	return b
}

// fixup turns the list of a request into the one to store: duplicates removed, auth expanded to the caller's
// identities (PrepRequestProcessor.fixupACL).
func (c *aclCache) fixup(in []aclEntry, ids []authID) (*aclList, Code) {
	if len(in) == 0 {
		return nil, CodeInvalidACL
	}
	out := make([]ACL, 0, len(in))
	// Lists have a handful of entries; a map only for the long ones keeps a hostile list from costing its square.
	var seen map[ACL]struct{}
	if len(in) > 16 {
		seen = make(map[ACL]struct{}, len(in))
	}
	add := func(a ACL) {
		if seen != nil {
			if _, dup := seen[a]; dup {
				return
			}
			seen[a] = struct{}{}
		} else {
			for _, o := range out {
				if o == a {
					return
				}
			}
		}
		out = append(out, a)
	}
	for _, e := range in {
		if e.noScheme {
			return nil, CodeInvalidACL
		}
		if e.nullID && e.scheme != "auth" {
			if e.scheme == "world" || e.scheme == "digest" || e.scheme == "ip" {
				return nil, CodeMarshallingError
			}
			return nil, CodeInvalidACL
		}
		switch e.scheme {
		case "world":
			if e.id != "anyone" {
				return nil, CodeInvalidACL
			}
			add(ACL{e.perms, e.scheme, e.id})
		case "auth":
			found := false
			for _, id := range ids {
				if c.proves(id.scheme) {
					add(ACL{e.perms, id.scheme, id.id})
					found = true
				}
			}
			if !found {
				return nil, CodeInvalidACL
			}
		case "digest":
			if !validDigestID(e.id) {
				return nil, CodeInvalidACL
			}
			add(ACL{e.perms, e.scheme, e.id})
		case "ip":
			if !validIPID(e.id) {
				return nil, CodeInvalidACL
			}
			add(ACL{e.perms, e.scheme, e.id})
		case "sasl", "x509":
			if !c.valid(e.scheme) || e.scheme == "sasl" && !validSASLID(e.id) {
				return nil, CodeInvalidACL
			}
			add(ACL{e.perms, e.scheme, e.id})
		default:
			return nil, CodeInvalidACL
		}
	}
	return c.intern(out), CodeOK
}

// validDigestID says whether id is user:hash, by the rule of Java's String.split: trailing empty parts do not count.
func validDigestID(id string) bool {
	id = strings.TrimRight(id, ":")
	return strings.Count(id, ":") == 1
}

// validSASLID says whether id is a principal of Kerberos or a plain name, by the rule of the original's KerberosName.
func validSASLID(id string) bool {
	name, realm, has := strings.Cut(id, "@")
	return !has || !strings.ContainsAny(realm, "@/") && strings.Count(name, "/") <= 1
}

func parseIPID(id string) (netip.Addr, int, bool) {
	host, bits, hasBits := strings.Cut(id, "/")
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, 0, false
	}
	n := addr.BitLen()
	if hasBits {
		v, err := strconv.Atoi(bits)
		if err != nil || v < 0 || v > n {
			return netip.Addr{}, 0, false
		}
		n = v
	}
	return addr, n, true
}

func validIPID(id string) bool {
	_, _, ok := parseIPID(id)
	return ok
}

func matchIPID(have, want string) bool {
	addr, err := netip.ParseAddr(have)
	if err != nil {
		return false
	}
	base, bits, ok := parseIPID(want)
	if !ok || base.BitLen() != addr.BitLen() {
		return false
	}
	p, err := base.Prefix(bits)
	return err == nil && p.Contains(addr)
}

// allows says whether one of ids has one of the permissions of perm (ZooKeeperServer.checkACL).
func (l *aclList) allows(perm int32, ids []authID) bool {
	if l == nil || l.open {
		return true
	}
	for _, id := range ids {
		if id.scheme == "super" {
			return true
		}
	}
	for _, e := range l.entries {
		if e.Perms&perm == 0 {
			continue
		}
		if e.Scheme == "world" && e.ID == "anyone" {
			return true
		}
		for _, id := range ids {
			if id.scheme != e.Scheme {
				continue
			}
			switch {
			case e.Scheme == "ip":
				if matchIPID(id.id, e.ID) {
					return true
				}
			case id.id == e.ID, id.scheme == "sasl" && id.id == superUser:
				return true
			}
		}
	}
	return false
}

// superUser is the SASL user that every entry of the scheme sasl lets in, as in the original.
const superUser = "super"

// masked hides the hashes of digest ids from callers who may not administer the node.
func (l *aclList) masked() []ACL {
	out := make([]ACL, len(l.entries))
	for i, e := range l.entries {
		if e.Scheme == "digest" {
			user, _, _ := strings.Cut(e.ID, ":")
			e.ID = user + ":x"
		}
		out[i] = e
	}
	return out
}

// Digest returns the id under which the digest scheme knows "user:password".
func Digest(userPassword string) string {
	user, _, _ := strings.Cut(userPassword, ":")
	sum := sha1.Sum([]byte(userPassword)) //nolint:gosec // see the import
	return user + ":" + base64.StdEncoding.EncodeToString(sum[:])
}
