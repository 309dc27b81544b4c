//! A page, played from top to bottom: its blocks as one script, what they print compared with what the page says.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::script::Script;
use crate::harness::{Program, parse_manifests, program_path};
use crate::page::{Block, Page, source};

/// How long a page may take.
const LIMIT: Duration = Duration::from_mins(6);

/// The folder with what a page's script is made of, below the one in which it runs.
pub(super) const PARTS: &str = ".parts";

/// Plays a page after a script that makes what it takes for granted. What a block needs must be there, or it is left out. Returns the lines
/// of the blocks that were played.
pub(super) async fn play(cluster: &Cluster, page: &Page, before: &str) -> Vec<usize> {
    let folder = folder(cluster, page);
    let parts = folder.join(PARTS);
    let mut script = Script::default();
    let mut steps: Vec<(usize, &Block)> = Vec::new();
    if !before.is_empty() {
        write(&parts.join("0.sh"), before);
        script.run(0);
    }
    for (number, block) in (1..).zip(&page.blocks) {
        if block.word("needs").is_some_and(|need| !cluster.has.contains(&need)) {
            continue;
        }
        let text = match block.language.as_str() {
            "sh" => block.code.clone(),
            "yaml" => applied(&parts, number, block, &page.path),
            _ => continue,
        };
        write(&parts.join(format!("{number}.sh")), &text);
        match (block.word("needs"), block.word("typed")) {
            (Some("foreground"), _) => script.start(number),
            (_, Some(typed)) => script.type_in(number, typed),
            _ => script.run(number),
        }
        steps.push((number, block));
    }
    write(&parts.join("all"), &script.text());
    // Stopped from outside it still says where it was: `timeout` ends with 124.
    let limit = LIMIT.as_secs().to_string();
    let bash =
        environment(cluster, &folder, Program::new("timeout")).await.args(["--kill-after=10", &limit, "bash"]).args([parts.join("all")]);
    let finished = bash.limit(LIMIT + Duration::from_secs(30)).finish().await;
    let at: usize = read(&parts.join("at")).trim().parse().unwrap_or_default();
    let line = steps.iter().find(|(number, _)| *number == at).map_or(0, |(_, block)| block.line);
    let shown = if finished.status.success() { String::new() } else { state(cluster).await };
    assert!(
        finished.status.success(),
        "{}:{line}: {}\n--- it says\n{}\n--- standard output\n{}\n--- standard error\n{}{}\n--- the cluster\n{shown}\n(the folder: {})",
        page.path,
        finished.status,
        read(&parts.join(format!("{at}.sh"))),
        read(&parts.join(format!("{at}.out"))),
        read(&parts.join(format!("{at}.err"))),
        finished.stderr,
        folder.display()
    );
    let mut wrong = String::new();
    for (number, block) in &steps {
        let Some(expected) = page.blocks.get(*number).filter(|next| next.language == "text" && next.follows) else { continue };
        let printed = read(&parts.join(format!("{number}.out")));
        let (says, printed) = match block.word("typed") {
            // The terminal does not show what is typed there.
            Some(typed) => (expected.code.replacen(&format!(": {typed}\n"), ": ", 1), left_on_screen(&printed)),
            None => (expected.code.clone(), printed),
        };
        if block.language == "sh" && !like(&says, &printed) {
            let _ = write!(wrong, "\n{}:{}: the page says\n{says}\nand this was printed\n{printed}", page.path, expected.line);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    steps.iter().map(|(_, block)| block.line).collect()
}

/// A line that was drawn anew, as it was at last.
fn left_on_screen(printed: &str) -> String {
    const ERASED: &str = "\x1b[K";
    let left = |line: &str| match (line.split_once(ERASED), line.rsplit_once(ERASED)) {
        (Some((first, _)), Some((_, last))) => format!("{}{last}\n", first.trim_end_matches('\r')),
        _ => format!("{line}\n"),
    };
    printed.lines().map(left).collect()
}

/// What there is, for who has to find out why a page went wrong.
async fn state(cluster: &Cluster) -> String {
    let conditions = "{range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}: {range .status.conditions[*]}{.type}={.status} {.reason} ({.message}); {end}{\"\\n\"}{end}";
    let kinds = "ccert,cissuer,cclusterissuer,crl";
    let asked = cluster.kubectl().args(["get", kinds, "-A", "-o", &format!("jsonpath={conditions}")]).finish().await;
    asked.stdout + &asked.stderr
}

/// A folder to run a page in, with what the source tree has.
fn folder(cluster: &Cluster, page: &Page) -> PathBuf {
    let first = page.blocks.first().map_or(0, |block| block.line);
    let name = format!("{}-{first}", page.path.replace(['/', '.'], "-"));
    let folder = cluster.folder.join(name);
    fs::create_dir_all(folder.join(PARTS)).expect("the run's folder is writable");
    for shared in ["charts", "crds", "deploy"] {
        symlink(source().join(shared), folder.join(shared)).expect("it is a fresh folder");
    }
    folder
}

/// As whom and with which programs: those of this run first. The responder stands in for every address that is asked over plain HTTP, as
/// DNS and Services would have it.
async fn environment(cluster: &Cluster, folder: &Path, program: Program) -> Program {
    let programs = folder.join(".programs");
    fs::create_dir_all(&programs).expect("the run's folder is writable");
    for name in ["kubectl", "kubectl-chancery", "chancery", "helm"] {
        // Twice for one folder: the link is there.
        let _ = symlink(program_path(name), programs.join(name));
    }
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let proxy = cluster.responder().await.unwrap_or_default();
    // Where there are pods, what a page forwards to one is on this machine.
    let direct = if cluster.has.contains(&"pods") { "127.0.0.1" } else { "" };
    program
        .env("PATH", path)
        .env("HOME", folder)
        .env("KUBECONFIG", &cluster.kubeconfig)
        .env("KUBECACHEDIR", cluster.folder.join("kubectl-cache"))
        .env("http_proxy", proxy)
        .env("https_proxy", "")
        .env("no_proxy", direct)
        .env("FOLDER", folder)
}

/// How a `yaml` block is tried: applied, and forgotten by the API server; or read by Helm.
fn applied(parts: &Path, number: usize, block: &Block, page: &str) -> String {
    let file = parts.join(format!("{number}.yaml"));
    let shown = file.display();
    let Some(kind) = block.word("of") else {
        write(&file, &block.code);
        return format!("kubectl apply --server-side --force-conflicts --dry-run=server -f '{shown}'");
    };
    let part = parse_manifests(&block.code).ok().and_then(|mut documents| documents.pop());
    let part = part.unwrap_or_else(|| panic!("{page}:{}: no YAML", block.line));
    if kind == "values" {
        write(&file, &block.code);
        return format!("helm template chancery charts/chancery --namespace chancery-system --values '{shown}' >/dev/null");
    }
    let object = whole(kind, &part).unwrap_or_else(|| panic!("{page}:{}: of={kind} means nothing", block.line));
    write(&file, &object.to_string());
    format!("kubectl apply --server-side --force-conflicts --dry-run=server -f '{shown}'")
}

/// The object that a part is of, with what else it needs.
pub(super) fn whole(kind: &str, part: &Value) -> Option<Value> {
    let sample = json!({"name": "sample", "kind": "ClusterIssuer"});
    let (namespace, spec) = match kind {
        "values" => return Some(part.clone()),
        "Certificate" => ("chancery-samples", json!({"secretName": "part-tls", "issuerRef": sample})),
        "RevocationList" => ("chancery-system", json!({"issuerRef": sample})),
        "Issuer" => ("chancery-samples", json!({"ca": {"secretName": "part-ca"}})),
        "ClusterIssuer" => ("", json!({"ca": {"secretName": "part-ca"}})),
        "Deployment" => {
            let container = json!({"name": "web", "image": "nginx"});
            let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}});
            ("chancery-samples", json!({"selector": {"matchLabels": {"app": "web"}}, "template": template}))
        }
        _ => return None,
    };
    let group = if kind == "Deployment" { "apps/v1" } else { "chancery.dev/v1alpha1" };
    let mut object = json!({"apiVersion": group, "kind": kind, "metadata": {"name": "part"}, "spec": spec});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    let named = ["commonName", "literalSubject", "dnsNames", "otherNames"].iter().any(|field| part["spec"].get(field).is_some());
    if kind == "Certificate" && !named {
        object["spec"]["commonName"] = "part".into();
    }
    merge(&mut object, part);
    Some(object)
}

fn merge(into: &mut Value, part: &Value) {
    match (into, part) {
        (Value::Object(into), Value::Object(part)) => {
            for (name, value) in part {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, part) => *into = part.clone(),
    }
}

/// Whether what was printed is like what was expected: `...` for anything, alone on a line for any lines; spaces do not count.
fn like(expected: &str, printed: &str) -> bool {
    let lines =
        |text: &str| -> Vec<String> { text.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect() };
    lines_like(&lines(expected), &lines(printed))
}

fn lines_like(expected: &[String], printed: &[String]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "..." => (0..=printed.len()).any(|skipped| lines_like(rest, &printed[skipped..])),
        Some((first, rest)) => printed.split_first().is_some_and(|(line, others)| line_like(first, line) && lines_like(rest, others)),
    }
}

fn line_like(expected: &str, line: &str) -> bool {
    let Some((start, rest)) = expected.split_once("...") else { return expected == line };
    let Some(line) = line.strip_prefix(start.trim_end()) else { return false };
    (0..=line.len()).filter(|at| line.is_char_boundary(*at)).any(|at| line_like(rest.trim_start(), line[at..].trim_start()))
}

#[test]
fn what_is_printed_is_compared_with_what_the_page_says() {
    assert!(like("a  b\n", "a b\n"));
    assert!(like("a ... c\n...\nd", "a b c\nx\ny\nd\n"));
    assert!(like("...\nb", "b"));
    assert!(like("notBefore=...", "notBefore=Nov 1"));
    assert_eq!(left_on_screen("Which: \r\x1b[Kwaiting\r\x1b[Kdone\nwell\n"), "Which: done\nwell\n");
    for (expected, printed) in [("a", "b"), ("a", "a\nb"), ("a\n...\nc", "a\nb"), ("a ... c", "a b d"), ("a", "")] {
        assert!(!like(expected, printed), "{expected} {printed}");
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
