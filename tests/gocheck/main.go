// gocheck says what Go's crypto/x509 makes of a revocation list, of a chain, and of a chain under the lists of its authorities, and
// what Go's readers make of key stores; and it makes what cert-manager, which is written in Go, leaves behind: manifests and
// Secrets, printed and not applied.
//
//	gocheck list ISSUER CRL            the list, which the issuer must have signed, as JSON
//	gocheck path TIME ROOTS CHAIN      the subjects of the chain, leaf first, as of a time (RFC 3339)
//	gocheck chain ROOTS CHAIN CRL...   for each certificate of the chain, leaf first, whether its issuer's list has it
//	gocheck keystore FILE PASSWORD     a PKCS#12 store: the SHA-256 of the key's public half and of each certificate
//	gocheck truststore FILE PASSWORD   the same of a store of trusted certificates
//	gocheck stores KIND KEY CHAIN CA PASSWORD   writes keystore and truststore, JKS or PKCS#12 of a profile
//	gocheck moved COUNT                so many of cert-manager's Certificates with their issuers and Secrets, as JSON
//
// Certificates are PEM, lists DER or PEM with any number of lists. Whatever is not as it should be ends it with an error: a
// signature, a list that has run out or is not in force yet, a certificate of the chain without a list.
package main

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

type entry struct {
	Serial         string     `json:"serial"`
	Time           time.Time  `json:"time"`
	Reason         int        `json:"reason"`
	InvalidityDate *time.Time `json:"invalidityDate,omitempty"`
}

type list struct {
	Number     string    `json:"number"`
	ThisUpdate time.Time `json:"thisUpdate"`
	NextUpdate time.Time `json:"nextUpdate"`
	Issuer     string    `json:"issuer"`
	Entries    []entry   `json:"entries"`
}

type standing struct {
	Subject string `json:"subject"`
	Serial  string `json:"serial"`
	Revoked bool   `json:"revoked"`
	Reason  int    `json:"reason"`
}

func main() {
	said, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(said)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gocheck:", err)
		os.Exit(1)
	}
}

func run(arguments []string) (any, error) {
	switch {
	case len(arguments) == 3 && arguments[0] == "list":
		issuers, err := certificates(arguments[1])
		if err != nil {
			return nil, err
		}
		lists, err := lists(arguments[2])
		if err != nil {
			return nil, err
		}
		if len(lists) != 1 {
			return nil, fmt.Errorf("%s holds %d lists", arguments[2], len(lists))
		}
		if err := holds(lists[0], issuers[0]); err != nil {
			return nil, err
		}
		return shown(lists[0])
	case len(arguments) == 4 && arguments[0] == "path":
		at, err := time.Parse(time.RFC3339, arguments[1])
		if err != nil {
			return nil, err
		}
		built, err := path(at, arguments[2], arguments[3])
		if err != nil {
			return nil, err
		}
		var said []string
		for _, certificate := range built {
			said = append(said, certificate.Subject.String())
		}
		return said, nil
	case len(arguments) >= 4 && arguments[0] == "chain":
		return chain(arguments[1], arguments[2], arguments[3:])
	case len(arguments) == 3 && arguments[0] == "keystore":
		return keystore(arguments[1], arguments[2])
	case len(arguments) == 3 && arguments[0] == "truststore":
		return truststore(arguments[1], arguments[2])
	case len(arguments) == 6 && arguments[0] == "stores":
		return stores(arguments[1], arguments[2], arguments[3], arguments[4], arguments[5])
	case len(arguments) == 2 && arguments[0] == "moved":
		count, err := strconv.Atoi(arguments[1])
		if err != nil {
			return nil, err
		}
		return moved(count)
	}
	return nil, errors.New("usage: gocheck list ISSUER CRL | path TIME ROOTS CHAIN | chain ROOTS CHAIN CRL... | keystore FILE PASSWORD | truststore FILE PASSWORD | stores KIND KEY CHAIN CA PASSWORD | moved COUNT")
}

// The chain that Go builds, for whatever purpose.
func path(at time.Time, rootsFile, chainFile string) ([]*x509.Certificate, error) {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	trusted, err := certificates(rootsFile)
	if err != nil {
		return nil, err
	}
	for _, root := range trusted {
		roots.AddCert(root)
	}
	given, err := certificates(chainFile)
	if err != nil {
		return nil, err
	}
	for _, certificate := range given[1:] {
		between.AddCert(certificate)
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, CurrentTime: at}
	built, err := given[0].Verify(options)
	if err != nil {
		return nil, err
	}
	return built[0], nil
}

// The chain that Go builds, under the lists.
func chain(rootsFile, chainFile string, listFiles []string) ([]standing, error) {
	var all []*x509.RevocationList
	for _, file := range listFiles {
		some, err := lists(file)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	built, err := path(time.Now(), rootsFile, chainFile)
	if err != nil {
		return nil, err
	}
	var said []standing
	for place, certificate := range built[:len(built)-1] {
		found, err := lookUp(certificate, built[place+1], all)
		if err != nil {
			return nil, err
		}
		said = append(said, found)
	}
	return said, nil
}

// What the issuer's list says of a certificate.
func lookUp(certificate, issuer *x509.Certificate, all []*x509.RevocationList) (standing, error) {
	said := standing{Subject: certificate.Subject.String(), Serial: fmt.Sprintf("%x", certificate.SerialNumber.Bytes())}
	found := false
	for _, list := range all {
		if !bytes.Equal(list.RawIssuer, issuer.RawSubject) || !bytes.Equal(list.AuthorityKeyId, issuer.SubjectKeyId) {
			continue
		}
		if err := holds(list, issuer); err != nil {
			return said, err
		}
		found = true
		for _, entry := range list.RevokedCertificateEntries {
			if entry.SerialNumber.Cmp(certificate.SerialNumber) == 0 {
				said.Revoked, said.Reason = true, entry.ReasonCode
			}
		}
	}
	if !found {
		return said, fmt.Errorf("no list of %s", issuer.Subject)
	}
	return said, nil
}

// Whether the issuer has signed the list, and the list is in force.
func holds(list *x509.RevocationList, issuer *x509.Certificate) error {
	if err := list.CheckSignatureFrom(issuer); err != nil {
		return fmt.Errorf("the list of %s: %w", list.Issuer, err)
	}
	now := time.Now()
	if now.Before(list.ThisUpdate) || !now.Before(list.NextUpdate) {
		return fmt.Errorf("the list of %s is in force from %s to %s", list.Issuer, list.ThisUpdate, list.NextUpdate)
	}
	return nil
}

var invalidityDate = asn1.ObjectIdentifier{2, 5, 29, 24}

func shown(read *x509.RevocationList) (list, error) {
	said := list{ThisUpdate: read.ThisUpdate, NextUpdate: read.NextUpdate, Issuer: read.Issuer.String(), Entries: []entry{}}
	if read.Number != nil {
		said.Number = read.Number.String()
	}
	for _, found := range read.RevokedCertificateEntries {
		one := entry{Serial: fmt.Sprintf("%x", found.SerialNumber.Bytes()), Time: found.RevocationTime, Reason: found.ReasonCode}
		for _, extension := range found.Extensions {
			if !extension.Id.Equal(invalidityDate) {
				continue
			}
			var date time.Time
			// RFC 5280, section 5.3.2: never UTCTime.
			if rest, err := asn1.UnmarshalWithParams(extension.Value, &date, "generalized"); err != nil || len(rest) > 0 {
				return said, fmt.Errorf("the invalidity date of %s is no GeneralizedTime: %x", one.Serial, extension.Value)
			}
			one.InvalidityDate = &date
		}
		said.Entries = append(said.Entries, one)
	}
	return said, nil
}

func certificates(file string) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	ders, err := blocks(file, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	for _, der := range ders {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		found = append(found, certificate)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return found, nil
}

func lists(file string) ([]*x509.RevocationList, error) {
	var found []*x509.RevocationList
	ders, err := blocks(file, "X509 CRL")
	if err != nil {
		return nil, err
	}
	for _, der := range ders {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		found = append(found, list)
	}
	return found, nil
}

// The DER in a file of PEM, of which nothing else may be in it, or of DER.
func blocks(file, kind string) ([][]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(text, []byte("-----BEGIN ")) {
		return [][]byte{text}, nil
	}
	var found [][]byte
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return found, nil
		}
		if block.Type != kind {
			return nil, fmt.Errorf("%s holds %s, not %s", file, block.Type, kind)
		}
		found, text = append(found, block.Bytes), rest
	}
}
