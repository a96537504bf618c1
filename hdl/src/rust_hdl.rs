//! The bridge to `rust-hdl`: a module of ours as a logic block in a rust-hdl design.
//!
//! [`rust_hdl_block!`](crate::rust_hdl_block) declares a struct with one `Signal` a port, so that rust-hdl's own
//! designs can wire it up. It is simulated by the reference evaluator and appears in rust-hdl's Verilog as our Verilog.
//! rust-hdl prints the body of a wrapped core once for every instance; the body therefore stands behind a guard macro,
//! and counts once.

use std::sync::Arc;

use num_bigint::BigUint;
use rust_hdl::prelude::{Bits, Verilog, Wrapper};

use crate::dfg::Module;
use crate::dfg::eval::Stepper;
use crate::diag::{Diagnostic, Diagnostics};
use crate::num::Format;
use crate::{lower, pack, verilog};

#[doc(hidden)]
pub use rust_hdl;

/// A port as rust-hdl sees it: name and bits.
pub type PortShape = (&'static str, usize);

/// What stands behind the signals of a block: evaluator and Verilog.
pub struct Core {
    module: Arc<Module>,
    stepper: Stepper,
    verilog: Verilog,
}

impl Core {
    /// The core for a block with these signals besides `clk`.
    ///
    /// # Errors
    /// A signal that the module does not have or of another width, a port without a signal, or a black box inside.
    pub fn new(module: &Arc<Module>, inputs: &[PortShape], outputs: &[PortShape]) -> Result<Self, Diagnostics> {
        let mut ports: Vec<(&str, u32)> =
            module.inputs.iter().map(|p| (&*p.name, pack::width(p.elements.iter().copied()))).collect();
        if module.has_reset() {
            ports.push(("rst", 1));
        }
        agree(module, "input", &ports, inputs)?;
        let ports: Vec<(&str, u32)> =
            module.outputs.iter().map(|p| (&*p.name, pack::width(p.elements.iter().map(|e| e.format)))).collect();
        agree(module, "output", &ports, outputs)?;
        Ok(Self {
            stepper: Stepper::new(module)?,
            verilog: wrapper(module, inputs, outputs)?,
            module: Arc::clone(module),
        })
    }

    /// The levels of the outputs for the levels of the inputs, after the clock edge if there is one.
    ///
    /// `inputs` are those the block was made with, in the order of the module's ports, `reset` last if it has one.
    pub fn update(&mut self, inputs: &[(&str, BigUint)], edge: bool) -> Vec<(String, BigUint)> {
        let bus = |name: &str| inputs.iter().find(|(n, _)| *n == name).map(|(_, bus)| bus);
        let reset = bus("rst").is_some_and(|level| *level != BigUint::ZERO);
        let values: Vec<i128> = self
            .module
            .inputs
            .iter()
            .flat_map(|p| pack::unpack(p.elements.iter().copied(), bus(&p.name).expect("checked when made")))
            .collect();
        if edge {
            self.stepper.step(&values, reset);
        }
        let values = self.stepper.outputs(&values, reset);
        let mut rest = &values[..];
        let mut levels = Vec::with_capacity(self.module.outputs.len());
        for port in &self.module.outputs {
            let (own, others) = rest.split_at(port.elements.len());
            let formats: Vec<Format> = port.elements.iter().map(|e| e.format).collect();
            levels.push((port.name.clone(), pack::pack(formats, own)));
            rest = others;
        }
        levels
    }

    /// What rust-hdl prints for the block.
    pub fn verilog(&self) -> Verilog {
        self.verilog.clone()
    }
}

/// An error unless both sides name the same ports of the same widths.
fn agree(module: &Module, direction: &str, ports: &[(&str, u32)], shapes: &[PortShape]) -> Result<(), Diagnostics> {
    let wrong = |message: String| Err(Diagnostic::error("rust-hdl-ports", message).into());
    for (name, bits) in shapes {
        match ports.iter().find(|(port, _)| port == name) {
            None => return wrong(format!("`{}` has no {direction} `{name}`", module.name)),
            Some((_, width)) if *width as usize != *bits => {
                return wrong(format!(
                    "{direction} `{name}` of `{}` has {width} bits, the block says {bits}",
                    module.name
                ));
            }
            Some(_) => {}
        }
    }
    match ports.iter().find(|(port, _)| shapes.iter().all(|(name, _)| name != port)) {
        Some((port, width)) => {
            wrong(format!("{direction} `{port}` of `{}` ({width} bits) is not in the block", module.name))
        }
        None => Ok(()),
    }
}

/// An instance of the module, and its body behind a guard.
fn wrapper(module: &Arc<Module>, inputs: &[PortShape], outputs: &[PortShape]) -> Result<Verilog, Diagnostics> {
    let design = lower::lower(module)?;
    let mut body = Vec::new();
    verilog::write_design(&design, &mut body).expect("memory takes all that is written");
    let body = String::from_utf8(body).expect("Verilog is text");
    let name = &module.name;
    let clock = module.is_sequential().then_some("clk");
    let connections: Vec<String> = clock
        .into_iter()
        .chain(inputs.iter().chain(outputs).map(|(port, _)| *port))
        .map(|port| format!(".{port}({port})"))
        .collect();
    Ok(Verilog::Wrapper(Wrapper {
        code: format!("{name} core({});\n", connections.join(", ")),
        cores: format!("`ifndef HWGEN_CORE_{name}\n`define HWGEN_CORE_{name}\n{body}`endif\n"),
    }))
}

/// The level of a rust-hdl signal.
pub fn level<const N: usize>(bits: Bits<N>) -> BigUint {
    (0..N).filter(|i| bits.get_bit(*i)).fold(BigUint::ZERO, |level, i| level | (BigUint::from(1u8) << i))
}

/// The signal of a level.
pub fn signal<const N: usize>(level: &BigUint) -> Bits<N> {
    (0..N).fold(Bits::<N>::default(), |bits, i| bits.replace_bit(i, level.bit(i as u64)))
}

/// Declares a rust-hdl logic block around a [`Module`]: a struct with a `clk`, one signal a port, and a constructor
/// `new(&Arc<Module>) -> Result<Self, Diagnostics>`.
///
/// A module that has a reset is given an input `rst` of one bit.
///
/// ```
/// hdl::rust_hdl_block! {
///     /// `y = a · b`.
///     pub struct Product { in a: 8, in b: 8, out y: 16 }
/// }
/// ```
#[macro_export]
macro_rules! rust_hdl_block {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident { $(in $input:ident : $in_bits:literal),* $(,)? $(out $output:ident : $out_bits:literal),* $(,)? }
    ) => {
        $(#[$meta])*
        $vis struct $name {
            /// Rising edges count.
            pub clk: $crate::rust_hdl::rust_hdl::prelude::Signal<
                $crate::rust_hdl::rust_hdl::prelude::In, $crate::rust_hdl::rust_hdl::prelude::Clock>,
            $(
                #[doc = concat!("Input of ", stringify!($in_bits), " bits.")]
                pub $input: $crate::rust_hdl::rust_hdl::prelude::Signal<
                    $crate::rust_hdl::rust_hdl::prelude::In, $crate::rust_hdl::rust_hdl::prelude::Bits<$in_bits>>,
            )*
            $(
                #[doc = concat!("Output of ", stringify!($out_bits), " bits.")]
                pub $output: $crate::rust_hdl::rust_hdl::prelude::Signal<
                    $crate::rust_hdl::rust_hdl::prelude::Out, $crate::rust_hdl::rust_hdl::prelude::Bits<$out_bits>>,
            )*
            core: $crate::rust_hdl::Core,
        }

        impl $name {
            /// The block for a module with exactly these ports.
            $vis fn new(
                module: &::std::sync::Arc<$crate::dfg::Module>,
            ) -> ::std::result::Result<Self, $crate::diag::Diagnostics> {
                let core = $crate::rust_hdl::Core::new(
                    module,
                    &[$((stringify!($input), $in_bits)),*],
                    &[$((stringify!($output), $out_bits)),*],
                )?;
                Ok(Self {
                    clk: Default::default(),
                    $($input: Default::default(),)*
                    $($output: Default::default(),)*
                    core,
                })
            }
        }

        impl $crate::rust_hdl::rust_hdl::prelude::Logic for $name {
            fn update(&mut self) {
                let edge = self.clk.pos_edge();
                let inputs = [$((stringify!($input), $crate::rust_hdl::level(self.$input.val()))),*];
                let levels = self.core.update(&inputs, edge);
                for (name, level) in &levels {
                    $(if name == stringify!($output) {
                        self.$output.next = $crate::rust_hdl::signal(level);
                    })*
                }
            }

            fn connect(&mut self) {
                $(self.$output.connect();)*
            }

            fn hdl(&self) -> $crate::rust_hdl::rust_hdl::prelude::Verilog {
                self.core.verilog()
            }
        }

        impl $crate::rust_hdl::rust_hdl::prelude::Block for $name {
            fn connect_all(&mut self) {
                $crate::rust_hdl::rust_hdl::prelude::Logic::connect(self);
                self.clk.connect_all();
                $(self.$input.connect_all();)*
                $(self.$output.connect_all();)*
            }

            fn update_all(&mut self) {
                $crate::rust_hdl::rust_hdl::prelude::Logic::update(self);
                self.clk.update_all();
                $(self.$input.update_all();)*
                $(self.$output.update_all();)*
            }

            fn has_changed(&self) -> bool {
                self.clk.has_changed() $(|| self.$input.has_changed())* $(|| self.$output.has_changed())*
            }

            fn accept(&self, name: &str, probe: &mut dyn $crate::rust_hdl::rust_hdl::prelude::Probe) {
                probe.visit_start_scope(name, self);
                self.clk.accept("clk", probe);
                $(self.$input.accept(stringify!($input), probe);)*
                $(self.$output.accept(stringify!($output), probe);)*
                probe.visit_end_scope(name, self);
            }
        }
    };
}
