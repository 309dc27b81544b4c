//! A key that leaked: its certificate is revoked by its owner, and openssl, which knows nothing of the cluster, refuses it by the
//! lists and by OCSP.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use chancery::api::{Certificate, RevocationList};
use chancery_pki::{Certificate as X509, pem_bundle};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use kube_runtime::wait::await_condition;
use serde_json::json;
use tokio::time::{Instant, interval, timeout};

use crate::{
    place::Place,
    say,
    tour::{SOON, certificates, key_of, root, secret},
};

/// Shows the certificate of `web` good, revokes it, and shows it refused.
pub(crate) async fn leak(place: &Place, folder: &Path) -> Result<()> {
    let api = Api::<Certificate>::namespaced(place.client.clone(), place.samples);
    let before = api.get("web").await?;
    let holder = Holder::of(place, folder).await?;
    holder.finds(place, true).await?;
    say::line("before: openssl verify -crl_check_all", "OK");
    say::line("before: openssl ocsp", "good");

    #[expect(clippy::disallowed_methods, reason = "the tour has no clock to be handed")]
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
    let now = now.strftime("%FT%TZ").to_string();
    let asked = Instant::now();
    let wish = json!({ "spec": { "revocation": { "reason": "keyCompromise", "issuedBefore": now } } });
    api.patch("web", &PatchParams::default(), &Patch::Merge(&wish)).await?;
    say::line("patched Certificate web", format!("revocation: keyCompromise, issuedBefore {now}"));
    let done = |certificate: Option<&Certificate>| {
        certificate.is_some_and(|certificate| {
            let conditions = certificate.status.as_ref().map_or(&[][..], |status| &status.conditions);
            chancery::api::condition::is_true(conditions, "Revoked") && chancery::api::condition::is_true(conditions, "Ready")
        })
    };
    let after = timeout(SOON, await_condition(api, "web", done)).await;
    let after = after.with_context(|| format!("Certificate web was not revoked within {} s", SOON.as_secs()))??;
    let after = after.context("Certificate web is gone")?;
    say::line("on the published list", say::took(asked.elapsed()));
    say::line("  key", format!("{} -> {}", say::short(key_of(&before)), say::short(key_of(&after))));

    let (by_list, by_ocsp) = holder.finds(place, false).await?;
    say::line("refused by list and by OCSP", say::took(asked.elapsed()));
    say::quote(&format!("openssl verify -crl_check_all:\n{by_list}\nopenssl ocsp:\n{by_ocsp}"));
    Ok(())
}

/// Somebody who was shown the certificate of `web`: the files that openssl needs.
struct Holder<'a> {
    folder: &'a Path,
    leaf: X509,
}

impl<'a> Holder<'a> {
    async fn of(place: &Place, folder: &'a Path) -> Result<Self> {
        let chain = certificates(&secret(place, place.samples, "web-tls").await?)?;
        let (leaf, above) = chain.split_first().context("web-tls holds no certificate")?;
        for (name, pem) in [("leaf.pem", leaf.to_pem()), ("chain.pem", pem_bundle(above)), ("root.pem", root(place).await?)] {
            fs::write(folder.join(name), pem)?;
        }
        Ok(Self { folder, leaf: leaf.clone() })
    }

    /// Waits until the certificate is good, or refused, both by list and by OCSP; what openssl says then. The responder has what is
    /// published a moment later, and cannot be watched.
    async fn finds(&self, place: &Place, good: bool) -> Result<(String, String)> {
        let mut turn = interval(Duration::from_millis(50));
        let mut last = String::new();
        let search = async {
            loop {
                turn.tick().await;
                let (accepted, by_list) = self.by_list(place).await?;
                let by_ocsp = self.by_ocsp()?;
                if accepted == good && by_ocsp.contains(if good { ": good" } else { ": revoked" }) {
                    return anyhow::Ok((by_list, by_ocsp));
                }
                last = format!("{by_list}\n{by_ocsp}");
            }
        };
        match timeout(SOON, search).await {
            Ok(found) => found,
            Err(_) => anyhow::bail!(
                "openssl does not find the certificate {} after {} s:\n{last}",
                if good { "good" } else { "revoked" },
                SOON.as_secs()
            ),
        }
    }

    /// Whether `openssl verify` accepts the chain under the lists as they are served now, and what it says.
    async fn by_list(&self, place: &Place) -> Result<(bool, String)> {
        let [of_leaf] = self.leaf.crl_distribution_points() else {
            anyhow::bail!("the certificate names these lists: {:?}", self.leaf.crl_distribution_points())
        };
        // The intermediate may be older than the root's list, and name none.
        let namespace = if place.shared { place.samples } else { place.system };
        let list = Api::<RevocationList>::namespaced(place.client.clone(), namespace).get("sample-root").await?;
        let shards = list.status.map(|status| status.shards).unwrap_or_default();
        let of_root = shards.into_iter().next().and_then(|shard| shard.url).context("RevocationList sample-root has no URL")?;
        let mut lists = String::new();
        for url in [of_leaf, &of_root] {
            let client = reqwest::Client::builder().no_proxy().timeout(SOON).build()?;
            let answer = client.get(url).header("Accept", "application/x-pem-file").send().await?.error_for_status()?;
            lists.push_str(&answer.text().await?);
        }
        fs::write(self.folder.join("lists.pem"), lists)?;
        let output = Command::new("openssl")
            .args(["verify", "-crl_check_all", "-CAfile", "root.pem", "-untrusted", "chain.pem", "-CRLfile", "lists.pem", "leaf.pem"])
            .current_dir(self.folder)
            .output()?;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Ok((output.status.success(), said))
    }

    /// What the responder that the certificate names answers to `openssl ocsp`.
    fn by_ocsp(&self) -> Result<String> {
        let [url] = self.leaf.ocsp_servers() else {
            anyhow::bail!("the certificate names these responders: {:?}", self.leaf.ocsp_servers())
        };
        let output = Command::new("openssl")
            .args(["ocsp", "-CAfile", "root.pem", "-verify_other", "chain.pem", "-issuer", "chain.pem", "-cert", "leaf.pem", "-url", url])
            .current_dir(self.folder)
            .output()?;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
        ensure!(output.status.success() && said.contains("Response verify OK"), "openssl ocsp has no valid answer:\n{said}");
        Ok(said)
    }
}
