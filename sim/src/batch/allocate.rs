//! Slots: values that are not alive at the same time share one, so that the working set stays in the cache.

use super::lower::{Code, Instruction};

/// Replaces nodes by slots; returns how many there are.
///
/// The slot that was freed last is taken first, since it is the warmest. An instruction may write the slot of one of
/// its own operands.
pub(super) fn allocate(instructions: &mut [Instruction<i128>]) -> usize {
    let nodes = instructions.iter().map(|i| i.d as usize + 1).max().unwrap_or(0);
    let last_use = last_uses(instructions, nodes);
    let mut slot_of = vec![u32::MAX; nodes];
    let mut free = Vec::new();
    let mut slots = 0;
    for (i, instruction) in instructions.iter_mut().enumerate() {
        for operand in instruction.operands() {
            let node = *operand as usize;
            *operand = slot_of[node];
            // an operand that is read twice is freed once
            if last_use[node] == i && !free.contains(&slot_of[node]) {
                free.push(slot_of[node]);
            }
        }
        if instruction.code == Code::Store {
            continue;
        }
        let slot = free.pop().unwrap_or_else(|| {
            slots += 1;
            slots - 1
        });
        slot_of[instruction.d as usize] = slot;
        instruction.d = slot;
    }
    slots as usize
}

/// The last instruction that reads each node.
fn last_uses(instructions: &[Instruction<i128>], nodes: usize) -> Vec<usize> {
    let mut last = vec![usize::MAX; nodes];
    for (i, mut instruction) in instructions.iter().copied().enumerate() {
        instruction.operands().for_each(|node| last[*node as usize] = i);
    }
    last
}
