package zkserver

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// Subjects and what Java 17 prints for them (X500Principal.getName): the id in ACLs of the scheme x509 must be the same text.
func TestDistinguishedName(t *testing.T) {
	for der, want := range map[string]string{
		"3000":                                 "",
		"3010310e300c06035504030c054320232064": `CN=C \# d`,
		"301731153013060355040a0c0c412c2042203d204320232064": `O=A\, B \= C \# d`,
		"304d311a3008060355040a13016f300e060355040313076d756c74692b78310e300c06035504030c052368617368310f300d06035504030c066100620d630a310e300c06035504030c050d2061200d"://
		"CN=\\\r\\ a\\ \\\r,CN=a\\00b\rc\n,CN=\\#hash,O=o+CN=multi\\+x",
		"302a3109300706035504030c00310c300a06035504030c03202020310f300d060355040304066f6374657473": `CN=#04066f6374657473,CN=\ \ \ ,CN=`,
		"30723114301206092a864886f70d01090116056140622e63310b300906035504051302313731173015060a0992268993f22c6401010c076ac3bc7267656e31173015060a0992268993f22c64011916076578616d706c65310c300a0603550408140342e472310d300b06035504091e0400530074"://
		"STREET=\\00S\\00t,ST=B\uFFFDr,DC=example,UID=jürgen,2.5.4.5=#13023137,1.2.840.113549.1.9.1=#16056140622e63",
	} {
		b, err := hex.DecodeString(der)
		require.NoError(t, err)
		got, err := distinguishedName(b)
		require.NoError(t, err)
		require.Equal(t, want, got)
		for i := range b {
			_, _ = distinguishedName(b[:i])
		}
	}
	for _, bad := range []string{"", "3001", "30020500", "300431020500"} {
		b, err := hex.DecodeString(bad)
		require.NoError(t, err)
		_, err = distinguishedName(b)
		require.Error(t, err, bad)
	}
}
