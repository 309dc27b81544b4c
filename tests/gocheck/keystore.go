package main

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	jks "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// What is in a store: SHA-256 of the key's public half and of each certificate.
type stored struct {
	Key          string   `json:"key,omitempty"`
	Certificates []string `json:"certificates"`
}

func keystore(file, password string) (stored, error) {
	var said stored
	octets, err := os.ReadFile(file)
	if err != nil {
		return said, err
	}
	key, leaf, others, err := pkcs12.DecodeChain(octets, password)
	if err != nil {
		return said, err
	}
	signer, known := key.(crypto.Signer)
	if !known {
		return said, fmt.Errorf("%s holds a %T", file, key)
	}
	public, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return said, err
	}
	said.Key = fmt.Sprintf("%x", sha256.Sum256(public))
	said.Certificates = fingerprints(append([]*x509.Certificate{leaf}, others...))
	return said, nil
}

func truststore(file, password string) (stored, error) {
	octets, err := os.ReadFile(file)
	if err != nil {
		return stored{}, err
	}
	trusted, err := pkcs12.DecodeTrustStore(octets, password)
	return stored{Certificates: fingerprints(trusted)}, err
}

func fingerprints(all []*x509.Certificate) []string {
	said := []string{}
	for _, certificate := range all {
		said = append(said, fmt.Sprintf("%x", sha256.Sum256(certificate.Raw)))
	}
	return said
}

var profiles = map[string]*pkcs12.Encoder{
	"LegacyRC2": pkcs12.LegacyRC2, "LegacyDES": pkcs12.LegacyDES, "Modern2023": pkcs12.Modern2023, "Modern2026": pkcs12.Modern2026,
}

// The stores of Go programs: keystore and truststore, in the current folder.
func stores(kind, keyFile, chainFile, caFile, password string) (any, error) {
	chain, err := certificates(chainFile)
	if err != nil {
		return nil, err
	}
	ca, err := certificates(caFile)
	if err != nil {
		return nil, err
	}
	key, err := privateKey(keyFile)
	if err != nil {
		return nil, err
	}
	if kind == "JKS" {
		return nil, javaStores(key, chain, ca, []byte(password))
	}
	encoder, known := profiles[kind]
	if !known {
		return nil, fmt.Errorf("no profile is called %s", kind)
	}
	store, err := encoder.Encode(key, chain[0], append(chain[1:], ca...), password)
	if err != nil {
		return nil, err
	}
	trust, err := encoder.EncodeTrustStore(ca, password)
	if err != nil {
		return nil, err
	}
	return nil, errors.Join(os.WriteFile("keystore", store, 0o600), os.WriteFile("truststore", trust, 0o600))
}

func javaStores(key any, chain, ca []*x509.Certificate, password []byte) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	entry := jks.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: der}
	for _, certificate := range chain {
		entry.CertificateChain = append(entry.CertificateChain, jks.Certificate{Type: "X509", Content: certificate.Raw})
	}
	store, trust := jks.New(), jks.New()
	if err := store.SetPrivateKeyEntry("certificate", entry, password); err != nil {
		return err
	}
	for place, certificate := range ca {
		alias := "ca"
		if place > 0 {
			alias = fmt.Sprintf("ca-%d", place)
		}
		one := jks.TrustedCertificateEntry{CreationTime: time.Now(), Certificate: jks.Certificate{Type: "X509", Content: certificate.Raw}}
		if err := errors.Join(store.SetTrustedCertificateEntry(alias, one), trust.SetTrustedCertificateEntry(alias, one)); err != nil {
			return err
		}
	}
	return errors.Join(save("keystore", store, password), save("truststore", trust, password))
}

func save(file string, store jks.KeyStore, password []byte) error {
	to, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(store.Store(to, password), to.Close())
}

func privateKey(file string) (any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key", file)
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}
