//! The reference: every field of every kind, as its definition says it. `CHANCERY_UPDATE_DOCS=1` writes it anew.
//!
//! It adds nothing to what the definitions say: what is missing there is missing for `kubectl explain` too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use chancery::api::crds::definitions;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

use crate::page::source;

#[test]
fn the_reference_says_what_the_definitions_say() {
    let anew = std::env::var_os("CHANCERY_UPDATE_DOCS").is_some();
    for definition in definitions() {
        let name = format!("docs/reference/{}.md", definition.spec.names.kind.to_lowercase());
        let file = source().join(&name);
        let page = page(&definition);
        if anew {
            fs::write(&file, &page).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let there = fs::read_to_string(&file).unwrap_or_default();
        assert!(there == page, "{name} is not what the definition says: CHANCERY_UPDATE_DOCS=1 cargo test --locked --test docs reference");
    }
}

fn page(definition: &CustomResourceDefinition) -> String {
    let names = &definition.spec.names;
    let version = definition.spec.versions.first().expect("every kind has a version");
    let root = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref()).expect("every version has a schema");
    let mut page = format!("# {}: every field\n\n{}\n\n", names.kind, sentence(root.description.as_deref()));
    let mut line = |text: String| {
        page.push_str(&text);
        page.push('\n');
    };
    line("| | |\n|---|---|".to_owned());
    line(format!("| `apiVersion` | `{}/{}` |", definition.spec.group, version.name));
    line(format!("| `kind` | `{}` |", names.kind));
    line(format!("| scope | {} |", if definition.spec.scope == "Cluster" { "the cluster" } else { "a namespace" }));
    line(format!("| with kubectl | `kubectl get {}` |", names.short_names.iter().flatten().next().unwrap_or(&names.plural)));
    line(String::new());
    line("This page is made from the definition; `kubectl explain` shows the same. What is not required may be left out.".to_owned());
    let properties = root.properties.as_ref().expect("every kind has fields");
    for part in ["spec", "status"] {
        let Some(schema) = properties.get(part) else { continue };
        line(format!("\n## {part}\n\n{}", sentence(schema.description.as_deref())));
        for (place, rule) in rules(schema).iter().enumerate() {
            line(format!("{}- {rule}", if place == 0 { "\n" } else { "" }));
        }
        let mut fields = String::new();
        children(schema, part, &mut fields);
        line(fields.trim_end().to_owned());
    }
    line("\n## What kubectl get shows\n\n| column | where | meaning |\n|---|---|---|".to_owned());
    for column in version.additional_printer_columns.iter().flatten() {
        let wide = if column.priority.is_some_and(|priority| priority > 0) { "`-o wide`" } else { "always" };
        line(format!("| `{}` | {wide} | {} |", column.name.to_uppercase(), sentence(column.description.as_deref())));
    }
    page
}

fn children(schema: &JSONSchemaProps, path: &str, out: &mut String) {
    let required = schema.required.as_deref().unwrap_or_default();
    for (name, field) in schema.properties.iter().flatten() {
        one(field, &format!("{path}.{name}"), required.contains(name), out);
    }
}

fn one(schema: &JSONSchemaProps, path: &str, required: bool, out: &mut String) {
    let mut facts = vec![kind(schema)];
    if required {
        facts.push("required".to_owned());
    }
    facts.extend(constraints(schema));
    let _ = writeln!(out, "\n### `{path}`\n\n*{}*", facts.remove(0));
    let description = sentence(schema.description.as_deref());
    if !description.is_empty() {
        let _ = writeln!(out, "\n{description}");
    }
    let each = item(schema).map(constraints).unwrap_or_default();
    let of_each = each.into_iter().map(|fact| format!("each: {fact}"));
    let more = item(schema).filter(|_| schema.description.is_some()).map(rules).unwrap_or_default();
    let of_values = value(schema).map(constraints).unwrap_or_default().into_iter().map(|fact| format!("each value: {fact}"));
    let mut gap = "\n";
    for fact in
        facts.into_iter().chain(of_each).chain(of_values).chain(rules(schema)).chain(more.into_iter().map(|rule| format!("each: {rule}")))
    {
        let _ = writeln!(out, "{gap}- {fact}");
        gap = "";
    }
    children(schema, path, out);
    if let Some(item) = item(schema) {
        children(item, &format!("{path}[]"), out);
    }
    if let Some(value) = value(schema) {
        children(value, &format!("{path}.*"), out);
    }
}

fn item(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(item) => Some(item),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

fn value(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.additional_properties.as_ref()? {
        JSONSchemaPropsOrBool::Schema(value) => Some(value),
        JSONSchemaPropsOrBool::Bool(_) => None,
    }
}

/// What may stand there.
fn kind(schema: &JSONSchemaProps) -> String {
    let plain = match schema.format.as_deref() {
        Some("date-time") => "time (RFC 3339)",
        _ => schema.type_.as_deref().unwrap_or("anything"),
    };
    match plain {
        "array" => format!("list: {}", item(schema).map_or_else(|| "anything".to_owned(), kind)),
        "object" => match value(schema) {
            Some(value) => format!("map: {}", kind(value)),
            None => "object".to_owned(),
        },
        other => other.to_owned(),
    }
}

/// The pattern of durations, which would frighten people.
const DURATION: &str = r"^([0-9]{1,6}(\.[0-9]{1,9})?h)?([0-9]{1,7}";

fn constraints(schema: &JSONSchemaProps) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(values) = &schema.enum_ {
        let values: Vec<String> = values.iter().map(|JSON(value)| format!("`{value}`")).collect();
        facts.push(format!("one of {}", values.join(", ")));
    }
    facts.extend(between(schema.min_length, schema.max_length, "characters"));
    facts.extend(between(schema.min_items, schema.max_items, "entries"));
    facts.extend(between(schema.min_properties, schema.max_properties, "entries"));
    if let (Some(least), Some(most)) = (schema.minimum, schema.maximum) {
        facts.push(format!("{least} to {most}"));
    } else {
        facts.extend(schema.minimum.map(|least| format!("at least {least}")));
        facts.extend(schema.maximum.map(|most| format!("at most {most}")));
    }
    match schema.pattern.as_deref() {
        Some(pattern) if pattern.starts_with(DURATION) => facts.push("as Go writes durations: `2160h`, `1h30m`".to_owned()),
        Some(pattern) => facts.push(format!("pattern {}", code(pattern))),
        None => {}
    }
    match schema.x_kubernetes_list_type.as_deref() {
        Some("set") => facts.push("each entry once".to_owned()),
        Some("map") => facts
            .push(format!("each {} once", schema.x_kubernetes_list_map_keys.iter().flatten().cloned().collect::<Vec<_>>().join(" and "))),
        _ => {}
    }
    if schema.default.is_some() {
        facts.push("has a default".to_owned());
    }
    facts
}

fn between(least: Option<i64>, most: Option<i64>, what: &str) -> Option<String> {
    match (least.filter(|least| *least > 0), most) {
        (Some(least), Some(most)) if least == most => Some(format!("{least} {what}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most} {what}")),
        (Some(least), None) => Some(format!("at least {least} {what}")),
        (None, Some(most)) => Some(format!("at most {most} {what}")),
        (None, None) => None,
    }
}

/// The rules between fields, in words where they have some.
fn rules(schema: &JSONSchemaProps) -> Vec<String> {
    let rule = |message: &Option<String>, rule: &str, path: &Option<String>| {
        let at = path.as_deref().map_or_else(String::new, |path| format!("`{}`: ", path.trim_start_matches('.')));
        format!("rule: {at}{}", message.as_deref().map_or_else(|| code(rule), escaped))
    };
    let rules: BTreeMap<usize, String> =
        schema.x_kubernetes_validations.iter().flatten().map(|one| rule(&one.message, &one.rule, &one.field_path)).enumerate().collect();
    rules.into_values().collect()
}

/// In a code span, whatever stands in it.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

fn sentence(description: Option<&str>) -> String {
    escaped(description.unwrap_or_default().trim())
}

/// What Markdown would take for its own.
fn escaped(text: &str) -> String {
    text.replace('<', "&lt;").replace('*', "\\*").replace('|', "\\|")
}
