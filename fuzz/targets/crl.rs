//! A list that is read back or imported: what is read is whole, and as long as webpki finds it where that reads it too.
#![no_main]

use chancery_pki::Crl;
use webpki::BorrowedCertRevocationList;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let Ok(list) = Crl::from_pem_or_der(octets) else { return };
    let entries: Result<Vec<_>, _> = list.entries().collect();
    let entries = entries.expect("a list that was read has entries that can be read");
    assert_eq!(entries.len(), list.len());
    for entry in entries.iter().take(16) {
        let first = entries.iter().find(|other| other.serial == entry.serial);
        assert_eq!(list.find(&entry.serial).expect("it was read").as_ref(), first);
    }
    if let Ok(theirs) = BorrowedCertRevocationList::from_der(list.as_der())
        && let Ok(theirs) = theirs.into_iter().collect::<Result<Vec<_>, _>>()
    {
        assert_eq!(theirs.len(), list.len());
        for (theirs, ours) in theirs.iter().zip(&entries) {
            let significant = theirs.serial_number.iter().position(|octet| *octet != 0).unwrap_or(theirs.serial_number.len() - 1);
            assert_eq!(&theirs.serial_number[significant..], ours.serial.as_octets());
            assert_eq!(i64::try_from(theirs.revocation_date.as_secs()).ok(), Some(ours.time.as_second()));
        }
    }
    assert_eq!(Crl::from_pem_or_der(list.to_pem().as_bytes()).as_ref(), Ok(&list));
});
