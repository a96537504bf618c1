//! Parsing the nodes of the text form.

use super::{Parsed, Parser};
use crate::dfg::module::{Reset, ScopeId};
use crate::dfg::text_lex::At;
use crate::dfg::{NodeId, Op, Stamp};
use crate::names::quoted;
use crate::num::Interval;

impl Parser<'_> {
    /// A node; `%` is read already.
    pub(super) fn node(&mut self, at: At) -> Parsed<()> {
        let next = self.module.graph.len();
        if self.lexer.index()?.0 as usize != next {
            return Err(at.error(format!("the next node is %{next}")));
        }
        self.lexer.punctuation('=')?;
        let (mnemonic, op_at) = self.lexer.word()?;
        let op = self.operator(mnemonic, op_at)?;
        self.lexer.punctuation(':')?;
        let range = self.range()?;
        let stamp = self.stamp()?;
        let made = self.make(op, range, op_at)?;
        let graph = &self.module.graph;
        if made.index() != next || graph.op(made) != op {
            let simpler = graph.op(made).mnemonic();
            return Err(op_at.error(format!("this is a `{simpler}` in a simpler form, %{}", made.0)));
        }
        let (own_range, own_stamp) = (graph.range(made), graph.stamp(made));
        if (own_range, own_stamp) != (range, stamp) {
            let message = format!("%{next} is {own_range} {own_stamp}, not {range} {stamp}");
            return Err(op_at.error(message));
        }
        self.attributes(made)
    }

    fn attributes(&mut self, n: NodeId) -> Parsed<()> {
        let mut scope = ScopeId::default();
        if self.lexer.optional("in")? {
            scope = ScopeId(self.part(self.module.side.scope_paths.len())? as u32);
        }
        self.module.side.scopes.push(scope);
        if self.lexer.optional("as")? {
            let name = self.identifier()?;
            self.module.side.names.insert(n, name);
        }
        Ok(())
    }

    fn operator(&mut self, mnemonic: &str, at: At) -> Parsed<Op> {
        let next = self.module.graph.len();
        let operand = |p: &mut Self| -> Parsed<NodeId> {
            let (n, at) = p.operand()?;
            in_bounds(n, next, at)?;
            Ok(n)
        };
        let binary = |p: &mut Self, op: fn(NodeId, NodeId) -> Op| Ok(op(operand(p)?, operand(p)?));
        match mnemonic {
            "add" => binary(self, Op::Add),
            "sub" => binary(self, Op::Sub),
            "mul" => binary(self, Op::Mul),
            "and" => binary(self, Op::And),
            "or" => binary(self, Op::Or),
            "xor" => binary(self, Op::Xor),
            "lt" => binary(self, Op::Lt),
            "eq" => binary(self, Op::Eq),
            "min" => binary(self, Op::Min),
            "max" => binary(self, Op::Max),
            "adder" => {
                let (a, b) = (operand(self)?, operand(self)?);
                Ok(Op::FullAdder(a, b, operand(self)?))
            }
            "mux" => Ok(Op::Mux(operand(self)?, operand(self)?, operand(self)?)),
            "narrow" => {
                let (a, lo, hi) = (operand(self)?, operand(self)?, operand(self)?);
                let graph = &self.module.graph;
                match (graph.as_constant(lo), graph.as_constant(hi)) {
                    (Some(lo), Some(hi)) if lo <= hi => {}
                    _ => return Err(at.error("the ends of a range are constants, the lower first")),
                }
                Ok(Op::Narrow(a, lo, hi))
            }
            "shl" => Ok(Op::Shl(operand(self)?, self.lexer.index()?.0)),
            "shr" => Ok(Op::Shr(operand(self)?, self.lexer.index()?.0)),
            "wrap" => {
                let a = operand(self)?;
                let (width, signed) = self.wrap_width()?;
                Ok(Op::Wrap(a, width, signed))
            }
            "concat" => {
                let (a, b) = (operand(self)?, operand(self)?);
                let (width, at) = self.lexer.index()?;
                let width = u8::try_from(width).map_err(|_| at.error("this is too wide"))?;
                Ok(Op::Concat(a, b, width))
            }
            "table" => {
                let a = operand(self)?;
                let t = self.part(self.module.graph.table_count() as usize)?;
                Ok(Op::Table(a, t as u32))
            }
            "delay" => {
                let a = operand(self)?;
                Ok(Op::Delay(a, self.part(self.module.styles.len())? as u32))
            }
            "read" => {
                let a = operand(self)?;
                Ok(Op::Read(a, self.part(self.module.memories.len())? as u32))
            }
            _ => self.source(mnemonic, at),
        }
    }

    fn source(&mut self, mnemonic: &str, at: At) -> Parsed<Op> {
        match mnemonic {
            "const" => {
                let (value, at) = self.lexer.number()?;
                let made = self.module.graph.constant(value);
                let n = made.map_err(|e| at.error(e.to_string()))?;
                Ok(self.module.graph.op(n))
            }
            "input" => Ok(Op::Input(self.part(self.module.input_count())? as u32)),
            "state" => Ok(Op::State(self.part(self.module.states.len())? as u32)),
            "output" => {
                let i = self.part(self.module.instances.len())?;
                let outputs = self.module.instances[i].module.output_formats().len();
                Ok(Op::Output(i as u32, self.part(outputs)? as u32))
            }
            _ => Err(at.error(format!("there is no operator {}", quoted(mnemonic)))),
        }
    }

    /// The node of `op`, with the range and stamp that follow from what it refers to.
    fn make(&mut self, op: Op, range: Interval, at: At) -> Parsed<NodeId> {
        let module = &mut self.module;
        let graph = &mut module.graph;
        Ok(match op {
            Op::Const(k) => {
                let value = graph.constant_value(k);
                graph.constant(value).map_err(|e| at.error(e.to_string()))?
            }
            Op::Input(k) => {
                let after = module.inputs.partition_point(|p| p.first <= k);
                let port = &module.inputs[after - 1];
                let format = port.elements[(k - port.first) as usize];
                graph.add_declared(op, format.range, port.stamp)
            }
            Op::State(k) => {
                let range = module.states[k as usize].range;
                graph.add_declared(op, range, Stamp::TIMELESS)
            }
            Op::Read(a, m) => {
                let stamp = graph.stamp(a);
                graph.add_declared(op, module.memories[m as usize].range, stamp)
            }
            Op::Output(i, k) => {
                let instance = &module.instances[i as usize];
                let (format, own) = instance.module.output_formats()[k as usize];
                let stamp = match (instance.start.cycle(), own.cycle()) {
                    (Some(start), Some(own)) => Stamp::at(start).later(own),
                    _ => Stamp::TIMELESS,
                };
                graph.add_declared(op, format.range, stamp)
            }
            Op::Delay(a, style) => {
                let style = &module.styles[style as usize];
                let operand = graph.range(a);
                let initial = style.reset == Reset::None || range.contains(style.initial);
                if !range.covers(operand) || !initial {
                    return Err(at.error(format!("the register can hold more than {range}")));
                }
                let due = graph.stamp(a).later(1);
                graph.add_declared(op, range, due)
            }
            _ => graph.add(op).map_err(|e| at.error(e.to_string()))?,
        })
    }

    fn wrap_width(&mut self) -> Parsed<(u8, bool)> {
        let (word, at) = self.lexer.word()?;
        let signed = word.starts_with('s');
        let width = word.strip_prefix(['s', 'u']).and_then(|w| w.parse().ok());
        match width {
            Some(width) => Ok((width, signed)),
            None => Err(at.error("a width such as `s8` or `u8` is wanted")),
        }
    }
}

pub(super) fn in_bounds(n: NodeId, len: usize, at: At) -> Parsed<()> {
    if n.index() < len { Ok(()) } else { Err(at.error(format!("%{} is not there", n.0))) }
}
