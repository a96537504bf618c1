//! `hwgen target`: the technologies that designs are made for.

use clap::{Args, Subcommand};
use constraints::Target;
use constraints::fetch::{Programs, default_cache};
use constraints::target::{Technology, model_text};

use crate::failure::{Failure, Result};
use crate::output::table::Table;

/// List the targets, show what one is made of, or obtain its cell library.
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
    /// Obtain a target's library through pip or apt, check it and keep it for work offline
    Fetch {
        /// Name of the target
        name: String,
    },
}

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
            print!("{table}");
        }
        Action::Show { name } => {
            print!("{}", Target::text(name)?);
            if let Technology::Asic {
                model,
                scaling: Some(_),
                ..
            } = Target::load(name)?.technology
            {
                print!("\n# As scaled:\n{}", model_text(&model));
            }
        }
        Action::Fetch { name } => {
            let target = Target::load(name)?;
            let fetched = target
                .fetch(&default_cache()?, &Programs::default())
                .map_err(Failure::Check)?;
            println!("{}", fetched.liberty.display());
        }
    }
    Ok(())
}
