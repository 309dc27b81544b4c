//! What cert-manager made of a spec is taken over as it is: no key changes, no certificate is issued again, nothing is written twice.

use chancery_pki::{KeyAlgorithm, Usage};
use proptest::prelude::*;
use serde_json::json;

use super::{NOON, minutes, seal, specs::asked};
use crate::plan::{
    forms,
    observed::Content,
    stage::{Desk, Office, Surroundings, cert_manager_key, cert_manager_template, certificate, pool, time},
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_cert_manager_made_is_taken_over_as_it_is(
        asked in asked(), own in any::<bool>(), forms in any::<[bool; 6]>(), modern in any::<bool>(),
    ) {
        let mut spec = asked.spec;
        // cert-manager has no such field.
        spec["pathLen"] = json!(null);
        let mut desk = Desk::new(certificate(spec.clone()));
        let Ok(wanted) = desk.wanted.clone() else { return Ok(()) };
        let (algorithm, encoding) = cert_manager_key(&wanted);
        let algorithm = if modern && wanted.signature.is_none() { wanted.key.unwrap_or(KeyAlgorithm::EcdsaP384) } else { algorithm };
        prop_assume!(!own || wanted.signature.is_none_or(|signature| signature.suits(algorithm)));
        let lists = [&wanted.subject_parts.organizations, &wanted.subject_parts.organizational_units, &wanted.subject_parts.localities,
            &wanted.subject_parts.provinces, &wanted.subject_parts.street_addresses, &wanted.subject_parts.postal_codes];
        // Go writes a value that stands there twice twice into a set, which we do not.
        let distinct = |list: &Vec<String>| list.iter().collect::<std::collections::BTreeSet<_>>().len() == list.len();
        prop_assume!(wanted.literal || (lists.into_iter().all(distinct) && distinct(&wanted.subject_parts.countries)));

        let office = Office::new("ca", (!own).then(|| seal(0, time("2036-01-01T00:00:00Z"))), json!({"allow": {"usages": Usage::ALL}}));
        let around = Surroundings::of(&office);
        let now = time(NOON);
        let key = pool(algorithm, 7);
        desk.find(&office, &cert_manager_template(&wanted, 7, now), key, encoding);
        let found = desk.secret.as_mut().unwrap();
        found.forms = forms::ALL.into_iter().zip(forms).filter(|(_, stands)| *stands).map(|(form, _)| (form, false)).collect();
        found.put_elsewhere = found.forms.keys().copied().collect();
        let theirs = found.annotations.clone();
        let (serial, key_id) = (desk.held_serial(), desk.leaf().unwrap().key_id());
        let signatures = office.signatures();

        let done = desk.reconcile(&around, None, now);
        prop_assert_eq!((done.issued.len(), done.secret_writes, done.status_writes), (0, 1, 1), "{:?}", desk.certificate.status);
        prop_assert_eq!((desk.held_serial(), office.signatures()), (serial, signatures));
        let Content::Pair { key, .. } = &desk.secret.as_ref().unwrap().content else { panic!() };
        prop_assert_eq!(key.key_id(), key_id);
        prop_assert_eq!(&desk.lines.last().unwrap().recorded.reason, "Found");
        prop_assert_eq!(desk.lines.len(), 1);
        let annotations = &desk.secret.as_ref().unwrap().annotations;
        prop_assert!(theirs.iter().all(|(name, value)| annotations.get(name) == Some(value)), "cert-manager would know it no more");
        desk.assert_quiet(&around, now);
        desk.through_the_api_server();
        desk.assert_quiet(&around, now);
        desk.secret.as_mut().unwrap().resource_version = "999".to_owned();
        let done = desk.reconcile(&around, None, now + minutes(1));
        prop_assert_eq!((done.issued.len(), done.secret_writes, done.status_writes), (0, 0, 1));
    }
}
