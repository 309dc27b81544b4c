//! Objects as YAML that every reader takes for the same: kubectl reads YAML 1.1, where `NO`, `on` and `1_0` are no text.

use std::fmt::Write as _;

use serde_json::Value;

/// Objects as one stream of documents.
pub fn stream<'a>(objects: impl IntoIterator<Item = &'a Value>) -> String {
    let mut out = String::new();
    for object in objects {
        out.push_str("---\n");
        block(object, 0, &mut out);
    }
    out
}

/// A value on lines of its own.
fn block(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                out.extend(std::iter::repeat_n(' ', indent));
                out.push_str(&text(key));
                out.push(':');
                below(member, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.extend(std::iter::repeat_n(' ', indent));
                out.push('-');
                // What an item holds begins on the line of its dash.
                let mut inner = String::new();
                block(item, indent.saturating_add(2), &mut inner);
                out.push(' ');
                out.push_str(inner.trim_start());
            }
        }
        scalar => {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(&flow(scalar));
            out.push('\n');
        }
    }
}

/// What follows a key: on the same line, or on lines below it.
fn below(value: &Value, indent: usize, out: &mut String) {
    let (several, deeper) = match value {
        Value::Object(members) => (!members.is_empty(), indent.saturating_add(2)),
        Value::Array(items) => (!items.is_empty(), indent),
        _ => (false, indent),
    };
    if several {
        out.push('\n');
        block(value, deeper, out);
    } else {
        let _ = writeln!(out, " {}", flow(value));
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        other => other.to_string(),
    }
}

/// A text, quoted unless no reader could take it for anything else.
fn text(value: &str) -> String {
    const OTHERWISE: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];
    let plain = value.starts_with(|first: char| first.is_ascii_alphabetic())
        && !value.ends_with(' ')
        && value.bytes().all(|octet| octet.is_ascii_alphanumeric() || b" ./-_".contains(&octet))
        && !OTHERWISE.contains(&value.to_ascii_lowercase().as_str());
    if plain {
        return value.to_owned();
    }
    let mut quoted = String::from("\"");
    for character in value.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // Not printable in YAML, or a line break to some of its readers.
            control if control.is_control() || ['\u{2028}', '\u{2029}', '\u{feff}', '\u{fffe}', '\u{ffff}'].contains(&control) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::plugin::migrate::documents;

    #[test]
    fn a_manifest_looks_as_a_person_would_write_it() {
        let object = json!({
            "apiVersion": "v1", "kind": "Example", "empty": {}, "none": [], "size": 256, "isCA": true,
            "list": ["digital signature", "2160h", "NO"], "objects": [{"a": "b", "c": ["d"]}, {}, "e"], "deep": {"er": {"x": "a: b"}},
        });
        let expected = "---\napiVersion: v1\ndeep:\n  er:\n    x: \"a: b\"\nempty: {}\nisCA: true\nkind: Example\nlist:\n- digital signature\n\
            - \"2160h\"\n- \"NO\"\nnone: []\nobjects:\n- a: b\n  c:\n  - d\n- {}\n- e\nsize: 256\n";
        assert_eq!(stream([&object]), expected);
    }

    #[test]
    fn what_other_readers_would_take_for_something_else_is_quoted() {
        for text in
            ["NO", "on", "Y", "null", "~", "", "1_0", "0o7", "12:30:00", "1e3", ".inf", "=", "<<", " a", "a ", "a #b", "\u{85}", "-"]
        {
            assert!(stream([&json!({ "a": text })]).contains('"'), "{text:?}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), any::<String>().prop_map(Value::from)];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_the_same(value in values()) {
            let object = json!({"kind": "Example", "value": value});
            let read = documents::parse("text", &stream([&object])).unwrap();
            prop_assert_eq!(&read[0].object, &object);
        }
    }
}
