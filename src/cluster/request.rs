//! What a request is, read from its method and path: the verb and resource that metrics are counted by.
//!
//! Names of objects never become labels.

use http::{Method, Uri};

/// A request as the API server's own metrics would name it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RequestInfo {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, or `other`.
    pub verb: &'static str,
    /// `secrets`, `certificates.chancery.dev/status`; `discovery` for what names no resource.
    pub resource: String,
}

impl RequestInfo {
    /// Reads method, path and query.
    pub fn of(method: &Method, uri: &Uri) -> Self {
        let segments: Vec<&str> = uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
        let (group, rest) = match segments.as_slice() {
            ["api", _version, rest @ ..] => ("", rest),
            ["apis", group, _version, rest @ ..] => (*group, rest),
            _ => ("", [].as_slice()),
        };
        let (resource, name, subresource) = match rest {
            [] => {
                return Self { verb: "get", resource: "discovery".to_owned() };
            }
            ["namespaces", name, sub @ ("status" | "finalize")] => ("namespaces", Some(*name), Some(*sub)),
            ["namespaces", _, resource, rest @ ..] | [resource, rest @ ..] => (*resource, rest.first().copied(), rest.get(1).copied()),
        };
        let mut label = resource.to_owned();
        if !group.is_empty() {
            label.push('.');
            label.push_str(group);
        }
        if let Some(subresource) = subresource {
            label.push('/');
            label.push_str(subresource);
        }
        Self { verb: verb(method, uri, name.is_some()), resource: label }
    }

    /// Whether it asks to change something.
    pub fn is_write(&self) -> bool {
        matches!(self.verb, "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// Whether the answer is a stream that stays open.
    pub fn is_watch(&self) -> bool {
        self.verb == "watch"
    }
}

fn verb(method: &Method, uri: &Uri, named: bool) -> &'static str {
    let watch = || uri.query().is_some_and(|query| query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1")));
    match *method {
        Method::GET if watch() => "watch",
        Method::GET if named => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if named => "delete",
        Method::DELETE => "deletecollection",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_named_by_verb_and_resource_and_never_by_object() {
        let rows = [
            ("GET", "/api/v1/namespaces/team/secrets/web", "get", "secrets"),
            ("GET", "/api/v1/secrets?limit=500", "list", "secrets"),
            ("GET", "/api/v1/secrets?&watch=true&allowWatchBookmarks=true", "watch", "secrets"),
            ("POST", "/apis/events.k8s.io/v1/namespaces/team/events?", "create", "events.events.k8s.io"),
            ("PUT", "/apis/chancery.dev/v1alpha1/namespaces/team/certificates/web/status", "update", "certificates.chancery.dev/status"),
            ("PATCH", "/apis/chancery.dev/v1alpha1/clusterissuers/ca/status", "patch", "clusterissuers.chancery.dev/status"),
            ("DELETE", "/api/v1/namespaces/team/configmaps/x", "delete", "configmaps"),
            ("DELETE", "/api/v1/namespaces/team/configmaps", "deletecollection", "configmaps"),
            ("GET", "/api/v1/namespaces/team", "get", "namespaces"),
            ("GET", "/api/v1/namespaces", "list", "namespaces"),
            ("PUT", "/api/v1/namespaces/team/finalize", "update", "namespaces/finalize"),
            ("GET", "/apis/chancery.dev/v1alpha1", "get", "discovery"),
            ("GET", "/version", "get", "discovery"),
            ("GET", "/", "get", "discovery"),
        ];
        for (method, path, verb, resource) in rows {
            let info = RequestInfo::of(&method.parse().unwrap(), &path.parse().unwrap());
            assert_eq!((info.verb, info.resource.as_str()), (verb, resource), "{method} {path}");
        }
    }
}
