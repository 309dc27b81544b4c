//! The extensions of a list that is read (RFC 5280 section 5.2).

use std::collections::BTreeSet;

use crate::{
    CrlError, CrlScope,
    tlv::{self, Malformed, Reader, tag},
};

use super::{CrlNumber, oid, read::Extensions};

/// How many octets the number of a list may have.
const NUMBER_OCTETS: usize = 20;

/// Reads the `Extensions` that are all of `octets`.
pub(super) fn read(octets: &[u8]) -> Result<Extensions, CrlError> {
    let mut found = Extensions::default();
    let mut seen = BTreeSet::new();
    let mut reader = tlv::only(octets, tag::SEQUENCE)?.reader();
    while !reader.is_empty() {
        let extension = tlv::next_extension(&mut reader)?;
        let oid = || tlv::oid_text(extension.oid);
        if !seen.insert(extension.oid) {
            return Err(CrlError::ExtensionTwice { oid: oid() });
        }
        let malformed = |_| CrlError::Extension { oid: oid() };
        if extension.oid == oid::AUTHORITY_KEY_IDENTIFIER.as_bytes() {
            let mut identifier = tlv::only(extension.value, tag::SEQUENCE).map_err(malformed)?.reader();
            let identifier = identifier.take_if(tag::context(0)).map_err(malformed)?;
            found.authority_key_identifier = identifier.map(|identifier| identifier.contents.into());
        } else if extension.oid == oid::CRL_NUMBER.as_bytes() {
            found.number = number(extension.value)?;
        } else if extension.oid == oid::DELTA_INDICATOR.as_bytes() {
            // Without its base a delta would be taken for a whole list.
            found.delta_base = Some(number(extension.value)?.ok_or(CrlError::Number)?);
        } else if extension.oid == oid::ISSUING_DISTRIBUTION_POINT.as_bytes() {
            issuing_distribution_point(extension.value, &mut found)?;
        } else if extension.oid == oid::FRESHEST.as_bytes() {
            found.freshest = distribution_points(extension.value).map_err(malformed)?;
        } else if extension.critical {
            return Err(CrlError::UnknownCritical { oid: oid() });
        }
    }
    Ok(found)
}

/// A number of a list; none for one that is beyond what is counted here. Others number in up to 20 octets (RFC 5280 section 5.2.3).
fn number(value: &[u8]) -> Result<Option<CrlNumber>, CrlError> {
    let octets = tlv::only(value, tag::INTEGER).and_then(|value| tlv::unsigned(value.contents)).map_err(|_| CrlError::Number)?;
    if octets.len() > NUMBER_OCTETS {
        return Err(CrlError::Number);
    }
    Ok(CrlNumber::from_octets(octets))
}

/// RFC 5280 section 5.2.5.
fn issuing_distribution_point(value: &[u8], found: &mut Extensions) -> Result<(), CrlError> {
    let malformed = |_| CrlError::Extension { oid: oid::ISSUING_DISTRIBUTION_POINT.to_string() };
    let mut reader = tlv::only(value, tag::SEQUENCE).map_err(malformed)?.reader();
    if let Some(name) = reader.take_if(tag::constructed(0)).map_err(malformed)? {
        found.distribution_point = full_name(name.reader()).map_err(malformed)?.ok_or(CrlError::Scope)?;
    }
    let mut flags = [false; 6];
    for number in 1..6 {
        if let Some(flag) = reader.take_if(tag::context(number)).map_err(malformed)? {
            // Which reasons are covered is no flag; that there is a choice among them is what matters.
            flags[usize::from(number)] = number == 3 || tlv::boolean(flag.contents).map_err(malformed)?;
        }
    }
    reader.end().map_err(malformed)?;
    let [_, end_entities, authorities, some_reasons, indirect, attributes] = flags;
    if indirect {
        return Err(CrlError::Indirect);
    }
    found.scope = match (end_entities, authorities) {
        _ if some_reasons || attributes => return Err(CrlError::Scope),
        (false, false) => CrlScope::All,
        (true, false) => CrlScope::EndEntities,
        (false, true) => CrlScope::Authorities,
        (true, true) => return Err(CrlError::Extension { oid: oid::ISSUING_DISTRIBUTION_POINT.to_string() }),
    };
    Ok(())
}

/// The URIs of `CRLDistributionPoints` (RFC 5280 section 4.2.1.13), which a freshestCRL is too. Other names are passed over.
pub(crate) fn distribution_points(value: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut points = tlv::only(value, tag::SEQUENCE)?.reader();
    let mut uris = Vec::new();
    while !points.is_empty() {
        let mut point = points.take(tag::SEQUENCE)?.reader();
        if let Some(name) = point.take_if(tag::constructed(0))? {
            uris.extend(full_name(name.reader())?.unwrap_or_default());
        }
    }
    Ok(uris)
}

/// The URIs of a DistributionPointName; none where it is no `fullName`.
fn full_name(mut reader: Reader<'_>) -> Result<Option<Vec<String>>, Malformed> {
    let name = reader.next()?;
    reader.end()?;
    if name.tag != tag::constructed(0) {
        return Ok(None);
    }
    let mut names = name.reader();
    let mut uris = Vec::new();
    while !names.is_empty() {
        let name = names.next()?;
        if name.tag == tag::context(super::URI) {
            let text = str::from_utf8(name.contents).ok().filter(|text| text.is_ascii()).ok_or(Malformed)?;
            uris.push(text.to_owned());
        }
    }
    Ok(Some(uris))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_up_to_20_octets_of_which_16_are_counted() {
        let number = |octets: usize| {
            let mut value = Vec::new();
            tlv::write_unsigned(&mut value, &vec![1; octets]);
            number(&value)
        };
        assert_eq!(number(16), Ok(Some(CrlNumber::new(u128::from_be_bytes([1; 16])))));
        assert_eq!([17, 20].map(number), [Ok(None), Ok(None)]);
        assert_eq!(number(21), Err(CrlError::Number));
    }
}
