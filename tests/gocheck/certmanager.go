package main

// A certificate as cert-manager v1.21 makes it of a Certificate's spec: which template it gives to crypto/x509, and which names and
// constraints stand in it. Facts of its code, none of the code.

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// authority is a CA issuer with what stands in its Secret; without a certificate each certificate signs itself.
type authority struct {
	name        string
	key         crypto.Signer
	certificate *x509.Certificate
	// The certificates above, as they stand in its tls.crt: never a root.
	above []*x509.Certificate
	// Where its lists and answers are.
	lists, ocsp []string
}

const defaultDuration = 90 * 24 * time.Hour

var keyUsages = map[string]x509.KeyUsage{
	"signing": x509.KeyUsageDigitalSignature, "digital signature": x509.KeyUsageDigitalSignature,
	"content commitment": x509.KeyUsageContentCommitment, "key encipherment": x509.KeyUsageKeyEncipherment,
	"key agreement": x509.KeyUsageKeyAgreement, "data encipherment": x509.KeyUsageDataEncipherment,
	"cert sign": x509.KeyUsageCertSign, "crl sign": x509.KeyUsageCRLSign,
	"encipher only": x509.KeyUsageEncipherOnly, "decipher only": x509.KeyUsageDecipherOnly,
}

var purposes = map[string]x509.ExtKeyUsage{
	"any": x509.ExtKeyUsageAny, "server auth": x509.ExtKeyUsageServerAuth, "client auth": x509.ExtKeyUsageClientAuth,
	"code signing": x509.ExtKeyUsageCodeSigning, "email protection": x509.ExtKeyUsageEmailProtection,
	"s/mime": x509.ExtKeyUsageEmailProtection, "ipsec end system": x509.ExtKeyUsageIPSECEndSystem,
	"ipsec tunnel": x509.ExtKeyUsageIPSECTunnel, "ipsec user": x509.ExtKeyUsageIPSECUser, "timestamping": x509.ExtKeyUsageTimeStamping,
	"microsoft sgc": x509.ExtKeyUsageMicrosoftServerGatedCrypto, "netscape sgc": x509.ExtKeyUsageNetscapeServerGatedCrypto,
}

// issue makes the certificate and its Secret; also what it is as an authority.
func issue(name string, spec *spec, key crypto.Signer, issuer authority, now time.Time) (secret, authority, error) {
	none := func(err error) (secret, authority, error) {
		return secret{}, authority{}, fmt.Errorf("%s: %w", name, err)
	}
	template, err := template(spec, key, now)
	if err != nil {
		return none(err)
	}
	template.CRLDistributionPoints, template.OCSPServer = issuer.lists, issuer.ocsp
	parent, signer := issuer.certificate, issuer.key
	if parent == nil {
		parent, signer = template, key
	}
	// Of the signer's key alone: what the spec asks for is how the request is signed.
	template.SignatureAlgorithm = signatureOf(signer.Public())
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return none(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return none(err)
	}
	chain, top := []*x509.Certificate{made}, made
	if issuer.certificate != nil {
		top = issuer.certificate
		for _, above := range append([]*x509.Certificate{issuer.certificate}, issuer.above...) {
			top = above
			if above.CheckSignatureFrom(above) != nil {
				chain = append(chain, above)
			}
		}
	}
	data, err := data(spec, key, chain, top)
	if err != nil {
		return none(err)
	}
	annotations := annotations(name, spec, made)
	labels := map[string]string{"controller.cert-manager.io/fao": "true"}
	if spec.SecretTemplate != nil {
		for key, value := range spec.SecretTemplate.Annotations {
			annotations[key] = value
		}
		for key, value := range spec.SecretTemplate.Labels {
			labels[key] = value
		}
	}
	object := secret{APIVersion: "v1", Kind: "Secret", Type: "kubernetes.io/tls", Data: data}
	object.Metadata = metadata{Name: spec.SecretName, Annotations: annotations, Labels: labels}
	return object, authority{name: name, key: key, certificate: made, above: chain[1:]}, nil
}

func template(spec *spec, key crypto.Signer, now time.Time) (*x509.Certificate, error) {
	name, err := rawSubject(spec)
	if err != nil {
		return nil, err
	}
	lifetime := defaultDuration
	if spec.Duration != "" {
		if lifetime, err = time.ParseDuration(spec.Duration); err != nil {
			return nil, err
		}
	}
	notBefore := now.Add(-spec.age)
	made := &x509.Certificate{
		RawSubject: name, PublicKey: key.Public(), NotBefore: notBefore, NotAfter: notBefore.Add(lifetime),
		BasicConstraintsValid: true, IsCA: spec.IsCA,
	}
	usages := spec.Usages
	if len(usages) == 0 {
		// Whatever the key is.
		usages = []string{"digital signature", "key encipherment"}
	}
	if spec.IsCA {
		made.KeyUsage |= x509.KeyUsageCertSign
	}
	for _, usage := range usages {
		if bit, known := keyUsages[usage]; known {
			made.KeyUsage |= bit
		} else if purpose, known := purposes[usage]; known {
			made.ExtKeyUsage = append(made.ExtKeyUsage, purpose)
		} else {
			return nil, fmt.Errorf("%q is no usage", usage)
		}
	}
	names, err := alternativeNames(spec, len(name) == 2)
	if err != nil {
		return nil, err
	}
	made.ExtraExtensions = names
	return made, constrain(made, spec.NameConstraints)
}

// One set for all values of an attribute, which DER puts into an order of its own.
func rawSubject(spec *spec) ([]byte, error) {
	if spec.literal != nil {
		return asn1.Marshal(spec.literal)
	}
	parts := subject{}
	if spec.Subject != nil {
		parts = *spec.Subject
	}
	name := pkix.Name{
		Country: parts.Countries, Organization: parts.Organizations, OrganizationalUnit: parts.OrganizationalUnits,
		Locality: parts.Localities, Province: parts.Provinces, StreetAddress: parts.StreetAddresses, PostalCode: parts.PostalCodes,
		SerialNumber: parts.SerialNumber, CommonName: spec.CommonName,
	}
	return asn1.Marshal(name.ToRDNSequence())
}

// The subjectAltName that cert-manager writes itself, since crypto/x509 knows no otherName.
func alternativeNames(spec *spec, critical bool) ([]pkix.Extension, error) {
	var names []asn1.RawValue
	add := func(tag int, compound bool, value []byte) {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: compound, Bytes: value})
	}
	for _, name := range spec.DNSNames {
		add(2, false, []byte(name))
	}
	for _, address := range spec.EmailAddresses {
		add(1, false, []byte(address))
	}
	for _, text := range spec.IPAddresses {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return nil, err
		}
		add(7, false, address.Unmap().AsSlice())
	}
	for _, uri := range spec.URIs {
		add(6, false, []byte(uri))
	}
	for _, other := range spec.OtherNames {
		kind, err := asn1.Marshal(other.oid)
		if err != nil {
			return nil, err
		}
		text, err := asn1.MarshalWithParams(other.UTF8Value, "utf8")
		if err != nil {
			return nil, err
		}
		value, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: text})
		if err != nil {
			return nil, err
		}
		add(0, true, append(kind, value...))
	}
	if len(names) == 0 {
		return nil, nil
	}
	value, err := asn1.Marshal(names)
	return []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: critical, Value: value}}, err
}

func constrain(made *x509.Certificate, wanted *nameConstraints) error {
	if wanted == nil {
		return nil
	}
	ranges := func(texts []string) (ranges []*net.IPNet, err error) {
		for _, text := range texts {
			_, found, err := net.ParseCIDR(text)
			if err != nil {
				return nil, err
			}
			ranges = append(ranges, found)
		}
		return ranges, nil
	}
	var err error
	made.PermittedDNSDomainsCritical = wanted.Critical
	if permitted := wanted.Permitted; permitted != nil {
		made.PermittedDNSDomains, made.PermittedEmailAddresses = permitted.DNSDomains, permitted.EmailAddresses
		made.PermittedURIDomains = permitted.URIDomains
		if made.PermittedIPRanges, err = ranges(permitted.IPRanges); err != nil {
			return err
		}
	}
	if excluded := wanted.Excluded; excluded != nil {
		made.ExcludedDNSDomains, made.ExcludedEmailAddresses = excluded.DNSDomains, excluded.EmailAddresses
		made.ExcludedURIDomains = excluded.URIDomains
		if made.ExcludedIPRanges, err = ranges(excluded.IPRanges); err != nil {
			return err
		}
	}
	return nil
}

func signatureOf(key crypto.PublicKey) x509.SignatureAlgorithm {
	switch key := key.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); {
		case bits >= 4096:
			return x509.SHA512WithRSA
		case bits >= 3072:
			return x509.SHA384WithRSA
		}
		return x509.SHA256WithRSA
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P521():
			return x509.ECDSAWithSHA512
		case elliptic.P384():
			return x509.ECDSAWithSHA384
		}
		return x509.ECDSAWithSHA256
	}
	return x509.PureEd25519
}

func generate(spec *spec) (crypto.Signer, error) {
	wanted := keySpec{}
	if spec.PrivateKey != nil {
		wanted = *spec.PrivateKey
	}
	switch wanted.Algorithm {
	case "ECDSA":
		curve := map[int]elliptic.Curve{0: elliptic.P256(), 256: elliptic.P256(), 384: elliptic.P384(), 521: elliptic.P521()}[wanted.Size]
		return ecdsa.GenerateKey(curve, rand.Reader)
	case "Ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	if wanted.Size == 0 {
		wanted.Size = 2048
	}
	return rsa.GenerateKey(rand.Reader, wanted.Size)
}
