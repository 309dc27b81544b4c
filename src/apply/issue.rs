//! The making of one certificate: key, register, signature, a look at what came back, and one write of the Secret.
//!
//! The register's line stands before the signature is made. A process that dies in between leaves a line without a
//! certificate, which harms nobody; never a certificate without a line.

use std::sync::Arc;

use chancery_pki::{Certificate as X509, Chain, KeyAlgorithm, PrivateKey, RANDOM_OCTETS, SerialNumber, Template, rehearse, verify_leaf};
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use tracing::{Instrument as _, debug_span};
use zeroize::Zeroizing;

use super::{ACTOR, Context, Fault, authority, blocking, failed};
use crate::{
    api::{Wanted, names, reason},
    issuers::{Entry, Issuer},
    lists::shard_of,
    observe::{Bundle, FormError, Name, SecretSight, Sight, Wiped, ca_crl},
    plan::{
        Issue, KeySource,
        dress::{self, Around, Dress, Lists, Record},
        observed::{AuthorityView, Backing, Content},
        status::Failure,
    },
    register::{Act, Entry as Line, Register as _, RegisterId},
};

/// Issues a certificate and writes it with its key into the Secret, which is returned as the API server has it now.
pub(super) async fn issue(context: &Context, sight: &Sight, issue: &Issue, now: Timestamp) -> Result<(Wiped, SerialNumber), Fault> {
    let (Ok(wanted), Some(issuer)) = (&sight.wanted, &sight.issuer) else {
        return Err(Fault::Stale);
    };
    let authority = authority_of(issuer);
    let key = key(context, sight, issue).instrument(debug_span!("key")).await?;
    let signer = issuer.signer.clone().ok_or(Fault::Stale)?;
    let template = signer.complete(template(context, wanted, issue, authority)?);
    rehearsed(&signer, &template, &key, issue.key == KeySource::New).instrument(debug_span!("rehearse")).await?;
    // Also a key that is kept may have none: a leaf's before, or taken over.
    if wanted.is_ca && !authority::has_copy(context, &key.public_key().key_id()) {
        authority::keep(context, sight, &key).await?;
    }
    let register = authority.map_or(RegisterId::Common, |authority| RegisterId::Authority(authority.key_id));
    let recorded = record(context, sight, issue, &template, &key, register).await;
    recorded?;
    let made = sign(signer, authority, template.clone(), Arc::clone(&key), now).instrument(debug_span!("sign")).await;
    let written = match made {
        Ok(certificate) => {
            let writing = write(context, sight, wanted, issue, authority, &certificate, &key, now);
            writing.instrument(debug_span!("write Secret")).await
        }
        Err(fault) => Err(fault),
    };
    match written {
        Ok(secret) => Ok((secret, template.serial)),
        Err(fault) => {
            void(context, sight, &template.serial, register, &fault).await;
            Err(fault)
        }
    }
}

fn authority_of(issuer: &Entry) -> Option<&AuthorityView> {
    match &issuer.view.backing {
        Ok(Backing::Authority(authority)) => Some(authority),
        Ok(Backing::SelfSigned) | Err(_) => None,
    }
}

async fn key(context: &Context, sight: &Sight, issue: &Issue) -> Result<Arc<PrivateKey>, Fault> {
    match issue.key {
        KeySource::Copy(key_id) => authority::restore(context, &key_id).await.map(Arc::new),
        KeySource::Keep => match &sight.secret {
            SecretSight::Read(read, _) => match &read.content {
                Content::Pair { key, .. } => Ok(Arc::clone(key)),
                _ => Err(Fault::Stale),
            },
            _ => Err(Fault::Stale),
        },
        KeySource::New => new_key(context, &sight.name, issue.resolved.key).await,
    }
}

/// A key that was just made for a Certificate.
pub(super) async fn new_key(context: &Context, name: &Name, algorithm: KeyAlgorithm) -> Result<Arc<PrivateKey>, Fault> {
    let made = if algorithm.is_rsa() {
        context.rsa.take(name, algorithm).ok_or(Fault::KeyPending)?
    } else {
        blocking(move || PrivateKey::generate(algorithm)).await?
    };
    made.map(Arc::new).map_err(|error| failed(format!("no key could be made: {error}")))
}

/// What is signed: under a new serial, with the places where its authority's list, answers and certificate are served. The issuer
/// puts those of its own spec before them.
fn template(context: &Context, wanted: &Wanted, issue: &Issue, authority: Option<&AuthorityView>) -> Result<Template, Fault> {
    let Some(coverage) = authority.and_then(|authority| context.world.lists.coverage(&authority.key_id)) else {
        return Ok(issue.template(wanted, serial(1)?));
    };
    let template = issue.template(wanted, serial(coverage.shards())?);
    let urls = coverage.urls(shard_of(&template.serial, coverage.shards()));
    Ok(Template {
        crl_distribution_points: urls.lists,
        freshest_crls: urls.deltas,
        ocsp_servers: urls.ocsp,
        issuing_certificate_urls: urls.issuers,
        ..template
    })
}

/// A new serial, in one of so many parts of its authority's list.
pub(super) fn serial(shards: u16) -> Result<SerialNumber, Fault> {
    let mut random = [0_u8; RANDOM_OCTETS];
    let mut draw = [0_u8; 4];
    let filled = aws_lc_rs::rand::fill(&mut random).and_then(|()| aws_lc_rs::rand::fill(&mut draw));
    filled.map_err(|_| failed("the system gives no random bits".to_owned()))?;
    let shard = u16::try_from(u32::from_be_bytes(draw) % u32::from(shards.max(1))).unwrap_or(0);
    Ok(SerialNumber::issued(shard, random))
}

async fn record(
    context: &Context,
    sight: &Sight,
    issue: &Issue,
    template: &Template,
    key: &PrivateKey,
    register: RegisterId,
) -> Result<(), Fault> {
    let first = sight.observed().history.current.is_none();
    let entry = Line {
        serial: Some(template.serial.clone()),
        not_after: Some(template.not_after),
        key_id: Some(key.public_key().key_id()),
        owner: Some(authority::owner(sight)),
        reason: if first { reason::certificate::CREATED } else { issue.reason() }.to_owned(),
        actor: ACTOR.to_owned(),
        ..Line::new(Act::Issued)
    };
    context.world.registers.append(register, entry).await?;
    Ok(())
}

/// Nothing is recorded, and no key of a CA touches anything, before what is to be signed was made once with a key that is thrown
/// away, and read back by another parser as what was asked for.
async fn rehearsed(signer: &Arc<dyn Issuer>, template: &Template, key: &Arc<PrivateKey>, new: bool) -> Result<(), Fault> {
    let (signer, template, key) = (Arc::clone(signer), template.clone(), Arc::clone(key));
    // The provider makes no weak key.
    let rehearsal = move || match (!new).then(|| key.public_key().weakness()).flatten() {
        Some(weakness) => Err(format!("the private key is weak: {weakness}")),
        None => rehearse(&template, key.public_key(), signer.certificate()).map_err(|error| error.to_string()),
    };
    blocking(rehearsal).await?.map_err(|error| {
        let reason = reason::certificate::VERIFICATION_FAILED;
        Fault::Failed(Failure { reason, message: format!("nothing was signed: {error}"), retry: true })
    })
}

async fn sign(
    signer: Arc<dyn Issuer>,
    authority: Option<&AuthorityView>,
    template: Template,
    key: Arc<PrivateKey>,
    now: Timestamp,
) -> Result<X509, Fault> {
    let chain = authority.map(|authority| Arc::clone(&authority.chain));
    blocking(move || {
        let certificate = signer.sign(&template, &key).map_err(|error| failed(format!("the issuer did not sign: {error}")))?;
        verify(&certificate, &template, &key, chain.as_deref(), now)?;
        Ok(certificate)
    })
    .await?
}

/// What came back is what was asked for, and holds: a wrong certificate is not delivered.
fn verify(certificate: &X509, template: &Template, key: &PrivateKey, chain: Option<&Chain>, now: Timestamp) -> Result<(), Fault> {
    let wrong = |what: String| {
        Fault::Failed(Failure {
            reason: reason::certificate::VERIFICATION_FAILED,
            message: format!("what the issuer made was not delivered: {what}"),
            retry: true,
        })
    };
    if certificate.public_key() != key.public_key() {
        return Err(wrong("its key is another".to_owned()));
    }
    if certificate.serial() != &template.serial
        || certificate.subject() != &template.subject
        || certificate.not_after() != template.not_after
        || certificate.not_before() != template.not_before
        || !certificate.sans().iter().eq(template.sans.iter())
        || certificate.ca().is_some() != template.ca.is_some()
    {
        return Err(wrong("it is not what was asked for".to_owned()));
    }
    match chain {
        Some(chain) => verify_leaf(certificate, chain, now).map_err(|error| wrong(error.to_string())),
        None if certificate.is_signed_by(key.public_key()) => Ok(()),
        None => Err(wrong("its own key did not sign it".to_owned())),
    }
}

#[expect(clippy::too_many_arguments, reason = "each is a part of the one Secret that is written")]
async fn write(
    context: &Context,
    sight: &Sight,
    wanted: &Wanted,
    issue: &Issue,
    authority: Option<&AuthorityView>,
    certificate: &X509,
    key: &Arc<PrivateKey>,
    now: Timestamp,
) -> Result<Wiped, Fault> {
    let record = Record::of_issue(&issue.resolved, issue.renew_handled.as_deref(), authority, now);
    let lists = authority.and_then(|authority| ca_crl(&context.world, &authority.key_id, Some(authority)));
    let around = Around { issuer: authority, lists: lists.as_ref(), passwords: &sight.passwords, present: sight.read() };
    let dress = dress::of_issued(&sight.certificate, wanted, certificate, &record, &around);
    let pem = key.to_pem(issue.resolved.encoding).map_err(|error| failed(format!("the key cannot be written down: {error}")))?;
    put(context, sight, wanted, &dress, Some((key, pem.as_bytes()))).await
}

/// Writes a Secret: what is dressed around the certificate, and the key where it is another.
pub(super) async fn put(
    context: &Context,
    sight: &Sight,
    wanted: &Wanted,
    dress: &Dress,
    key: Option<(&Arc<PrivateKey>, &[u8])>,
) -> Result<Wiped, Fault> {
    let forms = forms(sight, wanted, dress, key).await?;
    let key = key.map(|(_, pem)| pem);
    let written = match &sight.secret {
        SecretSight::Read(_, present) => {
            let mut secret = Wiped::new(present.object().clone());
            clothe(secret.object_mut(), dress, key, &forms);
            context.writer.replace_secret(&secret).await
        }
        SecretSight::Absent => {
            let mut secret = Wiped::new(Secret { type_: Some(names::SECRET_TYPE.to_owned()), ..Secret::default() });
            secret.object_mut().metadata.name = Some(wanted.secret_name.clone());
            secret.object_mut().metadata.namespace = Some(sight.name.namespace.to_string());
            clothe(secret.object_mut(), dress, key, &forms);
            context.writer.create_secret(&secret).await
        }
        SecretSight::AsRecorded | SecretSight::Foreign(_) => return Err(Fault::Stale),
    };
    match written {
        Ok(secret) => {
            let before = match &sight.secret {
                SecretSight::Read(read, _) => read.ca_crl.as_ref(),
                _ => None,
            };
            if matches!(&dress.lists, Lists::Put(lists) if before != Some(&lists.text)) || dress.lists == Lists::Remove {
                context.world.remember(&sight.name, |memory| memory.gave_lists = Some(context.world.now()));
            }
            context.world.secrets.wrote(crate::observe::Mark::of_metadata(&secret.object().metadata));
            (context.wrote_secret)(&Name::new(&sight.name.namespace, &wanted.secret_name));
            Ok(secret)
        }
        Err(error) => {
            // The cache said otherwise than the API server: the next look asks it.
            context.world.remember(&sight.name, |memory| memory.ask = true);
            Err(Fault::from(error))
        }
    }
}

/// The other forms that are to be written.
type Written = Vec<(&'static str, Zeroizing<Vec<u8>>)>;

async fn forms(sight: &Sight, wanted: &Wanted, dress: &Dress, key: Option<(&Arc<PrivateKey>, &[u8])>) -> Result<Written, Fault> {
    if dress.forms.put.is_empty() {
        return Ok(Vec::new());
    }
    let bundle = match (key, &sight.secret) {
        (Some((key, pem)), _) => Bundle::new(Arc::clone(key), pem, &dress.chain),
        (None, SecretSight::Read(read, present)) => {
            match (&read.content, present.object().data.as_ref().and_then(|data| data.get(names::TLS_KEY))) {
                (Content::Pair { key, .. }, Some(pem)) => Bundle::new(Arc::clone(key), &pem.0, &dress.chain),
                _ => None,
            }
        }
        _ => None,
    };
    let bundle = bundle.ok_or_else(|| failed("its certificates cannot be read, and its other forms are not made of them".to_owned()))?;
    let (wanted, unlocked, put) = (wanted.clone(), sight.unlocked.clone(), dress.forms.put.clone());
    let write =
        move || put.into_iter().map(|name| Ok((name, bundle.write(name, &wanted, &unlocked)?))).collect::<Result<Written, FormError>>();
    blocking(write).await?.map_err(|error| failed(error.to_string()))
}

fn clothe(secret: &mut Secret, dress: &Dress, key: Option<&[u8]>, forms: &Written) {
    // What the last writer owned is the API server's to say, not ours.
    secret.metadata.managed_fields = None;
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.retain(|key, _| !dress.obsolete.annotations.contains(key));
    annotations.extend(dress.annotations.clone());
    let labels = secret.metadata.labels.get_or_insert_default();
    labels.retain(|key, _| !dress.obsolete.labels.contains(key));
    labels.extend(dress.labels.clone());
    let data = secret.data.get_or_insert_default();
    data.insert(names::TLS_CERTIFICATE.to_owned(), ByteString(dress.chain.chain.clone().into_bytes()));
    match &dress.chain.ca {
        Some(ca) => data.insert(names::CA_CERTIFICATE.to_owned(), ByteString(ca.clone().into_bytes())),
        None => data.remove(names::CA_CERTIFICATE),
    };
    match &dress.lists {
        Lists::Leave => {}
        Lists::Put(lists) => drop(data.insert(names::CA_CRL_KEY.to_owned(), ByteString(lists.text.clone().into_bytes()))),
        Lists::Remove => drop(data.remove(names::CA_CRL_KEY)),
    }
    data.retain(|key, _| !dress.forms.remove.contains(key.as_str()));
    for (name, octets) in forms {
        data.insert((*name).to_owned(), ByteString(octets.to_vec()));
    }
    if let Some(key) = key {
        data.insert(names::TLS_KEY.to_owned(), ByteString(key.to_vec()));
    }
}

/// Takes a serial back that was never delivered. Best effort: a line without a certificate harms nobody.
async fn void(context: &Context, sight: &Sight, serial: &SerialNumber, register: RegisterId, fault: &Fault) {
    let reason = match fault {
        Fault::Stale => "another wrote the Secret meanwhile".to_owned(),
        // Nobody knows whether the write arrived; the register keeps what may be in use.
        Fault::NotLeading | Fault::Unavailable(_) | Fault::KeyPending => return,
        Fault::Failed(failure) => failure.reason.to_owned(),
    };
    let entry = Line {
        serial: Some(serial.clone()),
        owner: Some(authority::owner(sight)),
        reason,
        actor: ACTOR.to_owned(),
        ..Line::new(Act::Voided)
    };
    if let Err(error) = context.world.registers.append(register, entry).await {
        tracing::warn!(certificate = %sight.name, %serial, %error, "a serial that was not delivered stays on record");
    }
}
