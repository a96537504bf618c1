//! Slots: values that are not alive at the same time share one, so that the working set stays in the cache.

use super::instruction::Code;
use super::lane::Kind;
use super::typing::{Act, Typed};

/// Replaces values by slots, which are counted for each type by itself; returns how many there are of each.
///
/// The slot that was freed last is taken first, since it is the warmest. A step may write the slot of one of its own
/// operands.
pub(super) fn allocate(program: &mut Typed) -> [usize; Kind::COUNT] {
    let last_use = last_uses(program);
    let mut slot_of = vec![u32::MAX; program.kinds.len()];
    let mut freed = vec![false; program.kinds.len()];
    let mut free: [Vec<u32>; Kind::COUNT] = Default::default();
    let mut slots = [0; Kind::COUNT];
    for i in 0..program.steps.len() {
        let step = program.steps[i];
        for value in program.operands(&step) {
            // an operand that is read twice is freed once
            if last_use[value as usize] == i && !std::mem::replace(&mut freed[value as usize], true) {
                free[program.kinds[value as usize] as usize].push(slot_of[value as usize]);
            }
        }
        rename(program, i, &slot_of);
        if step.act == Act::Do(Code::Store) {
            continue;
        }
        let kind = step.kind as usize;
        let slot = free[kind].pop().unwrap_or_else(|| {
            slots[kind] += 1;
            slots[kind] as u32 - 1
        });
        slot_of[step.d as usize] = slot;
        program.steps[i].d = slot;
    }
    slots
}

/// Puts slots in the place of a step's operands.
fn rename(program: &mut Typed, i: usize, slot_of: &[u32]) {
    let step = &mut program.steps[i];
    let count = match step.act {
        Act::Do(Code::Sum) => {
            program.sums[step.y as usize].iter_mut().for_each(|(value, _)| *value = slot_of[*value as usize]);
            0
        }
        Act::Do(code) => code.operands(),
        Act::Convert(_) => 1,
    };
    for place in [&mut step.x, &mut step.y, &mut step.z].into_iter().take(count) {
        *place = slot_of[*place as usize];
    }
}

/// The last step that reads each value.
fn last_uses(program: &Typed) -> Vec<usize> {
    let mut last = vec![usize::MAX; program.kinds.len()];
    for (i, step) in program.steps.iter().enumerate() {
        program.operands(step).for_each(|value| last[value as usize] = i);
    }
    last
}
