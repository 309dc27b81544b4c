//! Every name that is written into a cluster: group, finalizer, labels, annotations, keys of a Secret.
//!
//! A name that stands here is an interface: it is in other people's manifests and in objects that outlive a release.

/// The API group of all kinds, also the prefix of labels and annotations.
pub const GROUP: &str = "chancery.dev";
/// The version of all kinds.
pub const VERSION: &str = "v1alpha1";
/// The group whose `issuerRef.group` and Secret annotations are understood as ours, for those who come from there.
pub const CERT_MANAGER_GROUP: &str = "cert-manager.io";
/// The field manager of every write.
pub const FIELD_MANAGER: &str = "chancery";
/// The `reportingController` of Events.
pub const REPORTING_CONTROLLER: &str = "chancery.dev/controller";
/// The operator's namespace where none is given.
pub const DEFAULT_NAMESPACE: &str = "chancery-system";
/// The finalizer; it stands on an object only where something must happen before the object goes.
pub const FINALIZER: &str = "chancery.dev/cleanup";

/// On a Certificate: each new value asks for a new certificate.
pub const RENEW: &str = "chancery.dev/renew";
/// On a Certificate: `true` asks for the revocation lists of its chain in its Secret, as [`CA_CRL_KEY`].
pub const CA_CRL: &str = "chancery.dev/ca-crl";
/// On a Certificate: `true` asks for a temporary certificate in its Secret while the issuer cannot give one.
pub const TEMPORARY: &str = "chancery.dev/issue-temporary-certificate";
/// cert-manager's annotation of the same meaning as [`TEMPORARY`], for those who change nothing but the `apiVersion`.
pub const CERT_MANAGER_TEMPORARY: &str = "cert-manager.io/issue-temporary-certificate";
/// On a RevocationList: its owner has seen that the store went back in time, and lets it go on. The condition says with which value.
pub const CONFIRM_ROLLBACK: &str = "chancery.dev/confirm-rollback";
/// On a Secret that is not ours: its owner lets the Certificate of this name write it.
pub const ALLOW_ADOPTION: &str = "chancery.dev/allow-adoption";

/// Label of every Secret that we write; its value is [`MANAGED_VALUE`].
pub const MANAGED: &str = "chancery.dev/managed";
/// The value of [`MANAGED`].
pub const MANAGED_VALUE: &str = "true";

/// On a Secret: the Certificate that it belongs to.
pub const CERTIFICATE_NAME: &str = "chancery.dev/certificate-name";
/// On a Secret: `metadata.name` of the issuer.
pub const ISSUER_NAME: &str = "chancery.dev/issuer-name";
/// On a Secret: the kind of the issuer.
pub const ISSUER_KIND: &str = "chancery.dev/issuer-kind";
/// On a Secret: the group of the issuer.
pub const ISSUER_GROUP: &str = "chancery.dev/issuer-group";
/// On a Secret: the certificate's common name.
pub const COMMON_NAME: &str = "chancery.dev/common-name";
/// On a Secret: the certificate's DNS names, comma separated.
pub const ALT_NAMES: &str = "chancery.dev/alt-names";
/// On a Secret: the certificate's IP addresses, comma separated.
pub const IP_SANS: &str = "chancery.dev/ip-sans";
/// On a Secret: the certificate's URIs, comma separated.
pub const URI_SANS: &str = "chancery.dev/uri-sans";
/// On a Secret: the certificate's e-mail addresses, comma separated.
pub const EMAIL_SANS: &str = "chancery.dev/email-sans";
/// On a Secret: the subject's organizations, comma separated with RFC 4180 quoting, as are the next six.
pub const SUBJECT_ORGANIZATIONS: &str = "chancery.dev/subject-organizations";
/// On a Secret: the subject's organizational units.
pub const SUBJECT_ORGANIZATIONAL_UNITS: &str = "chancery.dev/subject-organizationalunits";
/// On a Secret: the subject's countries.
pub const SUBJECT_COUNTRIES: &str = "chancery.dev/subject-countries";
/// On a Secret: the subject's provinces.
pub const SUBJECT_PROVINCES: &str = "chancery.dev/subject-provinces";
/// On a Secret: the subject's localities.
pub const SUBJECT_LOCALITIES: &str = "chancery.dev/subject-localities";
/// On a Secret: the subject's postal codes.
pub const SUBJECT_POSTAL_CODES: &str = "chancery.dev/subject-postalcodes";
/// On a Secret: the subject's street addresses.
pub const SUBJECT_STREET_ADDRESSES: &str = "chancery.dev/subject-streetaddresses";
/// On a Secret: the subject's serialNumber attribute (not the certificate's serial number).
pub const SUBJECT_SERIAL_NUMBER: &str = "chancery.dev/subject-serialnumber";

/// On a Secret: the certificate's serial number, lower-case hexadecimal.
pub const SERIAL_NUMBER: &str = "chancery.dev/serial-number";
/// On a Secret: the SHA-256 of the key's SubjectPublicKeyInfo, lower-case hexadecimal.
pub const KEY_ID: &str = "chancery.dev/key-id";
/// On a Secret: when the certificate was issued (RFC 3339), by the register's time.
pub const ISSUED_AT: &str = "chancery.dev/issued-at";
/// On a Secret: the duration that was asked for when it was issued, which a certificate cut to its issuer's end cannot show.
pub const REQUESTED_DURATION: &str = "chancery.dev/requested-duration";
/// On a Secret: the encoding of the key, `PKCS1` or `PKCS8`.
pub const REQUESTED_KEY_ENCODING: &str = "chancery.dev/requested-key-encoding";
/// On a Secret that was taken over, whose certificate does not sign itself as it was asked to: what was asked.
pub const REQUESTED_SIGNATURE: &str = "chancery.dev/requested-signature-algorithm";
/// On a Secret: the value of [`RENEW`] that the certificate answers.
pub const RENEW_HANDLED: &str = "chancery.dev/renew-handled";
/// On a Secret: which values were defaults when it was issued; a comma-separated list of [`crate::api::Defaulted`] names.
pub const DEFAULTED: &str = "chancery.dev/defaulted";
/// On a Secret: the annotation and label keys that `secretTemplate` put there, as JSON, so that they can be taken away again.
pub const SECRET_TEMPLATE: &str = "chancery.dev/secret-template";

/// The prefixes of annotations and labels that `secretTemplate` may not set.
pub const RESERVED_PREFIXES: [&str; 2] = ["chancery.dev/", "cert-manager.io/"];
/// The one annotation under a reserved prefix that `secretTemplate` may set: another program's cue, no statement about the certificate.
pub const ALLOW_DIRECT_INJECTION: &str = "cert-manager.io/allow-direct-injection";

/// In a Secret: the certificate and its chain without the root, PEM.
pub const TLS_CERTIFICATE: &str = "tls.crt";
/// In a Secret: the private key, PEM.
pub const TLS_KEY: &str = "tls.key";
/// In a Secret: the root, PEM.
pub const CA_CERTIFICATE: &str = "ca.crt";
/// In a Secret, where it is asked for: the revocation lists of the certificate's chain, PEM.
pub const CA_CRL_KEY: &str = "ca.crl";
/// In a Secret, where it is asked for: the private key in DER.
pub const KEY_DER: &str = "key.der";
/// In a Secret, where it is asked for: the private key and the certificates, PEM.
pub const COMBINED_PEM: &str = "tls-combined.pem";
/// In a Secret, where it is asked for: key and certificates in Java's own format.
pub const KEYSTORE_JKS: &str = "keystore.jks";
/// Beside [`KEYSTORE_JKS`]: the root.
pub const TRUSTSTORE_JKS: &str = "truststore.jks";
/// In a Secret, where it is asked for: key and certificates in PKCS#12.
pub const KEYSTORE_P12: &str = "keystore.p12";
/// Beside [`KEYSTORE_P12`]: the root.
pub const TRUSTSTORE_P12: &str = "truststore.p12";
/// The type of Secrets that we create.
pub const SECRET_TYPE: &str = "kubernetes.io/tls";

/// The authority that signed the certificate in a Secret: its key id.
pub const AUTHORITY: &str = "chancery.dev/authority";
/// A digest of the chain that stands with the certificate: it tells, without reading the Secret, that the chain is an old one.
pub const CHAIN: &str = "chancery.dev/authority-chain";
/// On a Secret with [`CA_CRL_KEY`]: the numbers of the lists in it; it tells, without reading the Secret, that they are old ones.
pub const CRL_NUMBER: &str = "chancery.dev/ca-crl-number";
/// On a Secret with other forms of key and certificates: which, and from which Secrets their passwords came.
pub const FORMS: &str = "chancery.dev/forms";
/// On a Secret that holds a temporary certificate: its serial number.
pub const TEMPORARY_SERIAL: &str = "chancery.dev/temporary-serial-number";
/// The field manager with which cert-manager writes a Certificate's Secret.
pub const CERT_MANAGER_WRITER: &str = "cert-manager-certificates-issuing";
/// cert-manager's annotation of the same meaning as [`CERTIFICATE_NAME`].
pub const CERT_MANAGER_CERTIFICATE_NAME: &str = "cert-manager.io/certificate-name";
/// What the name of a Secret with a copy of an authority's key begins with; the key's name follows.
pub const AUTHORITY_COPY: &str = "chancery-authority-";
/// On the Secret with a copy of an authority's key: whose it is.
pub const COPY_OF: &str = "chancery.dev/copy-of";

/// Label of the ConfigMaps with what is published of an authority: the head that names the current chunks, and the chunks.
pub const LIST: &str = "chancery.dev/list";
/// What the names of those ConfigMaps begin with; the authority's key id follows.
pub const LIST_PREFIX: &str = "chancery-list-";
/// Label of a ConfigMap that holds a copy of a list; never read back.
pub const LIST_COPY: &str = "chancery.dev/list-copy";
/// What the names of the Secrets with keys of OCSP responders begin with; the first hexadecimal digit of the authority's key id follows.
pub const DELEGATES_PREFIX: &str = "chancery-ocsp-";
/// Label of a ConfigMap in the operator's namespace with a signed list, whose entries are to be taken into the register.
pub const IMPORT: &str = "chancery.dev/crl-import";
/// In such a ConfigMap (`binaryData`), as in a chunk: the list, DER, or a part of it.
pub const LIST_DER: &str = "crl";
/// In such a ConfigMap (`data`), instead: the list, PEM.
pub const LIST_PEM: &str = "crl.pem";
/// On such a ConfigMap, where the list is in several ([`IMPORT_PARTS`], [`IMPORT_REQUEST`]): which part it holds, from 1.
pub const IMPORT_PART: &str = "chancery.dev/part";
/// On the first of several such ConfigMaps: "true" where the list is on record, and what is left of it goes too.
pub const IMPORT_TAKEN: &str = "chancery.dev/taken";
/// On such a ConfigMap: why it was not taken in. It goes a day later.
pub const IMPORT_REFUSED: &str = "chancery.dev/refused";

/// The ConfigMap with the signed checkpoint of the registers.
pub const CHECKPOINT: &str = "chancery-register-checkpoint";
/// In it (`data`): the text that is signed.
pub const CHECKPOINT_TEXT: &str = "checkpoint";
/// In it (`binaryData`): the signature, ECDSA over SHA-256, DER.
pub const CHECKPOINT_SIGNATURE: &str = "signature";
/// In it (`data`), and in the Secret: the public key, PEM.
pub const CHECKPOINT_PUBLIC: &str = "public.pem";
/// The Secret with the key that signs checkpoints, and nothing else.
pub const CHECKPOINT_KEY: &str = "chancery-checkpoint-key";
/// In it: the key, PKCS#8 in PEM.
pub const CHECKPOINT_PRIVATE: &str = "private.pem";
/// Label of a ConfigMap in the operator's namespace with a copy of a register, which is to have back what it has lost.
pub const REGISTER_IMPORT: &str = "chancery.dev/register-import";
/// In such a ConfigMap (`data`): the copy, as `kubectl chancery register export` writes it, or a part of it.
pub const REGISTER_EXPORT: &str = "export";
/// On such a ConfigMap: which others belong to it. Without it it is one by itself. A label too where the plugin hands a signed list over.
pub const IMPORT_REQUEST: &str = "chancery.dev/request";
/// On such a ConfigMap: how many ConfigMaps that are.
pub const IMPORT_PARTS: &str = "chancery.dev/parts";
/// On such a ConfigMap: "true" where the register as it stands was begun anew, and has no line in common with the copy.
pub const IMPORT_BEGUN_ANEW: &str = "chancery.dev/begun-anew";

/// All annotations that may stand on a Secret because we put them: those that are not wanted any more are taken off.
pub const SECRET_ANNOTATIONS: [&str; 28] = [
    ISSUER_NAME,
    ISSUER_KIND,
    ISSUER_GROUP,
    COMMON_NAME,
    ALT_NAMES,
    IP_SANS,
    URI_SANS,
    EMAIL_SANS,
    SUBJECT_ORGANIZATIONS,
    SUBJECT_ORGANIZATIONAL_UNITS,
    SUBJECT_COUNTRIES,
    SUBJECT_PROVINCES,
    SUBJECT_LOCALITIES,
    SUBJECT_POSTAL_CODES,
    SUBJECT_STREET_ADDRESSES,
    SUBJECT_SERIAL_NUMBER,
    SERIAL_NUMBER,
    KEY_ID,
    REQUESTED_DURATION,
    REQUESTED_SIGNATURE,
    RENEW_HANDLED,
    DEFAULTED,
    SECRET_TEMPLATE,
    AUTHORITY,
    CHAIN,
    CRL_NUMBER,
    FORMS,
    TEMPORARY_SERIAL,
];
