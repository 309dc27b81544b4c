//! What was measured, beside what was to be reached and what cert-manager takes.

use std::fmt;

use crate::{
    bulk::Bulk,
    floor::Floor,
    measure::{number, rate},
    ocsp::{Load, Ocsp},
    restart::Restart,
    revocation::{Edition, Revocation},
    steady::Steady,
};

/// All of a run. What was not measured is left out.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) before: Option<Floor>,
    pub(crate) after: Option<Floor>,
    pub(crate) bulk: Option<Bulk>,
    pub(crate) steady: Option<Steady>,
    pub(crate) restart: Option<Restart>,
    pub(crate) many_floor: Option<Floor>,
    pub(crate) many: Option<Bulk>,
    pub(crate) many_restart: Option<Restart>,
    pub(crate) revocation: Option<Revocation>,
    pub(crate) edition: Option<Edition>,
    pub(crate) ocsp: Option<Ocsp>,
}

impl Report {
    /// The floor before and after, together.
    fn floor(&self) -> Option<Floor> {
        let mut both = [self.before, self.after].into_iter().flatten();
        let first = both.next()?;
        Some(both.fold(first, |sum, floor| Floor { count: sum.count + floor.count, took: sum.took + floor.took, cpu: sum.cpu + floor.cpu }))
    }

    fn rows(&self) -> Vec<[String; 4]> {
        let mut rows = vec![["", "cert-manager 1.21.1", "goal", "this run"].map(str::to_owned)];
        let mut row =
            |what: &str, theirs: &str, goal: &str, ours: String| rows.push([what.to_owned(), theirs.to_owned(), goal.to_owned(), ours]);
        let floor = self.floor();
        if let Some(floor) = floor {
            let spread = match (self.before, self.after) {
                (Some(before), Some(after)) => format!(" ({:.0} before, {:.0} after)", before.rate(), after.rate()),
                _ => String::new(),
            };
            if let (Some(before), Some(after)) = (self.before, self.after)
                && (before.rate() / after.rate() - 1.0).abs() > 0.2
            {
                row("BUSY MACHINE: the two floors differ, so rates say little", "", "", String::new());
            }
            row("the floor: a plain client with 32 workers", "", "", format!("{:.0} a second{spread}", floor.rate()));
        }
        if let Some(bulk) = &self.bulk {
            bulk_rows(bulk, floor, &mut row);
        }
        if let Some(steady) = &self.steady {
            let ours = format!("p50 {:.2} s, p99 {:.2} s", steady.p50.as_secs_f64(), steady.p99.as_secs_f64());
            row("create to Ready at 10 a second", "p50 0.10 s, p99 2.4 s", "p99 under 0.3 s", ours);
        }
        if let Some(restart) = &self.restart {
            restart_rows(restart, &mut row);
        }
        if let Some(floor) = self.many_floor {
            row(&format!("the floor at {}", floor.count), "", "", format!("{:.0} a second", floor.rate()));
        }
        if let Some(many) = &self.many {
            bulk_rows(many, self.many_floor, &mut row);
        }
        if let Some(restart) = &self.many_restart {
            restart_rows(restart, &mut row);
        }
        if let Some(edition) = &self.edition {
            edition_rows(edition, &mut row);
        }
        if let Some(revocation) = &self.revocation {
            revocation_rows(revocation, &mut row);
        }
        if let Some(ocsp) = &self.ocsp {
            ocsp_rows(ocsp, &mut row);
        }
        rows
    }
}

type Row<'a> = dyn FnMut(&str, &str, &str, String) + 'a;

fn bulk_rows(bulk: &Bulk, floor: Option<Floor>, row: &mut Row<'_>) {
    let count = bulk.count;
    let many = count > 1000;
    let share = |resource| bulk.each(bulk.calls.writes_of(resource));
    row(
        &format!("API requests per certificate, {count}"),
        "21.6 (8.8 Events)",
        "3.1",
        format!(
            "{:.2} ({:.2} Events, {:.2} the register)",
            bulk.each(bulk.calls.writes()),
            share("events.events.k8s.io"),
            share("configmaps")
        ),
    );
    let theirs = if many { "5,000: 309 s (16/s)" } else { "45.4 s (22/s)" };
    row(&format!("{count} P-256: to all Ready"), theirs, "", format!("{:.1} s ({:.0}/s)", bulk.ready.as_secs_f64(), bulk.rate()));
    if let Some(floor) = floor {
        let all_written = rate(count, bulk.written) / floor.rate();
        row("  of the floor's rate", "", "0.75", format!("{:.2} (to the last Event {all_written:.2})", bulk.rate() / floor.rate()));
    }
    if let Some(floor) = floor {
        // Where others use the machine too, rates say little and this still says something.
        let (least, ours) = (1000.0 * floor.cpu / number(floor.count), 1000.0 * bulk.cpu_of_all / number(count));
        row("  processor time of all parts, each", "", "", format!("{ours:.1} ms, the floor {least:.1} ms ({:.2})", least / ours));
    }
    if many && let (Some(first), Some(last)) = (bulk.tenths.first(), bulk.tenths.last()) {
        let before = bulk.tenths.iter().rev().nth(1).copied().unwrap_or_default();
        let tenth = count / 10;
        let ours = format!("{:.0}/s, {:.0}/s", rate(tenth, *first), rate(tenth, last.saturating_sub(before)));
        row("  its first tenth, its last", "", "flat", ours);
    }
    row(
        &format!("controller's CPU for {count}"),
        if many { "5,000: 253 s" } else { "22.1 s" },
        if many { "linear" } else { "under 2 s" },
        format!("{:.2} s", bulk.cpu),
    );
    row(
        &format!("resident memory after {count}"),
        if many { "5,000: 525 MiB" } else { "150 MiB" },
        if many { "under 120 MiB" } else { "under 40 MiB" },
        format!("{:.1} MiB (at most {:.1})", bulk.memory.resident, bulk.memory.most),
    );
    if bulk.events_lost > 0.0 {
        row("  Events lost", "", "0", format!("{:.0}", bulk.events_lost));
    }
}

fn restart_rows(restart: &Restart, row: &mut Row<'_>) {
    row(
        &format!("restart until steady, {}", restart.count),
        "5,000: not after 143 s",
        "10,000: under 10 s",
        format!("{:.1} s, {:.2} s of CPU, {:.1} MiB", restart.took.as_secs_f64(), restart.cpu, restart.memory.resident),
    );
    row(
        "  writes; reads of Secrets (issuers' own)",
        "over 2,600",
        "0; 1",
        format!("{}; {}", restart.calls.writes(), restart.calls.secret_reads()),
    );
}

fn edition_rows(edition: &Edition, row: &mut Row<'_>) {
    let figure = |name| edition.figure(name);
    let what = format!("a list of {} in {} shards: built, signed, checked", figure("entries"), figure("shards"));
    let more = figure("mebibytesMost") - figure("mebibytesBefore");
    row(&what, "none", "under 2 s, 150 MiB more", format!("{:.2} s, {more:.0} MiB more", figure("seconds")));
    let signing = format!("{:.2} s ({:.0} MiB)", figure("signing"), figure("bytes") / 1_048_576.0);
    row("  its octets hashed and signed, nothing else", "", "", signing);
    row("  one of its shards made anew", "", "", format!("{:.3} s", figure("one")));
}

fn revocation_rows(revocation: &Revocation, row: &mut Row<'_>) {
    for (entries, median, most) in &revocation.served {
        let theirs = if *entries == 10_000 { "Vault: 2 to 3 s at 17,000" } else { "none" };
        let goal = if *entries == 100_000 { "under 2 s" } else { "" };
        let ours = format!("{:.2} s (at most {:.2})", median.as_secs_f64(), most.as_secs_f64());
        row(&format!("a revocation until it is served, {entries} on the list"), theirs, goal, ours);
    }
    let (built, openssl) = (revocation.built.as_secs_f64(), revocation.openssl.as_secs_f64());
    row("  the last of them built and signed", "", "", format!("{built:.2} s; openssl ca -gencrl {openssl:.2} s"));
    let many = &revocation.many;
    row(
        &format!("{} revoked at once, 100,000 others on the list: all acknowledged", many.count),
        "none",
        "",
        format!("{:.1} s (served {:.1} s), {:.2} s of CPU", many.acknowledged.as_secs_f64(), many.served.as_secs_f64(), many.cpu),
    );
    row(
        "  writes; to ConfigMaps; octets sent to etcd",
        "",
        "",
        format!("{}; {}; {:.1} MiB", many.calls.writes(), many.calls.writes_of("configmaps"), many.written),
    );
    let memory = revocation.memory;
    row("  resident memory after all that", "", "", format!("{:.1} MiB (at most {:.1})", memory.resident, memory.most));
}

fn ocsp_rows(ocsp: &Ocsp, row: &mut Row<'_>) {
    let said = |load: Load| format!("{:.0} ({:.0} a second by the clock)", load.by_cpu(), load.by_clock());
    row("OCSP answers a second of processor time, pre-signed", "none", "over 15,000", said(ocsp.kept));
    row("  a connection for each", "", "", said(ocsp.single));
    row("  signed on demand, with a nonce", "", "", said(ocsp.signed));
    row("  openssl ocsp: a connection and a signature for each", "", "", said(ocsp.openssl));
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths = [width(0), width(1), width(2)];
        for row in &rows {
            let line = format!("{:<a$}  {:<b$}  {:<c$}  {}", row[0], row[1], row[2], row[3], a = widths[0], b = widths[1], c = widths[2]);
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
