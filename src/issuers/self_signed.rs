//! The issuer of kind `selfSigned`: a certificate signed by its own key. There is no authority behind it.

use chancery_pki::{Certificate as X509, IssueError, PrivateKey, Template, self_sign};

use super::Issuer;

/// Signs each certificate with its own key.
#[derive(Clone, Debug, Default)]
pub struct SelfSigned {
    /// Where CRLs can be fetched.
    pub crl_distribution_points: Vec<String>,
}

impl Issuer for SelfSigned {
    fn complete(&self, template: Template) -> Template {
        Template { crl_distribution_points: self.crl_distribution_points.clone(), ..template }
    }

    fn sign(&self, template: &Template, subject: &PrivateKey) -> Result<X509, IssueError> {
        self_sign(template, subject)
    }
}
