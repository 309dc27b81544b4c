//! Logs: one line per event on standard error, as text or JSON.

use std::fmt;

use clap::ValueEnum;
use thiserror::Error;
use tracing::Metadata;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, filter, fmt as lines};

use super::traces::Traces;
use crate::register::LOG_TARGET;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    #[default]
    Text,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Text => "text",
        })
    }
}

/// Logs cannot be set up.
#[derive(Debug, Error)]
pub enum LogError {
    /// Something logs already in this process.
    #[error("logs are set up already")]
    Again,
    /// The level is neither a level nor a list of directives.
    #[error("{level:?} is no log level: {message}")]
    Level {
        /// What was given.
        level: String,
        /// What is wrong with it.
        message: String,
    },
}

/// Sets up the logs of the process, and its traces where they are wanted. `level` is a level (`info`) or directives
/// (`info,chancery::lease=debug`), and holds for logs alone. Lines of registers are written whatever the level: only a directive for
/// their own target leaves them out.
pub fn init_logs(format: LogFormat, level: &str, traces: Option<&Traces>) -> Result<(), LogError> {
    let levels = levels(level)?;
    let lines = lines::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.with_ansi(false).boxed(),
    };
    let lines = lines.with_filter(filter::filter_fn(may_be_logged)).with_filter(levels);
    tracing_subscriber::registry().with(lines).with(traces.map(Traces::layer)).try_init().map_err(|_| LogError::Again)
}

/// What is logged, by level and target.
fn levels(level: &str) -> Result<EnvFilter, LogError> {
    let refused = |message: String| LogError::Level { level: level.to_owned(), message };
    let levels = EnvFilter::try_new(level).map_err(|error| refused(error.to_string()))?;
    // A log store keeps them as audit: who asks for fewer words of the program does not ask for that to end.
    if level.split(',').any(|directive| directive.split(['=', '[']).next() == Some(LOG_TARGET)) {
        return Ok(levels);
    }
    let lines = format!("{LOG_TARGET}=info").parse().map_err(|error| refused(format!("{error}")))?;
    Ok(levels.add_directive(lines))
}

/// kube's client logs the body of an answer that it cannot parse, at WARN, and other answers below that. A body may be
/// a Secret, so nothing from there is ever logged, whatever the level. What OpenTelemetry has to say of itself is said by [`Traces`],
/// once a minute at most.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    metadata.target() != "kube_client::client" && !metadata.target().starts_with("opentelemetry")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written at this level, of what the program and a register say.
    fn written(level: &str) -> String {
        let captured = Captured::default();
        let lines = lines::layer().with_writer({
            let captured = captured.clone();
            move || captured.clone()
        });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines.with_filter(levels(level).unwrap())), || {
            tracing::info!(target: LOG_TARGET, "a line of a register");
            tracing::info!(target: "chancery::register::writer", "a word on a register");
            tracing::warn!("a warning");
        });
        String::from_utf8(captured.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_of_registers_are_logged_whatever_the_level() {
        for level in ["info", "warn", "error", "off", "warn,chancery=error", "chancery::register=off"] {
            assert!(written(level).contains("a line of a register"), "{level}: {}", written(level));
        }
        assert!(!written("warn").contains("a word on a register") && written("warn").contains("a warning"));
        assert!(!written("error").contains("a warning"));
    }

    #[test]
    fn lines_of_registers_are_left_out_where_their_own_target_is_switched_off() {
        for level in ["info,chancery::register::line=off", "chancery::register::line=off,debug", "info,chancery::register::line=warn"] {
            assert!(!written(level).contains("a line of a register"), "{level}: {}", written(level));
        }
    }

    #[test]
    fn bodies_that_the_client_cannot_parse_are_never_logged() {
        let captured = Captured::default();
        let lines = lines::layer().with_writer({
            let captured = captured.clone();
            move || captured.clone()
        });
        let subscriber =
            tracing_subscriber::registry().with(lines.with_filter(filter::filter_fn(may_be_logged)).with_filter(EnvFilter::new("trace")));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "kube_client::client", "hunter2");
            tracing::warn!(target: "kube_client::client::builder", "the stream ended");
            tracing::info!("a line of ours");
        });
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("hunter2"));
        assert!(text.contains("the stream ended") && text.contains("a line of ours"));
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        let error = init_logs(LogFormat::Text, "chancery=loud", None).unwrap_err();
        assert!(error.to_string().starts_with("\"chancery=loud\" is no log level"), "{error}");
    }
}
