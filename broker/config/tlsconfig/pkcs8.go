package tlsconfig

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // the default of older key files
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"hash"
)

// encryptedKeyInfo is PKCS#8's EncryptedPrivateKeyInfo, with the one scheme that is current: PBES2 of PBKDF2 and a block cipher.
type encryptedKeyInfo struct {
	Scheme struct {
		ID     asn1.ObjectIdentifier
		Params struct {
			Derivation struct {
				ID     asn1.ObjectIdentifier
				Params struct {
					Salt       []byte
					Iterations int
					KeyLength  int `asn1:"optional"`
					PRF        struct {
						ID   asn1.ObjectIdentifier
						Null asn1.RawValue `asn1:"optional"`
					} `asn1:"optional"`
				}
			}
			Cipher struct {
				ID asn1.ObjectIdentifier
				IV []byte
			}
		}
	}
	Data []byte
}

// maxIterations bounds the work that a key file asks for. openssl uses 2,048, careful people a million.
const maxIterations = 10_000_000

var (
	errScheme   = errors.New("encrypted in a way that is not supported: use PBES2 with AES-CBC (openssl pkcs8 -topk8 -v2 aes256), or no password")
	errPassword = errors.New("wrong password, or the file is damaged")
)

// encryptedKey decrypts a private key (RFC 8018).
func encryptedKey(der []byte, password string) (any, error) {
	var info encryptedKeyInfo
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, errScheme
	}
	p := &info.Scheme.Params
	k := &p.Derivation.Params
	sizes := map[string]int{"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}
	digests := map[string]func() hash.Hash{"": sha1.New, "1.2.840.113549.2.7": sha1.New, "1.2.840.113549.2.9": sha256.New, "1.2.840.113549.2.10": sha512.New384, "1.2.840.113549.2.11": sha512.New}
	size, digest := sizes[p.Cipher.ID.String()], digests[k.PRF.ID.String()]
	switch {
	case info.Scheme.ID.String() != "1.2.840.113549.1.5.13", p.Derivation.ID.String() != "1.2.840.113549.1.5.12", size == 0, digest == nil:
		return nil, errScheme
	case k.Iterations < 1, k.Iterations > maxIterations, k.KeyLength != 0 && k.KeyLength != size, len(p.Cipher.IV) != aes.BlockSize, len(info.Data) == 0, len(info.Data)%aes.BlockSize != 0:
		return nil, errPassword
	}
	key, err := pbkdf2.Key(digest, password, k.Salt, k.Iterations, size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(info.Data))
	cipher.NewCBCDecrypter(block, p.Cipher.IV).CryptBlocks(plain, info.Data)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, errPassword
	}
	private, err := x509.ParsePKCS8PrivateKey(plain[:len(plain)-padding])
	if err != nil {
		return nil, errPassword
	}
	return private, nil
}
