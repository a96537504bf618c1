//! `--tmr`: which registers stand three times, with a majority voter behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use constraints::Target;
use hdl::dfg::{Module, Voted};
use hdl::diag::Diagnostic;
use hdl::names::quoted;
use hdl::passes::harden;
use hdl::rtl::{Cell, Design, Names};

use crate::failure::{Failure, Result};
use crate::import::bounded;
use crate::output::emit::lowered;

/// Which registers stand three times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Tmr {
    /// None.
    #[default]
    None,
    /// All.
    Registers,
    /// Those named in a file.
    List(PathBuf, BTreeSet<String>),
}

impl Tmr {
    /// What is called so on the command line; the file of a list is read.
    ///
    /// # Errors
    /// No such choice, or a list that cannot be read.
    pub fn named(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            "registers" => Ok(Self::Registers),
            _ => match text.strip_prefix("list:") {
                Some(file) => Self::list(Path::new(file)),
                None => {
                    let message = format!("there is no --tmr {}", quoted(text));
                    let help = "it is none, registers or list:FILE";
                    Err(Failure::user(Diagnostic::error("tmr", message).help(help)))
                }
            },
        }
    }

    /// Lines that are empty or begin with `#` are left out.
    fn list(file: &Path) -> Result<Self> {
        let text = bounded::read_text("read the list of registers", file, bounded::OWN)?;
        let mut names = BTreeSet::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            names.insert(line.to_owned());
        }
        Ok(Self::List(file.to_owned(), names))
    }

    /// `top` with the chosen registers three times.
    ///
    /// # Errors
    /// A list with names that are of no register, and a choice of all in a design that has none.
    pub fn applied(&self, top: &Arc<Module>, target: &Target) -> Result<Arc<Module>> {
        match self {
            Self::None => Ok(top.clone()),
            Self::Registers if top.is_sequential() => Ok(harden(top, |_| Voted::All)),
            Self::Registers => {
                let error = Diagnostic::error("tmr", "--tmr has no effect on a design without registers");
                Err(Failure::user(error.help("leave --tmr away, or ask for registers with --latency")))
            }
            Self::List(file, wanted) => {
                let design = lowered(top, target.carry_cell())?;
                let known = Registers::of(&design);
                let found = |name: &String| {
                    known.find(name).ok_or_else(|| {
                        let message = format!("there is no register {}", quoted(name));
                        let error = Diagnostic::error("tmr", message).at(file.display().to_string(), "in this list");
                        Failure::user(error.help(
                            "generate without --tmr first: names are MODULE.REGISTER as in the Verilog, or as \
                         `hwgen faults --ranking` writes them",
                        ))
                    })
                };
                let wanted: BTreeSet<(String, String)> = wanted.iter().map(found).collect::<Result<_>>()?;
                Ok(harden(top, |module| {
                    let own = wanted.iter().filter(|(name, _)| *name == module.name);
                    Voted::Named(own.map(|(_, register)| register.clone()).collect())
                }))
            }
        }
    }

    /// For the report.
    pub fn parameter(&self) -> Option<(String, String)> {
        let value = match self {
            Self::None => return None,
            Self::Registers => "registers".to_owned(),
            Self::List(file, _) => format!("list:{}", file.display()),
        };
        Some(("tmr".to_owned(), value))
    }
}

/// The registers of a design, as Verilog names them.
struct Registers<'a> {
    design: &'a Design,
    /// Module and register.
    all: BTreeSet<(String, String)>,
}

impl<'a> Registers<'a> {
    fn of(design: &'a Design) -> Self {
        let mut all = BTreeSet::new();
        for module in design.modules.iter().filter(|m| m.black_box.is_none()) {
            let names = Names::new(module);
            let registers = module.nets().filter(|net| matches!(module.cell(*net), Cell::Register(_)));
            all.extend(registers.map(|net| (module.name.clone(), names.net(net))));
        }
        Self { design, all }
    }

    /// Module and name of the register that is called `MODULE.REGISTER`, or by the instances from the top on; a bit behind
    /// it is left out.
    fn find(&self, name: &str) -> Option<(String, String)> {
        let bit = name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
        let path = bit.map_or(name, |(path, _)| path);
        let (instances, register) = path.rsplit_once('.').unwrap_or(("", path));
        let known =
            |module: &str| Some((module.to_owned(), register.to_owned())).filter(|name| self.all.contains(name));
        known(instances).or_else(|| {
            let mut module = self.design.modules.last()?;
            for name in instances.split('.').filter(|name| !name.is_empty()) {
                let instance = module.instances.iter().find(|instance| instance.name == name)?;
                module = &self.design.modules[instance.module.index()];
            }
            known(&module.name)
        })
    }
}

#[cfg(test)]
mod tests {
    use hdl::dfg::ModuleBuilder;
    use hdl::num::Format;

    use super::*;

    /// A register between two ports.
    fn delayed() -> Arc<Module> {
        let m = ModuleBuilder::new("m");
        let x = m.input("x", Format::unsigned(4, 0).unwrap());
        m.output("y", x.delay(1).named("held"));
        m.finish().unwrap()
    }

    #[test]
    fn a_list_names_registers_that_there_are() {
        let target = Target::load("xc7").unwrap();
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("list");
        let listed = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let tmr = Tmr::named(&format!("list:{}", file.display()))?;
            tmr.applied(&delayed(), &target)
        };
        let hardened = listed("# the only one\n\nm.held\n").unwrap();
        assert_eq!(hardened.voted, Voted::Named(["held".to_owned()].into()));
        let ranked = listed("held[3]\nheld[0]\n").unwrap();
        assert_eq!(ranked.voted, hardened.voted);
        for (text, message) in [("m.other\n", "m.other"), ("u0.held[1]\n", "u0.held[1]")] {
            let error = listed(text).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn what_has_no_effect_or_is_not_known_is_refused() {
        let m = ModuleBuilder::new("m");
        m.output("y", m.input("x", Format::BIT));
        let target = Target::load("xc7").unwrap();
        let combinational = Tmr::Registers.applied(&m.finish().unwrap(), &target);
        assert_eq!(combinational.unwrap_err().exit_code(), 2);
        assert_eq!(Tmr::named("some").unwrap_err().exit_code(), 2);
    }
}
