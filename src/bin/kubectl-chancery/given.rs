//! What a word on the command line must not be: empty. A script whose variable is not set says `-n ""` or `-l "$LABELS"`, and means neither
//! all namespaces nor the one of the kubeconfig's context.

/// What would be right where a namespace is meant.
pub(crate) const NAMESPACE: &str = "write a namespace as in -n team-a, or leave the flag out for that of the kubeconfig's context";
/// What would be right where the operator's namespace is meant.
pub(crate) const OPERATOR_NAMESPACE: &str =
    "write the operator's namespace as in chancery-system, or leave out the flag and the environment variable CHANCERY_NAMESPACE";
/// What would be right where objects are named.
pub(crate) const NAME: &str = "write the name of an object, as in web";
/// What would be right where registers are named.
pub(crate) const REGISTER: &str = "write common, or a keyID or its first digits, or leave it out for all";
/// What would be right where an authority is meant.
const AUTHORITY: &str =
    "write its key id or 8 of its first digits at least, or an object as in ClusterIssuer/ca, Issuer/team-a/ca or RevocationList/team-a/ca";
/// What would be right where a URL would do, too.
const AUTHORITY_OR_URL: &str = "write a URL as in http://crl.example.com/0.crl, or a key id, or an object as in ClusterIssuer/ca";
/// What would be right where an issuer is trusted.
const ISSUER: &str = "write Issuer/name or ClusterIssuer/name, or leave the flag out";
/// What would be right where labels choose.
pub(crate) const LABELS: &str = "an empty selector chooses everything: write labels as in app=web, or leave the flag out";
/// What would be right where fields choose.
pub(crate) const FIELDS: &str = "an empty selector chooses everything: write fields as in spec.issuerRef.name=ca, or leave the flag out";

/// Takes any word but an empty one; `right` says what would be right.
pub(crate) fn filled(right: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync + 'static {
    move |text: &str| if text.trim().is_empty() { Err(format!("it is empty: {right}")) } else { Ok(text.to_owned()) }
}

/// Takes what may be the name of a register.
pub(crate) fn register(text: &str) -> Result<String, String> {
    let text = filled(REGISTER)(text)?;
    chancery::plugin::register::name(&text)
}

/// Takes what may be a URL from which something is fetched; `right` says what would be right.
pub(crate) fn url(right: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync + 'static {
    move |text: &str| {
        let text = filled(right)(text)?;
        chancery::plugin::fetch::is_http(&text).then_some(text).ok_or_else(|| format!("only http is fetched: {right}"))
    }
}

/// Takes what may name an authority.
pub(crate) fn authority(text: &str) -> Result<String, String> {
    let text = filled(AUTHORITY)(text)?;
    chancery::plugin::published::names_authority(&text).then_some(text).ok_or_else(|| AUTHORITY.to_owned())
}

/// Takes what may name an authority, or be a URL.
pub(crate) fn authority_or_url(text: &str) -> Result<String, String> {
    if text.contains("://") { url(AUTHORITY_OR_URL)(text) } else { authority(text) }
}

/// Takes what may name an issuer: in the namespace, or of the cluster.
pub(crate) fn issuer(text: &str) -> Result<String, String> {
    let text = filled(ISSUER)(text)?;
    let (kind, name) = text.split_once('/').unwrap_or(("Issuer", &text));
    let is_one = ["Issuer", "ClusterIssuer"].contains(&kind) && !name.is_empty() && !name.contains('/');
    is_one.then(|| text.clone()).ok_or_else(|| ISSUER.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{Arg, CommandFactory as _, error::ErrorKind};

    use super::*;
    use crate::tests::commands;

    #[test]
    fn a_word_is_taken_as_it_is_and_an_empty_one_is_not() {
        assert_eq!(filled(LABELS)("app=web"), Ok("app=web".to_owned()));
        for blank in ["", " ", "\t\n"] {
            assert!(filled(LABELS)(blank).unwrap_err().contains("chooses everything"), "{blank:?}");
        }
    }

    fn refused(path: &[String], argument: &Arg) -> Result<(), String> {
        let (word, named) = match argument.get_long() {
            Some(long) => (format!("--{long}="), format!("--{long}")),
            None => (String::new(), argument.get_value_names().and_then(|names| names.first()).expect("it has a name").to_string()),
        };
        let words = ["kubectl-chancery".to_owned()].into_iter().chain(path.iter().cloned()).chain([word.clone()]);
        let Err(error) = crate::Cli::command().try_get_matches_from(words) else { return Err(format!("{path:?} {word:?} is taken")) };
        let said = error.to_string();
        let of_value = matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue);
        if of_value && said.contains(&named) && error.exit_code() == 2 { Ok(()) } else { Err(format!("{path:?} {word:?}: {said}")) }
    }

    #[test]
    fn no_flag_and_no_name_of_any_command_may_be_empty() {
        let all = commands();
        let mut taken = Vec::new();
        let mut tried = 0;
        for (path, command) in &all {
            for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
                tried += 1;
                taken.extend(refused(path, argument).err());
            }
        }
        assert!(taken.is_empty(), "{}", taken.join("\n"));
        assert!(all.len() > 20 && tried > 100, "{} commands, {tried} arguments", all.len());
    }
}
