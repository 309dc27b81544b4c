//! Decisions on lists, case by case.

use chancery_pki::{
    CaConstraints, Crl, KeyAlgorithm, Name, PrivateKey, RANDOM_OCTETS, SerialNumber, SubjectParts, Template, Usage, self_sign,
};

use super::*;
use crate::{
    lists::{Building, Knows, ListEntry, build},
    register::Position,
};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + 60 * minutes).unwrap()
}

fn settings() -> Settings {
    Settings {
        validity: HOUR * 168,
        refresh: HOUR * 24,
        delta: None,
        shards: 1,
        base_url: Some("http://pki.example.org".to_owned()),
        ocsp: None,
        grace: MINUTE * 10,
        debounce: MINUTE,
        max_automatic: 500,
    }
}

/// An authority, and what it has published.
struct Case {
    key: PrivateKey,
    chain: Vec<Certificate>,
    settings: Settings,
    published: Option<Published>,
    surveys: BTreeMap<u16, Survey>,
    budget: ByteBudget,
    status: Option<Noted>,
    stands: [Stands; 2],
    confirmed: bool,
    winding_down: bool,
    last_not_after: Option<Timestamp>,
    last_number: Option<CrlNumber>,
}

impl Case {
    fn new() -> Self {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let subject = SubjectParts { common_name: Some("Decided CA".to_owned()), ..SubjectParts::default() };
        let template = Template {
            usages: vec![Usage::CertSign, Usage::CrlSign],
            ca: Some(CaConstraints::default()),
            ..Template::new(
                SerialNumber::issued(0, [1; RANDOM_OCTETS]),
                Name::from_parts(&subject).unwrap(),
                Timestamp::UNIX_EPOCH,
                at(60 * 24 * 3650),
            )
        };
        let chain = vec![self_sign(&template, &key).unwrap()];
        Self {
            key,
            chain,
            settings: settings(),
            published: None,
            surveys: BTreeMap::new(),
            budget: ByteBudget::default(),
            status: None,
            stands: [Stands::Yes; 2],
            confirmed: false,
            winding_down: false,
            last_not_after: None,
            last_number: None,
        }
    }

    fn decide(&self, now: Timestamp) -> PublicationPlan {
        let head = self.published.as_ref().map(|published| &published.head);
        let settings = effective(Some(&self.settings), head).unwrap();
        let observed = ObservedPublication {
            settings: Some(&settings),
            list: None,
            winding_down: self.winding_down,
            chain: &self.chain,
            published: self.published.as_ref(),
            surveys: &self.surveys,
            last_number: self.last_number,
            last_not_after: self.last_not_after,
            status: self.status,
            stands: self.stands,
            confirmed: self.confirmed,
            obstacle: None,
            budget: &self.budget,
        };
        decide(&observed, now)
    }

    fn edition(&self, now: Timestamp) -> Edition {
        match self.decide(now) {
            PublicationPlan::Publish(edition) => *edition,
            other => panic!("nothing is published: {other:?}"),
        }
    }

    /// Publishes what is due, as the controller does.
    fn publish(&mut self, now: Timestamp, entries: &[ListEntry]) -> Edition {
        let edition = self.edition(now);
        let from = Building {
            authority: self.chain[0].key_id(),
            chain: &self.chain,
            signer: &self.key,
            previous: self.published.as_ref(),
            register: &Position::start,
            entries: &|shard| if shard == 0 { entries.to_vec() } else { Vec::new() },
            knows: &|_| Knows::Nothing,
        };
        let built = build(&edition, &from).unwrap();
        self.published = Some(Published { head: built.head, lists: built.lists, damaged: built.damaged });
        edition
    }

    fn head(&self) -> &Head {
        &self.published.as_ref().unwrap().head
    }

    fn full(&self, shard: u16) -> &Crl {
        &self.published.as_ref().unwrap().lists[&shard].full
    }

    fn due(&mut self, due: usize) {
        self.surveys = BTreeMap::from([(0, Survey { due, ..Survey::default() })]);
    }
}

#[test]
fn an_empty_list_is_published_at_once_backdated_and_then_daily() {
    let mut case = Case::new();
    let edition = case.publish(at(0), &[]);
    assert_eq!((edition.this_update, edition.next_update()), (at(-5), at(-5).saturating_add(HOUR * 168).unwrap()));
    assert_eq!(edition.number.get(), u128::try_from(at(0).as_nanosecond()).unwrap());
    assert_eq!(case.decide(at(1)), PublicationPlan::Nothing { wake: Some(at(24 * 60)) });
    assert_eq!(case.publish(at(24 * 60), &[]).shards, BTreeSet::from([0]));
}

#[test]
fn what_is_due_is_published_once_the_time_between_two_lists_has_passed() {
    let mut case = Case::new();
    case.publish(at(0), &[]);
    case.due(1);
    let soon = at(0).saturating_add(SignedDuration::from_secs(30)).unwrap();
    assert_eq!(case.decide(soon), PublicationPlan::Later { why: Delay::Debounce, wake: at(1) });
    assert_eq!(case.edition(at(1)).shards, BTreeSet::from([0]));
}

#[test]
fn a_spent_budget_makes_the_next_list_wait() {
    let mut case = Case::new();
    case.publish(at(0), &[]);
    case.due(1);
    case.budget.spend(21 * 1024 * 1024, at(2));
    let PublicationPlan::Later { why: Delay::Budget, wake } = case.decide(at(2)) else { panic!("it does not wait") };
    assert!(wake > at(2) && wake < at(3));
}

#[test]
fn a_planned_revocation_wakes_when_it_is_to_be_published() {
    let mut case = Case::new();
    case.publish(at(0), &[]);
    case.surveys = BTreeMap::from([(0, Survey { waiting: 1, next_from: Some(at(10)), ..Survey::default() })]);
    assert_eq!(case.decide(at(2)), PublicationPlan::Nothing { wake: Some(at(10)) });
}

#[test]
fn a_released_certificate_makes_a_new_list() {
    let mut case = Case::new();
    case.publish(at(0), &[]);
    case.published.as_mut().unwrap().head.shards.get_mut(&0).unwrap().live = 1;
    assert_eq!(case.edition(at(2)).shards, BTreeSet::from([0]), "the register has one less than the list had");
}

#[test]
fn a_damaged_shard_is_made_anew_and_the_others_stay() {
    let mut case = Case::new();
    case.settings.shards = 3;
    case.publish(at(0), &[]);
    case.published.as_mut().unwrap().damaged.insert(1, "its chunk is missing".to_owned());
    assert_eq!(case.edition(at(2)).shards, BTreeSet::from([1]));
}

#[test]
fn the_number_of_shards_grows_and_never_falls() {
    let mut case = Case::new();
    case.publish(at(0), &[]);
    assert!(case.full(0).distribution_point().is_empty());
    case.settings.shards = 3;
    assert_eq!(case.publish(at(2), &[]).shards.len(), 3);
    let key = case.chain[0].key_id();
    assert_eq!(case.full(2).distribution_point(), [format!("http://pki.example.org/crl/{key}/2.crl")]);
    case.settings.shards = 1;
    assert_eq!(case.decide(at(4)), PublicationPlan::Nothing { wake: Some(at(24 * 60 + 2)) });
}

#[test]
fn lists_that_move_to_another_url_are_known_by_the_old_one_too() {
    let mut case = Case::new();
    case.settings.shards = 2;
    case.publish(at(0), &[]);
    case.settings.base_url = Some("http://crl.example.org".to_owned());
    case.publish(at(2), &[]);
    let points = case.full(1).distribution_point();
    assert!(points[0].starts_with("http://crl.example.org/") && points[1].starts_with("http://pki.example.org/"), "{points:?}");
    for change in 0..7 {
        case.settings.base_url = Some(format!("http://{change}.example.org"));
        case.publish(at(4 + 2 * change), &[]);
    }
    case.settings.base_url = Some("http://one-too-many.example.org".to_owned());
    assert!(matches!(case.decide(at(60)), PublicationPlan::Blocked { obstacle: Obstacle::TooManyUrls, .. }));
}

#[test]
fn what_no_list_says_changes_the_head_alone() {
    let mut case = Case::new();
    case.publish(at(0), &[]);
    case.settings.ocsp = Some(HOUR);
    let number = case.head().number;
    assert!(case.publish(at(2), &[]).is_head_only());
    assert_eq!((case.head().number, case.head().settings.ocsp), (number, Some(HOUR)));
}

#[test]
fn a_number_is_above_all_that_were_given_out_whatever_the_clock_says() {
    let mut case = Case::new();
    case.publish(at(0), &[]);
    case.due(1);
    let high = CrlNumber::new(case.head().number.get() + 7);
    case.last_number = Some(high);
    assert_eq!(case.edition(at(-2)).number.get(), high.get() + 1);
    case.status = Some(Noted { number: CrlNumber::new(high.get() + 5), this_update: at(-5) });
    assert_eq!(case.edition(at(-2)).number.get(), high.get() + 6);
}

#[test]
fn this_update_does_not_go_back_with_the_clock_and_waits_where_it_would_lie_ahead() {
    let mut case = Case::new();
    case.publish(at(0), &[]);
    case.due(1);
    assert_eq!(case.edition(at(-2)).this_update, at(-5).saturating_add(SECOND).unwrap());
    let blocked = case.decide(at(-30));
    assert!(matches!(blocked, PublicationPlan::Blocked { obstacle: Obstacle::AheadOfClock { .. }, .. }), "{blocked:?}");
    case.confirmed = true;
    assert_eq!(case.edition(at(-30)).this_update, at(-35));
}

#[test]
fn a_register_that_went_back_stops_all_until_it_is_confirmed_and_then_every_list_is_made() {
    let mut case = Case::new();
    case.publish(at(0), &[]);
    case.stands = [Stands::Yes, Stands::No];
    assert!(matches!(case.decide(at(2)), PublicationPlan::Blocked { obstacle: Obstacle::RolledBack { .. }, .. }));
    case.confirmed = true;
    let edition = case.edition(at(2));
    assert!(edition.confirmed && edition.shards.contains(&0));
    case.stands = [Stands::Unknown; 2];
    assert_eq!(case.decide(at(2)), PublicationPlan::Nothing { wake: Some(at(24 * 60)) }, "nothing is confirmed that nobody asked");
}

#[test]
fn a_delta_is_made_by_its_own_time_and_says_nothing_of_lists_that_nobody_knows() {
    let mut case = Case::new();
    case.settings.delta = Some(HOUR);
    case.publish(at(0), &[]);
    let edition = case.publish(at(60), &[]);
    assert_eq!((edition.deltas, edition.shards.len()), (BTreeSet::from([0]), 0));
    case.last_number = Some(CrlNumber::new(edition.number.get() + 1));
    let edition = case.publish(at(120), &[]);
    assert!(edition.gap && edition.shards.contains(&0));
    let delta = case.published.as_ref().unwrap().lists[&0].delta.clone().unwrap();
    assert_eq!(delta.delta_base(), delta.number());
}

#[test]
fn an_authority_that_winds_down_makes_one_list_after_its_last_certificate_and_ends_with_it() {
    let mut case = Case::new();
    case.publish(at(0), &[]);
    case.winding_down = true;
    case.last_not_after = Some(at(100));
    assert_eq!(case.decide(at(50)), PublicationPlan::Nothing { wake: Some(at(105).saturating_add(SECOND).unwrap()) });
    let edition = case.publish(at(106), &[]);
    assert!(edition.this_update > at(100));
    let end = edition.next_update();
    assert_eq!(case.decide(at(60 * 48)), PublicationPlan::Nothing { wake: Some(end) }, "it is not refreshed");
    assert_eq!(case.decide(end), PublicationPlan::End);
}
