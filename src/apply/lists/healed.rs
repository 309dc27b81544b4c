//! A register has back what it had lost: then what remembers that no more keeps its lists from being published.

use chancery_pki::CrlNumber;

use super::{Context, sight};
use crate::register::{Position, RegisterId, Stands, export::Former};

/// Looks at the lists of a register's authority again. Where each line that they remember stands, or was in the copy that all of it was
/// taken from, nobody has to confirm anything.
pub(in crate::apply) fn healed(context: &Context, id: &RegisterId, copy: &Former) {
    let RegisterId::Authority(authority) = id else { return };
    let world = &context.world;
    let head = world.lists.coverage(authority).map(|coverage| (coverage.head.number, coverage.head.register.clone()));
    let (mut numbers, mut lines): (Vec<CrlNumber>, Vec<Position>) = head.into_iter().unzip();
    for list in world.revocation_lists.all() {
        let (noted, anchor) = sight::said(&list, authority);
        numbers.extend(noted.map(|noted| noted.number));
        lines.extend(anchor);
    }
    let index = world.registers.index();
    let in_copy = |position: &Position| copy.lines.iter().any(|line| line.line.sequence == position.sequence && line.end() == *position);
    if lines.iter().all(|position| index.stands(id, position) != Stands::No || in_copy(position)) {
        context.press.confirm(*authority, numbers.into_iter().max());
    }
    context.press.doubt(authority);
    (context.revoked)(authority);
}
