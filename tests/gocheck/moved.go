package main

// A namespace that cert-manager has served: issuers, Certificates as its users write them, and their Secrets. Which variant stands
// under which number is always the same; keys and serial numbers are not.

import (
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

type manifest struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
	Spec       any      `json:"spec"`
}

type namespace struct {
	Issuers      []manifest `json:"issuers"`
	Certificates []manifest `json:"certificates"`
	Secrets      []secret   `json:"secrets"`
}

const day = 24 * time.Hour

func object(kind, name string, spec any) manifest {
	return manifest{APIVersion: "cert-manager.io/v1", Kind: kind, Metadata: metadata{Name: name}, Spec: spec}
}

// The CAs of the namespace, each made by the issuer of that name, in this order.
func authorities() []*spec {
	ca := func(name, issuer string, lifetime, age time.Duration, key *keySpec) *spec {
		return &spec{
			SecretName: name, IssuerRef: issuerRef{Name: issuer}, CommonName: "Example " + name, IsCA: true,
			Subject:  &subject{Organizations: []string{"Example"}},
			Duration: lifetime.String(), PrivateKey: key, age: age,
		}
	}
	root := ca("corp", "self", 3650*day, 300*day, nil)
	root.Subject = &subject{Organizations: []string{"Example Widgets", "ACME"}, OrganizationalUnits: []string{"Trust", "PKI"}}
	middle := ca("middle", "corp", 1825*day, 200*day, &keySpec{Algorithm: "ECDSA", RotationPolicy: "Never"})
	middle.Usages = []string{"digital signature", "crl sign"}
	// Its leaves outlast it.
	ending := ca("ending", "self", 60*day, 10*day, &keySpec{Algorithm: "ECDSA", Size: 384})
	modern := ca("modern", "self", 365*day, 0, &keySpec{Algorithm: "Ed25519"})
	bounded := ca("bounded", "corp", 365*day, 20*day, &keySpec{Algorithm: "ECDSA", Encoding: "PKCS8"})
	bounded.NameConstraints = &nameConstraints{
		Critical:  true,
		Permitted: &subtrees{DNSDomains: []string{"example.net"}, IPRanges: []string{"10.0.0.0/8", "2001:db8::/32"}},
		Excluded:  &subtrees{DNSDomains: []string{"secret.example.net"}, EmailAddresses: []string{"example.org"}, URIDomains: []string{".example.org"}},
	}
	return []*spec{root, middle, ending, modern, bounded}
}

// moved makes so many Certificates with their Secrets, the CAs among them.
func moved(count int) (*namespace, error) {
	made := &namespace{}
	now := time.Now()
	issuers := map[string]authority{"self": {name: "self"}}
	made.Issuers = append(made.Issuers, object("Issuer", "self", map[string]any{"selfSigned": map[string]any{}}))
	for _, spec := range authorities() {
		name := spec.SecretName
		key, err := generate(spec)
		if err != nil {
			return nil, err
		}
		secret, own, err := issue(name, spec, key, issuers[spec.IssuerRef.Name], now)
		if err != nil {
			return nil, err
		}
		ca := map[string]any{"secretName": name}
		if name == "corp" {
			own.lists, own.ocsp = []string{"http://crl.example.com/corp.crl"}, []string{"http://ocsp.example.com"}
			ca["crlDistributionPoints"], ca["ocspServers"] = own.lists, own.ocsp
		}
		issuers[name] = own
		made.Issuers = append(made.Issuers, object("Issuer", name, map[string]any{"ca": ca}))
		made.Certificates = append(made.Certificates, object("Certificate", name, spec))
		made.Secrets = append(made.Secrets, secret)
	}
	var specs []*spec
	for number := range max(0, count-len(made.Certificates)) {
		specs = append(specs, variant(number))
	}
	keys, err := generateAll(specs)
	if err != nil {
		return nil, err
	}
	for number, spec := range specs {
		secret, _, err := issue(spec.SecretName, spec, keys[number], issuers[spec.IssuerRef.Name], now)
		if err != nil {
			return nil, err
		}
		made.Certificates = append(made.Certificates, object("Certificate", spec.SecretName, spec))
		made.Secrets = append(made.Secrets, secret)
	}
	stored := secret{APIVersion: "v1", Kind: "Secret", Type: "Opaque", Data: map[string][]byte{"password": []byte(storedPassword)}}
	stored.Metadata.Name = "store-password"
	made.Secrets = append(made.Secrets, stored)
	return made, nil
}

// Those of RSA take their time.
func generateAll(specs []*spec) ([]crypto.Signer, error) {
	keys, errs := make([]crypto.Signer, len(specs)), make([]error, len(specs))
	var group sync.WaitGroup
	room := make(chan struct{}, 4)
	for number, spec := range specs {
		group.Go(func() {
			room <- struct{}{}
			keys[number], errs[number] = generate(spec)
			<-room
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// What a user may have written under this number.
func variant(number int) *spec {
	draw := rand.New(rand.NewPCG(uint64(number), 1))
	name := fmt.Sprintf("app-%03d", number)
	made := &spec{SecretName: name}
	issuer := []string{"corp", "corp", "corp", "middle", "middle", "middle", "bounded", "ending", "modern", "self"}[draw.IntN(10)]
	made.IssuerRef = []issuerRef{
		{Name: issuer}, {Name: issuer, Kind: "Issuer"}, {Name: issuer, Kind: "Issuer", Group: "cert-manager.io"},
	}[draw.IntN(3)]
	made.PrivateKey = keyOf(number, draw)
	if issuer == "bounded" {
		made.DNSNames = []string{name + ".example.net", "*." + name + ".example.net"}
		made.IPAddresses = [][]string{nil, {"10.1.2.3", "2001:db8::7"}}[draw.IntN(2)]
		made.CommonName = []string{"", name}[draw.IntN(2)]
	} else {
		named(made, name, draw)
	}
	used(made, draw)
	lasting(made, draw)
	switch {
	case number%25 == 1 && issuer != "bounded":
		made.IsCA = true
		made.CommonName, made.Subject, made.LiteralSubject, made.literal = "Sub "+name, nil, "", nil
		made.Usages = [][]string{nil, {"cert sign", "crl sign"}, {"digital signature", "cert sign"}}[draw.IntN(3)]
		made.NameConstraints = []*nameConstraints{
			nil,
			{Permitted: &subtrees{DNSDomains: []string{"b.example", "a.example"}}},
			{Critical: true, Excluded: &subtrees{IPRanges: []string{"192.0.2.77/24"}, EmailAddresses: []string{"root@a.example", ".b.example"}}},
		}[draw.IntN(3)]
	case issuer == "self":
		made.SignatureAlgorithm = signatureFor(made.PrivateKey, draw)
	}
	written(made, number, draw)
	return made
}

// Most users of RSA have never said so: it is the default.
func keyOf(number int, draw *rand.Rand) *keySpec {
	if number%10 == 0 {
		switch number {
		case 40:
			return &keySpec{Algorithm: "RSA", Size: 3072}
		case 90:
			return &keySpec{Size: 4096}
		}
		return []*keySpec{
			nil, nil, nil, {RotationPolicy: "Always"}, {RotationPolicy: "Never"}, {Encoding: "PKCS8"}, {Algorithm: "RSA", Encoding: "PKCS1"},
			{Algorithm: "RSA", Size: 2048, Encoding: "PKCS8", RotationPolicy: "Always"},
		}[draw.IntN(8)]
	}
	key := keySpec{
		Algorithm: "ECDSA", Size: []int{0, 256, 256, 384, 521}[draw.IntN(5)],
		Encoding: []string{"", "", "PKCS1", "PKCS8"}[draw.IntN(4)], RotationPolicy: []string{"", "", "Never", "Always"}[draw.IntN(4)],
	}
	if number%10 == 9 {
		key.Algorithm, key.Size = "Ed25519", 0
	}
	return &key
}

func named(made *spec, name string, draw *rand.Rand) {
	value := func(kind asn1.ObjectIdentifier, text string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: kind, Value: text}
	}
	cn, o, ou, country := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 10}, asn1.ObjectIdentifier{2, 5, 4, 11}, asn1.ObjectIdentifier{2, 5, 4, 6}
	pilot := asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1}
	dc, uid := append(pilot[:6:6], 25), append(pilot[:6:6], 1)
	switch draw.IntN(9) {
	case 0:
	case 1:
		made.CommonName = name
	case 2:
		made.CommonName = "*." + name + ".example.com"
		made.Subject = &subject{Organizations: []string{"Example"}}
	case 3:
		made.Subject = &subject{Organizations: []string{"zebra", "Example, Inc.", "A & B"}, OrganizationalUnits: []string{"Web", "Ops"}}
	case 4:
		made.CommonName = name
		made.Subject = &subject{
			Organizations: []string{"Bäckerei Müller"}, Countries: []string{"DE"}, OrganizationalUnits: []string{"Ofen", "Laden", "Büro"},
			Localities: []string{"Köln"}, Provinces: []string{"NRW"}, StreetAddresses: []string{"Am Hof 1", "Hinterhaus"},
			PostalCodes: []string{"50667"}, SerialNumber: "HRB 7",
		}
	case 5:
		made.Subject = &subject{Countries: []string{"FR", "DE"}, OrganizationalUnits: []string{"a@b", "ou_1", "*"}}
	case 6:
		made.LiteralSubject = "CN=" + name + ",OU=Web,OU=Ops,O=Example\\, Inc.,DC=example,DC=com"
		made.literal = pkix.RDNSequence{
			{value(dc, "com")}, {value(dc, "example")}, {value(o, "Example, Inc.")}, {value(ou, "Ops")}, {value(ou, "Web")}, {value(cn, name)},
		}
	case 7:
		made.LiteralSubject = "CN=" + name + "+UID=7+OU=Ops, O=M\\c3\\bcller, C=DE"
		made.literal = pkix.RDNSequence{
			{value(country, "DE")}, {value(o, "Müller")}, {value(cn, name), value(uid, "7"), value(ou, "Ops")},
		}
	case 8:
		made.LiteralSubject = "CN=" + name + ",OU=Web+OU=a,0.9.2342.19200300.100.1.25=example"
		made.literal = pkix.RDNSequence{{value(dc, "example")}, {value(ou, "Web"), value(ou, "a")}, {value(cn, name)}}
	}
	kinds := draw.IntN(7)
	if kinds < 4 || made.CommonName == "" {
		made.DNSNames = []string{name + ".example.com", "WWW." + name + ".Example.com", "*." + name + ".example.com"}[:1+draw.IntN(3)]
	}
	switch kinds {
	case 1:
		made.IPAddresses = []string{"192.0.2.1", "2001:DB8:0::1"}
	case 2:
		made.URIs = []string{"spiffe://example.com/ns/shop/sa/" + name, "https://Example.com:8443/a%20b?x=1#y"}
	case 3:
		made.EmailAddresses = []string{"Ops+" + name + "@Example.com", "a@b.example"}
	case 4:
		made.URIs = []string{"urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}
	case 5:
		made.OtherNames = []otherName{
			{OID: "1.3.6.1.4.1.311.20.2.3", UTF8Value: name + "@example.com", oid: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}},
			{OID: "1.2.3.4", UTF8Value: "Käfer", oid: asn1.ObjectIdentifier{1, 2, 3, 4}},
		}
	}
}

func used(made *spec, draw *rand.Rand) {
	made.Usages = [][]string{
		nil, nil, nil, nil,
		{"server auth", "client auth"},
		{"digital signature", "key encipherment", "server auth"},
		{"signing", "s/mime", "email protection", "content commitment"},
		{"any"},
		{"key agreement", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user"},
		{"digital signature", "code signing", "timestamping", "microsoft sgc", "netscape sgc", "data encipherment"},
		{"client auth", "digital signature", "client auth"},
	}[draw.IntN(11)]
	if draw.IntN(8) == 0 {
		no := false
		made.EncodeUsagesInRequest = &no
	}
}

// None has lived so long that it is due.
func lasting(made *spec, draw *rand.Rand) {
	lifetime := []time.Duration{defaultDuration, defaultDuration, defaultDuration, 365 * day, 30 * day, 2161*time.Hour + 30*time.Minute, 10 * day}[draw.IntN(7)]
	if lifetime != defaultDuration || draw.IntN(2) == 0 {
		made.Duration = lifetime.String()
	}
	made.age = time.Duration(draw.Int64N(int64(lifetime) / 5)).Truncate(time.Millisecond)
	switch draw.IntN(6) {
	case 1:
		made.RenewBefore = (lifetime / 4).String()
	case 2:
		made.RenewBeforePercentage = 30
	}
}

// What a user may ask for of a key that signs itself, and cert-manager makes with the usual one all the same. With P-256 and P-384 the
// usual one is all that Chancery can make, and another is refused.
func signatureFor(key *keySpec, draw *rand.Rand) string {
	kind := ""
	if key != nil {
		kind = key.Algorithm
	}
	offered := []string{"", "SHA256WithRSA", "SHA384WithRSA", "SHA512WithRSA"}
	switch {
	case kind == "ECDSA" && key.Size == 521:
		offered = []string{"", "ECDSAWithSHA256", "ECDSAWithSHA384", "ECDSAWithSHA512"}
	case kind == "ECDSA" && key.Size == 384:
		offered = []string{"", "ECDSAWithSHA384"}
	case kind == "ECDSA":
		offered = []string{"", "ECDSAWithSHA256"}
	case kind == "Ed25519":
		offered = []string{"", "PureEd25519"}
	}
	return offered[draw.IntN(len(offered))]
}

func written(made *spec, number int, draw *rand.Rand) {
	switch draw.IntN(12) {
	case 0:
		made.AdditionalOutputFormats = []format{{Type: "DER"}}
	case 1:
		made.AdditionalOutputFormats = []format{{Type: "CombinedPEM"}, {Type: "DER"}}
	}
	stored := &secretRef{Name: "store-password", Key: "password"}
	profile := []string{"", "LegacyRC2", "LegacyDES", "Modern2023", "Modern2026"}[draw.IntN(5)]
	switch draw.IntN(12) {
	case 0:
		made.Keystores = &storesSpec{JKS: &store{Create: true, PasswordSecretRef: stored}}
	case 1:
		made.Keystores = &storesSpec{PKCS12: &store{Create: true, Profile: profile, PasswordSecretRef: stored}}
	case 2:
		made.Keystores = &storesSpec{
			JKS:    &store{Create: true, Alias: "Web Server", Password: "changeit"},
			PKCS12: &store{Create: true, Profile: profile, Password: "pässword"},
		}
	case 3:
		made.Keystores = &storesSpec{JKS: &store{Create: false, PasswordSecretRef: stored}}
	}
	if draw.IntN(6) == 0 {
		made.SecretTemplate = &secretTemplate{
			Annotations: map[string]string{"example.com/owner": "team-a", "cert-manager.io/allow-direct-injection": "true"},
			Labels:      map[string]string{"app": fmt.Sprint("web-", number)},
		}
	}
	switch draw.IntN(10) {
	case 0:
		made.Renewal = &renewal{Policy: "Disabled"}
	case 1:
		made.Renewal = &renewal{Windows: []window{{Cron: "0 2 * * 6", WindowDuration: "4h", Timezone: "Europe/Berlin"}}}
	}
	if draw.IntN(4) == 0 {
		made.RevisionHistoryLimit = 1 + draw.IntN(3)
	}
}
