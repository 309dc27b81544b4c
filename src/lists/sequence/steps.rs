//! What can happen, and how often it does.

use chancery_pki::Reason;
use proptest::prelude::*;

use crate::register::memory::Fault;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Issue {
        operator: usize,
        count: usize,
        hours: i64,
    },
    Revoke {
        operator: usize,
        which: usize,
        reason: Reason,
        grace: i64,
    },
    Hold {
        operator: usize,
        which: usize,
    },
    Release {
        operator: usize,
        which: usize,
    },
    Reconcile {
        operator: usize,
    },
    Together,
    Crash {
        operator: usize,
    },
    Forget {
        operator: usize,
    },
    Sweep {
        operator: usize,
    },
    /// One sweeps while the other publishes.
    SweepMeanwhile {
        after: u64,
    },
    Minutes {
        minutes: i64,
    },
    Days {
        days: i64,
    },
    /// The machine's clock and the API server's go back together; nobody can tell.
    Back {
        minutes: i64,
    },
    Skew {
        operator: usize,
        is_skewed: bool,
    },
    LoseChunk {
        which: usize,
    },
    EditChunk {
        which: usize,
    },
    SpoilHead,
    LoseHead,
    Restore {
        steps: usize,
        what: What,
    },
    Shards {
        shards: u16,
    },
    Delta {
        is_on: bool,
    },
}

/// What goes back in time. The status of the RevocationList stays.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Lists,
    Register,
    Both,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let operator = 0..2_usize;
    let which = any::<usize>();
    let reason = prop::sample::select(vec![Reason::Unspecified, Reason::KeyCompromise, Reason::Superseded]);
    let what = prop::sample::select(vec![What::Lists, What::Register, What::Both]);
    let step = prop_oneof![
        4 => (operator.clone(), 1..6_usize, 1..400_i64).prop_map(|(operator, count, hours)| Step::Issue { operator, count, hours }),
        8 => (operator.clone(), which, reason, prop_oneof![Just(0), Just(10_i64)])
            .prop_map(|(operator, which, reason, grace)| Step::Revoke { operator, which, reason, grace }),
        3 => (operator.clone(), which).prop_map(|(operator, which)| Step::Hold { operator, which }),
        4 => (operator.clone(), which).prop_map(|(operator, which)| Step::Release { operator, which }),
        14 => operator.clone().prop_map(|operator| Step::Reconcile { operator }),
        4 => Just(Step::Together),
        2 => operator.clone().prop_map(|operator| Step::Crash { operator }),
        2 => operator.clone().prop_map(|operator| Step::Forget { operator }),
        2 => operator.clone().prop_map(|operator| Step::Sweep { operator }),
        3 => (0..60_u64).prop_map(|after| Step::SweepMeanwhile { after }),
        6 => (0..30_i64).prop_map(|minutes| Step::Minutes { minutes }),
        3 => (1..11_i64).prop_map(|days| Step::Days { days }),
        2 => (1..20_i64).prop_map(|minutes| Step::Back { minutes }),
        1 => (operator, any::<bool>()).prop_map(|(operator, is_skewed)| Step::Skew { operator, is_skewed }),
        2 => which.prop_map(|which| Step::LoseChunk { which }),
        2 => which.prop_map(|which| Step::EditChunk { which }),
        1 => Just(Step::SpoilHead),
        1 => Just(Step::LoseHead),
        1 => (1..12_usize, what).prop_map(|(steps, what)| Step::Restore { steps, what }),
        1 => prop::sample::select(vec![1_u16, 2, 5]).prop_map(|shards| Step::Shards { shards }),
        1 => any::<bool>().prop_map(|is_on| Step::Delta { is_on }),
    ];
    prop::collection::vec(step, 1..60)
}

pub(super) fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        16 => Just(Fault::None),
        1 => Just(Fault::LostBefore),
        2 => Just(Fault::LostAfter),
        1 => Just(Fault::SilentBefore),
        1 => Just(Fault::SilentAfter),
        2 => Just(Fault::Delayed),
        2 => Just(Fault::DiesBefore),
        2 => Just(Fault::DiesAfter),
    ];
    prop::collection::vec(fault, 0..80)
}
