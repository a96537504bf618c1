//! Prints the `[model]` table of a cell library as it stands in `targets/*.toml`: `calibrate LIBERTY`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(liberty) = std::env::args().nth(1) else {
        eprintln!("usage: calibrate LIBERTY");
        return ExitCode::from(2);
    };
    let model = openlane::calibrate::measure(Path::new(&liberty), Path::new("sta"));
    match model.map(|model| constraints::targets::model_text(&model)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}
