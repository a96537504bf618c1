//! Edges that come in the order of their receivers.
//!
//! The edges of one receiver then follow each other, but for some that are not live. One parallel prefix network
//! aggregates all of them, beginning anew with each receiver (a segmented scan); the last edge of a receiver has its
//! aggregate, and its node picks that one. `n·log(n)/2` operations and a one-hot selection a node take the place of a
//! masked tree over all edges for each node.

use std::ops::Range;

use hdl::dfg::{ModuleBuilder, Value};
use hdl::num::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aggregate::{Aggregation, kept};
use super::windows::{Windows, check_windows, per_edge};
use super::{HandMade, Site};
use crate::model::{Requantise, TensorInfo};

/// Edges that are aggregated together: those of one window of receivers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    receivers: Range<usize>,
    /// Their numbers, ascending.
    edges: Vec<usize>,
}

impl Windows {
    fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (k, first) in self.receivers.iter().enumerate() {
            match groups.iter_mut().find(|group| group.receivers.start == *first) {
                Some(group) => group.edges.push(k),
                None => groups.push(Group { receivers: *first..first + self.size, edges: vec![k] }),
            }
        }
        groups
    }
}

/// Which edges are live, of those that are promised to come in the order of their receivers: senders, receivers and
/// valid bits, `[edges]` each → `[edges, 2]`.
///
/// The first column is 1 for an edge that is valid, both of whose ends lie in its windows, and whose receiver does not
/// come before that of an earlier live edge with the same window of receivers. The second is the place in the window of
/// the furthest receiver so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Order {
    /// Nodes that each edge may connect.
    pub windows: Windows,
}

impl HandMade for Order {
    fn name(&self) -> &'static str {
        "order"
    }

    fn operands(&self) -> usize {
        3
    }

    fn result(&self, x: &[&TensorInfo]) -> Result<TensorInfo, String> {
        let shape = per_edge(&self.windows, 2, x)?;
        let range = Interval::new(0, (self.windows.size as i128 - 1).max(1)).map_err(|e| e.to_string())?;
        Ok(TensorInfo { shape, range })
    }

    fn evaluate(&self, x: &[&[i64]]) -> Vec<i64> {
        let mut said = vec![0; 2 * self.windows.receivers.len()];
        for Group { receivers, edges } in self.windows.groups() {
            let mut furthest = 0;
            for k in edges {
                let place = x[1][k] - receivers.start as i64;
                let live = self.windows.connects(k, [x[0][k], x[1][k], x[2][k]]) && place >= furthest;
                furthest = if live { place } else { furthest };
                (said[2 * k], said[2 * k + 1]) = (i64::from(live), furthest);
            }
        }
        said
    }

    /// A parallel prefix network of maxima a group.
    fn build<'m>(&self, at: Site<'_, 'm>) -> Vec<Value<'m>> {
        let Site { m, operands: x, .. } = at;
        let mut said = vec![m.constant(0, 0); 2 * self.windows.receivers.len()];
        let bits = usize::BITS - (self.windows.size - 1).leading_zeros();
        for Group { receivers, edges } in self.windows.groups() {
            let candidate = |k: &usize| self.windows.connected(m, *k, [x[0][*k], x[1][*k], x[2][*k]]);
            let candidates: Vec<Value<'m>> = edges.iter().map(candidate).collect();
            let place = |(k, candidate): (&usize, &Value<'m>)| {
                let place = (x[1][*k] - m.constant(receivers.start as i128, 0)).wrap(bits, false);
                candidate.mux(place, m.constant(0, 0))
            };
            let places: Vec<Value<'m>> = edges.iter().zip(&candidates).map(place).collect();
            let furthest = prefix(&places, |a, b| a.max(b));
            for (n, k) in edges.iter().enumerate() {
                said[2 * k] = candidates[n] & places[n].equals(furthest[n]);
                said[2 * k + 1] = furthest[n];
            }
        }
        said
    }
}

/// For each node the aggregate of its edges: messages `[edges, columns]` and what [`Order`] says of the edges →
/// `[nodes, columns]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SortedScatter {
    /// Nodes.
    pub nodes: usize,
    /// Nodes that each edge may connect.
    pub windows: Windows,
    /// How messages become one.
    pub how: Aggregation,
    /// What happens to the aggregate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Requantise>,
}

impl HandMade for SortedScatter {
    fn name(&self) -> &'static str {
        "sorted_scatter"
    }

    fn operands(&self) -> usize {
        2
    }

    fn result(&self, x: &[&TensorInfo]) -> Result<TensorInfo, String> {
        let edges = self.windows.receivers.len();
        let (&[messages, columns], [said, 2]) = (&*x[0].shape, &*x[1].shape) else {
            return Err(format!("messages and their order are wanted, found {:?} and {:?}", x[0].shape, x[1].shape));
        };
        if messages != edges || *said != edges || columns == 0 {
            return Err(format!("{edges} messages are wanted, found {messages} and {said}"));
        }
        check_windows(self.windows.size, self.windows.receivers.iter(), self.nodes)?;
        let exact = self.how.range(x[0].range, edges).map_err(|e| e.to_string())?;
        let range = match &self.then {
            Some(then) => then.range(exact).map_err(|e| e.to_string())?,
            None => exact,
        };
        Ok(TensorInfo { shape: vec![self.nodes, columns], range })
    }

    fn evaluate(&self, x: &[&[i64]]) -> Vec<i64> {
        let (messages, said) = (x[0], x[1]);
        let columns = messages.len() / self.windows.receivers.len();
        let receiver = |k: usize| self.windows.receivers[k] + said[2 * k + 1] as usize;
        let into = |node: usize| (0..said.len() / 2).filter(move |k| said[2 * k] == 1 && receiver(*k) == node);
        let column = |node: usize, c: usize| {
            let exact = self.how.evaluate(into(node).map(|k| messages[k * columns + c]));
            self.then.map_or(exact, |then| then.apply(exact.into()) as i64)
        };
        (0..self.nodes).flat_map(|node| (0..columns).map(move |c| (node, c))).map(|(node, c)| column(node, c)).collect()
    }

    /// Segmented scans, and for each node the selection of the last of its edges.
    fn build<'m>(&self, at: Site<'_, 'm>) -> Vec<Value<'m>> {
        let Site { m, operands: x, products, .. } = at;
        let columns = x[0].len() / self.windows.receivers.len();
        let scanned: Vec<Scanned<'m>> =
            self.windows.groups().into_iter().map(|group| Scanned::of(self, m, group, x, columns)).collect();
        let mut aggregates = Vec::new();
        for node in 0..self.nodes {
            let reaching = scanned.iter().filter(|scanned| scanned.group.receivers.contains(&node));
            let rows: Vec<Vec<Value<'m>>> = reaching.map(|scanned| scanned.of_node(m, self.how, node)).collect();
            let all = 0..columns + self.how.presence_columns();
            let combined: Vec<Value<'m>> = all.map(|k| self.how.together(m, &rows, k)).collect();
            let aggregate = self.how.finish(m, products, &combined).into_iter().map(|v| v.with_frac(0));
            aggregates.extend(aggregate.map(|v| self.then.map_or(v, |then| then.build(m, v))));
        }
        aggregates
    }
}

/// The edges of a group with the aggregates up to each.
struct Scanned<'m> {
    group: Group,
    /// Column by column, edge by edge.
    columns: Vec<Vec<Value<'m>>>,
    /// Of each edge, whether it is the last before a further receiver, and the place of its receiver.
    last: Vec<(Value<'m>, Value<'m>)>,
}

impl<'m> Scanned<'m> {
    fn of(scatter: &SortedScatter, m: &'m ModuleBuilder, group: Group, x: &[&[Value<'m>]], columns: usize) -> Self {
        let edges = &group.edges;
        let live: Vec<Value<'m>> = edges.iter().map(|k| x[1][2 * k]).collect();
        let furthest: Vec<Value<'m>> = edges.iter().map(|k| x[1][2 * k + 1]).collect();
        let further = furthest.windows(2).map(|pair| pair[0].differs(pair[1]));
        let further: Vec<Value<'m>> = further.chain([m.constant(1, 0)]).collect();
        // a receiver begins with the first edge, and behind each last one of another
        let begins: Vec<Value<'m>> = [m.constant(1, 0)].into_iter().chain(further.iter().copied()).collect();
        let rows: Vec<Vec<Value<'m>>> = edges
            .iter()
            .zip(&live)
            .map(|(k, live)| scatter.how.columns(m, *live, &x[0][k * columns..][..columns]))
            .collect();
        let column = |k: usize| {
            let rows = rows.iter().zip(&begins).map(|(row, begins)| [row[k], *begins]);
            scan(scatter, m, &rows.collect::<Vec<_>>())
        };
        let columns = (0..columns + scatter.how.presence_columns()).map(column).collect();
        Self { group, columns, last: further.into_iter().zip(furthest).collect() }
    }

    /// The columns of the last edge of a node; those of no row at all if there is none.
    fn of_node(&self, m: &'m ModuleBuilder, how: Aggregation, node: usize) -> Vec<Value<'m>> {
        let place = m.constant((node - self.group.receivers.start) as i128, 0);
        let here: Vec<Value<'m>> = self.last.iter().map(|(last, receiver)| *last & receiver.equals(place)).collect();
        let chosen = |column: &Vec<Value<'m>>| {
            let masked: Vec<Value<'m>> =
                here.iter().zip(column).map(|(here, v)| here.mux(*v, m.constant(0, 0))).collect();
            Value::tree(&masked, |a, b| a | b).expect("a group has edges")
        };
        let chosen: Vec<Value<'m>> = self.columns.iter().map(chosen).collect();
        match how {
            // nothing chosen reads 0, which may be more than what others have
            Aggregation::Max => {
                let (presence, values) = chosen.split_last().expect("a column of presence");
                how.columns(m, *presence, values)
            }
            Aggregation::Sum | Aggregation::Mean => chosen,
        }
    }
}

/// One column of masked rows, each with whether a receiver begins with it → the aggregate of the receiver's rows up to
/// each.
fn scan<'m>(scatter: &SortedScatter, m: &'m ModuleBuilder, rows: &[[Value<'m>; 2]]) -> Vec<Value<'m>> {
    let how = scatter.how;
    let neutral = |v: Value<'m>| m.constant(how.neutral(v.format()), 0);
    let together = |[a, a_begins]: [Value<'m>; 2], [b, b_begins]: [Value<'m>; 2]| {
        let before = b_begins.mux(neutral(a), a);
        [how.combine(before, b), a_begins | b_begins]
    };
    let kept = |[total, _]: [Value<'m>; 2]| {
        let format = kept(how, scatter.then, total.format());
        total.wrap(format.range.width(), format.range.signed())
    };
    prefix(rows, together).into_iter().map(kept).collect()
}

/// What `combine` makes of the values up to each, by Sklansky's network: as deep as a balanced tree.
fn prefix<V: Copy>(values: &[V], combine: impl Fn(V, V) -> V) -> Vec<V> {
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
