//! The pipeline at block level: a column a cycle, a box for what each scope does in it, register bits between columns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use crate::dfg::{Module, NodeId, Op, OutputPort};

const BOX_WIDTH: i32 = 190;
const BOX_HEIGHT: i32 = 58;
const GAP: i32 = 84;
const ROW: i32 = BOX_HEIGHT + 22;
const TOP: i32 = 76;
const MARGIN: i32 = 24;
/// Boxes shown in a column; the rest is drawn as one.
const MOST_ROWS: usize = 24;
/// Characters of a title that fit a box.
const TITLE: usize = 25;

/// What one scope does in one cycle.
#[derive(Debug, Default)]
struct Block {
    operators: BTreeMap<&'static str, usize>,
}

/// Cycle and row of a box.
type Cell = (usize, usize);

/// What goes from one box to another.
#[derive(Debug, Default)]
struct Wire {
    bits: u64,
    values: usize,
}

/// The module as boxes in columns.
struct Picture {
    /// Titles and blocks of each cycle.
    columns: Vec<Vec<(String, Block)>>,
    /// Register bits at the boundary behind each cycle.
    bits: Vec<u64>,
    /// What goes from each box to each other.
    wires: BTreeMap<(Cell, Cell), Wire>,
}

/// An SVG drawing of `module`: scopes down to `depth` dots as boxes in columns by cycle, the bits that each boundary
/// between cycles registers, and the bits that go from box to box.
///
/// Values that belong to no cycle, such as stored weights, are left out.
pub fn pipeline_svg(module: &Module, depth: usize) -> String {
    let picture = Picture::of(module, depth);
    let mut text = String::new();
    picture.write(module, &mut text).expect("writing to a string does not fail");
    text
}

impl Picture {
    fn of(module: &Module, depth: usize) -> Self {
        let cycles = module.latency() as usize + 1;
        let mut blocks: Vec<BTreeMap<String, Block>> = Vec::new();
        blocks.resize_with(cycles, BTreeMap::new);
        let mut order: Vec<String> = Vec::new();
        let mut known = BTreeSet::new();
        let place = places(module, depth);
        for n in module.graph.nodes() {
            let Some((cycle, title)) = &place[n.index()] else {
                continue;
            };
            if *cycle >= cycles {
                blocks.resize_with(cycle + 1, BTreeMap::new);
            }
            if known.insert(title.clone()) {
                order.push(title.clone());
            }
            let block = blocks[*cycle].entry(title.clone()).or_default();
            *block.operators.entry(module.graph.op(n).mnemonic()).or_default() += 1;
        }
        for (port, cycle) in timed_outputs(module) {
            let block = blocks[cycle].entry(output_title(&port.name)).or_default();
            block.operators.insert("output", port.elements.len());
            order.push(output_title(&port.name));
        }
        let columns: Vec<Vec<(String, Block)>> = blocks
            .into_iter()
            .map(|mut column| {
                let titles = order.iter();
                let found = titles.filter_map(|t| Some((t.clone(), column.remove(t)?)));
                folded(found.collect())
            })
            .collect();
        let mut picture = Self { bits: vec![0; columns.len()], columns, wires: BTreeMap::new() };
        picture.connect(module, &place);
        picture
    }

    /// Counts register bits, and wires between boxes.
    fn connect(&mut self, module: &Module, place: &[Option<(usize, String)>]) {
        let graph = &module.graph;
        let mut source: Vec<NodeId> = graph.nodes().collect();
        let rows: Vec<BTreeMap<&str, usize>> = self
            .columns
            .iter()
            .map(|c| (0..).zip(c).map(|(row, (title, _))| (title.as_str(), row)).collect())
            .collect();
        let row = |cycle: usize, title: &str| {
            let row = rows[cycle].get(title).copied();
            (cycle, row.unwrap_or(MOST_ROWS - 1))
        };
        let at = |n: NodeId| place[n.index()].as_ref().map(|(cycle, title)| row(*cycle, title));
        let mut seen: BTreeSet<(NodeId, Cell)> = BTreeSet::new();
        let mut wire = |a: NodeId, to: Cell| {
            if let Some(from) = at(a)
                && from != to
                && seen.insert((a, to))
            {
                let wire = self.wires.entry((from, to)).or_default();
                wire.bits += u64::from(graph.range(a).width());
                wire.values += 1;
            }
        };
        for n in graph.nodes() {
            if let Op::Delay(a, _) = graph.op(n) {
                source[n.index()] = source[a.index()];
                if let Some(cycle) = graph.stamp(a).cycle()
                    && let Some(bits) = self.bits.get_mut(cycle as usize)
                {
                    *bits += u64::from(graph.range(n).width());
                }
            } else if let Some(to) = at(n) {
                let operands = graph.op(n).operands();
                operands.for_each(|a| wire(source[a.index()], to));
            }
        }
        for (port, cycle) in timed_outputs(module) {
            let to = row(cycle, &output_title(&port.name));
            let nodes = port.elements.iter().map(|e| source[e.node.index()]);
            nodes.for_each(|a| wire(a, to));
        }
    }

    fn write(&self, module: &Module, out: &mut String) -> fmt::Result {
        let rows = self.columns.iter().map(Vec::len).max().unwrap_or(0).max(1) as i32;
        let columns = self.columns.len() as i32;
        let width = 2 * MARGIN + columns * (BOX_WIDTH + GAP) - GAP / 2;
        let height = TOP + rows * ROW + MARGIN;
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">"
        )?;
        writeln!(out, "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>")?;
        let total: u64 = self.bits.iter().sum();
        writeln!(
            out,
            "<text x=\"{MARGIN}\" y=\"24\" font-size=\"16\" font-weight=\"bold\">{}: {} cycles, {total} register bits</text>",
            escaped(&module.name),
            module.latency()
        )?;
        self.wires(out)?;
        for (cycle, column) in self.columns.iter().enumerate() {
            let x = left(cycle);
            let middle = x + BOX_WIDTH / 2;
            writeln!(out, "<text x=\"{middle}\" y=\"52\" text-anchor=\"middle\" fill=\"#555\">cycle {cycle}</text>")?;
            for (row, (title, block)) in column.iter().enumerate() {
                block.write(title, x, top(row), out)?;
            }
            if self.bits[cycle] > 0 {
                boundary(x + BOX_WIDTH + GAP / 2, height, self.bits[cycle], out)?;
            }
        }
        writeln!(out, "</svg>")
    }

    /// Lines first, so that boxes stand before them.
    fn wires(&self, out: &mut String) -> fmt::Result {
        for (((c0, r0), (c1, r1)), Wire { bits, values }) in &self.wires {
            let (y0, y1) = (top(*r0) + BOX_HEIGHT / 2, top(*r1) + BOX_HEIGHT / 2);
            let (x0, x1) = (left(*c0) + BOX_WIDTH, left(*c1));
            let path = match c1 > c0 {
                true => format!("M{x0} {y0} C{} {y0} {} {y1} {x1} {y1}", x0 + GAP, x1 - GAP),
                // within a column the line bows out on the right
                false => {
                    let bow = x0 + GAP / 2;
                    let end = left(*c1) + BOX_WIDTH;
                    format!("M{x0} {y0} C{bow} {y0} {bow} {y1} {end} {y1}")
                }
            };
            let thick = 1 + (64 - bits.leading_zeros()) / 3;
            writeln!(
                out,
                "<path d=\"{path}\" fill=\"none\" stroke=\"#4a78b5\" stroke-opacity=\"0.45\" stroke-width=\"{thick}\"><title>{values} values, {bits} bits</title></path>"
            )?;
        }
        Ok(())
    }
}

impl Block {
    fn write(&self, title: &str, x: i32, y: i32, out: &mut String) -> fmt::Result {
        let port = title.starts_with("input ") || title.starts_with("output ");
        let fill = if port { "#eaf4e4" } else { "#eef3fb" };
        writeln!(
            out,
            "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"5\" fill=\"{fill}\" stroke=\"#33507a\"/>",
            escaped(&self.summary(usize::MAX))
        )?;
        let (tx, title_y, line_y) = (x + 10, y + 23, y + 43);
        writeln!(
            out,
            "<text x=\"{tx}\" y=\"{title_y}\" font-weight=\"bold\">{}</text>",
            escaped(&shortened(title, TITLE))
        )?;
        writeln!(
            out,
            "<text x=\"{tx}\" y=\"{line_y}\" fill=\"#333\">{}</text></g>",
            escaped(&shortened(&self.summary(3), 30))
        )
    }

    /// The most frequent operators and how many there are.
    fn summary(&self, most: usize) -> String {
        let mut counts: Vec<_> = self.operators.iter().map(|(name, k)| (*k, *name)).collect();
        counts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let shown = counts.iter().take(most);
        let parts: Vec<String> = shown.map(|(k, name)| format!("{k} {name}")).collect();
        parts.join(", ")
    }
}

/// Cycle and title of what is drawn: no constants, no registers, nothing that belongs to no cycle.
fn places(module: &Module, depth: usize) -> Vec<Option<(usize, String)>> {
    let title = |n: NodeId| match module.graph.op(n) {
        Op::Input(k) => {
            let after = module.inputs.partition_point(|p| p.first <= k);
            format!("input {}", module.inputs[after - 1].name)
        }
        Op::Output(i, _) => module.instances[i as usize].name.clone(),
        _ => match module.scope_path(module.scope_of(n)) {
            "" => module.name.clone(),
            path => path.split('.').take(depth.max(1)).collect::<Vec<_>>().join("."),
        },
    };
    let graph = &module.graph;
    let place = |n: NodeId| {
        let drawn = !matches!(graph.op(n), Op::Const(_) | Op::Delay(..));
        let cycle = graph.stamp(n).cycle().filter(|_| drawn)?;
        Some((cycle as usize, title(n)))
    };
    graph.nodes().map(place).collect()
}

/// The output ports that belong to a cycle, with the cycle.
fn timed_outputs(module: &Module) -> impl Iterator<Item = (&OutputPort, usize)> {
    let timed = |p| -> Option<(&OutputPort, usize)> {
        let port: &OutputPort = p;
        Some((port, port.stamp.cycle()? as usize))
    };
    module.outputs.iter().filter_map(timed)
}

fn output_title(name: &str) -> String {
    format!("output {name}")
}

/// No more than `MOST_ROWS` blocks, the last of which stands for all others.
fn folded(mut column: Vec<(String, Block)>) -> Vec<(String, Block)> {
    if column.len() <= MOST_ROWS {
        return column;
    }
    let rest = column.split_off(MOST_ROWS - 1);
    let title = format!("{} more", rest.len());
    let mut all = Block::default();
    for (_, block) in rest {
        for (name, count) in block.operators {
            *all.operators.entry(name).or_default() += count;
        }
    }
    column.push((title, all));
    column
}

/// A dashed line between two columns with the bits that are registered there.
fn boundary(x: i32, height: i32, bits: u64, out: &mut String) -> fmt::Result {
    let end = height - MARGIN / 2;
    writeln!(out, "<line x1=\"{x}\" y1=\"60\" x2=\"{x}\" y2=\"{end}\" stroke=\"#b5482f\" stroke-dasharray=\"5 4\"/>")?;
    writeln!(out, "<text x=\"{x}\" y=\"52\" text-anchor=\"middle\" fill=\"#b5482f\">{bits} bits</text>")
}

fn left(cycle: usize) -> i32 {
    MARGIN + cycle as i32 * (BOX_WIDTH + GAP)
}

fn top(row: usize) -> i32 {
    TOP + row as i32 * ROW
}

pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dfg::ModuleBuilder;
    use crate::num::Format;

    fn drawing() -> String {
        let m = ModuleBuilder::new("net");
        let x = m.input_array("x", 4, Format::signed(8, 0).unwrap());
        let hidden = m.scope("conv", || m.scope("p<0>", || (x[0] + x[1]).delay(1) + x[2].delay(1)));
        m.output("y", m.scope("dense", || (hidden.delay(1) * x[3]).delay(1)));
        pipeline_svg(&m.finish().unwrap(), 2)
    }

    #[test]
    fn boxes_stand_in_their_cycles() {
        let svg = drawing();
        assert!(svg.contains("net: 3 cycles, 60 register bits"), "{svg}");
        for text in
            ["conv.p&lt;0&gt;", "input x", ">dense<", ">cycle 3<", ">25 bits<", ">18 bits<", ">17 bits<", "output y"]
        {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert_eq!(svg.matches("<g>").count(), 5);
        assert_eq!(svg, drawing());
    }
}
