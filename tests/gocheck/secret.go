package main

// What cert-manager v1.21 writes into the Secret of a certificate, and notes on it.

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/csv"
	"encoding/pem"
	"strings"
	"time"

	jksfile "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// The password in the Secret that specs refer to.
const storedPassword = "correct horse battery"

// What stands on the Secret. Four annotations stand there even where they are empty.
func annotations(name string, spec *spec, made *x509.Certificate) map[string]string {
	const prefix = "cert-manager.io/"
	var addresses, uris []string
	for _, address := range made.IPAddresses {
		addresses = append(addresses, address.String())
	}
	for _, uri := range made.URIs {
		uris = append(uris, uri.String())
	}
	kind := spec.IssuerRef.Kind
	if kind == "" {
		kind = "Issuer"
	}
	found := map[string]string{
		prefix + "common-name": made.Subject.CommonName, prefix + "alt-names": strings.Join(made.DNSNames, ","),
		prefix + "ip-sans": strings.Join(addresses, ","), prefix + "uri-sans": strings.Join(uris, ","),
		prefix + "certificate-name": name, prefix + "issuer-name": spec.IssuerRef.Name, prefix + "issuer-kind": kind,
		prefix + "issuer-group": spec.IssuerRef.Group,
	}
	for suffix, value := range map[string]string{
		"email-sans": strings.Join(made.EmailAddresses, ","), "subject-serialnumber": made.Subject.SerialNumber,
		"subject-organizations": line(made.Subject.Organization), "subject-organizationalunits": line(made.Subject.OrganizationalUnit),
		"subject-countries": line(made.Subject.Country), "subject-provinces": line(made.Subject.Province),
		"subject-localities": line(made.Subject.Locality), "subject-postalcodes": line(made.Subject.PostalCode),
		"subject-streetaddresses": line(made.Subject.StreetAddress),
	} {
		if value != "" {
			found[prefix+suffix] = value
		}
	}
	return found
}

func line(values []string) string {
	if len(values) == 0 {
		return ""
	}
	var text strings.Builder
	writer := csv.NewWriter(&text)
	if writer.Write(values) != nil {
		return ""
	}
	writer.Flush()
	return strings.TrimSuffix(text.String(), "\n")
}

func data(spec *spec, key crypto.Signer, chain []*x509.Certificate, top *x509.Certificate) (map[string][]byte, error) {
	encoded, err := encode(spec, key)
	if err != nil {
		return nil, err
	}
	var certificates bytes.Buffer
	for _, certificate := range chain {
		if err := pem.Encode(&certificates, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}); err != nil {
			return nil, err
		}
	}
	found := map[string][]byte{
		"tls.crt": certificates.Bytes(), "tls.key": pem.EncodeToMemory(encoded),
		"ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: top.Raw}),
	}
	for _, format := range spec.AdditionalOutputFormats {
		switch format.Type {
		case "DER":
			found["key.der"] = encoded.Bytes
		case "CombinedPEM":
			found["tls-combined.pem"] = bytes.Join([][]byte{found["tls.key"], found["tls.crt"]}, []byte("\n"))
		}
	}
	if spec.Keystores == nil {
		return found, nil
	}
	if wanted := spec.Keystores.JKS; wanted != nil && wanted.Create {
		if err := addJKS(found, wanted, key, chain, top); err != nil {
			return nil, err
		}
	}
	if wanted := spec.Keystores.PKCS12; wanted != nil && wanted.Create {
		encoder := profiles[wanted.Profile]
		if wanted.Profile == "" {
			encoder = pkcs12.LegacyRC2
		}
		authorities := append(append([]*x509.Certificate{}, chain[1:]...), top)
		if found["keystore.p12"], err = encoder.Encode(key, chain[0], authorities, password(wanted)); err != nil {
			return nil, err
		}
		if found["truststore.p12"], err = encoder.EncodeTrustStore([]*x509.Certificate{top}, password(wanted)); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func password(wanted *store) string {
	if wanted.PasswordSecretRef != nil {
		return storedPassword
	}
	return wanted.Password
}

func encode(spec *spec, key crypto.Signer) (*pem.Block, error) {
	if spec.PrivateKey == nil || spec.PrivateKey.Encoding != "PKCS8" {
		switch key := key.(type) {
		case *rsa.PrivateKey:
			return &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}, nil
		case *ecdsa.PrivateKey:
			der, err := x509.MarshalECPrivateKey(key)
			return &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}, err
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return &pem.Block{Type: "PRIVATE KEY", Bytes: der}, err
}

func addJKS(found map[string][]byte, wanted *store, key crypto.Signer, chain []*x509.Certificate, top *x509.Certificate) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	alias := wanted.Alias
	if alias == "" {
		alias = "certificate"
	}
	entry := jksfile.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: der}
	for _, certificate := range chain {
		entry.CertificateChain = append(entry.CertificateChain, jksfile.Certificate{Type: "X509", Content: certificate.Raw})
	}
	trusted := jksfile.TrustedCertificateEntry{CreationTime: time.Now(), Certificate: jksfile.Certificate{Type: "X509", Content: top.Raw}}
	keys, roots, secret := jksfile.New(), jksfile.New(), []byte(password(wanted))
	if err := keys.SetPrivateKeyEntry(alias, entry, bytes.Clone(secret)); err != nil {
		return err
	}
	for name, made := range map[string]jksfile.KeyStore{"keystore.jks": keys, "truststore.jks": roots} {
		if err := made.SetTrustedCertificateEntry("ca", trusted); err != nil {
			return err
		}
		var out bytes.Buffer
		if err := made.Store(&out, bytes.Clone(secret)); err != nil {
			return err
		}
		found[name] = out.Bytes()
	}
	return nil
}
