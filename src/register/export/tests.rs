//! What is exported reads back; logs are read as what they hold; what is none of these is refused.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::register::line::{Act, Entry, Owner};

fn lines(count: u64) -> Former {
    let mut end = Position::start();
    let lines = (1..=count).map(|sequence| {
        let owner = Owner { namespace: "default".into(), name: format!("web-{sequence}"), uid: "u".into() };
        let entry = Entry { owner: Some(owner), generation: Some(1), ..Entry::new(Act::Refused) };
        let line = Line { sequence, time: Timestamp::UNIX_EPOCH, previous: end.hash.clone(), entry };
        let written = Written { text: line.to_text(), line };
        end = written.end();
        written
    });
    Former { after: Position::start(), lines: lines.collect() }
}

fn exported(former: &Former) -> String {
    let signed = Signed { text: "a\nb\n".to_owned(), signature: vec![1, 2, 3], key: "PEM".to_owned() };
    let mut out = Vec::new();
    begin(Some(&signed), &mut out).unwrap();
    register(&RegisterId::Common, former, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn an_export_reads_back_with_its_checkpoint() {
    let former = lines(5);
    let read = read(&exported(&former)).unwrap();
    assert_eq!(read.checkpoint.unwrap().signature, [1, 2, 3]);
    assert_eq!(read.registers[&Some(RegisterId::Common)].chain(), Ok(former));
}

#[test]
fn an_export_that_was_cut_off_or_altered_is_refused() {
    let whole = exported(&lines(5));
    let chain = |text: &str| read(text).unwrap().registers[&Some(RegisterId::Common)].chain().unwrap_err();
    let cut: String = whole.lines().take(5).flat_map(|line| [line, "\n"]).collect();
    assert_eq!(chain(&cut), "it ends with line 3, and says that it has line 5: its end was cut off");
    assert!(chain(&whole.replace("web-3", "web-x")).starts_with("line 4: it does not carry the hash"));
    assert!(chain(&whole.replace("web-5", "web-x")).contains("line 5: the last line was altered"));
    assert!(chain(&whole.replace("{\"sequence\":3,", "{\"sequence\":3;")).starts_with("line 3: not a register's line"));
}

#[test]
fn parts_of_a_register_follow_each_other_or_are_refused() {
    let all = lines(6);
    let part = |from: usize, to: usize| Former {
        after: from.checked_sub(1).map_or_else(Position::start, |last| all.lines[last].end()),
        lines: all.lines[from..to].to_vec(),
    };
    let text = |parts: &[Former]| parts.iter().map(exported).collect::<String>();
    let good = read(&text(&[part(0, 2), part(2, 6)])).unwrap();
    assert_eq!(good.registers[&Some(RegisterId::Common)].chain().unwrap(), all);
    assert!(read(&text(&[part(0, 2), part(3, 6)])).unwrap_err().why.contains("goes on after line 3, and ended with line 2"));
}

#[test]
fn a_log_is_read_whatever_else_it_has_and_in_any_order() {
    let former = lines(3);
    let json = |line: &Written| {
        serde_json::json!({ "timestamp": "x", "level": "INFO", "register": "common", "line": line.text, "target": LOG_TARGET }).to_string()
    };
    let plain = |line: &Written| format!("2026-11-18T11:06:40.1Z  INFO {LOG_TARGET}: register=common line={}", line.text);
    let noise = "{\"level\":\"INFO\",\"message\":\"leading\"}\nsome other program says this";
    for form in [&json as &dyn Fn(&Written) -> String, &plain] {
        let log = format!(
            "{noise}\n{}\n{}\n{}\n{}\n",
            form(&former.lines[2]),
            form(&former.lines[0]),
            form(&former.lines[1]),
            form(&former.lines[0])
        );
        assert_eq!(read(&log).unwrap().registers[&Some(RegisterId::Common)].chain().unwrap(), former);
    }
}

#[test]
fn the_lines_of_a_config_map_are_nobodys_and_other_files_are_refused() {
    let text: String = lines(3).lines[1..].iter().flat_map(|line| [&line.text, "\n"]).collect();
    assert_eq!(read(&text).unwrap().registers[&None].chain().unwrap().after.sequence, 1);
    assert_eq!(read("kind: ConfigMap\n").unwrap_err().number, 1);
    assert!(read("").unwrap().registers.is_empty());
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,200}(\n.{0,200}){0,5}") {
        if let Ok(export) = read(&text) {
            for register in export.registers.values() {
                let _ = register.chain();
            }
        }
    }
}

#[test]
fn what_another_row_of_a_text_log_quotes_is_no_line() {
    let own = format!("2026-11-18T11:06:40.000000Z  INFO {LOG_TARGET}: register=common line={{}}");
    assert!(matches!(kind(&own), Kind::Logged { .. }));
    assert!(matches!(kind(&format!("[pod/chancery-0] {own}")), Kind::Logged { .. }), "as kubectl logs --prefix has it");
    for row in [
        format!("2026-11-18T11:06:40.000000Z  WARN chancery::apply: message=\"{own}\""),
        format!("2026-11-18T11:06:40.000000Z  WARN chancery::apply: why {own}"),
        format!("2026-11-18T11:06:40.000000Z  {LOG_TARGET}: register=common line={{}}"),
    ] {
        assert!(matches!(kind(&row), Kind::Other), "{row}");
    }
}
