//! The run-time registers of an encoder behind a byte-wide synchronous port, in the chip's layout.
//!
//! A byte lives at `{block, offset}`: the offset in the low 8 bits of `reg_address`, the block above. The blocks:
//!
//! | block | bytes | content |
//! |---|---|---|
//! | 0–11 | 134 at 6-bit weights | the weights (see [`registers`](super::registers)), if they are programmable |
//! | 12 | 48 | front end: the input that each cell takes |
//! | 13 | 96 | front end: calibration factors, two bytes each, the low one first |
//! | 14 | 1 | front end: bit 0 is 1 at high density |
//!
//! At a rising edge of `clk` with `reg_write` 1 the byte at `reg_address` takes `reg_wdata`. In the cycle after
//! `reg_address` was there `reg_rdata` is that byte. A write past a block's end is ignored, and a read gives 0.

use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, RegisterStyle, Reset, Stamp, Value};
use hdl::diag::Diagnostics;
use hdl::num::Format;

use super::geometry::CELLS;
use super::network::{Parts, Storage};
use super::registers::{BLOCKS, WEIGHTS, block_bytes};
use crate::model::block::front_end::{CALIBRATION_BITS, SELECT_BITS};

/// Bits of the offset within a block.
pub const OFFSET_BITS: u32 = 8;
/// Bits of an address.
pub const ADDRESS_BITS: u32 = 12;
/// Block of the cell order.
pub const SELECT_BLOCK: usize = BLOCKS;
/// Block of the calibration factors.
pub const CALIBRATION_BLOCK: usize = BLOCKS + 1;
/// Block of the density bit.
pub const DENSITY_BLOCK: usize = BLOCKS + 2;

/// The blocks that a design has, as (number, bytes).
pub fn blocks(parts: Parts, weight_bits: u32) -> Vec<(usize, usize)> {
    let weights = match parts.storage {
        Storage::Fixed => 0,
        Storage::Programmable => BLOCKS,
    };
    let front_end: &[_] = if parts.front_end {
        &[(SELECT_BLOCK, CELLS), (CALIBRATION_BLOCK, 2 * CELLS), (DENSITY_BLOCK, 1)]
    } else {
        &[]
    };
    (0..weights).map(|block| (block, block_bytes(weight_bits))).chain(front_end.iter().copied()).collect()
}

/// A data path with its registers around it; the data path itself if it needs none.
pub fn with_registers(
    name: &str,
    datapath: &Arc<Module>,
    parts: Parts,
    weight_bits: u32,
) -> Result<Arc<Module>, Diagnostics> {
    let m = ModuleBuilder::new(name);
    let streams: Vec<Vec<Value<'_>>> = datapath
        .inputs
        .iter()
        .filter(|port| port.stamp != Stamp::TIMELESS)
        .map(|port| m.input_port(&port.name, port.elements.clone(), port.stamp))
        .collect();
    let bit_format = Format::BIT;
    let timeless = |name: &str, format| m.input_port(name, vec![format], Stamp::TIMELESS)[0];
    let write = timeless("reg_write", bit_format);
    let address = timeless("reg_address", Format::unsigned(ADDRESS_BITS, 0).expect("a few bits"));
    let data = timeless("reg_wdata", byte_format());

    let mut bytes: Vec<(usize, Vec<Value<'_>>)> = Vec::new();
    let mut answers = Vec::new();
    let mut shapes: Vec<(usize, Arc<Module>)> = Vec::new();
    for (number, size) in blocks(parts, weight_bits) {
        if !shapes.iter().any(|(s, _)| *s == size) {
            shapes.push((size, block(&format!("{name}_block{size}"), size)?));
        }
        let shape = &shapes.iter().find(|(s, _)| *s == size).expect("made above").1;
        let selected = address.slice(ADDRESS_BITS - 1, OFFSET_BITS).equals(m.constant(number as i128, 0));
        let offset = address.slice(OFFSET_BITS - 1, 0);
        let mut outputs = m.instance(shape, &format!("block{number}"), &[write & selected, offset, data]);
        let answer = outputs.pop().expect("the block answers");
        answers.push(selected.mux(answer, m.constant(0, 0)));
        bytes.push((number, outputs));
    }
    let answer = Value::tree(&answers, |a, b| a | b).expect("there are blocks");
    let settings = settings(&bytes, parts, weight_bits);
    let mut streams = streams.into_iter();
    let inputs: Vec<Value<'_>> = datapath
        .inputs
        .iter()
        .flat_map(|port| match settings.iter().find(|(name, _)| *name == port.name) {
            Some((_, values)) => values.clone(),
            None => streams.next().expect("one stream a timed port"),
        })
        .collect();
    let mut outputs = m.instance(datapath, "datapath", &inputs).into_iter();
    for port in &datapath.outputs {
        let values: Vec<Value<'_>> = outputs.by_ref().take(port.elements.len()).collect();
        m.output_array(&port.name, &values);
    }
    m.output("reg_rdata", answer.delay(1));
    m.finish()
}

/// The data path's timeless inputs, cut out of the bytes of the blocks.
fn settings<'m>(
    bytes: &[(usize, Vec<Value<'m>>)],
    parts: Parts,
    weight_bits: u32,
) -> Vec<(&'static str, Vec<Value<'m>>)> {
    let block = |number: usize| &bytes.iter().find(|(n, _)| *n == number).expect("the block is there").1;
    let mut settings = Vec::new();
    if parts.storage == Storage::Programmable {
        let all: Vec<Value<'m>> = (0..BLOCKS).flat_map(|b| block(b).clone()).collect();
        let width = weight_bits as usize;
        let field = |i: usize| bit_field(&all, i * width, width).wrap(weight_bits, true);
        settings.push(("weights", (0..WEIGHTS).map(field).collect()));
    }
    if parts.front_end {
        let select = block(SELECT_BLOCK).iter().map(|byte| byte.slice(SELECT_BITS - 1, 0)).collect();
        let factors = block(CALIBRATION_BLOCK);
        let factor = |i: usize| bit_field(factors, 16 * i, CALIBRATION_BITS as usize);
        settings.push(("select", select));
        settings.push(("calibration", (0..CELLS).map(factor).collect()));
        settings.push(("high_density", vec![block(DENSITY_BLOCK)[0].bit(0)]));
    }
    settings
}

/// `width` bits from bit `from` of a row of bytes, unsigned.
fn bit_field<'m>(bytes: &[Value<'m>], from: usize, width: usize) -> Value<'m> {
    let (first, last) = (from / 8, (from + width - 1) / 8);
    let row = bytes[first..last].iter().rev().fold(bytes[last], |high, low| high.concat(*low, 8));
    let low = (from % 8) as u32;
    row.slice(low + width as u32 - 1, low)
}

/// A block of `size` bytes that can be written one at a time and read all at once.
fn block(name: &str, size: usize) -> Result<Arc<Module>, Diagnostics> {
    let m = ModuleBuilder::new(name);
    let timeless = |name: &str, format| m.input_port(name, vec![format], Stamp::TIMELESS)[0];
    let write = timeless("write", Format::BIT);
    let offset = timeless("offset", Format::unsigned(OFFSET_BITS, 0).expect("a few bits"));
    let data = timeless("wdata", byte_format());
    let style = RegisterStyle { reset: Reset::Synchronous, ..RegisterStyle::default() };
    let bytes: Vec<Value<'_>> = (0..size)
        .map(|k| {
            let byte = m.state(&format!("byte{k}"), byte_format(), style);
            byte.set_next_when(write & offset.equals(m.constant(k as i128, 0)), data);
            byte.value()
        })
        .collect();
    let inside = offset.lt(m.constant(size as i128, 0));
    let answer = inside.mux(offset.select(&bytes), m.constant(0, 0));
    m.output_array("bytes", &bytes);
    m.output("rdata", answer);
    m.finish()
}

fn byte_format() -> Format {
    Format::unsigned(8, 0).expect("a byte")
}
