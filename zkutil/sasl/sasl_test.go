package sasl

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The example of RFC 2831, section 4: without it, both sides could be wrong in the same way.
func TestExampleOfTheRFC(t *testing.T) {
	p := proof{
		login: Login{"chris", "secret"}, realm: "elwood.innosoft.com", nonce: "OA6MG9tEQGm2hh", cnonce: "OA6MHXh6VqTrRk", uri: "imap/elwood.innosoft.com",
	}
	require.Equal(t, "d388dad90d4bbd760a152321f2143af7", p.sum("AUTHENTICATE"))
	require.Equal(t, "ea40f60335c427b5527b84dbabcdfffd", p.sum(""))
}

func exchange(c *Client, s *Server) (user string, client, server error) {
	challenge, _, err := s.Step(nil)
	if err != nil {
		return "", nil, err
	}
	response, _, err := c.Step(challenge)
	if err != nil {
		return "", err, nil
	}
	answer, done, err := s.Step(response)
	if err != nil || !done {
		return s.User(), nil, err
	}
	_, _, err = c.Step(answer)
	return s.User(), err, nil
}

func users(all map[string]string) func(string) (string, bool) {
	return func(user string) (string, bool) {
		p, ok := all[user]
		return p, ok
	}
}

func TestExchange(t *testing.T) {
	all := map[string]string{"kafka": "secret", "jürgen": "pässword", "李": `q"\uote`, "empty": ""}
	for user, password := range all {
		got, cerr, serr := exchange(NewClient(Login{user, password}, nil), NewServer(users(all), nil))
		require.NoError(t, cerr)
		require.NoError(t, serr)
		require.Equal(t, user, got)
		got, _, serr = exchange(NewClient(Login{user, password + "x"}, nil), NewServer(users(all), nil))
		require.ErrorIs(t, serr, ErrRejected)
		require.Empty(t, got)
	}
	_, _, err := exchange(NewClient(Login{"nobody", ""}, nil), NewServer(users(all), nil))
	require.ErrorIs(t, err, ErrRejected, "an unknown user has no empty password")
	// A server that doesn't know the password is found out.
	_, err, _ = exchange(NewClient(Login{"kafka", "secret"}, nil), NewServer(users(map[string]string{"kafka": "secret"}), nil))
	require.NoError(t, err)
	c := NewClient(Login{"kafka", "secret"}, nil)
	challenge, _, err := NewServer(users(all), nil).Step(nil)
	require.NoError(t, err)
	_, _, err = c.Step(challenge)
	require.NoError(t, err)
	_, _, err = c.Step([]byte("rspauth=" + strings.Repeat("0", 32)))
	require.ErrorIs(t, err, ErrRejected)
	_, _, err = c.Step(nil)
	require.ErrorIs(t, err, ErrDone)
}

// The texts are those of Java's client and server, word for word.
func TestTexts(t *testing.T) {
	zeros := strings.Repeat("A", 40)
	s := NewServer(users(map[string]string{"kafka": "secret"}), bytes.NewReader(make([]byte, 30)))
	challenge, _, err := s.Step([]byte{})
	require.NoError(t, err)
	require.Equal(t, `realm="zk-sasl-md5",nonce="`+zeros+`",charset=utf-8,algorithm=md5-sess`, string(challenge))
	c := NewClient(Login{"kafka", "secret"}, bytes.NewReader(make([]byte, 30)))
	response, done, err := c.Step(challenge)
	require.NoError(t, err)
	require.False(t, done)
	require.Regexp(t, `^charset=utf-8,username="kafka",realm="zk-sasl-md5",nonce="`+zeros+`",nc=00000001,cnonce="`+zeros+
		`",digest-uri="zookeeper/zk-sasl-md5",maxbuf=65536,response=[0-9a-f]{32},qop=auth,authzid="kafka"$`, string(response))
}

func TestRefusals(t *testing.T) {
	for _, bad := range []string{
		"", "nonce", `nonce="a`, `nonce="a\`, `nonce="a" b`, `nonce="a",nonce="b"`, `realm="r",charset=utf-8,algorithm=md5-sess`,
		`nonce="a",charset=utf-8`, `nonce="a",charset=utf-8,algorithm=md5`, `nonce="a",charset=utf-8,algorithm=md5-sess,qop="auth-int,auth-conf"`,
		`nonce="a",algorithm=md5-sess`, `nonce="` + strings.Repeat("a", MaxToken) + `"`,
	} {
		_, _, err := NewClient(Login{"u", "p"}, nil).Step([]byte(bad))
		require.Error(t, err, bad)
	}
	_, _, err := NewClient(Login{"u", "p"}, bytes.NewReader(nil)).Step([]byte(`nonce="a",charset=utf-8,algorithm=md5-sess`))
	require.ErrorContains(t, err, "nonce")
	good := []string{`username="u"`, `nonce="` + strings.Repeat("A", 40) + `"`, "nc=00000001", `cnonce="c"`, `digest-uri="zookeeper/zk-sasl-md5"`, `realm="zk-sasl-md5"`}
	for i, part := range good {
		s := NewServer(users(map[string]string{"u": "p"}), bytes.NewReader(make([]byte, 30)))
		_, _, err := s.Step(nil)
		require.NoError(t, err)
		less := append(append([]string{}, good[:i]...), good[i+1:]...)
		_, done, err := s.Step([]byte(strings.Join(less, ",")))
		require.Error(t, err, "without %s", part)
		require.NotErrorIs(t, err, ErrRejected, "without %s", part)
		require.False(t, done)
		require.Empty(t, s.User())
		_, _, err = s.Step(nil)
		require.ErrorIs(t, err, ErrDone, "one attempt per exchange")
	}
}

func TestLogin(t *testing.T) {
	require.Error(t, Login{}.Check())
	require.Error(t, Login{"a\xff", ""}.Check())
	require.Error(t, Login{"a", strings.Repeat("x", MaxToken)}.Check())
	require.NoError(t, Login{"a", "b"}.Check())
	require.NotContains(t, Login{"a", "hidden"}.String(), "hidden")
	require.NotContains(t, Login{"a", "hidden"}.GoString(), "hidden")
}

// Any name and password get through, whatever must be quoted.
func TestAnyLogin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(1, 40, 200)
		l := Login{text.Draw(t, "user"), text.Draw(t, "password")}
		if l.Check() != nil {
			return
		}
		got, cerr, serr := exchange(NewClient(l, nil), NewServer(users(map[string]string{l.Username: l.Password}), nil))
		require.NoError(t, cerr)
		require.NoError(t, serr)
		require.Equal(t, l.Username, got)
	})
}

// Nothing that a peer says makes either side panic, and a response that wasn't made with the password never passes.
func FuzzExchange(f *testing.F) {
	f.Add([]byte(`realm="zk-sasl-md5",nonce="AA",charset=utf-8,algorithm=md5-sess`), []byte("rspauth=0"))
	f.Add([]byte(`username="u",nonce="a",nc=00000001,cnonce="c",digest-uri="zookeeper/zk-sasl-md5",realm="zk-sasl-md5",response=0`), []byte(`a="\"`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		c := NewClient(Login{"u", "p"}, nil)
		if reply, _, err := c.Step(first); err == nil {
			d, err := parse(reply)
			require.NoError(t, err, "our own messages can be read")
			require.Equal(t, "u", d.one("username"))
		}
		_, _, err := c.Step(second)
		require.Error(t, err)
		s := NewServer(users(map[string]string{"u": "p"}), nil)
		_, _, _ = s.Step(nil)
		_, done, err := s.Step(first)
		require.Error(t, err)
		require.False(t, done)
	})
}
