//! `always` blocks: registers with their reset and enable, and write ports of register files.

use super::ast::{Always, Expr, Item, ModuleText, Statement};
use super::elaborate::fail;
use super::parse::Parsed;
use super::scope::Scope;
use crate::dfg::Reset;
use crate::rtl::{MemoryWrite, Net};

/// The reset port of a block, if it has one: `if (reset) … else …` around everything. A second name of the port stands
/// for the port.
pub(super) fn reset_of<'a>(always: &Always<'a>, text: &ModuleText<'a>) -> Option<&'a str> {
    match &always.body[..] {
        [Statement::If { condition: Expr::Name(name), other, .. }] if !other.is_empty() => Some(port_of(name, text)),
        _ => always.reset,
    }
}

/// The port that a name stands for.
pub(super) fn port_of<'a>(name: &'a str, text: &ModuleText<'a>) -> &'a str {
    let alias = text.items.iter().find_map(|(_, item)| match item {
        Item::Wire { name: alias, value: Some(Expr::Name(port)), .. } if *alias == name => Some(*port),
        _ => None,
    });
    alias.unwrap_or(name)
}

/// How the registers of a block are loaded.
#[derive(Clone, Copy)]
struct Style {
    reset: Reset,
    enable: Option<Net>,
}

pub(super) fn always<'a>(always: &Always<'a>, scope: &mut Scope<'a>) -> Parsed<()> {
    match &always.body[..] {
        [Statement::If { condition: Expr::Name(name), then, other }] if !other.is_empty() => {
            let reset = match always.reset {
                Some(reset) if reset == *name => Reset::Asynchronous,
                Some(_) => return fail(scope.place, "a block is reset by what is in its list"),
                None => Reset::Synchronous,
            };
            let mut named: Vec<&str> = Vec::new();
            initial(then, &mut named, scope)?;
            enabled(other, reset, scope)?;
            let mut loaded = Vec::new();
            targets(other, &mut loaded);
            named.sort_unstable();
            loaded.sort_unstable();
            match named == loaded {
                true => Ok(()),
                false => fail(scope.place, "a block resets the registers that it loads"),
            }
        }
        _ if always.reset.is_some() => fail(scope.place, "a block with a reset in its list begins with it"),
        [Statement::If { condition, then, other }] if other.is_empty() => match &then[..] {
            [Statement::Store { name, address, value }] => store(name, condition, address, value, scope),
            _ => enabled(&always.body, Reset::None, scope),
        },
        body => enabled(body, Reset::None, scope),
    }
}

/// The names of the registers that are loaded.
fn targets<'a>(body: &[Statement<'a>], names: &mut Vec<&'a str>) {
    for statement in body {
        match statement {
            Statement::Load { name, .. } | Statement::Store { name, .. } => names.push(name),
            Statement::If { then, .. } => targets(then, names),
        }
    }
}

/// What registers hold under reset, and the registers' names.
fn initial<'a>(body: &[Statement<'a>], names: &mut Vec<&'a str>, scope: &mut Scope<'a>) -> Parsed<()> {
    for statement in body {
        match statement {
            Statement::Load { name, value: Expr::Sized(_, value) } => match scope.register_of(name) {
                Some(r) => {
                    scope.builder.module.registers[r].initial = value.clone();
                    names.push(name);
                }
                None => return fail(scope.place, format!("`{name}` is no register")),
            },
            _ => return fail(scope.place, "a reset loads numbers"),
        }
    }
    Ok(())
}

fn enabled<'a>(body: &[Statement<'a>], reset: Reset, scope: &mut Scope<'a>) -> Parsed<()> {
    match body {
        [Statement::If { condition, then, other }] if other.is_empty() => {
            let enable = scope.value(condition, 1)?;
            loads(then, Style { reset, enable: Some(enable) }, scope)
        }
        body => loads(body, Style { reset, enable: None }, scope),
    }
}

fn loads<'a>(body: &[Statement<'a>], style: Style, scope: &mut Scope<'a>) -> Parsed<()> {
    for statement in body {
        let Statement::Load { name, value } = statement else {
            return fail(scope.place, "registers are loaded one by one");
        };
        let Some(r) = scope.register_of(name) else {
            return fail(scope.place, format!("`{name}` is no register"));
        };
        if std::mem::replace(&mut scope.loaded[r], true) {
            return fail(scope.place, format!("`{name}` is loaded twice"));
        }
        let width = scope.builder.module.width(scope.builder.module.registers[r].next);
        let next = scope.value(value, width)?;
        let register = &mut scope.builder.module.registers[r];
        (register.next, register.enable, register.reset) = (next, style.enable, style.reset);
    }
    Ok(())
}

fn store<'a>(name: &str, enable: &Expr<'a>, address: &Expr<'a>, data: &Expr<'a>, scope: &mut Scope<'a>) -> Parsed<()> {
    let Some(m) = scope.memory_of(name) else {
        return fail(scope.place, format!("`{name}` is no register file"));
    };
    if std::mem::replace(&mut scope.stored[m], true) {
        return fail(scope.place, format!("`{name}` is written twice"));
    }
    let (depth, width) = (scope.builder.module.memories[m].depth, scope.builder.module.memories[m].width);
    let enable = scope.value(enable, 1)?;
    let address = scope.value(address, crate::rtl::address_width(depth))?;
    let data = scope.value(data, width)?;
    scope.builder.module.memories[m].write = MemoryWrite { enable, address, data };
    Ok(())
}
