package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Whoever is asked over a connection that is kept is not found anew.
var plain = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// revocation follows the addresses in the certificate that it reads from its standard input, until the list and the OCSP
// responder both say `wanted` of it. What it knows of Services is where they are.
func revocation(trusted, wanted string) error {
	leaf, err := certificate(io.ReadAll(os.Stdin))
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	issuer, err := certificate(os.ReadFile(trusted))
	if err != nil {
		return fmt.Errorf("%s: %w", trusted, err)
	}
	if len(leaf.OCSPServer) == 0 || len(leaf.CRLDistributionPoints) == 0 {
		return errors.New("the certificate does not name a list and an OCSP responder")
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		answer, err := askOCSP(leaf, issuer)
		if err != nil {
			return fmt.Errorf("OCSP at %s: %w", leaf.OCSPServer[0], err)
		}
		listed, err := askList(leaf, issuer)
		if err != nil {
			return fmt.Errorf("list at %s: %w", leaf.CRLDistributionPoints[0], err)
		}
		if answer == wanted && listed == wanted {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("after a minute OCSP says %s and the list %s", answer, listed)
		}
	}
}

// certificate is the first of a file in PEM.
func certificate(text []byte, err error) (*x509.Certificate, error) {
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// askOCSP verifies the answer's signature by the issuer, or by a delegate that the issuer certified.
func askOCSP(leaf, issuer *x509.Certificate) (string, error) {
	question, err := ocsp.CreateRequest(leaf, issuer, nil)
	if err != nil {
		return "", err
	}
	body, err := fetched(plain.Post(leaf.OCSPServer[0], "application/ocsp-request", bytes.NewReader(question)))
	if err != nil {
		return "", err
	}
	answer, err := ocsp.ParseResponseForCert(body, leaf, issuer)
	if err != nil {
		return "", err
	}
	return map[int]string{ocsp.Good: "good", ocsp.Revoked: "revoked", ocsp.Unknown: "unknown"}[answer.Status], nil
}

func askList(leaf, issuer *x509.Certificate) (string, error) {
	body, err := fetched(plain.Get(leaf.CRLDistributionPoints[0]))
	if err != nil {
		return "", err
	}
	list, err := x509.ParseRevocationList(body)
	if err != nil {
		return "", err
	}
	if err := list.CheckSignatureFrom(issuer); err != nil {
		return "", err
	}
	if time.Now().After(list.NextUpdate) {
		return "", fmt.Errorf("it ended at %s", list.NextUpdate)
	}
	for _, entry := range list.RevokedCertificateEntries {
		if entry.SerialNumber.Cmp(leaf.SerialNumber) == 0 {
			return "revoked", nil
		}
	}
	return "good", nil
}

func fetched(answer *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, body)
	}
	return body, err
}

// answers asks the list and the OCSP responder that a certificate names, each over a connection of its own, again and again until it
// is told to end. The certificate is to be good.
func answers(file, trusted string) error {
	leaf, err := certificate(os.ReadFile(file))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	issuer, err := certificate(os.ReadFile(trusted))
	if err != nil {
		return fmt.Errorf("%s: %w", trusted, err)
	}
	if len(leaf.OCSPServer) == 0 || len(leaf.CRLDistributionPoints) == 0 {
		return errors.New("the certificate does not name a list and an OCSP responder")
	}
	repeat(func() (string, error) {
		for what, ask := range map[string]func(leaf, issuer *x509.Certificate) (string, error){"OCSP": askOCSP, "list": askList} {
			if answer, err := ask(leaf, issuer); err != nil || answer != "good" {
				return "", fmt.Errorf("%s: %s %v", what, answer, err)
			}
		}
		return "good", nil
	})
	return nil
}
