//! Reading and checking target files.

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::{check_identifier, quoted};
use serde::Deserialize;

use super::model::{AsicModel, Figure, Scaling};
use super::{CellLibrary, Corner, FILES, Family, LibraryFile, Part, Source, Target, Technology};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Asic,
    Fpga,
}

/// A file as it is written, before `base` is followed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    kind: Kind,
    description: String,
    base: Option<String>,
    library: Option<CellLibrary>,
    corner: Option<Corner>,
    scaling: Option<Scaling>,
    family: Option<Family>,
    #[serde(default)]
    parts: Vec<Part>,
    model: Option<toml::Table>,
}

fn wrong(message: impl Into<String>) -> Diagnostics {
    Diagnostic::error("target-file", message).into()
}

/// The target that `text` describes.
pub(super) fn parse(text: &str) -> Result<Target, Diagnostics> {
    let file = read(text)?;
    let base = file.base.as_deref().map(base).transpose()?;
    let name = file.name.clone();
    let technology = match file.kind {
        Kind::Asic => asic(&file, base.as_ref())?,
        Kind::Fpga => fpga(&file, base.as_ref())?,
    };
    check(&technology).map_err(|why| wrong(format!("target {name}: {why}")))?;
    Ok(Target { name, description: file.description, base: file.base, technology })
}

fn read(text: &str) -> Result<File, Diagnostics> {
    let file: File = toml::from_str(text).map_err(|e| wrong(format!("target file: {e}")))?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if file.name.is_empty() || file.name.len() > 40 || !file.name.chars().all(plain) {
        return Err(wrong(format!(
            "target name {}: expected up to 40 lower-case letters, digits and hyphens",
            quoted(&file.name)
        )));
    }
    Ok(file)
}

/// A base is a shipped target that has no base itself, so that following it ends.
fn base(name: &str) -> Result<File, Diagnostics> {
    let (_, text) = FILES
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| wrong(format!("base {} is no shipped target", quoted(name))))?;
    let file = read(text)?;
    match file.base {
        None => Ok(file),
        Some(_) => Err(wrong(format!("base {name} has a base itself"))),
    }
}

/// The field of the file, or else of its base.
fn field<T: Clone>(
    file: &File,
    base: Option<&File>,
    name: &str,
    get: impl Fn(&File) -> Option<T>,
) -> Result<T, Diagnostics> {
    get(file).or_else(|| base.and_then(get)).ok_or_else(|| wrong(format!("target {}: `{name}` is missing", file.name)))
}

fn model<M: serde::de::DeserializeOwned>(file: &File, base: Option<&File>) -> Result<M, Diagnostics> {
    field(file, base, "model", |f| f.model.clone())?
        .try_into()
        .map_err(|e| wrong(format!("target {}: model: {e}", file.name)))
}

fn asic(file: &File, base: Option<&File>) -> Result<Technology, Diagnostics> {
    if file.family.is_some() || !file.parts.is_empty() {
        return Err(wrong(format!("target {}: an asic has no family and no parts", file.name)));
    }
    let unscaled: AsicModel = model(file, base)?;
    let model = match (&file.scaling, &file.base) {
        (None, _) => unscaled,
        (Some(by), Some(base)) => {
            positive("scaling.delay", by.delay.value).map_err(|why| wrong(format!("target {}: {why}", file.name)))?;
            unscaled.scaled(base, by)
        }
        (Some(_), None) => {
            return Err(wrong(format!("target {}: `scaling` needs a `base`", file.name)));
        }
    };
    Ok(Technology::Asic {
        library: field(file, base, "library", |f| f.library.clone())?,
        corner: field(file, base, "corner", |f| f.corner.clone())?,
        scaling: file.scaling.clone(),
        model,
    })
}

fn fpga(file: &File, base: Option<&File>) -> Result<Technology, Diagnostics> {
    if file.library.is_some() || file.corner.is_some() || file.scaling.is_some() {
        return Err(wrong(format!("target {}: an fpga has no library, corner or scaling", file.name)));
    }
    Ok(Technology::Fpga {
        family: field(file, base, "family", |f| f.family.clone())?,
        parts: field(file, base, "parts", |f| (!f.parts.is_empty()).then(|| f.parts.clone()))?,
        model: model(file, base)?,
    })
}

fn check(technology: &Technology) -> Result<(), String> {
    match technology {
        Technology::Asic { library, scaling, model, .. } => {
            check_library(library)?;
            for (what, f) in scaling.iter().flat_map(scaling_figures) {
                check_figure(what, f)?;
            }
            check_asic(model)
        }
        Technology::Fpga { family, parts, model } => {
            if let Some(wheel) = &family.wheel {
                check_library_file("wheel", wheel)?;
            }
            if let Some(part) = parts.iter().find(|p| p.luts == 0 || p.flip_flops == 0) {
                return Err(format!("part {} holds nothing", quoted(&part.name)));
            }
            if !(2..=8).contains(&model.lut_inputs) {
                return Err("`lut_inputs` must be from 2 to 8".into());
            }
            if !(1..=64).contains(&model.carry_bits) {
                return Err("`carry_bits` must be from 1 to 64".into());
            }
            model.figures().iter().try_for_each(|(what, f)| check_figure(what, f))
        }
    }
}

fn scaling_figures(s: &Scaling) -> Vec<(&'static str, &Figure)> {
    let mut figures = vec![
        ("scaling.area", &s.area),
        ("scaling.delay", &s.delay),
        ("scaling.energy", &s.energy),
        ("scaling.gate_equivalent_um2", &s.gate_equivalent_um2),
    ];
    for point in &s.points {
        figures.extend([("scaling.points.delay", &point.delay), ("scaling.points.energy", &point.energy)]);
    }
    figures
}

fn check_library(library: &CellLibrary) -> Result<(), String> {
    let by_package = matches!(library.source, Source::Pip { .. } | Source::Apt { .. });
    if by_package && library.liberty.is_none() {
        return Err("a library that comes from a package needs `liberty`".into());
    }
    let names = library.full_adder.iter().flat_map(|adder| {
        let pins = adder.inputs.iter().chain(&adder.outputs);
        pins.chain([&adder.cell])
    });
    for name in names {
        check_identifier(name).map_err(|why| format!("full_adder: {}: {why}", quoted(name)))?;
    }
    if let Some(inverter) = &library.inverter {
        for name in [&inverter.cell, &inverter.input, &inverter.output] {
            check_identifier(name).map_err(|why| format!("inverter: {}: {why}", quoted(name)))?;
        }
        positive("library.inverter.relative_area", inverter.relative_area)?;
    }
    library.files().try_for_each(|(what, file)| check_library_file(what, file))
}

fn check_library_file(what: &str, file: &LibraryFile) -> Result<(), String> {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if file.sha256.len() != 64 || !file.sha256.chars().all(hex) {
        return Err(format!("{what}: `sha256` must be 64 lower-case hexadecimal digits"));
    }
    let inside = |part: &str| !part.is_empty() && part != "." && part != "..";
    if !file.path.split('/').all(inside) {
        return Err(format!("{what}: path {} must be relative and stay inside the package", quoted(&file.path)));
    }
    Ok(())
}

fn check_asic(model: &AsicModel) -> Result<(), String> {
    for (name, operator) in model.operators() {
        for (field, n) in operator.numbers() {
            positive(&format!("model.{name}.{field}"), n)?;
        }
    }
    positive("model.ripple_ps", model.ripple_ps)?;
    positive("model.flip_flop_clock_fj", model.flip_flop_clock_fj)?;
    check_figure("wire_delay", &model.wire_delay)?;
    check_figure("utilisation", &model.utilisation)?;
    if model.utilisation.value > 1.0 {
        return Err("`utilisation` is a share and cannot exceed 1".into());
    }
    Ok(())
}

fn check_figure(what: &str, figure: &Figure) -> Result<(), String> {
    if figure.source.trim().is_empty() {
        return Err(format!("`{what}` does not say where it comes from"));
    }
    positive(what, figure.value)
}

fn positive(what: &str, n: f64) -> Result<(), String> {
    if n.is_finite() && n > 0.0 { Ok(()) } else { Err(format!("`{what}` is {n}, expected a number above zero")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error that a change of a shipped file causes.
    fn error_of(name: &str, from: &str, to: &str) -> String {
        let text = Target::text(name).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        Target::parse(&text.replacen(from, to, 1)).unwrap_err().to_string()
    }

    #[test]
    fn every_mistake_in_a_file_is_named() {
        for (name, from, to, reason) in [
            ("osu018", "kind = \"asic\"", "kind = \"cpld\"", "unknown variant `cpld`"),
            ("osu018", "kind", "colour = 1\nkind", "unknown field `colour`"),
            ("osu018", "name = \"osu018\"", "name = \"../x\"", "`../x`"),
            ("osu018", "manager = \"apt\"", "manager = \"npm\"", "unknown variant `npm`"),
            ("osu018", "path = \"usr", "path = \"../usr", "stay inside the package"),
            ("osu018", "path = \"usr", "path = \"/usr", "stay inside the package"),
            ("osu018", "sha256 = \"8", "sha256 = \"x", "64 lower-case"),
            ("osu018", "ripple_ps = ", "ripple_ps = -", "expected a number above zero"),
            ("osu018", "xor2 = {", "xnor2 = {", "xnor2"),
            ("osu018", "area_um2 = 16.000", "area_um2 = nan", "`model.inverter.area_um2` is NaN"),
            ("osu018", "cell = \"FAX1\"", "cell = \"FA(\"", "full_adder: `FA(`"),
            ("osu018", "[corner]", "[family]", "target file"),
            ("lp65", "base = \"nangate45\"", "base = \"lp65\"", "has a base itself"),
            ("lp65", "base = \"nangate45\"", "base = \"gone\"", "no shipped target"),
            ("lp65", "base = \"nangate45\"\n", "", "`model` is missing"),
            ("lp65", "value = 1.5", "value = 0.0", "`scaling.area` is 0"),
            ("xc7", "kind = \"fpga\"", "kind = \"asic\"", "no family and no parts"),
            ("xc7", "lut_inputs = 6", "lut_inputs = 60", "from 2 to 8"),
            ("ecp5-45k", "carry_bits = 2", "carry_bits = 0", "from 1 to 64"),
        ] {
            let error = error_of(name, from, to);
            assert!(error.contains(reason), "{name} {from} -> {to}: {error}");
        }
    }
}
