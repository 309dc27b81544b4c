//! One entry of a list that is read (RFC 5280 section 5.3).

use jiff::Timestamp;

use crate::{
    CrlError, Reason, Revoked, SerialNumber, der_time,
    tlv::{self, Reader, tag},
};

use super::oid;

/// An entry, looked at where it stands.
pub(super) struct EntryRef<'a> {
    serial: &'a [u8],
    time: Timestamp,
    reason: Reason,
    invalidity_date: Option<Timestamp>,
    pub(super) has_extensions: bool,
}

impl EntryRef<'_> {
    pub(super) fn to_revoked(&self) -> Result<Revoked, CrlError> {
        Ok(Revoked {
            serial: SerialNumber::from_octets(self.serial)?,
            time: self.time,
            reason: self.reason,
            invalidity_date: self.invalidity_date,
        })
    }
}

/// The next entry. All of it is checked, so that what is made of it later does not fail.
pub(super) fn next<'a>(entries: &mut Reader<'a>) -> Result<EntryRef<'a>, CrlError> {
    let mut reader = entries.take(tag::SEQUENCE)?.reader();
    let serial = reader.take(tag::INTEGER)?.contents;
    SerialNumber::check(serial)?;
    tlv::unsigned(serial)?;
    let time = der_time::read(&reader.next()?)?;
    let mut entry = EntryRef { serial, time, reason: Reason::Unspecified, invalidity_date: None, has_extensions: !reader.is_empty() };
    if entry.has_extensions {
        let mut extensions = reader.take(tag::SEQUENCE)?.reader();
        reader.end()?;
        read_extensions(&mut extensions, &mut entry)?;
    }
    Ok(entry)
}

fn read_extensions(extensions: &mut Reader<'_>, entry: &mut EntryRef<'_>) -> Result<(), CrlError> {
    let mut reason = None;
    while !extensions.is_empty() {
        let extension = tlv::next_extension(extensions)?;
        let malformed = |_| CrlError::Extension { oid: tlv::oid_text(extension.oid) };
        let twice = if extension.oid == oid::REASON.as_bytes() {
            let value = tlv::only(extension.value, tag::ENUMERATED).map_err(malformed)?;
            let [code] = value.contents else { return Err(CrlError::Reason) };
            reason.replace(Reason::from_code(*code).ok_or(CrlError::Reason)?).is_some()
        } else if extension.oid == oid::INVALIDITY_DATE.as_bytes() {
            let mut value = Reader::new(extension.value);
            // Some write a UTCTime here, against RFC 5280 section 5.3.2; what is meant is plain.
            let date = value.next().and_then(|time| der_time::read(&time)).map_err(malformed)?;
            value.end().map_err(malformed)?;
            entry.invalidity_date.replace(date).is_some()
        } else if extension.oid == oid::CERTIFICATE_ISSUER.as_bytes() {
            return Err(CrlError::Indirect);
        } else if extension.critical {
            return Err(CrlError::UnknownCritical { oid: tlv::oid_text(extension.oid) });
        } else {
            false
        };
        if twice {
            return Err(CrlError::ExtensionTwice { oid: tlv::oid_text(extension.oid) });
        }
    }
    entry.reason = reason.unwrap_or_default();
    Ok(())
}
