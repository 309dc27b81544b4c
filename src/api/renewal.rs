//! What a spec may say about the time of renewals.

#![expect(unreachable_pub, reason = "a schema is derived through private copies of its struct")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::{self, GoDuration};

/// How many windows a Certificate may have.
pub(super) const MAX_WINDOWS: usize = 16;
/// The longest cron expression, in octets.
pub(super) const MAX_CRON: usize = 256;
/// The longest name of a time zone, in octets.
pub(super) const MAX_ZONE: usize = 64;
/// What to say where both windows and the policy Disabled are given.
pub(super) const NO_WINDOWS: &str = "must be empty where policy is Disabled";

/// Five fields, or a name for them. The values are for the check to judge.
const CRON: &str =
    r"^\s*(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[0-9*?,/-]+\s+[0-9*?,/-]+\s+[0-9*?,/-]+(\s+[0-9A-Za-z*?,/-]+){2})\s*$";
/// What names of the IANA time zone database are made of.
const ZONE: &str = "^[A-Za-z0-9_+/-]*$";

/// When a certificate may be renewed since its time comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.policy) || self.policy != 'Disabled' || !has(self.windows) || size(self.windows) == 0")
        .message(NO_WINDOWS).field_path(".windows")
)]
pub struct RenewalSpec {
    /// RenewBefore renews a certificate before it expires, by renewBefore and renewBeforePercentage. Disabled lets it expire: a new
    /// one is then made only when the spec asks for something else, the Secret is lost or damaged, it is revoked, or the
    /// annotation chancery.dev/renew asks for one. Unset: RenewBefore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<RenewalPolicy>,
    /// When renewals may happen that are due by time alone; any one of these windows suffices. A renewal that falls due outside waits
    /// for the next window, and has a moment of its own in the first half of it. Where none opens before the certificate expires, it
    /// does not wait. Unset: at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_WINDOWS))]
    pub windows: Vec<RenewalWindow>,
}

/// Whether time alone renews a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")] // else it would replace the field's own
pub enum RenewalPolicy {
    /// Before it expires.
    #[default]
    RenewBefore,
    /// Never.
    Disabled,
}

/// A span of time that comes again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenewalWindow {
    /// When the window opens: minute, hour, day of the month, month and day of the week, as cron writes them, for example
    /// 0 2 * * 6 for Saturdays at 2; or one of @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly. Where both days
    /// are given, either suffices. At an hour that the clocks skip it does not open; at one that they repeat it opens twice.
    #[schemars(length(min = 1, max = MAX_CRON), regex(pattern = CRON))]
    pub cron: String,
    /// How long it stays open, as Go writes durations; at least 1m.
    #[x_kube(validation = duration::at_least("1m"))]
    pub window_duration: GoDuration,
    /// The time zone of cron, as the IANA database names it, for example Europe/Berlin. Unset or empty: UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_ZONE), regex(pattern = ZONE))]
    pub timezone: Option<String>,
}
