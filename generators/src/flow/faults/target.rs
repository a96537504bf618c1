//! What faults are injected into: a folder's Verilog or a netlist, with the registers and layers that its nets belong to.

use std::path::Path;

use constraints::Target;
use constraints::targets::Technology;
use hdl::diag::Diagnostic;
use hdl::{rtl, verilog};
use openlane::liberty::functions;
use serde::Serialize;
use sim::functions::Functions;
use sim::gates::Circuit;
use sim::netlist::Netlist;
use sim::primitives::Primitives;

use super::bits;
use crate::failure::{Failure, Result};
use crate::flow::Folder;
use crate::flow::folder::texts;
use crate::flow::verify::SYNTHESIS;
use crate::import::bounded;
use crate::synthesis::cells::Cells;
use crate::synthesis::layers::Layers;

/// The layer of what belongs to none.
const NONE: &str = "(no layer)";

/// A netlist, and the target whose cells it is of.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The file, as `hwgen synth` writes it.
    pub file: &'a Path,
    /// The target.
    pub target: &'a Target,
    /// The library of a target that has none of its own.
    pub liberty: Option<&'a Path>,
}

/// Something that a fault may strike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The net.
    #[serde(skip)]
    pub net: u32,
    /// Its name: instances, register and bit, such as `u0.sum[3]`.
    pub name: String,
    /// The layer of the network.
    pub layer: String,
}

impl Place {
    /// The register or bus, and the bit.
    pub fn split(&self) -> (&str, usize) {
        let split = self.name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
        split.and_then(|(bus, bit)| Some((bus, bit.parse().ok()?))).unwrap_or((&self.name, 0))
    }
}

/// A circuit and its places.
pub struct Subject {
    /// What is simulated.
    pub circuit: Circuit,
    /// The text that it was read from.
    pub text: String,
    layers: Layers,
}

impl Subject {
    /// The Verilog that is in the folder now.
    pub fn of_folder(folder: &Folder) -> Result<Self> {
        let files = texts(&folder.top.name, &folder.sources()?)?;
        let parts: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let design = verilog::read(&parts, &[SYNTHESIS], &folder.top.name).map_err(Failure::Check)?;
        rtl::validate(&design).map_err(Failure::Check)?;
        let cut = verify::cut::cut(&design).map_err(|why| {
            let error = Diagnostic::error("faults", format!("no faults can be injected into this Verilog: {why}"));
            Failure::check(error.help("give a netlist of it with --netlist"))
        })?;
        let circuit = Circuit::new(&bits::netlist(&cut), &bits::cells(), bits::CLOCK).map_err(Failure::Check)?;
        let text = files.into_iter().map(|(_, text)| text).collect();
        Self::new(circuit, text, folder)
    }

    /// A netlist of the folder's design.
    pub fn of_netlist(given: &Given<'_>, folder: &Folder) -> Result<Self> {
        let text = bounded::read_text("read the netlist", given.file, bounded::OWN)?;
        let here = |d: Diagnostic| Failure::user(d.at(given.file.display().to_string(), "in this file"));
        let mut netlist = Netlist::read(text.as_bytes()).map_err(|e| {
            let help = "it is read as `hwgen synth` writes it, and Yosys with `write_verilog -noattr -noexpr`";
            here(Diagnostic::error("netlist", e.to_string()).help(help))
        })?;
        let located = |errors: hdl::diag::Diagnostics| {
            let at = given.file.display().to_string();
            let located = errors.0.into_iter().map(|d| d.at(at.clone(), "in this netlist"));
            Failure::User(hdl::diag::Diagnostics(located.collect()))
        };
        let circuit = match &given.target.technology {
            Technology::Asic { .. } => {
                let known = functions(&Cells::obtain(given.target, given.liberty)?.library);
                let cells = Functions::Cells(&known).resolve(&mut netlist);
                Circuit::new(&netlist, &cells, bits::CLOCK).map_err(located)?
            }
            Technology::Fpga { family, .. } => {
                let synthesis = &family.synthesis;
                let primitives = Primitives::of(synthesis).ok_or_else(|| {
                    here(Diagnostic::error("unknown-cell", format!("the primitives of `{synthesis}` are not known")))
                })?;
                let cells = primitives.resolve(&mut netlist);
                Circuit::new(&netlist, &cells, bits::CLOCK).map_err(located)?
            }
        };
        Self::new(circuit, text, folder)
    }

    fn new(circuit: Circuit, text: String, folder: &Folder) -> Result<Self> {
        Ok(Self { circuit, text, layers: Layers::of_folder(folder).map_err(Failure::Check)? })
    }

    /// The bits of all registers.
    pub fn registers(&self) -> Vec<Place> {
        let names = self.circuit.names();
        let known = self.layers_of_nets(&names);
        let place = |flip_flop: &sim::gates::FlipFlop| {
            let outputs = flip_flop.outputs.iter().map(|net| *net as usize);
            let all = outputs.clone().flat_map(|net| names[net].iter().copied());
            let layer = outputs.into_iter().find_map(|net| known[net].clone());
            Place {
                net: flip_flop.state,
                name: self.best(all).unwrap_or_else(|| format!("(register {})", flip_flop.state)),
                layer: layer.unwrap_or_else(|| NONE.to_owned()),
            }
        };
        self.circuit.flip_flops().iter().map(place).collect()
    }

    /// All nets that cells drive.
    pub fn nets(&self) -> Vec<Place> {
        let names = self.circuit.names();
        let known = self.layers_of_nets(&names);
        let place = |net: u32| Place {
            net,
            name: self.best(names[net as usize].iter().copied()).unwrap_or_else(|| format!("(net {net})")),
            layer: known[net as usize].clone().unwrap_or_else(|| NONE.to_owned()),
        };
        self.circuit.driven().map(place).collect()
    }

    /// Of several names of a net, the one that the Verilog has, or else the shortest.
    fn best<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<String> {
        let known = |name: &str| self.layers.in_verilog(name).map(|(name, _)| name);
        let named = names.map(|name| (known(name), name));
        let best = named.min_by_key(|(known, name)| (known.is_none(), name.len(), *name));
        best.map(|(known, name)| known.unwrap_or_else(|| name.to_owned()))
    }

    /// Layers of nets; one that the Verilog does not name is in the layer of what it goes into.
    fn layers_of_nets(&self, names: &[Vec<&str>]) -> Vec<Option<String>> {
        let layer = |names: &Vec<&str>| names.iter().find_map(|name| Some(self.layers.in_verilog(name)?.1));
        let mut layers: Vec<Option<String>> = names.iter().map(layer).collect();
        for (net, inputs) in self.circuit.backwards() {
            let Some(layer) = layers[net as usize].clone() else { continue };
            for input in inputs {
                layers[*input as usize].get_or_insert_with(|| layer.clone());
            }
        }
        layers
    }
}
