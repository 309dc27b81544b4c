//! The script that a page becomes: one bash, which runs a file for each block and says in another at which it is.
//!
//! It knows how blocks are run, and nothing of what is in them.

use std::fmt::Write as _;

use super::play::PARTS;

/// A script that is being written.
pub(super) struct Script {
    text: String,
    /// The block that runs until somebody stops it, and whether one that uses it was run meanwhile.
    foreground: Option<(usize, bool)>,
}

impl Default for Script {
    /// A command that fails ends it. What a block has left running ends with it.
    fn default() -> Self {
        let preamble = "set -eo pipefail\ntrap '[ -z \"$(jobs -p)\" ] || kill $(jobs -p)' EXIT\n";
        Self { text: preamble.to_owned(), foreground: None }
    }
}

impl Script {
    /// Runs a block to its end; what it sets is there for those that follow.
    pub(super) fn run(&mut self, number: usize) {
        self.at(number);
        let _ = writeln!(self.text, ". ./{PARTS}/{number}.sh {} </dev/null", kept(number));
    }

    /// Runs a block on a terminal, where a person types a line.
    pub(super) fn type_in(&mut self, number: usize, line: &str) {
        self.at(number);
        let on_terminal = format!("script --quiet --return --echo never --command 'bash -eo pipefail ./{PARTS}/{number}.sh' /dev/null");
        let _ = writeln!(self.text, "printf '%s\\n' '{line}' | TERM=xterm {on_terminal} {}", kept(number));
    }

    /// Starts a block that does not end by itself, in a group of processes of its own, so that it can be stopped as from a keyboard. It
    /// runs while the next block does.
    pub(super) fn start(&mut self, number: usize) {
        self.at(number);
        let _ = writeln!(self.text, "set -m; ( . ./{PARTS}/{number}.sh ) {} </dev/null & foreground=$!; set +m", kept(number));
        self.foreground = Some((number, false));
    }

    /// All of it.
    pub(super) fn text(mut self) -> String {
        self.stop();
        self.text
    }

    fn at(&mut self, number: usize) {
        match &mut self.foreground {
            Some((_, used @ false)) => *used = true,
            _ => self.stop(),
        }
        let _ = writeln!(self.text, "cd \"$FOLDER\"; echo {number} > {PARTS}/at");
    }

    /// Ctrl-C; that it has ended before, or does not end well, is a failure of its block.
    fn stop(&mut self) {
        if let Some((number, _)) = self.foreground.take() {
            let _ = writeln!(self.text, "cd \"$FOLDER\"; echo {number} > {PARTS}/at; kill -INT -- -$foreground; wait $foreground");
        }
    }
}

fn kept(number: usize) -> String {
    format!("> {PARTS}/{number}.out 2> {PARTS}/{number}.err")
}

#[test]
fn what_runs_until_it_is_stopped_is_stopped_after_the_next_block() {
    let mut script = Script::default();
    script.run(1);
    script.start(2);
    script.run(3);
    script.run(4);
    let text = script.text();
    let place = |piece: &str| text.find(piece).unwrap_or_else(|| panic!("no `{piece}` in\n{text}"));
    assert!(
        place("& foreground=") < place("/3.sh") && place("/3.sh") < place("kill -INT") && place("kill -INT") < place("/4.sh"),
        "{text}"
    );
    assert_eq!(text.matches("kill -INT").count(), 1, "{text}");
}
