//! Lists, end to end within the crate: what goes in comes out, and what anyone may send does no harm.

use chancery_pki::{
    Crl, CrlError, CrlNumber, CrlScope, CrlTemplate, RANDOM_OCTETS, Reason, Revoked, SerialNumber, Usage, cross_check, sign_crl,
};
use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, option, prelude::*, sample};

use super::{AUTHORITY, any_second, authority, noon};

fn template() -> CrlTemplate {
    CrlTemplate {
        number: CrlNumber::new(1_795_000_000_000_000_000),
        this_update: noon(),
        next_update: noon() + SignedDuration::from_hours(168),
        distribution_point: Vec::new(),
        delta_base: None,
        freshest: Vec::new(),
    }
}

fn revoked(serial: u8, reason: Reason) -> Revoked {
    Revoked { serial: SerialNumber::issued(1, [serial; RANDOM_OCTETS]), time: noon(), reason, invalidity_date: None }
}

fn sign(template: &CrlTemplate, entries: &[Revoked]) -> Result<Vec<u8>, CrlError> {
    sign_crl(template, entries.iter(), &AUTHORITY.0, &AUTHORITY.1)
}

fn any_entry() -> impl Strategy<Value = Revoked> {
    (vec(any::<u8>(), 1..=20), any_second(), sample::select(Reason::ALL.to_vec()), option::of(any_second())).prop_map(
        |(mut serial, time, reason, invalidity_date)| {
            serial[0] &= 0x7f;
            Revoked { serial: SerialNumber::from_octets(&serial).unwrap(), time, reason, invalidity_date }
        },
    )
}

fn any_list() -> impl Strategy<Value = (CrlTemplate, Vec<Revoked>)> {
    let uris = || vec("http://[a-z]{1,9}\\.example/[a-z0-9/]{0,150}", 0..3);
    (any::<u128>(), 0_i64..253_402_207_200, 1_i64..1_000_000_000, uris(), option::of(any::<u128>()), uris(), vec(any_entry(), 0..40))
        .prop_map(|(number, begin, length, distribution_point, base, freshest, mut entries)| {
            if base.is_none() {
                entries.retain(|entry| entry.reason != Reason::RemoveFromCrl);
            }
            let template = CrlTemplate {
                number: CrlNumber::new(number),
                this_update: Timestamp::from_second(begin).unwrap(),
                next_update: Timestamp::from_second((begin + length).min(253_402_207_200)).unwrap(),
                distribution_point,
                delta_base: base.map(|base| CrlNumber::new(base.min(number))),
                freshest: if base.is_some() { Vec::new() } else { freshest },
            };
            (template, entries)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_list_reads_back_as_it_was_made((template, entries) in any_list()) {
        let der = sign(&template, &entries).unwrap();
        prop_assert_eq!(cross_check(&der, &AUTHORITY.0), Ok(entries.len()));
        let list = Crl::from_der(der).unwrap();
        prop_assert_eq!(list.issuer().as_der(), AUTHORITY.0.subject().as_der());
        prop_assert_eq!(list.authority_key_identifier(), AUTHORITY.0.subject_key_identifier());
        prop_assert_eq!(list.number(), Some(template.number));
        prop_assert_eq!((list.this_update(), list.next_update()), (template.this_update, Some(template.next_update)));
        prop_assert_eq!(list.distribution_point(), &template.distribution_point[..]);
        prop_assert_eq!(list.delta_base(), template.delta_base);
        prop_assert_eq!(list.freshest(), &template.freshest[..]);
        prop_assert_eq!((list.len(), list.is_empty(), list.scope()), (entries.len(), entries.is_empty(), CrlScope::All));
        prop_assert!(list.is_signed_by(AUTHORITY.1.public_key()));
        let read: Vec<_> = list.entries().map(Result::unwrap).collect();
        prop_assert_eq!(&read, &entries);
        for entry in &entries {
            let first = entries.iter().find(|other| other.serial == entry.serial);
            prop_assert_eq!(list.find(&entry.serial).unwrap(), first.cloned());
        }
        prop_assert_eq!(Crl::from_pem_or_der(list.to_pem().as_bytes()).unwrap(), list);
    }

    #[test]
    fn a_damaged_list_never_panics_and_is_never_taken_for_signed(
        (template, entries) in any_list(), position in any::<sample::Index>(), octet in any::<u8>(), cut in any::<sample::Index>()
    ) {
        let whole = sign(&template, &entries).unwrap();
        let mut octets = whole.clone();
        let position = position.index(octets.len());
        octets[position] = octet;
        let _ = Crl::from_der(&octets[..cut.index(octets.len())]);
        if let Ok(read) = Crl::from_der(octets.clone()) {
            prop_assert!(read.entries().all(|entry| entry.is_ok()));
            let _ = (format!("{read:?}"), read.find(&SerialNumber::issued(0, [0; RANDOM_OCTETS])), cross_check(&octets, &AUTHORITY.0));
            prop_assert!(octets == whole || !read.is_signed_by(AUTHORITY.1.public_key()));
        }
    }

    #[test]
    fn any_octets_never_panic(octets in vec(any::<u8>(), 0..200)) {
        let _ = Crl::from_der(octets.clone());
        let _ = Crl::from_pem_or_der(&octets);
        let _ = cross_check(&octets, &AUTHORITY.0);
    }
}

#[test]
fn an_unspecified_reason_is_left_out_and_so_is_an_empty_list_of_entries() {
    let bare = sign(&template(), &[revoked(1, Reason::Unspecified)]).unwrap();
    let reason = [0x06, 0x03, 0x55, 0x1d, 0x15];
    let has = |der: &[u8], needle: &[u8]| der.windows(needle.len()).any(|window| window == needle);
    assert!(!has(&bare, &reason));
    assert!(has(&sign(&template(), &[revoked(1, Reason::KeyCompromise)]).unwrap(), &reason));
    // The extensions follow the time of the next list at once.
    assert!(has(&sign(&template(), &[]).unwrap(), b"\x17\x0d260608120000Z\xa0"));
    // The date is a GeneralizedTime, also before 2050.
    let dated = Revoked { invalidity_date: Some(noon()), ..revoked(1, Reason::KeyCompromise) };
    assert!(has(&sign(&template(), &[dated]).unwrap(), b"\x18\x0f20260601120000Z"));
}

#[test]
fn dates_from_1970_on_can_be_read_by_others() {
    let dated = |time: Timestamp| Revoked { time: Timestamp::UNIX_EPOCH, invalidity_date: Some(time), ..revoked(1, Reason::KeyCompromise) };
    for time in [Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        assert_eq!(cross_check(&sign(&template(), &[dated(time)]).unwrap(), &AUTHORITY.0), Ok(1), "{time}");
    }
    let early = "1969-12-31T23:59:59Z".parse().unwrap();
    assert!(sign(&template(), &[dated(early)]).is_err());
}

#[test]
fn the_extensions_that_change_the_meaning_of_a_list_are_critical() {
    let scoped =
        CrlTemplate { distribution_point: vec!["http://a.example/1.crl".into()], delta_base: Some(CrlNumber::new(0)), ..template() };
    let der = sign(&scoped, &[]).unwrap();
    for (number, critical) in [(27, true), (28, true), (20, false), (35, false)] {
        let header = [0x06, 0x03, 0x55, 0x1d, number];
        let at = der.windows(header.len()).position(|window| window == header).unwrap() + header.len();
        assert_eq!(der[at..].starts_with(&[0x01, 0x01, 0xff]), critical, "2.5.29.{number}");
    }
}

#[test]
fn lists_that_may_not_be_are_refused() {
    let refused = |change: fn(&mut CrlTemplate)| {
        let mut wanted = template();
        change(&mut wanted);
        sign(&wanted, &[]).unwrap_err()
    };
    assert!(matches!(refused(|wanted| wanted.next_update = wanted.this_update), CrlError::NoValidity { .. }));
    assert!(matches!(refused(|wanted| wanted.this_update = "1969-12-31T23:59:59Z".parse().unwrap()), CrlError::TimeOutOfRange { .. }));
    assert!(matches!(refused(|wanted| wanted.distribution_point = vec!["no uri".into()]), CrlError::Uri(_)));
    assert!(matches!(refused(|wanted| wanted.freshest = vec![String::new()]), CrlError::Uri(_)));
    let above = |wanted: &mut CrlTemplate| wanted.delta_base = Some(CrlNumber::new(wanted.number.get() + 1));
    assert!(matches!(refused(above), CrlError::DeltaBase { .. }));
    let freshest = |wanted: &mut CrlTemplate| {
        wanted.delta_base = Some(CrlNumber::new(1));
        wanted.freshest = vec!["http://a.example/d".into()];
    };
    assert_eq!(refused(freshest), CrlError::FreshestInDelta);
    let removed = revoked(1, Reason::RemoveFromCrl);
    assert_eq!(sign(&template(), std::slice::from_ref(&removed)), Err(CrlError::RemoveFromFull { serial: removed.serial.clone() }));
    assert!(sign(&CrlTemplate { delta_base: Some(CrlNumber::new(1)), ..template() }, &[removed]).is_ok());
    let early = Revoked { time: "1969-01-01T00:00:00Z".parse().unwrap(), ..revoked(1, Reason::Superseded) };
    assert!(matches!(sign(&template(), &[early]), Err(CrlError::TimeOutOfRange { .. })));
}

#[test]
fn only_the_issuers_own_key_signs_and_only_if_it_may() {
    let (other, key) = authority(vec![Usage::CertSign]);
    let wrong = sign_crl(&template(), [].iter(), &AUTHORITY.0, &key).unwrap_err();
    assert_eq!(wrong, CrlError::WrongSigner { issuer: AUTHORITY.0.key_id(), signer: key.key_id() });
    let wrong = sign_crl(&template(), [].iter(), &other, &key).unwrap_err();
    assert!(matches!(&wrong, CrlError::MayNotSign { issuer } if issuer.contains("CN=Lists")), "{wrong}");
}

#[test]
fn a_list_by_another_is_found_out() {
    let (other, _) = authority(vec![Usage::CertSign, Usage::CrlSign]);
    let der = sign(&template(), &[revoked(1, Reason::Superseded)]).unwrap();
    assert!(!Crl::from_der(der.clone()).unwrap().is_signed_by(other.public_key()));
    for der in [der, sign(&CrlTemplate { delta_base: Some(CrlNumber::new(1)), ..template() }, &[]).unwrap()] {
        assert!(matches!(cross_check(&der, &other), Err(CrlError::CrossCheck { .. })));
        assert!(cross_check(&der, &AUTHORITY.0).is_ok());
    }
}

/// Replaces octets of a list that is no longer rightly signed then, which does not matter to the reader.
fn forged(template: &CrlTemplate, entries: &[Revoked], from: &[u8], to: &[u8]) -> Result<Crl, CrlError> {
    let mut der = sign(template, entries)?;
    let at = der.windows(from.len()).position(|window| window == from).unwrap_or_else(|| panic!("{from:02x?} is not there"));
    der[at..at + from.len()].copy_from_slice(to);
    Crl::from_der(der)
}

#[test]
fn what_is_critical_and_unknown_makes_the_whole_list_useless() {
    let scoped = CrlTemplate { distribution_point: vec!["http://a.example/1.crl".into()], ..template() };
    let entry = [revoked(1, Reason::KeyCompromise)];
    let unknown = forged(&scoped, &[], &[0x55, 0x1d, 28], &[0x55, 0x1d, 99]).unwrap_err();
    assert_eq!(unknown, CrlError::UnknownCritical { oid: "2.5.29.99".into() });
    // The same extension in an entry, where it is not critical, is passed over.
    let passed_over = forged(&scoped, &entry, &[0x55, 0x1d, 21], &[0x55, 0x1d, 99]).unwrap();
    assert_eq!(passed_over.entries().next().unwrap().unwrap().reason, Reason::Unspecified);
    assert_eq!(forged(&scoped, &entry, &[0x55, 0x1d, 21], &[0x55, 0x1d, 29]), Err(CrlError::Indirect));
    assert_eq!(forged(&scoped, &entry, &[0x0a, 0x01, 0x01], &[0x0a, 0x01, 0x07]), Err(CrlError::Reason));
    assert_eq!(forged(&scoped, &entry, &[0x55, 0x1d, 20], &[0x55, 0x1d, 35]), Err(CrlError::ExtensionTwice { oid: "2.5.29.35".into() }));
    // The version, without which there are no extensions.
    assert_eq!(forged(&scoped, &entry, &[0x02, 0x01, 0x01], &[0x02, 0x01, 0x02]), Err(CrlError::Version));
}

#[test]
fn a_list_with_a_longer_number_than_is_counted_here_is_read_without_it() {
    let last = CrlTemplate { number: CrlNumber::new(u128::MAX), ..template() };
    let [mut counted, mut beyond] = [[0xff; 19]; 2];
    counted[..3].copy_from_slice(&[0x02, 0x11, 0x00]);
    beyond[..3].copy_from_slice(&[0x02, 0x11, 0x01]);
    let list = forged(&last, &[revoked(1, Reason::KeyCompromise)], &counted, &beyond).unwrap();
    assert_eq!((list.number(), list.len()), (None, 1));
    // Without its base a delta would look like a whole list.
    let delta = CrlTemplate { delta_base: Some(last.number), ..last };
    let base = |number: &[u8]| [&[0x55, 0x1d, 27, 0x01, 0x01, 0xff, 0x04, 0x13], number].concat();
    assert_eq!(forged(&delta, &[], &base(&counted), &base(&beyond)), Err(CrlError::Number));
}

#[test]
fn texts_that_are_no_list_are_told_apart() {
    let list = Crl::from_der(sign(&template(), &[]).unwrap()).unwrap();
    let read = |text: String| Crl::from_pem_or_der(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(read(String::new()), "there must be one list in PEM form, not 0");
    assert_eq!(read(list.to_pem().repeat(2)), "there must be one list in PEM form, not 2");
    assert_eq!(read(AUTHORITY.0.to_pem()), "the PEM block is a \"CERTIFICATE\", not an X509 CRL");
    let mut trailing = list.as_der().to_vec();
    trailing.push(0);
    assert_eq!(Crl::from_pem_or_der(&trailing), Err(CrlError::Trailing { octets: 1 }));
    assert!(Crl::from_der(AUTHORITY.0.as_der()).is_err());
}
