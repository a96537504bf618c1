//! The Verilog files of a design: one a module, with the cells that synthesis takes and the words that simulators run.

use std::collections::BTreeSet;
use std::sync::Arc;

use hdl::dfg::{Module, behaviour};
use hdl::rtl::{Design, ModuleId};
use hdl::verilog;
use hdl::verilog::{CarryCell, KEPT_REGISTER, kept_kinds, kept_modules};
use serde::Serialize;

use super::emit::lowered;
use super::staging::Staging;
use crate::failure::Result;

/// One run of emitted lines and the part of the network that it is.
#[derive(Debug, Serialize)]
struct MappedLines<'a> {
    file: &'a str,
    first_line: u32,
    last_line: u32,
    scope: &'a str,
}

/// A module of one of the two designs.
type Place<'d> = (&'d Design, ModuleId);

/// Writes one file a module of `design`, which is `top` lowered, and the map of their lines; returns the files' names.
///
/// Where simulators take another body than synthesis (see [`behaviour`]), both stand in the module's file, and the macro
/// `SYNTHESIS`, which synthesis tools define, chooses.
pub fn write_verilog(
    staging: &Staging,
    top: &Arc<Module>,
    design: &Design,
    carry_cell: Option<CarryCell>,
) -> Result<Vec<String>> {
    let simulated = behaviour(top);
    let simulated = match Arc::ptr_eq(&simulated, top) {
        true => None,
        false => Some(lowered(&simulated, carry_cell)?),
    };
    let mut files: Vec<(&str, Option<Place<'_>>, Option<Place<'_>>)> = Vec::new();
    files.extend(bodies(design).map(|(name, place)| (name, Some(place), None)));
    for (name, place) in simulated.iter().flat_map(bodies) {
        match files.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, _, words)) => *words = Some(place),
            None => files.push((name, None, Some(place))),
        }
    }
    let mut map = Vec::new();
    let mut names = Vec::new();
    let kept: BTreeSet<_> = std::iter::once(design).chain(&simulated).flat_map(kept_kinds).collect();
    if !kept.is_empty() {
        let file = format!("{KEPT_REGISTER}.v");
        staging.write(&file, kept_modules(&kept))?;
        names.push(file);
    }
    for (name, cells, words) in files {
        let file = format!("{name}.v");
        let content = match (cells.map(text), words.map(text)) {
            // what only synthesis instantiates harms nobody, and tools look for a module in every file
            (Some(cells), None) => joined(&[("", cells)], &mut map, &file),
            (None, Some(words)) => joined(&[("", words)], &mut map, &file),
            (Some(cells), Some(words)) if cells.0 == words.0 => joined(&[("", cells)], &mut map, &file),
            (Some(cells), Some(words)) => {
                let mut content = joined(&[("`ifdef SYNTHESIS\n", cells), ("`else\n", words)], &mut map, &file);
                content.extend(b"`endif\n");
                content
            }
            (None, None) => continue,
        };
        staging.write(&file, content)?;
        names.push(file);
    }
    let last = map.len().saturating_sub(1);
    let line = |text: String, (i, entry): (usize, &String)| text + entry + if i < last { ",\n" } else { "\n" };
    staging.write("map.json", map.iter().enumerate().fold(String::from("[\n"), line) + "]\n")?;
    Ok(names)
}

/// The modules that have a body, by name.
fn bodies(design: &Design) -> impl Iterator<Item = (&str, Place<'_>)> {
    let ids = (0..).map(ModuleId).zip(&design.modules);
    ids.filter(|(_, module)| module.black_box.is_none()).map(move |(id, module)| (module.name.as_str(), (design, id)))
}

/// A module's Verilog, and what each run of its lines belongs to.
type Text<'d> = (Vec<u8>, Vec<(u32, u32, &'d str)>);

fn text((design, id): Place<'_>) -> Text<'_> {
    let mut content = Vec::new();
    let lines = verilog::write_module(design, id, &mut content).expect("memory takes everything");
    let scope = |scope| design.module(id).scope_path(scope);
    (content, lines.iter().map(|l| (l.first_line, l.last_line, scope(l.scope))).collect())
}

/// The parts with their directives in front, one after the other; appends to the map what their lines are.
fn joined(parts: &[(&str, Text<'_>)], map: &mut Vec<String>, file: &str) -> Vec<u8> {
    let mut content = Vec::new();
    let mut before = 0;
    for (directive, (text, lines)) in parts {
        content.extend(directive.bytes());
        before += directive.lines().count() as u32;
        for &(first, last, scope) in lines {
            let entry = MappedLines { file, first_line: first + before, last_line: last + before, scope };
            map.push(serde_json::to_string(&entry).expect("plain data"));
        }
        content.extend(text);
        before += text.iter().filter(|byte| **byte == b'\n').count() as u32;
    }
    content
}
