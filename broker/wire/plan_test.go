package wire

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// eachMessage calls f with a fresh message of every API, both directions and every version.
func eachMessage(f func(info APIInfo, m Message, version int16)) {
	for _, info := range APIs() {
		for v := info.MinVersion; v <= info.MaxVersion; v++ {
			f(info, NewRequest(info.Key), v)
			f(info, NewResponse(info.Key), v)
		}
	}
}

func TestEveryPlanCompiles(t *testing.T) {
	n := 0
	eachMessage(func(_ APIInfo, m Message, version int16) {
		p, err := planOf(m, version)
		require.NoError(t, err)
		require.Equal(t, reflect.TypeOf(m).Elem(), p.typ)
		n++
	})
	require.Greater(t, n, 400)
}

// A field whose tag names versions that the API does not have, or none that it has, is a slip of the pen.
func TestEveryFieldIsOnTheWireInSomeVersion(t *testing.T) {
	used := map[string]bool{}
	var walk func(p *structPlan)
	walk = func(p *structPlan) {
		for _, list := range [][]fieldPlan{p.fields, p.tagged} {
			for _, f := range list {
				used[p.name+"."+f.name] = true
				if f.elem != nil {
					walk(f.elem)
				}
			}
		}
	}
	all := map[string]bool{}
	var collect func(typ reflect.Type)
	collect = func(typ reflect.Type) {
		for field := range typ.Fields() {
			if field.Tag.Get("wire") == "-" {
				continue
			}
			all[typ.Name()+"."+field.Name] = true
			inner := field.Type
			if inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				collect(inner)
			}
		}
	}
	eachMessage(func(_ APIInfo, m Message, version int16) {
		p, err := planOf(m, version)
		require.NoError(t, err)
		walk(p)
		collect(p.typ)
	})
	require.Equal(t, all, used)
	require.Greater(t, len(all), 800)
}

func TestEveryVersionFitsThePlanCache(t *testing.T) {
	for _, info := range APIs() {
		require.Less(t, int(info.MaxVersion), maxVersions, info.Name)
		require.LessOrEqual(t, info.MinVersion, info.MaxVersion, info.Name)
		require.LessOrEqual(t, info.FirstFlexible, info.MaxVersion, info.Name)
		require.Equal(t, info.Name, info.Key.String())
		require.Equal(t, info.Key, NewRequest(info.Key).APIKey())
		require.Equal(t, info.Key, NewResponse(info.Key).APIKey())
	}
	require.Len(t, APIs(), 62)
}

func TestTagGrammar(t *testing.T) {
	good := map[string]fieldTag{
		"0+":  {versions: versionRange{0, 32767}, nullable: never, tag: -1},
		"3":   {versions: versionRange{3, 3}, nullable: never, tag: -1},
		"3-7": {versions: versionRange{3, 7}, nullable: never, tag: -1},
		"1+,nullable=2+,default=-1,ignorable": {
			versions: versionRange{1, 32767}, nullable: versionRange{2, 32767}, tag: -1,
			def: "-1", hasDef: true, ignorable: true,
		},
		"12+,tag=0":           {versions: versionRange{12, 32767}, nullable: never},
		"0+,external=HowMuch": {versions: versionRange{0, 32767}, nullable: never, tag: -1, external: "HowMuch"},
	}
	for text, want := range good {
		got, err := parseTag(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", "x", "-1", "+", "7-3", "3-", "-3+", "99999", "0+,", "0+,nullable", "0+,nullable=x", "0+,tag=-1",
		"0+,tag=x", "0+,ignorable=1", "0+,unheard", "0+ ",
	} {
		_, err := parseTag(text)
		require.Error(t, err, text)
	}
}

// What a struct in this package must not look like: each is refused when its plan is compiled.
func TestCompileRefuses(t *testing.T) {
	type inner struct {
		A int32 `wire:"0+"`
	}
	type recursive struct {
		Next []recursive `wire:"0+"`
	}
	for name, typ := range map[string]reflect.Type{
		"no tag": reflect.TypeFor[struct{ A int32 }](),
		"bad tag": reflect.TypeFor[struct {
			A int32 `wire:"x"`
		}](),
		"bad type": reflect.TypeFor[struct {
			A uint32 `wire:"0+"`
		}](),
		"bad slice": reflect.TypeFor[struct {
			A []int16 `wire:"0+"`
		}](),
		"bad pointer": reflect.TypeFor[struct {
			A *int32 `wire:"0+"`
		}](),
		"bad default": reflect.TypeFor[struct {
			A int32 `wire:"1+,default=x"`
		}](),
		"string default": reflect.TypeFor[struct {
			A string `wire:"1+,default=x"`
		}](),
		"null int": reflect.TypeFor[struct {
			A int32 `wire:"0+,nullable=0+"`
		}](),
		"tag gap": reflect.TypeFor[struct {
			A int32 `wire:"0+,tag=1"`
		}](),
		"embedded": reflect.TypeFor[struct {
			inner `wire:"0+"`
		}](),
		"unexported": reflect.TypeFor[struct {
			a int32 `wire:"0+"`
		}](),
		"external nowhere": reflect.TypeFor[struct {
			A []byte `wire:"0+,external=B"`
		}](),
		"recursive": reflect.TypeFor[recursive](),
	} {
		c := compiler{flexible: true}
		_, err := c.compile(typ)
		require.Error(t, err, name)
	}
	rigid := compiler{}
	_, err := rigid.compile(reflect.TypeFor[struct {
		A int32 `wire:"0+,tag=0"`
	}]())
	require.ErrorContains(t, err, "not flexible")
	flexible := compiler{flexible: true}
	_, err = flexible.compile(reflect.TypeFor[inner]())
	require.NoError(t, err)
}

// foreign is a message that is not of this package; it must not be taken for the one it embeds.
type foreign struct {
	*MetadataRequest
	_ int
}

func TestForeignAndNilMessagesAreRefused(t *testing.T) {
	_, err := Encode(nil, foreign{MetadataRequest: &MetadataRequest{}}, 0)
	require.Error(t, err)
	_, err = Encode(nil, &foreign{MetadataRequest: &MetadataRequest{}}, 0)
	require.ErrorIs(t, err, ErrUnknownAPI)
	_, err = Encode(nil, (*MetadataRequest)(nil), 0)
	require.ErrorIs(t, err, ErrNull)
	require.ErrorIs(t, Decode([]byte{0, 0, 0, 0}, (*MetadataRequest)(nil), 0), ErrNull)
	_, err = Encode(nil, &MetadataRequest{}, 13)
	require.ErrorIs(t, err, ErrUnsupportedVersion)
	require.ErrorIs(t, Decode(nil, &MetadataRequest{}, -1), ErrUnsupportedVersion)
}
