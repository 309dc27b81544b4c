//! A register's lines as a ConfigMap holds them, which people may edit: what is read reads back, and stays in its order.
#![no_main]

// The module alone: the operator around it, Kubernetes' types and all, would take most of an hour to build for this.
#[expect(dead_code, unused_imports, reason = "only reading is fuzzed")]
#[path = "../../src/register/line.rs"]
mod line;

use line::{Position, read, verify};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = verify(text);
    let Ok(lines) = read(&Position::start(), text) else { return };
    for (index, written) in lines.iter().enumerate() {
        assert_eq!(written.line.sequence, index as u64 + 1);
        let _ = written.line.show();
        let after = Position { sequence: index as u64, hash: written.line.previous.clone() };
        let again = read(&after, &written.line.to_text()).expect("a line reads back from its own text");
        assert_eq!(again[0].line, written.line);
    }
});
