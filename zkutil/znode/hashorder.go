package znode

import (
	"cmp"
	"slices"
	"unicode/utf16"
)

// Apache writes most maps in the iteration order of a hash map. Three kinds occur, all of them functions of the keys:
//
//	scala.collection.mutable.HashMap                         tableOrder
//	java.util.Properties                                     propertiesOrder
//	scala.collection.immutable.Map, up to 4 entries          insertion order
//	scala.collection.immutable.HashMap, 5 entries and more   trieOrder
//
// In a Properties object the order of keys that share a bucket is the order of insertion, which is lost before it reaches us; we take
// the alphabetical one.

// JavaHash is java.lang.String.hashCode: over UTF-16 units. Half of Kafka's orders come from it.
func JavaHash(s string) int32 {
	var h int32
	for _, r := range s {
		if r > 0xffff {
			hi, lo := utf16.EncodeRune(r)
			h = 31*(31*h+hi) + lo
			continue
		}
		h = 31*h + r
	}
	return h
}

// spread is what the tables do to a hash, mix what the trie does (scala/collection/Hashing.scala).
func spread(h int32) int32 { return h ^ int32(uint32(h)>>16) }

func mix(h int32) int32 {
	h += ^(h << 9)
	h ^= int32(uint32(h) >> 14)
	h += h << 4
	return h ^ int32(uint32(h)>>10)
}

type hashed struct {
	key  string
	hash int32
}

func hashKeys(keys []string, improve func(int32) int32) []hashed {
	hs := make([]hashed, len(keys))
	for i, k := range keys {
		hs[i] = hashed{k, improve(JavaHash(k))}
	}
	return hs
}

// tableOrder sorts keys, which must differ, into the iteration order of a table of buckets that starts with 16 and doubles when
// it is three quarters full, each bucket being sorted by hash.
func tableOrder(keys []string) {
	inBuckets(keys, func(a, b hashed) int { return cmp.Compare(a.hash, b.hash) })
}

// propertiesOrder is tableOrder with buckets in alphabetical order.
func propertiesOrder(keys []string) {
	inBuckets(keys, func(hashed, hashed) int { return 0 })
}

func inBuckets(keys []string, within func(a, b hashed) int) {
	mask := int32(16 - 1)
	for int32(len(keys)) >= (mask+1)/4*3 {
		mask = mask*2 + 1
	}
	hs := hashKeys(keys, spread)
	slices.SortFunc(hs, func(a, b hashed) int {
		return cmp.Or(cmp.Compare(a.hash&mask, b.hash&mask), within(a, b), cmp.Compare(a.key, b.key))
	})
	for i, h := range hs {
		keys[i] = h.key
	}
}

// trieOrder sorts keys, which must differ, into the iteration order of an immutable Scala map built from them in the given
// order: from 5 entries on a trie over five bits of the hash per level, in which a node's own entries come before its sub-nodes.
func trieOrder(keys []string) {
	if len(keys) <= 4 {
		return
	}
	out := keys[:0]
	for _, h := range trieLevel(hashKeys(keys, mix), 0) {
		out = append(out, h.key)
	}
}

func trieLevel(hs []hashed, shift uint) []hashed {
	if shift > 30 {
		return hs // equal hashes: insertion order
	}
	var slots [32][]hashed
	for _, h := range hs {
		i := uint32(h.hash) >> shift & 31
		slots[i] = append(slots[i], h)
	}
	out := make([]hashed, 0, len(hs))
	for _, s := range slots {
		if len(s) == 1 {
			out = append(out, s[0])
		}
	}
	for _, s := range slots {
		if len(s) > 1 {
			out = append(out, trieLevel(s, shift+5)...)
		}
	}
	return out
}
