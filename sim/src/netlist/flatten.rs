//! Dissolving the modules of a netlist into one.

use std::collections::{HashMap, HashSet};

use super::operand::Buses;
use super::{CONSTANTS, Instance, Netlist, UNKNOWN};

/// More cells than any netlist has that could be worked on.
const MOST_CELLS: usize = 1 << 26;
/// Deeper than modules are nested.
const DEEPEST: usize = 64;

/// A module as it is read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Module {
    pub name: String,
    pub netlist: Netlist,
    pub buses: Buses,
}

/// The module that no other instantiates, with all others dissolved in it.
pub(super) fn flatten(mut modules: Vec<Module>) -> Result<Netlist, String> {
    if modules.len() <= 1 {
        return Ok(modules.pop().unwrap_or_default().netlist);
    }
    let cells = modules.iter().flat_map(|module| &module.netlist.instances);
    let used: HashSet<&str> = cells.map(|instance| instance.cell.as_str()).collect();
    let tops = modules.iter().filter(|module| !used.contains(module.name.as_str()));
    let tops: Vec<&Module> = tops.collect();
    let [top] = tops.as_slice() else {
        let names: Vec<&str> = tops.iter().map(|module| module.name.as_str()).collect();
        return Err(format!(
            "a netlist has one module that no other instantiates, this one has {}: {}",
            names.len(),
            names.join(", ")
        ));
    };
    let by_name = modules.iter().map(|module| (module.name.as_str(), module));
    dissolve(top, &by_name.collect())
}

/// A module to be copied, and how its names begin.
struct Copy<'m> {
    module: &'m Module,
    prefix: String,
    depth: usize,
}

fn dissolve<'m>(top: &'m Module, modules: &HashMap<&str, &'m Module>) -> Result<Netlist, String> {
    let mut flat =
        Netlist { inputs: top.netlist.inputs.clone(), outputs: top.netlist.outputs.clone(), ..Netlist::default() };
    let mut copies = vec![Copy { module: top, prefix: String::new(), depth: 0 }];
    while let Some(copy) = copies.pop() {
        let named = |net: &str| match CONSTANTS.contains(&net) || net == UNKNOWN {
            true => net.to_owned(),
            false => format!("{}{net}", copy.prefix),
        };
        let netlist = &copy.module.netlist;
        let aliases = netlist.aliases.iter();
        flat.aliases.extend(aliases.map(|(a, b)| (named(a), named(b))));
        for instance in &netlist.instances {
            let Some(module) = modules.get(instance.cell.as_str()) else {
                let pins = instance.pins.iter();
                flat.instances.push(Instance {
                    cell: instance.cell.clone(),
                    name: named(&instance.name),
                    parameters: instance.parameters.clone(),
                    pins: pins.map(|(pin, net)| (pin.clone(), named(net))).collect(),
                });
                continue;
            };
            let prefix = named(&instance.name) + ".";
            connect(&mut flat, module, instance, &prefix, named)?;
            copies.push(Copy { module, prefix, depth: copy.depth + 1 });
        }
        if copy.depth > DEEPEST || flat.instances.len() + flat.aliases.len() > MOST_CELLS {
            return Err(format!("module {} is nested too deeply", copy.module.name));
        }
    }
    Ok(flat)
}

/// The ports of a dissolved module as other names of the nets at its pins.
fn connect(
    flat: &mut Netlist,
    module: &Module,
    instance: &Instance,
    prefix: &str,
    named: impl Fn(&str) -> String,
) -> Result<(), String> {
    let pins = instance.pins.iter().map(|(pin, net)| (pin.as_str(), net.as_str()));
    let pins: HashMap<&str, &str> = pins.collect();
    let mut known = 0;
    // a port of one bit may be written with or without its range
    let on = |port: &str| pins.get(port).or_else(|| pins.get(port.strip_suffix("[0]")?));
    for port in &module.netlist.inputs {
        if let Some(net) = on(port) {
            known += 1;
            flat.aliases.push((format!("{prefix}{port}"), named(net)));
        }
    }
    for port in &module.netlist.outputs {
        if let Some(net) = on(port) {
            known += 1;
            flat.aliases.push((named(net), format!("{prefix}{port}")));
        }
    }
    match known == pins.len() {
        true => Ok(()),
        false => Err(format!("instance {} has pins that module {} lacks", instance.name, module.name)),
    }
}
