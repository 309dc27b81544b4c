//! How a chain is put in order, and what stands under an authority.
//!
//! One case at a time; what the certificates say is in `certificate`.

use chancery_pki::{Chain, ChainError, KeyAlgorithm, PrivateKey, issue, self_sign, verify_leaf};

use super::{AUTHORITY, Authority, LEAF_KEY, at, authority, ca_template, issue_leaf, p256, template};

#[test]
fn a_bundle_is_put_in_order_and_what_is_foreign_is_named() {
    let Authority { root, intermediate, .. } = &*AUTHORITY;
    let leaf = issue_leaf(&template("leaf")).unwrap();
    let bundle = vec![leaf.clone(), root.clone(), intermediate.clone(), root.clone(), leaf.clone()];
    let chain = Chain::order(bundle).unwrap();
    assert_eq!(chain.certificates(), [leaf.clone(), intermediate.clone(), root.clone()]);
    assert_eq!((chain.leaf(), chain.root()), (&leaf, Some(root)));
    assert_eq!(chain.without_root(), [leaf.clone(), intermediate.clone()]);
    assert_eq!((chain.not_before(), chain.not_after()), (leaf.not_before(), leaf.not_after()));

    let partial = Chain::order(vec![leaf.clone(), intermediate.clone()]).unwrap();
    assert_eq!((partial.root(), partial.without_root().len()), (None, 2));

    let stranger = self_sign(&ca_template("stranger", None), &p256()).unwrap();
    let error = Chain::order(vec![leaf.clone(), stranger.clone(), intermediate.clone()]).unwrap_err();
    assert!(matches!(&error, ChainError::Unrelated { subject, .. } if subject == "CN=stranger"), "{error}");
    // The same name, and another key.
    let twin = self_sign(&ca_template("intermediate", None), &p256()).unwrap();
    assert!(matches!(Chain::order(vec![leaf.clone(), twin]), Err(ChainError::Unrelated { .. })));
    assert_eq!(Chain::order(Vec::new()), Err(ChainError::Empty));
    assert!(matches!(Chain::order(vec![leaf; 17]), Err(ChainError::TooLong { .. })));
}

#[test]
fn a_cross_signed_root_takes_the_place_where_the_chain_goes_on() {
    let (old_key, new_key) = (p256(), p256());
    let old = self_sign(&ca_template("old root", None), &old_key).unwrap();
    let new = self_sign(&ca_template("new root", None), &new_key).unwrap();
    let cross = issue(&ca_template("new root", None), new_key.public_key(), &old, &old_key).unwrap();
    let leaf = issue(&template("leaf"), LEAF_KEY.public_key(), &new, &new_key).unwrap();
    let all = Chain::order(vec![leaf.clone(), new.clone(), cross.clone(), old.clone()]).unwrap();
    assert_eq!(all.certificates(), [leaf.clone(), cross.clone(), old]);
    let without_old = Chain::order(vec![leaf.clone(), cross, new.clone()]).unwrap();
    assert_eq!(without_old.certificates(), [leaf, new]);
}

#[test]
fn path_lengths_are_counted_down_the_chain() {
    let now = at("2026-06-01T00:00:00Z");
    for (root, intermediate, left) in
        [(None, None, None), (None, Some(0), Some(0)), (Some(3), None, Some(2)), (Some(1), Some(5), Some(0)), (Some(255), Some(4), Some(4))]
    {
        let made = authority(root, intermediate);
        assert_eq!(made.chain.path_len_left(), left, "{root:?} {intermediate:?}");
        assert_eq!(made.chain.verify_authority(now), Ok(()));
    }
    let made = authority(Some(0xff), Some(1));
    let (low_key, lower_key) = (p256(), p256());
    let low = issue(&ca_template("low", None), low_key.public_key(), &made.intermediate, &made.key).unwrap();
    let lower = issue(&ca_template("lower", None), lower_key.public_key(), &low, &low_key).unwrap();
    let chain = Chain::order(vec![lower, low.clone(), made.intermediate, made.root]).unwrap();
    assert_eq!(chain.verify_authority(now), Err(ChainError::PathLength { subject: "CN=intermediate".into() }));
    assert_eq!(chain.path_len_left(), Some(0));
    let leaf = issue(&template("leaf"), LEAF_KEY.public_key(), chain.leaf(), &lower_key).unwrap();
    assert!(matches!(verify_leaf(&leaf, &chain, now), Err(ChainError::PathLength { .. })));
}

#[test]
fn what_does_not_stand_under_an_authority_is_told_apart() {
    let now = at("2026-06-01T00:00:00Z");
    let leaf = issue_leaf(&template("leaf")).unwrap();
    assert_eq!(verify_leaf(&leaf, &AUTHORITY.chain, now), Ok(()));
    let partial = Chain::order(vec![AUTHORITY.intermediate.clone()]).unwrap();
    assert_eq!(verify_leaf(&leaf, &partial, now), Ok(()));

    let other = authority(None, None);
    assert!(matches!(verify_leaf(&leaf, &other.chain, now), Err(ChainError::Signature { .. })));
    let root_only = Chain::order(vec![AUTHORITY.root.clone()]).unwrap();
    assert!(matches!(verify_leaf(&leaf, &root_only, now), Err(ChainError::OtherIssuer { .. })));
    assert!(matches!(verify_leaf(&leaf, &AUTHORITY.chain, at("2025-06-01T00:00:00Z")), Err(ChainError::NotYetValid { .. })));
    assert!(matches!(verify_leaf(&leaf, &AUTHORITY.chain, at("2027-01-01T00:00:01Z")), Err(ChainError::Ended { .. })));
    let below_leaf = Chain::order(vec![leaf]).unwrap();
    assert_eq!(below_leaf.verify_authority(now), Err(ChainError::NotCa { subject: "CN=leaf".into() }));
    assert!(matches!(AUTHORITY.chain.verify_authority(at("2036-01-01T00:00:00Z")), Err(ChainError::Ended { .. })));
}

#[test]
fn a_cas_certificate_is_verified_too_and_so_is_a_self_signed_leaf() {
    let now = at("2026-06-01T00:00:00Z");
    let root = Chain::order(vec![AUTHORITY.root.clone()]).unwrap();
    assert_eq!(verify_leaf(&AUTHORITY.intermediate, &root, now), Ok(()));
    let own = self_sign(&template("own"), &*LEAF_KEY).unwrap();
    let chain = Chain::order(vec![own.clone()]).unwrap();
    assert_eq!(verify_leaf(&own, &chain, now), Ok(()));
    assert_eq!(chain.verify_authority(now), Err(ChainError::NotCa { subject: "CN=own".into() }));
}

#[test]
fn a_chain_of_every_kind_of_key_stands() {
    let now = at("2026-06-01T00:00:00Z");
    let kinds = [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::EcdsaP521,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::Rsa { bits: 2048 },
    ];
    for algorithm in kinds {
        let key = PrivateKey::generate(algorithm).unwrap();
        let root = self_sign(&ca_template("root", None), &key).unwrap();
        let leaf = issue(&template("leaf"), key.public_key(), &root, &key).unwrap();
        assert_eq!(leaf.public_key().algorithm(), Some(algorithm));
        let chain = Chain::order(vec![root]).unwrap();
        assert_eq!(verify_leaf(&leaf, &chain, now), Ok(()), "{algorithm}");
    }
}
