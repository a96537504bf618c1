//! `hwgen target`: the technologies that designs are made for.

use std::time::Duration;

use clap::{Args, Subcommand};
use constraints::Target;
use constraints::targets::{Technology, model_text};
use openlane::fetch::{self, Programs, default_cache};
use openlane::nextpnr::Nextpnr;
use sim::tools::Meter;

use crate::failure::{Failure, Result};
use crate::output::table::Table;

/// List the targets, show what one is made of, or obtain its cell library or program.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hwgen target list\n  hwgen target fetch nangate45")]
pub struct TargetArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// All targets, one a line
    List,
    /// The file of a target and the delays, areas and energies that generators plan with
    Show {
        /// Name of the target
        name: String,
    },
    /// Obtain a target's cell library or place-and-route program, check it and keep it for work offline
    Fetch {
        /// Name of the target
        name: String,
    },
}

/// The longest that a program may take to compile itself when it is first started.
const FIRST_START: Duration = Duration::from_secs(600);

/// Runs the command.
pub fn run(args: &TargetArgs) -> Result<()> {
    match &args.action {
        Action::List => {
            let mut table = Table::new(["target", "kind", "description"]);
            for target in Target::all()? {
                let kind = match &target.technology {
                    Technology::Asic { .. } => "asic",
                    Technology::Fpga { .. } => "fpga",
                };
                table.row([target.name, kind.to_owned(), target.description]);
            }
            super::say(table)
        }
        Action::Show { name } => {
            let mut text = Target::text(name)?.to_string();
            if let Technology::Asic { model, scaling: Some(_), .. } = Target::load(name)?.technology {
                text += &format!("\n# As scaled:\n{}", model_text(&model));
            }
            super::say(text)
        }
        Action::Fetch { name } => fetch(&Target::load(name)?),
    }
}

/// Obtains a cell library, or the program that places for an FPGA and its first start.
fn fetch(target: &Target) -> Result<()> {
    let (cache, programs) = (default_cache()?, Programs::default());
    match &target.technology {
        Technology::Asic { .. } => {
            let fetched = fetch::library(target, &cache, &programs).map_err(Failure::of_fetching)?;
            super::say(format_args!("{}\n", fetched.liberty.display()))
        }
        Technology::Fpga { .. } => {
            let tool = fetch::obtain_place_tool(target, &cache, &programs).map_err(Failure::of_fetching)?;
            let nextpnr = Nextpnr { program: tool.program, packages: tool.packages, part: tool.part };
            let version = nextpnr.version(&Meter::new(FIRST_START));
            let version = version.map_err(Failure::Check)?;
            super::say(format_args!("{} ({version})\n", nextpnr.program.display()))
        }
    }
}
