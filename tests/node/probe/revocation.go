package main

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/crypto/ocsp"
)

var plain = &http.Client{Timeout: 10 * time.Second}

// revocation follows the addresses in the certificate that is served, and prints `ocsp STATUS` and `crl STATUS`.
func revocation(url, trusted string) error {
	chain, err := ask(url, trusted)
	if err != nil {
		return err
	}
	if len(chain) < 2 || len(chain[0].OCSPServer) == 0 || len(chain[0].CRLDistributionPoints) == 0 {
		return fmt.Errorf("the certificate of %s does not name a list and an OCSP responder", url)
	}
	leaf, issuer := chain[0], chain[1]
	answer, err := askOCSP(leaf, issuer)
	if err != nil {
		return fmt.Errorf("OCSP at %s: %w", leaf.OCSPServer[0], err)
	}
	listed, err := askList(leaf, issuer)
	if err != nil {
		return fmt.Errorf("list at %s: %w", leaf.CRLDistributionPoints[0], err)
	}
	fmt.Printf("ocsp %s\ncrl %s\n", answer, listed)
	return nil
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
