//! What commands look at: a Secret, a file, a TLS server, the Secret of a Certificate.

use std::{path::PathBuf, time::Duration};

use chancery::plugin::material::{self, Endpoint, Material};
use clap::{Args, Subcommand};
use kube::Client;

use crate::access::{OneNamespace, duration};
use crate::given::{NAME, filled};
use crate::input::read;

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Source {
    /// What is in a Secret.
    Secret {
        /// The Secret.
        #[arg(value_parser = filled(NAME))]
        name: String,
        #[command(flatten)]
        opening: Opening,
    },
    /// What is in a file: PEM or DER, a bundle, a key store.
    File {
        /// The file; - for standard input.
        path: PathBuf,
        #[command(flatten)]
        opening: Opening,
    },
    /// What a TLS server presents.
    Tls {
        /// Where it listens, as example.com:443.
        #[arg(value_name = "HOST:PORT")]
        endpoint: Endpoint,
        /// The name that is asked for, where it is not that of the host.
        #[arg(long, value_name = "NAME", value_parser = filled("write a host name, or leave the flag out for that of the host"))]
        server_name: Option<String>,
        /// How long the server may take.
        #[arg(long, default_value = "10s", value_parser = duration)]
        timeout: Duration,
    },
    /// What is in the Secret of a Certificate.
    Certificate {
        /// The Certificate.
        #[arg(value_parser = filled(NAME))]
        name: String,
        #[command(flatten)]
        opening: Opening,
    },
}

/// How key stores are opened.
#[derive(Args, Clone, Debug)]
pub(crate) struct Opening {
    /// A file with the password of key stores; a line feed at its end does not count.
    #[arg(long, value_name = "FILE")]
    password_from: Option<PathBuf>,
}

impl Opening {
    fn password(&self) -> anyhow::Result<Option<zeroize::Zeroizing<Vec<u8>>>> {
        let Some(path) = &self.password_from else { return Ok(None) };
        let mut password = zeroize::Zeroizing::new(read(path)?);
        while password.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
            password.pop();
        }
        Ok(Some(password))
    }
}

/// A client, and the namespace that is meant.
pub(crate) async fn open(place: &OneNamespace) -> anyhow::Result<(Client, String)> {
    let client = place.access.client().await?;
    let namespace = place.name(&client);
    Ok((client, namespace))
}

impl Source {
    /// What is found there.
    pub(crate) async fn material(&self, place: &OneNamespace) -> anyhow::Result<Material> {
        Ok(match self {
            Self::Secret { name, opening } => {
                let (password, (client, namespace)) = (opening.password()?, open(place).await?);
                material::secret(&client, &namespace, name, password.as_ref().map(|password| password.as_slice())).await?
            }
            Self::Certificate { name, opening } => {
                let (password, (client, namespace)) = (opening.password()?, open(place).await?);
                material::certificate(&client, &namespace, name, password.as_ref().map(|password| password.as_slice())).await?
            }
            Self::File { path, opening } => {
                let password = opening.password()?;
                material::file(&path.display().to_string(), &read(path)?, password.as_ref().map(|password| password.as_slice()))?
            }
            Self::Tls { endpoint, server_name, timeout } => material::connect(endpoint, server_name.as_deref(), *timeout).await?,
        })
    }
}
