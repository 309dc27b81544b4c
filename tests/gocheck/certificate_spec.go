package main

// The manifests of cert-manager.io/v1 and the Secrets that belong to them, as far as `gocheck moved` writes them.

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"time"
)

type spec struct {
	SecretName              string           `json:"secretName"`
	IssuerRef               issuerRef        `json:"issuerRef"`
	Subject                 *subject         `json:"subject,omitempty"`
	LiteralSubject          string           `json:"literalSubject,omitempty"`
	CommonName              string           `json:"commonName,omitempty"`
	DNSNames                []string         `json:"dnsNames,omitempty"`
	IPAddresses             []string         `json:"ipAddresses,omitempty"`
	URIs                    []string         `json:"uris,omitempty"`
	EmailAddresses          []string         `json:"emailAddresses,omitempty"`
	OtherNames              []otherName      `json:"otherNames,omitempty"`
	Duration                string           `json:"duration,omitempty"`
	RenewBefore             string           `json:"renewBefore,omitempty"`
	RenewBeforePercentage   int              `json:"renewBeforePercentage,omitempty"`
	PrivateKey              *keySpec         `json:"privateKey,omitempty"`
	Usages                  []string         `json:"usages,omitempty"`
	IsCA                    bool             `json:"isCA,omitempty"`
	SignatureAlgorithm      string           `json:"signatureAlgorithm,omitempty"`
	EncodeUsagesInRequest   *bool            `json:"encodeUsagesInRequest,omitempty"`
	RevisionHistoryLimit    int              `json:"revisionHistoryLimit,omitempty"`
	AdditionalOutputFormats []format         `json:"additionalOutputFormats,omitempty"`
	Keystores               *storesSpec      `json:"keystores,omitempty"`
	NameConstraints         *nameConstraints `json:"nameConstraints,omitempty"`
	SecretTemplate          *secretTemplate  `json:"secretTemplate,omitempty"`
	Renewal                 *renewal         `json:"renewal,omitempty"`

	// What the literal subject says, so that nothing here has to read it.
	literal pkix.RDNSequence
	// How long ago it was issued.
	age time.Duration
}

type issuerRef struct {
	Name  string `json:"name"`
	Kind  string `json:"kind,omitempty"`
	Group string `json:"group,omitempty"`
}

type subject struct {
	Organizations       []string `json:"organizations,omitempty"`
	Countries           []string `json:"countries,omitempty"`
	OrganizationalUnits []string `json:"organizationalUnits,omitempty"`
	Localities          []string `json:"localities,omitempty"`
	Provinces           []string `json:"provinces,omitempty"`
	StreetAddresses     []string `json:"streetAddresses,omitempty"`
	PostalCodes         []string `json:"postalCodes,omitempty"`
	SerialNumber        string   `json:"serialNumber,omitempty"`
}

type otherName struct {
	OID       string `json:"oid"`
	UTF8Value string `json:"utf8Value"`
	oid       asn1.ObjectIdentifier
}

type keySpec struct {
	RotationPolicy string `json:"rotationPolicy,omitempty"`
	Encoding       string `json:"encoding,omitempty"`
	Algorithm      string `json:"algorithm,omitempty"`
	Size           int    `json:"size,omitempty"`
}

type format struct {
	Type string `json:"type"`
}

type storesSpec struct {
	JKS    *store `json:"jks,omitempty"`
	PKCS12 *store `json:"pkcs12,omitempty"`
}

type store struct {
	Create            bool       `json:"create"`
	Alias             string     `json:"alias,omitempty"`
	Profile           string     `json:"profile,omitempty"`
	PasswordSecretRef *secretRef `json:"passwordSecretRef,omitempty"`
	Password          string     `json:"password,omitempty"`
}

type secretRef struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

type nameConstraints struct {
	Critical  bool      `json:"critical,omitempty"`
	Permitted *subtrees `json:"permitted,omitempty"`
	Excluded  *subtrees `json:"excluded,omitempty"`
}

type subtrees struct {
	DNSDomains     []string `json:"dnsDomains,omitempty"`
	IPRanges       []string `json:"ipRanges,omitempty"`
	EmailAddresses []string `json:"emailAddresses,omitempty"`
	URIDomains     []string `json:"uriDomains,omitempty"`
}

type secretTemplate struct {
	Annotations map[string]string `json:"annotations,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
}

type renewal struct {
	Policy  string   `json:"policy,omitempty"`
	Windows []window `json:"windows,omitempty"`
}

type window struct {
	Cron           string `json:"cron"`
	WindowDuration string `json:"windowDuration"`
	Timezone       string `json:"timezone,omitempty"`
}

type metadata struct {
	Name        string            `json:"name"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
}

type secret struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metadata          `json:"metadata"`
	Type       string            `json:"type"`
	Data       map[string][]byte `json:"data"`
}
