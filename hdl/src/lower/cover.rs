//! Which adders become three-operand adders.
//!
//! An adder whose only reader is another adder may be taken into it. One that has taken another in cannot be taken in
//! itself, and takes no second one. Where results are read once the adders form trees, on which a dynamic programme
//! finds the cheapest choice in linear time.

/// An adder, as the choice sees it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Adder {
    /// For each operand: the adder that makes it, if nothing else reads that.
    pub operands: [Option<u32>; 2],
    /// What it costs by itself.
    pub alone: u32,
    /// What it costs with operand 0, operand 1 taken in; not looked at where there is no such adder.
    pub taking: [u32; 2],
}

/// What to take in where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cover {
    /// Which operand each adder takes in.
    pub takes: Vec<Option<u8>>,
    /// What all adders cost together.
    pub cost: u64,
}

impl Cover {
    /// The cheapest choice for `adders`, operands before readers; no taking in where the cost is the same.
    pub fn cheapest(adders: &[Adder]) -> Self {
        // the cost of each adder's tree, and of the trees below it
        let (mut whole, mut below): (Vec<u64>, Vec<u64>) = Default::default();
        let mut wish = Vec::with_capacity(adders.len());
        let mut read = vec![false; adders.len()];
        for adder in adders {
            let made = adder.operands.iter().flatten();
            let under: u64 = made.clone().map(|&k| whole[k as usize]).sum();
            made.for_each(|&k| read[k as usize] = true);
            let mut best = (u64::from(adder.alone) + under, None);
            for (side, k) in (0u8..).zip(adder.operands) {
                let Some(k) = k else { continue };
                let taken_in = under - whole[k as usize] + below[k as usize];
                let cost = u64::from(adder.taking[usize::from(side)]) + taken_in;
                if cost < best.0 {
                    best = (cost, Some(side));
                }
            }
            whole.push(best.0);
            below.push(under);
            wish.push(best.1);
        }
        let roots = whole.iter().zip(&read).filter(|(_, read)| !**read);
        let cost = roots.map(|(cost, _)| cost).sum();
        let mut taken = vec![false; adders.len()];
        for k in (0..adders.len()).rev() {
            let takes = if taken[k] { None } else { wish[k] };
            wish[k] = takes;
            if let Some(inner) = takes.and_then(|side| adders[k].operands[usize::from(side)]) {
                taken[inner as usize] = true;
            }
        }
        Self { takes: wish, cost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adder(operands: [Option<u32>; 2], alone: u32) -> Adder {
        Adder { operands, alone, taking: [alone; 2] }
    }

    #[test]
    fn a_chain_is_taken_two_by_two() {
        let chain: Vec<Adder> = (0..5u32).map(|k| adder([k.checked_sub(1), None], 8 + k)).collect();
        let cover = Cover::cheapest(&chain);
        assert_eq!(cover.takes, [None, None, Some(0), None, Some(0)]);
        assert_eq!(cover.cost, 8 + 10 + 12);
    }

    /// Every choice that is allowed costs at least as much.
    #[test]
    fn no_choice_is_cheaper() {
        for seed in 0..200 {
            let mut state = seed;
            let mut below = |limit: u64| {
                // a linear congruential generator, Knuth's MMIX
                state = 6364136223846793005u64.wrapping_mul(state).wrapping_add(1442695040888963407);
                (state >> 33) % limit
            };
            let count = 1 + below(8);
            let mut free: Vec<u32> = Vec::new();
            let adders: Vec<Adder> = (0..count as u32)
                .map(|k| {
                    let operands = [(); 2].map(|()| {
                        (!free.is_empty() && below(2) == 1).then(|| free.swap_remove(below(free.len() as u64) as usize))
                    });
                    free.push(k);
                    Adder { operands, alone: below(9) as u32, taking: [below(14) as u32, below(14) as u32] }
                })
                .collect();
            let least = (0..3u32.pow(count as u32)).filter_map(|code| price(&adders, code)).min();
            let cover = Cover::cheapest(&adders);
            assert_eq!(Some(cover.cost), least, "{adders:?}");
            let code =
                cover.takes.iter().rev().fold(0, |code, takes| 3 * code + takes.map_or(0, |side| u32::from(side) + 1));
            assert_eq!(price(&adders, code), least, "{cover:?} of {adders:?}");
        }
    }

    /// The cost of a choice, one base-three digit an adder, if it is allowed.
    fn price(adders: &[Adder], mut code: u32) -> Option<u64> {
        let mut takes = Vec::new();
        for _ in adders {
            takes.push((code % 3).checked_sub(1));
            code /= 3;
        }
        let mut taken = vec![false; adders.len()];
        for (adder, side) in adders.iter().zip(&takes) {
            if let Some(side) = side {
                let inner = adder.operands[*side as usize]? as usize;
                takes[inner].is_none().then_some(())?;
                taken[inner] = true;
            }
        }
        let cost = |k: usize| match takes[k] {
            _ if taken[k] => 0,
            None => adders[k].alone,
            Some(side) => adders[k].taking[side as usize],
        };
        Some((0..adders.len()).map(|k| u64::from(cost(k))).sum())
    }
}
