//! Reading answers: those that were just made, before they are kept, and those of any responder, for people who ask.

use const_oid::db::rfc6960::{ID_PKIX_OCSP_BASIC, ID_PKIX_OCSP_NONCE};
use der::Decode;
use jiff::Timestamp;
use spki::AlgorithmIdentifierOwned;

use crate::{
    CertId, Certificate, IssuerHashes, Name, OcspAnswer, OcspRefusal, OcspResponseError, OcspStatus, PublicKey, Reason, Usage, der_time,
    tlv::{self, Malformed, Reader, Value, tag},
};

use super::{cert_id::sha1, field};

/// How many certificates an answer may carry.
const CERTIFICATES_MAX: usize = 8;

/// A basic answer (RFC 6960 section 4.2.1). Whether it may be relied on is said by [`OcspResponse::verify`] only.
#[derive(Clone, Debug)]
pub struct OcspResponse {
    answers: Vec<OcspAnswer>,
    produced_at: Timestamp,
    nonce: Option<Vec<u8>>,
    responder: Responder,
    certificates: Vec<Certificate>,
    to_be_signed: Box<[u8]>,
    algorithm: AlgorithmIdentifierOwned,
    signature: Box<[u8]>,
}

#[derive(Clone, Debug)]
enum Responder {
    Name(Name),
    Key([u8; 20]),
}

impl Responder {
    fn is(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Name(name) => certificate.subject() == name,
            Self::Key(hash) => sha1(certificate.public_key().bits()) == *hash,
        }
    }
}

impl OcspResponse {
    /// Reads an answer.
    ///
    /// # Errors
    /// When the responder refused to answer, the octets are no answer, it does not say until when it may be relied on, or
    /// an extension is critical and not known.
    pub fn from_der(der: &[u8]) -> Result<Self, OcspResponseError> {
        let mut response = tlv::only(der, tag::SEQUENCE)?.reader();
        match response.take(tag::ENUMERATED)?.contents {
            [0] => {}
            [code] => {
                let refusal = OcspRefusal::ALL.into_iter().find(|refusal| refusal.code() == *code);
                return Err(refusal.map_or(OcspResponseError::Unsupported, OcspResponseError::Refused));
            }
            _ => return Err(OcspResponseError::Malformed),
        }
        let bytes = response.take(field::RESPONSE_BYTES)?;
        response.end()?;
        let mut bytes = tlv::only(bytes.contents, tag::SEQUENCE)?.reader();
        if bytes.take(tag::OBJECT_IDENTIFIER)?.contents != ID_PKIX_OCSP_BASIC.as_bytes() {
            return Err(OcspResponseError::Unsupported);
        }
        let basic = bytes.take(tag::OCTET_STRING)?;
        bytes.end()?;
        read_basic(basic.contents)
    }

    /// What it says, in its order.
    pub fn answers(&self) -> &[OcspAnswer] {
        &self.answers
    }

    /// What it says about one certificate.
    pub fn answer(&self, id: &CertId) -> Option<&OcspAnswer> {
        self.answers.iter().find(|answer| answer.id.issuer() == id.issuer() && answer.id.serial() == id.serial())
    }

    /// When it was signed.
    pub fn produced_at(&self) -> Timestamp {
        self.produced_at
    }

    /// What it repeats of the request.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// The certificates that it carries.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Whether the signature was made by this key.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.verify(&self.algorithm, &self.to_be_signed, &self.signature).is_ok()
    }

    /// Checks that all of the answer may be relied on at this time: it is about certificates of this issuer, signed by the
    /// issuer or by one that the issuer certified for `ocsp signing` (RFC 6960 section 4.2.2.2), and neither of the future
    /// nor overdue.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify(&self, issuer: &Certificate, at: Timestamp) -> Result<(), OcspResponseError> {
        let hashes = IssuerHashes::of(issuer);
        for OcspAnswer { id, this_update, next_update, .. } in &self.answers {
            if !hashes.matches(id) {
                return Err(OcspResponseError::OtherIssuer);
            }
            if !(*this_update..=*next_update).contains(&at) {
                return Err(OcspResponseError::Stale { this_update: *this_update, next_update: *next_update, at });
            }
        }
        self.verify_signature(issuer, at).map_err(|reason| OcspResponseError::NotSigned { reason })
    }

    fn verify_signature(&self, issuer: &Certificate, at: Timestamp) -> Result<(), &'static str> {
        if self.responder.is(issuer) && self.is_signed_by(issuer.public_key()) {
            return Ok(());
        }
        let responders = self.certificates.iter().filter(|certificate| self.responder.is(certificate));
        let outcomes = responders.map(|responder| self.verify_delegate(responder, issuer, at));
        outcomes.reduce(Result::or).unwrap_or(Err("it has no certificate of its responder"))
    }

    fn verify_delegate(&self, responder: &Certificate, issuer: &Certificate, at: Timestamp) -> Result<(), &'static str> {
        if responder.issuer() != issuer.subject() || !responder.is_signed_by(issuer.public_key()) {
            Err("its responder's certificate is not signed by the issuer")
        } else if !responder.usages().contains(&Usage::OcspSigning) {
            Err("its responder's certificate is not for ocsp signing")
        } else if !responder.is_valid_at(at) {
            Err("its responder's certificate is not valid at that time")
        } else if self.is_signed_by(responder.public_key()) {
            Ok(())
        } else {
            Err("its signature is wrong")
        }
    }
}

/// `BasicOCSPResponse`.
fn read_basic(octets: &[u8]) -> Result<OcspResponse, OcspResponseError> {
    let mut basic = tlv::only(octets, tag::SEQUENCE)?.reader();
    let data = basic.take(tag::SEQUENCE)?;
    let algorithm = AlgorithmIdentifierOwned::from_der(basic.take(tag::SEQUENCE)?.whole).map_err(|_| Malformed)?;
    let signature = tlv::whole_octets(basic.take(tag::BIT_STRING)?.contents)?;
    let certificates =
        basic.take_if(field::CERTIFICATES)?.map_or(Ok(Vec::new()), |certificates| read_certificates(certificates.contents))?;
    basic.end()?;

    let mut parts = data.reader();
    if let Some(version) = parts.take_if(field::VERSION)?
        && tlv::only(version.contents, tag::INTEGER)?.contents != [0]
    {
        return Err(OcspResponseError::Unsupported);
    }
    let responder = read_responder(&parts.next()?)?;
    let produced_at = der_time::read(&parts.take(tag::GENERALIZED_TIME)?)?;
    let mut list = parts.take(tag::SEQUENCE)?.reader();
    let extensions = parts.take_if(field::EXTENSIONS)?;
    parts.end()?;
    let mut answers = Vec::new();
    while !list.is_empty() {
        answers.push(read_answer(list.take(tag::SEQUENCE)?.reader())?);
    }
    if answers.is_empty() {
        return Err(OcspResponseError::Malformed);
    }
    let nonce = extensions.map_or(Ok(None), |extensions| read_extensions(extensions.contents))?;
    let (to_be_signed, signature) = (data.whole.into(), signature.into());
    Ok(OcspResponse { answers, produced_at, nonce, responder, certificates, to_be_signed, algorithm, signature })
}

fn read_certificates(octets: &[u8]) -> Result<Vec<Certificate>, Malformed> {
    let mut reader = tlv::only(octets, tag::SEQUENCE)?.reader();
    let mut certificates = Vec::new();
    while !reader.is_empty() {
        if certificates.len() == CERTIFICATES_MAX {
            return Err(Malformed);
        }
        let der = reader.take(tag::SEQUENCE)?.whole.to_vec();
        certificates.push(Certificate::from_der(der).map_err(|_| Malformed)?);
    }
    Ok(certificates)
}

fn read_responder(value: &Value<'_>) -> Result<Responder, OcspResponseError> {
    match value.tag {
        field::BY_NAME => Name::from_der(value.contents).map(Responder::Name).map_err(|_| OcspResponseError::Malformed),
        field::BY_KEY => {
            let hash = tlv::only(value.contents, tag::OCTET_STRING)?.contents;
            hash.try_into().map(Responder::Key).map_err(|_| OcspResponseError::Malformed)
        }
        _ => Err(OcspResponseError::Malformed),
    }
}

/// `SingleResponse`.
fn read_answer(mut reader: Reader<'_>) -> Result<OcspAnswer, OcspResponseError> {
    let id = CertId::read::<OcspResponseError>(&mut reader)?;
    let status = reader.next()?;
    let status = match (status.tag, status.contents) {
        (field::GOOD, []) => OcspStatus::Good,
        (field::UNKNOWN, []) => OcspStatus::Unknown,
        (field::REVOKED, _) => read_revoked(status.reader())?,
        _ => return Err(OcspResponseError::Malformed),
    };
    let this_update = der_time::read(&reader.take(tag::GENERALIZED_TIME)?)?;
    let next_update = reader.take_if(field::NEXT_UPDATE)?.ok_or(OcspResponseError::NoNextUpdate)?;
    let next_update = der_time::read(&tlv::only(next_update.contents, tag::GENERALIZED_TIME)?)?;
    if let Some(extensions) = reader.take_if(field::EXTENSIONS)? {
        read_extensions(extensions.contents)?;
    }
    reader.end()?;
    Ok(OcspAnswer { id, status, this_update, next_update })
}

fn read_revoked(mut reader: Reader<'_>) -> Result<OcspStatus, OcspResponseError> {
    let time = der_time::read(&reader.take(tag::GENERALIZED_TIME)?)?;
    let reason = match reader.take_if(field::REASON)? {
        None => Reason::Unspecified,
        Some(reason) => match tlv::only(reason.contents, tag::ENUMERATED)?.contents {
            [code] => Reason::from_code(*code).ok_or(OcspResponseError::Malformed)?,
            _ => return Err(OcspResponseError::Malformed),
        },
    };
    reader.end()?;
    Ok(OcspStatus::Revoked { time, reason })
}

/// The nonce among `Extensions`.
fn read_extensions(octets: &[u8]) -> Result<Option<Vec<u8>>, OcspResponseError> {
    let mut reader = tlv::only(octets, tag::SEQUENCE)?.reader();
    let mut nonce = None;
    while !reader.is_empty() {
        let extension = tlv::next_extension(&mut reader)?;
        if extension.oid == ID_PKIX_OCSP_NONCE.as_bytes() {
            nonce = Some(tlv::only(extension.value, tag::OCTET_STRING)?.contents.to_vec());
        } else if extension.critical {
            return Err(OcspResponseError::UnknownCritical { oid: tlv::oid_text(extension.oid) });
        }
    }
    Ok(nonce)
}
