//! The checked form of `spec.renewal`.

use jiff::SignedDuration;

use super::{error::SpecError, shared, text};
use crate::api::{
    renewal::{MAX_CRON, MAX_WINDOWS, MAX_ZONE, NO_WINDOWS, RenewalPolicy, RenewalSpec, RenewalWindow},
    window::{self, Cron, Schedule, Window},
};

/// The shortest time that a window may be open.
const MIN_WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// When renewals may happen.
pub(super) fn schedule(spec: Option<&RenewalSpec>) -> Result<Schedule, SpecError> {
    let Some(spec) = spec else { return Ok(Schedule::default()) };
    let disabled = spec.policy.unwrap_or_default() == RenewalPolicy::Disabled;
    if disabled && !spec.windows.is_empty() {
        return Err(SpecError::new("spec.renewal.windows", NO_WINDOWS));
    }
    shared::at_most("spec.renewal.windows", &spec.windows, MAX_WINDOWS)?;
    let windows = spec.windows.iter().enumerate().map(|(index, window)| checked(&format!("spec.renewal.windows[{index}]"), window));
    Ok(Schedule { disabled, windows: windows.collect::<Result<_, _>>()? })
}

fn checked(field: &str, window: &RenewalWindow) -> Result<Window, SpecError> {
    let cron = read(&format!("{field}.cron"), &window.cron, MAX_CRON, Cron::parse)?;
    let least = shared::duration(&format!("{field}.windowDuration"), Some(window.window_duration), MIN_WINDOW)?;
    let zone = read(&format!("{field}.timezone"), window.timezone.as_deref().unwrap_or_default(), MAX_ZONE, window::zone)?;
    Ok(Window::new(cron, least.unwrap_or(MIN_WINDOW), zone))
}

fn read<T>(field: &str, value: &str, most: usize, read: fn(&str) -> Result<T, String>) -> Result<T, SpecError> {
    if value.len() > most {
        return Err(SpecError::new(field, format!("has more than {most} characters")));
    }
    read(value).map_err(|problem| SpecError::new(field, format!("{} {problem}", text::quoted(value))))
}

#[cfg(test)]
#[path = "renewal_tests.rs"]
mod tests;
