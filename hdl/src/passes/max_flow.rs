//! Least cuts of directed graphs by Dinic's algorithm, without recursion.
//!
//! petgraph has Dinic's algorithm too, but gives back flows on edges, of which a caller must build the residual graph
//! once more to learn the two sides of the cut, and the two sides are all that is wanted here.

/// A capacity that no least cut crosses.
pub(super) const UNLIMITED: u64 = u64::MAX / 4;

/// Which of the least cuts is taken: what none of them decides may go to either end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// As few vertices as possible on the source's side.
    SmallestSource,
    /// As many vertices as possible on the source's side.
    LargestSource,
}

/// A flow network under construction.
#[derive(Debug, Default)]
pub(super) struct Network {
    vertices: u32,
    /// Tail, head and capacity.
    edges: Vec<(u32, u32, u64)>,
}

/// The residual graph: edge `e` and its reverse `e ^ 1` side by side.
struct Residual {
    head: Vec<u32>,
    capacity: Vec<u64>,
    /// Edges that leave a vertex: `leaving[first[v]..first[v + 1]]`.
    first: Vec<u32>,
    leaving: Vec<u32>,
    level: Vec<u32>,
    /// The edge that is tried next, by vertex.
    current: Vec<u32>,
}

impl Network {
    /// A new vertex.
    pub fn vertex(&mut self) -> u32 {
        self.vertices += 1;
        self.vertices - 1
    }

    /// A new edge.
    pub fn edge(&mut self, tail: u32, head: u32, capacity: u64) {
        self.edges.push((tail, head, capacity));
    }

    /// For each vertex, whether it is on the source's side of a least cut.
    pub fn least_cut(&self, source: u32, sink: u32, side: Side) -> Vec<bool> {
        let mut residual = Residual::new(self);
        while residual.layer(source, sink) {
            residual.block(source, sink);
        }
        match side {
            Side::SmallestSource => residual.reachable(source),
            Side::LargestSource => residual.not_reaching(sink),
        }
    }
}

const UNREACHED: u32 = u32::MAX;

impl Residual {
    fn new(network: &Network) -> Self {
        let vertices = network.vertices as usize;
        let mut first = vec![0u32; vertices + 1];
        for &(tail, head, _) in &network.edges {
            first[tail as usize + 1] += 1;
            first[head as usize + 1] += 1;
        }
        for v in 0..vertices {
            first[v + 1] += first[v];
        }
        let mut place = first.clone();
        let mut leaving = vec![0u32; 2 * network.edges.len()];
        let mut head_of = Vec::with_capacity(2 * network.edges.len());
        let mut capacity = Vec::with_capacity(2 * network.edges.len());
        let mut put = |v: u32, e: u32| {
            leaving[place[v as usize] as usize] = e;
            place[v as usize] += 1;
        };
        for (k, &(tail, head, limit)) in (0u32..).zip(&network.edges) {
            put(tail, 2 * k);
            put(head, 2 * k + 1);
            head_of.extend([head, tail]);
            capacity.extend([limit, 0]);
        }
        Self { head: head_of, capacity, leaving, level: vec![UNREACHED; vertices], current: vec![0; vertices], first }
    }

    fn leaving(&self, v: u32) -> &[u32] {
        let v = v as usize;
        &self.leaving[self.first[v] as usize..self.first[v + 1] as usize]
    }

    /// Numbers the vertices by their distance from the source; whether the sink can be reached.
    fn layer(&mut self, source: u32, sink: u32) -> bool {
        self.level.fill(UNREACHED);
        self.level[source as usize] = 0;
        let mut queue = vec![source];
        let mut next = 0;
        while let Some(&v) = queue.get(next) {
            next += 1;
            for i in self.first[v as usize]..self.first[v as usize + 1] {
                let e = self.leaving[i as usize] as usize;
                let w = self.head[e];
                if self.capacity[e] > 0 && self.level[w as usize] == UNREACHED {
                    self.level[w as usize] = self.level[v as usize] + 1;
                    queue.push(w);
                }
            }
            if self.level[sink as usize] != UNREACHED {
                break;
            }
        }
        let vertices = self.current.len();
        self.current.copy_from_slice(&self.first[..vertices]);
        self.level[sink as usize] != UNREACHED
    }

    /// Sends flow along shortest paths until each is blocked.
    fn block(&mut self, source: u32, sink: u32) {
        let mut path: Vec<u32> = Vec::new();
        let mut v = source;
        loop {
            if v == sink {
                v = self.augment(&mut path, source);
            } else if let Some(e) = self.advance(v) {
                path.push(e);
                v = self.head[e as usize];
            } else if let Some(e) = path.pop() {
                v = self.head[e as usize ^ 1];
                self.current[v as usize] += 1;
            } else {
                return;
            }
        }
    }

    /// An edge from `v` into the next layer.
    fn advance(&mut self, v: u32) -> Option<u32> {
        let end = self.first[v as usize + 1];
        while self.current[v as usize] < end {
            let e = self.leaving[self.current[v as usize] as usize];
            let w = self.head[e as usize];
            let below = self.level[w as usize] == self.level[v as usize] + 1;
            if below && self.capacity[e as usize] > 0 {
                return Some(e);
            }
            self.current[v as usize] += 1;
        }
        None
    }

    /// Sends as much as `path` takes, and goes back to the tail of its first full edge.
    fn augment(&mut self, path: &mut Vec<u32>, source: u32) -> u32 {
        let capacity = |e: &u32| self.capacity[*e as usize];
        let amount = path.iter().map(capacity).min().unwrap_or(0);
        let mut full = path.len();
        for (i, &e) in path.iter().enumerate().rev() {
            self.capacity[e as usize] -= amount;
            self.capacity[e as usize ^ 1] += amount;
            if self.capacity[e as usize] == 0 {
                full = i;
            }
        }
        let back = path.get(full).map_or(source, |&e| self.head[e as usize ^ 1]);
        path.truncate(full);
        back
    }

    fn reachable(&self, source: u32) -> Vec<bool> {
        self.closure(source, |e| self.capacity[e as usize] > 0)
    }

    fn not_reaching(&self, sink: u32) -> Vec<bool> {
        let mut side = self.closure(sink, |e| self.capacity[e as usize ^ 1] > 0);
        side.iter_mut().for_each(|reaches| *reaches = !*reaches);
        side
    }

    fn closure(&self, start: u32, open: impl Fn(u32) -> bool) -> Vec<bool> {
        let mut seen = vec![false; self.current.len()];
        seen[start as usize] = true;
        let mut todo = vec![start];
        while let Some(v) = todo.pop() {
            for &e in self.leaving(v).iter().filter(|&&e| open(e)) {
                let w = self.head[e as usize];
                if !std::mem::replace(&mut seen[w as usize], true) {
                    todo.push(w);
                }
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_value(network: &Network, side: &[bool]) -> u64 {
        let crosses = |&&(t, h, _): &&(u32, u32, u64)| side[t as usize] && !side[h as usize];
        network.edges.iter().filter(crosses).map(|e| e.2).sum()
    }

    /// Both cuts cost what the best of all partitions costs, on many small graphs.
    #[test]
    fn cuts_are_least() {
        let mut numbers = crate::random::Numbers::new(1);
        let mut random = |below: usize| numbers.below(below) as u64;
        for _ in 0..300 {
            let mut network = Network::default();
            for v in 0..7 {
                assert_eq!(network.vertex(), v);
            }
            for _ in 0..14 {
                network.edge(random(7) as u32, random(7) as u32, random(5));
            }
            let partition = |bits: u32| -> Vec<bool> { (0..7).map(|v| bits >> v & 1 == 1).collect() };
            let best = (0..128)
                .filter(|bits| bits & 1 == 1 && bits >> 6 & 1 == 0)
                .map(|bits| cut_value(&network, &partition(bits)))
                .min()
                .unwrap();
            for side in [Side::SmallestSource, Side::LargestSource] {
                let cut = network.least_cut(0, 6, side);
                assert!(cut[0] && !cut[6]);
                assert_eq!(cut_value(&network, &cut), best);
            }
        }
    }

    #[test]
    fn a_deep_chain_needs_no_stack() {
        let mut network = Network::default();
        let first = network.vertex();
        let last = (0..200_000).fold(first, |tail, _| {
            let head = network.vertex();
            network.edge(tail, head, 3);
            head
        });
        let cut = network.least_cut(first, last, Side::LargestSource);
        assert_eq!(cut.iter().filter(|s| **s).count(), 200_000);
    }
}
