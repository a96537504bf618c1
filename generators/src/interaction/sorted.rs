//! Edges that come in the order of their receivers.
//!
//! The edges of one receiver then follow each other, but for some that are not live. One parallel prefix network
//! aggregates all of them, beginning anew with each receiver (a segmented scan); the last edge of a receiver has its
//! aggregate, and its node picks that one. `n·log(n)/2` operations and a one-hot selection a node take the place of a
//! masked tree over all edges for each node.

use std::ops::Range;

use hdl::dfg::{ModuleBuilder, Value};
use hdl::diag::Diagnostics;

use super::aggregate::{Aggregate, Aggregation};
use super::assembly::Assembly;
use super::edges::inside;
use super::network::Tracking;
use crate::arith::Products;

/// Edges that are aggregated together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Nodes that they may have as receivers.
    pub receivers: Range<usize>,
    /// Their numbers, ascending.
    pub edges: Vec<usize>,
}

impl Group {
    /// The place of a receiver in the window, if it lies there.
    fn place<'m>(&self, m: &'m ModuleBuilder, receiver: Value<'m>) -> Value<'m> {
        let bits = usize::BITS - (self.receivers.len() - 1).leading_zeros();
        (receiver - m.constant(self.receivers.start as i128, 0)).wrap(bits, false)
    }
}

/// Appends to each message whether its edge is live, and for each node of the window whether this edge is its last;
/// returns the columns of the aggregate up to each edge.
///
/// | block | copies | does |
/// |---|---|---|
/// | `order` | one a group | furthest receiver up to each edge, whether the edge is live, whether a receiver's edges begin |
/// | `scanN` | one a column of a group of N edges | aggregate of the receiver's edges up to each edge |
/// | `decode` | one a group | the last edge of each receiver, one-hot |
///
/// # Errors
/// Those of building and of pipelining the blocks.
pub fn scatter<'m>(
    network: &Tracking,
    assembly: &Assembly<'m, '_>,
    groups: &[Group],
    ports: &[Vec<Value<'m>>],
    messages: &mut [Vec<Value<'m>>],
) -> Result<Vec<Vec<Value<'m>>>, Diagnostics> {
    let [_, _, sender, receiver, valid] = ports else { unreachable!("the ports of this network") };
    let mut scattered = vec![Vec::new(); network.edges];
    for group in groups {
        let (first, count) = (group.receivers.start, group.edges.len());
        let of = |k: &usize| [receiver[*k], sender[*k], valid[*k]];
        let inputs: Vec<Value<'m>> = group.edges.iter().flat_map(of).collect();
        let order = assembly.place(&format!("order{first}"), &format!("order{first}"), &inputs, |m, inputs| {
            order(network, group, m, inputs)
        })?;
        let (furthest, flags) = order.split_at(count);
        let live = &flags[..count];
        for column in 0..network.relation.outputs() + network.aggregate.presence_columns() {
            let value = |(k, live): (&usize, &Value<'m>)| *messages[*k].get(column).unwrap_or(live);
            let mut inputs: Vec<Value<'m>> = group.edges.iter().zip(live).map(value).collect();
            inputs.extend(flags);
            let name = format!("scan{first}_{column}");
            let block = format!("scan{count}");
            let sums = assembly.place(&block, &name, &inputs, |m, inputs| scan(network.aggregate, count, m, inputs))?;
            let edges = group.edges.iter().zip(sums);
            edges.for_each(|(k, sum)| scattered[*k].push(sum));
        }
        // decoded no sooner than needed: there are many more flags than bits of the receivers
        let cycle = |v: Value<'m>| v.stamp().cycle().unwrap_or(0);
        let wait = cycle(scattered[group.edges[0]][0]).saturating_sub(cycle(furthest[0]));
        let late: Vec<Value<'m>> = furthest.iter().map(|v| v.delay(wait)).collect();
        let hot = assembly.place(&format!("decode{first}"), &format!("decode{first}"), &late, |m, furthest| {
            decode(group, m, furthest)
        })?;
        let hot = hot.chunks(group.receivers.len());
        for ((k, live), hot) in group.edges.iter().zip(live).zip(hot) {
            messages[*k].push(*live);
            messages[*k].extend(hot);
        }
    }
    Ok(scattered)
}

/// Receiver, sender and valid of each edge → furthest receiver up to each, live of each, and for all but the first
/// whether the furthest receiver is another one than before.
fn order<'m>(network: &Tracking, group: &Group, m: &'m ModuleBuilder, inputs: &[Value<'m>]) -> Vec<Value<'m>> {
    let candidate = |(k, ends): (&usize, &[Value<'m>])| {
        let [to, from] = network.windows_of(*k);
        ends[2] & inside(m, ends[0], &to) & inside(m, ends[1], &from)
    };
    let ends = || inputs.chunks(3);
    let candidates: Vec<Value<'m>> = group.edges.iter().zip(ends()).map(candidate).collect();
    let places: Vec<Value<'m>> = ends()
        .zip(&candidates)
        .map(|(ends, candidate)| candidate.mux(group.place(m, ends[0]), m.constant(0, 0)))
        .collect();
    let furthest = prefix(&places, |a, b| a.max(b));
    let live = candidates
        .iter()
        .zip(places.iter().zip(&furthest))
        .map(|(candidate, (place, furthest))| *candidate & place.equals(*furthest));
    let begins = furthest.windows(2).map(|pair| pair[0].differs(pair[1]));
    furthest.iter().copied().chain(live).chain(begins).collect()
}

/// Furthest receiver up to each edge → for each edge and each node of the window, whether the edge is the last before
/// a further receiver, and that node the receiver.
fn decode<'m>(group: &Group, m: &'m ModuleBuilder, furthest: &[Value<'m>]) -> Vec<Value<'m>> {
    let nodes = group.receivers.len();
    let mut hot = Vec::new();
    for (k, own) in furthest.iter().enumerate() {
        let next = furthest.get(k + 1);
        let last = next.map_or(m.constant(1, 0), |next| own.differs(*next));
        hot.extend((0..nodes).map(|i| last & own.equals(m.constant(i as i128, 0))));
    }
    hot
}

/// One column of `count` rows, live of each, whether a receiver begins with each but the first → the aggregate of the
/// receiver's rows up to each.
fn scan<'m>(aggregate: Aggregate, count: usize, m: &'m ModuleBuilder, inputs: &[Value<'m>]) -> Vec<Value<'m>> {
    let (values, flags) = inputs.split_at(count);
    let (live, begins) = flags.split_at(count);
    let neutral = |v: Value<'m>| m.constant(aggregate.neutral(v.format()), v.frac());
    let first = m.constant(1, 0);
    let rows: Vec<[Value<'m>; 2]> = values
        .iter()
        .zip(live)
        .map(|(v, live)| live.mux(*v, neutral(*v)))
        .zip([first].iter().chain(begins))
        .map(|(v, begins)| [v, *begins])
        .collect();
    let together = |[a, a_begins]: [Value<'m>; 2], [b, b_begins]: [Value<'m>; 2]| {
        let before = b_begins.mux(neutral(a), a);
        [aggregate.combine(before, b), a_begins | b_begins]
    };
    let kept = |[total, _]: [Value<'m>; 2]| {
        let format = aggregate.kept(total.format());
        total.wrap(format.range.width(), format.range.signed())
    };
    prefix(&rows, together).into_iter().map(kept).collect()
}

/// What `combine` makes of the values up to each, by Sklansky's network: as deep as a balanced tree.
fn prefix<T: Copy>(values: &[T], combine: impl Fn(T, T) -> T) -> Vec<T> {
    let mut prefix = values.to_vec();
    let mut span = 1;
    while span < prefix.len() {
        for k in (0..prefix.len()).filter(|k| k & span != 0) {
            let before = (k & !(span - 1)) - 1;
            prefix[k] = combine(prefix[before], prefix[k]);
        }
        span *= 2;
    }
    prefix
}

/// A node's aggregate: of each group of rows, as many as `degrees` says, that which is the node's.
pub fn gathered<'m>(
    m: &'m ModuleBuilder,
    products: &Products,
    aggregate: Aggregate,
    degrees: &[usize],
    rows: &[(Value<'m>, &[Value<'m>])],
    width: usize,
) -> Vec<Value<'m>> {
    let columns = width + aggregate.presence_columns();
    let mut rest = rows;
    let mut groups = Vec::new();
    for degree in degrees {
        let (group, others) = rest.split_at(*degree);
        rest = others;
        let chosen: Vec<Value<'m>> = (0..columns).map(|k| chosen(m, group, k)).collect();
        groups.push(match aggregate.how {
            // nothing chosen reads 0, which may be more than what others have
            Aggregation::Max => aggregate.columns(m, chosen[width], &chosen[..width]),
            Aggregation::Sum | Aggregation::Mean => chosen,
        });
    }
    let combined = |k: usize| {
        let of_groups: Vec<Value<'m>> = groups.iter().map(|group| group[k]).collect();
        let all = Value::tree(&of_groups, |a, b| aggregate.combine(a, b));
        all.unwrap_or(m.constant(0, 0))
    };
    let combined: Vec<Value<'m>> = (0..columns).map(combined).collect();
    aggregate.finish(m, products, &combined)
}

/// Column `k` of the row whose flag is set, of which there is one at most; 0 of none.
fn chosen<'m>(m: &'m ModuleBuilder, rows: &[(Value<'m>, &[Value<'m>])], k: usize) -> Value<'m> {
    let masked: Vec<Value<'m>> =
        rows.iter().map(|(here, row)| here.mux(row[k], m.constant(0, row[k].frac()))).collect();
    Value::tree(&masked, |a, b| a | b).unwrap_or(m.constant(0, 0))
}
