//! What befalls the world: what people, authorities and clocks do, and what that changes.
//!
//! When something happens is drawn in `fate`; what the operator makes of it is not known here.

use chancery_pki::Reason;
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{audit::Audit, world::World};
use crate::{
    api::{Certificate, RevocationSpec, TENANT_REASONS, names, reason},
    plan::{renewal::add, stage::Seal},
    register::{Revocation, Standing},
};

/// What happens at a moment.
#[derive(Debug)]
pub(super) enum Event {
    /// A Certificate is looked at, unless that was wished before something else was.
    Look(usize, u64),
    /// A certificate of this serial ends.
    End(usize, chancery_pki::SerialNumber),
    /// An issuer says that it cannot sign.
    Close(usize),
    /// An issuer fails, and says nothing.
    Fail(usize),
    /// An issuer signs again.
    Recover(usize),
    /// An issuer's chain has ended.
    Ended(usize),
    /// An issuer has another certificate.
    Reseal(usize, Box<Seal>),
    /// The operator's clock is off by so much.
    Clock(SignedDuration),
    /// The operator ends.
    Stop,
    /// The operator starts.
    Start,
    /// Somebody changes the names.
    Names(usize),
    /// Somebody changes the duration.
    Duration(usize),
    /// Somebody asks for a new certificate.
    Renew(usize),
    /// Somebody deletes the Secret.
    Delete(usize),
    /// Somebody changes the labels.
    Template(usize),
    /// Somebody names another issuer.
    Move(usize),
    /// Somebody asks for what was issued so far to be revoked.
    Revoke(usize),
    /// The authority's owner revokes the certificate.
    Convict(usize),
    /// The authority's owner puts it on hold.
    Hold(usize),
    /// And releases it.
    Release(usize),
}

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Look(desk, wish) => {
                if self.runs && self.desks[desk].wish == wish {
                    self.look(desk);
                }
            }
            Event::End(desk, serial) => Audit::ended(self, desk, &serial),
            Event::Close(office) => {
                self.offices[office].close(reason::issuer::CHAIN_INVALID, "the Secret is being repaired");
                self.changed(office);
            }
            Event::Fail(office) => self.offices[office].fails = true,
            Event::Recover(office) => {
                let failed = std::mem::take(&mut self.offices[office].fails);
                if !failed || self.offices[office].view.backing.is_err() {
                    self.judge(office);
                }
            }
            Event::Ended(office) => self.judge(office),
            Event::Reseal(office, seal) => {
                let open = self.offices[office].view.backing.is_ok();
                let ended = self.offices[office].seal.as_ref().is_some_and(|seal| seal.view.chain.not_after() < self.now);
                self.offices[office].reseal(*seal);
                if !open && !ended {
                    self.offices[office].close(reason::issuer::CHAIN_INVALID, "the Secret is being repaired");
                }
                self.ends(office);
                self.changed(office);
            }
            Event::Clock(off) => {
                self.audit.jumped(self.now, off - self.off);
                self.off = off;
                for desk in 0..self.desks.len() {
                    self.wish(desk);
                }
            }
            Event::Stop => self.stop(),
            Event::Start => self.start(),
            Event::Names(desk) => {
                let name = format!("web-{}.example", self.now.as_second());
                self.edit(desk, |certificate| certificate.spec.dns_names = vec![name]);
            }
            Event::Duration(desk) => {
                let days = self.chance.between(30, 700);
                let duration = format!("{}h", days * 24).parse().unwrap();
                self.edit(desk, |certificate| {
                    certificate.spec.duration = Some(duration);
                    certificate.spec.renew_before = None;
                });
            }
            Event::Renew(desk) => {
                let value = self.now.to_string();
                self.edit(desk, |certificate| {
                    certificate.metadata.annotations.get_or_insert_default().insert(names::RENEW.to_owned(), value);
                });
            }
            Event::Delete(desk) => {
                self.desks[desk].desk.secret = None;
                self.audit.count(desk, reason::certificate::SECRET_MISSING);
                self.soon(desk);
            }
            Event::Template(desk) => {
                let value = self.now.as_second().to_string();
                self.edit(desk, |certificate| {
                    let template = certificate.spec.secret_template.get_or_insert_default();
                    template.labels = [("changed".to_owned(), value)].into();
                });
            }
            Event::Move(desk) => {
                let office = (self.desks[desk].office + 1) % self.offices.len();
                let name = self.offices[office].view.key.name.clone();
                self.desks[desk].office = office;
                self.edit(desk, |certificate| {
                    certificate.spec.issuer_ref.name = name;
                    certificate.spec.is_ca = false;
                });
            }
            Event::Revoke(desk) => {
                // Half of them with a time that is yet to come, which must not act again.
                let ahead = if self.chance.one_in(2) { SignedDuration::ZERO } else { SignedDuration::from_hours(24 * 400) };
                let before = Time(add(self.clock(), ahead));
                let reason = TENANT_REASONS[usize::try_from(self.chance.between(0, 5)).unwrap()];
                self.edit(desk, |certificate| {
                    certificate.spec.revocation =
                        Some(RevocationSpec { issued_before: before, reason: Some(reason), invalidity_date: None });
                });
                self.audit.ordered(desk);
            }
            Event::Convict(desk) => self.stand(desk, Standing::Revoked, Reason::PrivilegeWithdrawn),
            Event::Hold(desk) => self.stand(desk, Standing::Held, Reason::CertificateHold),
            Event::Release(desk) => self.stand(desk, Standing::Released, Reason::RemoveFromCrl),
        }
        Audit::note(self);
    }

    fn edit(&mut self, desk: usize, change: impl FnOnce(&mut Certificate)) {
        self.desks[desk].desk.edit(change);
        self.desks[desk].since = self.now;
        self.audit.edited(desk);
        self.soon(desk);
    }

    /// The owner of an authority says how a certificate of it stands.
    fn stand(&mut self, desk: usize, standing: fn(Box<Revocation>) -> Standing, reason: Reason) {
        let now = self.clock();
        let place = &mut self.desks[desk];
        let Some(line) = place.desk.current().filter(|line| line.authority.is_some()) else {
            return;
        };
        let held = matches!(line.standing, Standing::Held(_));
        let may = if reason == Reason::RemoveFromCrl { held } else { line.standing.is_good() || held };
        if may {
            place.desk.stand(standing, reason, now);
            place.since = self.now;
            self.audit.count(desk, reason::certificate::REVOKED);
            self.soon(desk);
        }
    }
}
