package zkserver_test

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/sasl"
	"github.com/prekraft/prekraft/zkutil/zkserver"
)

// authenticate runs the exchange on a raw connection and returns the last answer.
func authenticate(t testing.TB, c *rawConn, user, password string) frame {
	t.Helper()
	client, token := sasl.NewClient(sasl.Login{Username: user, Password: password}, nil), ""
	for {
		f := saslMessage(t, c, token)
		if f.err != 0 {
			return f
		}
		d := dec{b: f.body}
		reply, done, err := client.Step([]byte(d.str()))
		require.NoError(t, err)
		if done {
			return f
		}
		token = string(reply)
	}
}

func saslMessage(t testing.TB, c *rawConn, token string) frame {
	t.Helper()
	f, err := (&script{}).call(c, 102, enc{}.str(token))
	require.NoError(t, err)
	return f
}

// varying are the parts of SASL messages that differ each time.
var varying = regexp.MustCompile(`(nonce=")[^"]*(")|(rspauth=)[0-9a-f]{32}()`)

// sasl does a script's step: each answer is a line, with what varies replaced by its length.
func (s *script) sasl(c *rawConn, a args) error {
	user := sasl.NewClient(sasl.Login{Username: a.word(0), Password: a.word(1)}, nil)
	text, done := a.opts["token"]
	token := []byte(text)
	for {
		c.xid++
		if err := c.send(append(enc{}.i32(int(c.xid)).i32(102), enc{}.str(string(token))...)); err != nil {
			return err
		}
		f, err := c.read()
		if err != nil {
			s.closedBy(c, err)
			return nil
		}
		d := dec{b: f.body}
		answer := ""
		if len(f.body) > 0 {
			answer = d.str()
		}
		s.line(c, fmt.Sprintf("%s zxid=%s %s", code(f.err), s.z(f.zxid), varying.ReplaceAllStringFunc(answer, func(part string) string {
			return fmt.Sprintf("%s...(%d)", part[:strings.IndexByte(part, '=')+1], len(part))
		})))
		if d.bad || len(d.b) > 0 {
			return fmt.Errorf("%w: answer %x", errScript, f.body)
		}
		if f.err != 0 {
			s.expectClosed(c)
			return nil
		}
		if !done {
			if token, done, err = user.Step([]byte(answer)); err != nil {
				s.line(c, "the client fails")
				return nil //nolint:nilerr // it is what the script tells
			}
		}
		if done {
			return nil
		}
	}
}

// The transcripts in testdata/sasl were recorded from Apache ZooKeeper 3.8.4 with SASLAuthenticationProvider and the users of this test (ZK_REAL_SASL=host:port, and
// -rewrite to record them anew).
func TestDifferentialSASL(t *testing.T) {
	dials := map[string]func() (net.Conn, error){}
	if addr := os.Getenv("ZK_REAL_SASL"); addr != "" {
		dials["real"] = func() (net.Conn, error) { return net.DialTimeout("tcp", addr, 5*time.Second) }
	} else {
		o := differentialOptions
		o.Users = map[string]string{"kafka": "secret", "other": "word", "super": "man"}
		dials["mem"] = dialer(newServer(t, o))
	}
	for target, dial := range dials {
		n := 0
		datadriven.RunTest(t, "testdata/sasl.txt", func(t *testing.T, d *datadriven.TestData) string {
			n++
			out, err := runScript(dial, fmt.Sprintf("/sasl-%s-%d-%d", target, n, os.Getpid()), d.Input)
			if err != nil {
				d.Fatalf(t, "%v, after\n%s", err, out)
			}
			return out
		})
	}
}

func TestSASL(t *testing.T) {
	s := newServer(t, zkserver.Options{Users: map[string]string{"kafka": "secret", "super": "man", "other": "word"}})
	kafka, other, super, nobody := open(t, s), open(t, s), open(t, s), open(t, s)
	for user, c := range map[string]*rawConn{"kafka:secret": kafka, "other:word": other, "super:man": super} {
		name, password, _ := strings.Cut(user, ":")
		require.Zero(t, authenticate(t, c, name, password).err)
	}
	require.EqualValues(t, 0, do(t, kafka, "create", "/mine", "acl=31/auth/").err)
	require.EqualValues(t, 0, do(t, kafka, "create", "/shared", "acl=31/auth/,1/world/anyone").err)
	s.Do(func(v *zkserver.View) {
		require.Equal(t, []zkserver.ACL{{Perms: 31, Scheme: "sasl", ID: "kafka"}}, v.ACL("/mine"))
	})
	for _, test := range []struct {
		who          *rawConn
		mine, shared int32
	}{{kafka, 0, 0}, {other, -102, -102}, {nobody, -102, -102}, {super, 0, 0}} {
		require.Equal(t, test.mine, do(t, test.who, "set", "/mine", "data=x").err)
		require.Equal(t, test.shared, do(t, test.who, "set", "/shared", "data=x").err)
		require.EqualValues(t, 0, do(t, test.who, "get", "/shared").err)
	}
	// An ACL may name a user, in the form of a principal of Kerberos; auth is no identity without one.
	require.EqualValues(t, 0, do(t, nobody, "create", "/theirs", "acl=31/sasl/zkclient/host@REALM").err)
	require.EqualValues(t, -114, do(t, nobody, "create", "/bad", "acl=31/sasl/a@b@c").err)
	require.EqualValues(t, -114, do(t, nobody, "create", "/bad", "acl=31/x509/CN=a").err, "no TLS here")
	require.EqualValues(t, -114, do(t, nobody, "create", "/bad", "acl=31/auth/").err)
}

func TestSASLRefused(t *testing.T) {
	var failed []zkserver.Event
	s := newServer(t, zkserver.Options{Users: map[string]string{"kafka": "secret"}, Sink: func(e zkserver.Event) {
		if e.Kind == zkserver.AuthFailed {
			failed = append(failed, e)
		}
	}})
	for user, password := range map[string]string{"kafka": "mistaken", "nobody": "secret"} {
		c := open(t, s)
		require.EqualValues(t, -115, authenticate(t, c, user, password).err)
		_, err := c.readFrame()
		require.Error(t, err, "the connection is over")
	}
	again := open(t, s)
	require.Zero(t, authenticate(t, again, "kafka", "secret").err)
	require.EqualValues(t, -115, saslMessage(t, again, "").err, "one exchange per connection")
	s.Do(func(*zkserver.View) { require.Len(t, failed, 3) })

	without := open(t, newServer(t, zkserver.Options{}))
	f := saslMessage(t, without, "")
	require.Zero(t, f.err)
	require.Equal(t, []byte{0xff, 0xff, 0xff, 0xff}, f.body, "a null token, as from a server without a login configuration")
	require.EqualValues(t, -114, do(t, without, "create", "/bad", "acl=31/sasl/kafka").err)
}
