//! Things of both sides in classes of those that are the same.

use petgraph::unionfind::UnionFind;

/// Classes of the things of two sides, which are numbered through: the first side's, then the second's.
#[derive(Debug, Default)]
pub struct Classes {
    /// Of each thing, its class.
    pub of: [Vec<usize>; 2],
    /// The number of classes; they are numbered in the order of their first things.
    pub count: usize,
    /// Things of both sides that are the same: enough of them to follow that all of a class are.
    pub pairs: Vec<[usize; 2]>,
    /// Whether a class has things of both sides.
    pub is_shared: Vec<bool>,
}

impl Classes {
    /// The sets of `union`, of whose things the first `split` are of the first side.
    pub fn of(union: UnionFind<usize>, split: usize) -> Self {
        let mut classes = Self::default();
        let roots = union.into_labeling();
        let mut numbers = vec![None; roots.len()];
        let mut firsts: Vec<[Option<usize>; 2]> = Vec::new();
        for (thing, root) in roots.iter().enumerate() {
            let class = *numbers[*root].get_or_insert(firsts.len());
            if class == firsts.len() {
                firsts.push([None; 2]);
            }
            let (side, place) = match thing.checked_sub(split) {
                None => (0, thing),
                Some(place) => (1, place),
            };
            classes.of[side].push(class);
            firsts[class][side].get_or_insert(place);
        }
        for (place, class) in classes.of[1].iter().enumerate() {
            let golden = firsts[*class][0];
            classes.pairs.extend(golden.map(|golden| [golden, place]));
        }
        for (place, class) in classes.of[0].iter().enumerate() {
            if let [Some(first), Some(partner)] = firsts[*class]
                && first != place
            {
                classes.pairs.push([place, partner]);
            }
        }
        classes.is_shared = firsts.iter().map(|f| f.iter().all(Option::is_some)).collect();
        classes.count = firsts.len();
        classes
    }

    /// Of each pair, the first side's thing, by what each of them is called.
    pub fn named<'n>(&self, names: &'n [String]) -> impl Iterator<Item = &'n String> {
        self.pairs.iter().map(|[golden, _]| &names[*golden])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_tie_a_class_together() {
        // of the first side 0, 1, 2; of the second 3, 4
        let mut union = UnionFind::new(5);
        for (a, b) in [(0, 4), (2, 4)] {
            union.union(a, b);
        }
        let classes = Classes::of(union, 3);
        assert_eq!(classes.of, [vec![0, 1, 0], vec![2, 0]]);
        assert_eq!((classes.count, classes.is_shared), (3, vec![true, false, false]));
        assert_eq!(classes.pairs, [[0, 1], [2, 1]]);
    }
}
