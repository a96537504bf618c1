//! Obtaining a cell library: from pip or apt once, from the cache ever after.
//!
//! A library is complete and checked before it appears in the cache: it is put together in a folder of its own beside
//! its place, every file is compared with the target's SHA-256, and the folder is renamed.

mod tool;

use std::env;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hdl::diag::{Cause, Diagnostic, Diagnostics};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use constraints::targets::{CellLibrary, LibraryFile, Source, Target, Technology};

pub use tool::{PlaceTool, obtain_place_tool, place_tool};

/// The programs that download and unpack, and how long each may take.
#[derive(Debug, Clone)]
pub struct Programs {
    /// A Python with pip.
    pub python: PathBuf,
    /// `apt-get`.
    pub apt_get: PathBuf,
    /// `dpkg-deb`.
    pub dpkg_deb: PathBuf,
    /// Below which an installed Debian package has its files.
    pub root: PathBuf,
    /// Time for each program.
    pub limit: Duration,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            python: "python3".into(),
            apt_get: "apt-get".into(),
            dpkg_deb: "dpkg-deb".into(),
            root: "/".into(),
            limit: Duration::from_secs(300),
        }
    }
}

/// A library on this machine; every file has the content that the target names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Timing, power and functions.
    pub liberty: PathBuf,
    /// Simulation models.
    pub verilog: Option<PathBuf>,
    /// Abstract layouts of the cells.
    pub lef: Option<PathBuf>,
    /// Rules of the metal layers.
    pub technology_lef: Option<PathBuf>,
    /// Layouts of the cells.
    pub gds: Option<PathBuf>,
}

/// The folder in which libraries are kept: `$XDG_CACHE_HOME/hwgen`, or `~/.cache/hwgen`.
///
/// # Errors
/// `cache-folder` if neither variable holds an absolute path.
pub fn default_cache() -> Result<PathBuf, Diagnostics> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("hwgen"))
        .ok_or_else(|| {
            Diagnostic::error("cache-folder", "no folder to keep libraries in")
                .help("set XDG_CACHE_HOME or HOME to an absolute path")
                .into()
        })
}

/// Obtains the cell library of `target`, or finds it in `cache`, where it is kept.
///
/// # Errors
/// `target-kind` if the target has no library to obtain; `tool-missing`, `tool-timeout` or `tool-failed` if pip or
/// apt cannot download it; `library-hash` if it holds other files than the target names; `cache-folder` if the
/// cache cannot be written.
pub fn library(target: &Target, cache: &Path, programs: &Programs) -> Result<Fetched, Diagnostics> {
    let library = obtainable(target)?;
    let place = cache.join("libraries").join(key(library));
    if let Ok(found) = locate(library, &place) {
        return Ok(found);
    }
    if matches!(library.source, Source::Apt { .. })
        && let Ok(found) = locate(library, &programs.root)
    {
        return Ok(found);
    }
    download(library, &place, programs)?;
    locate(library, &place)
}

/// What was asked for does not exist for targets of this kind.
fn unsuitable(target: &Target, why: &str) -> Diagnostic {
    Diagnostic::error("target-kind", format!("target {}: {why}", target.name)).because(Cause::UnsuitableTarget)
}

/// The library that packages hold.
fn obtainable(target: &Target) -> Result<&CellLibrary, Diagnostics> {
    let none = |why: &str, help: String| -> Diagnostics { unsuitable(target, why).help(help).into() };
    match &target.technology {
        Technology::Asic { library, .. } => match &library.source {
            Source::Pip { .. } | Source::Apt { .. } => Ok(library),
            Source::User { hint } => Err(none("you give the Liberty file", hint.clone())),
            Source::None => {
                Err(none("there is no library, it only serves to plan", String::from("choose a target with cells")))
            }
        },
        Technology::Fpga { .. } => {
            Err(none("an FPGA has no cell library", String::from("nothing needs to be fetched for it but its tools")))
        }
    }
}

/// Name of a library's folder: its package, and its version as told by its Liberty file.
fn key(library: &CellLibrary) -> String {
    let (Source::Pip { package, .. } | Source::Apt { package, .. }) = &library.source else {
        return String::from("none");
    };
    let hash = library.liberty.as_ref().map_or("", |l| l.sha256.as_str());
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let package: String = package.chars().map(plain).collect();
    format!("{package}-{}", hash.get(..16).unwrap_or_default())
}

/// Checks every file of `library` below `root`.
fn locate(library: &CellLibrary, root: &Path) -> Result<Fetched, Diagnostics> {
    let checked = |file: &LibraryFile| {
        let path = root.join(&file.path);
        check_hash(&path, &file.sha256).map(|()| path)
    };
    let optional = |file: &Option<LibraryFile>| file.as_ref().map(checked).transpose();
    let liberty = library
        .liberty
        .as_ref()
        .ok_or_else(|| Diagnostic::error("target-file", format!("library {} names no Liberty file", library.name)))?;
    Ok(Fetched {
        liberty: checked(liberty)?,
        verilog: optional(&library.verilog)?,
        lef: optional(&library.lef)?,
        technology_lef: optional(&library.technology_lef)?,
        gds: optional(&library.gds)?,
    })
}

fn check_hash(path: &Path, expected: &str) -> Result<(), Diagnostics> {
    let found =
        hash(path).map_err(|e| Diagnostic::error("library-file", format!("cannot read {}: {e}", path.display())))?;
    if found == expected {
        return Ok(());
    }
    Err(Diagnostic::error("library-hash", format!("{} has SHA-256 {found}, expected {expected}", path.display()))
        .help("the package has changed or the download is damaged; figures would not be comparable")
        .into())
}

/// SHA-256 of a file in hexadecimal.
fn hash(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A folder beside `place`, so that what is finished in it can be renamed to there.
fn work_folder(place: &Path) -> Result<TempDir, Diagnostics> {
    let parent = place.parent().unwrap_or(place);
    fs::create_dir_all(parent).map_err(|e| cache_error(parent, &e))?;
    tempfile::Builder::new().prefix(".fetch-").tempdir_in(parent).map_err(|e| cache_error(parent, &e))
}

/// Downloads, unpacks and checks the library aside, then puts its files at `place`.
fn download(library: &CellLibrary, place: &Path, programs: &Programs) -> Result<(), Diagnostics> {
    let work = work_folder(place)?;
    let unpacked = match &library.source {
        Source::Pip { package, version } => from_pip(package, version, &work, programs)?,
        Source::Apt { package, .. } => from_apt(package, &work, programs)?,
        Source::User { .. } | Source::None => return Ok(()),
    };
    locate(library, &unpacked)?;
    let chosen = work.path().join("chosen");
    for (_, file) in library.files() {
        let to = chosen.join(&file.path);
        let folder = to.parent().unwrap_or(&chosen);
        fs::create_dir_all(folder).map_err(|e| cache_error(folder, &e))?;
        fs::rename(unpacked.join(&file.path), &to).map_err(|e| cache_error(&to, &e))?;
    }
    publish(&chosen, place, &work)
}

/// Renames `chosen` to `place`. What is there already was found damaged, or another process has just put it there.
fn publish(chosen: &Path, place: &Path, work: &TempDir) -> Result<(), Diagnostics> {
    if place.exists() {
        // A failure means that another process has moved it away first.
        let _ = fs::rename(place, work.path().join("replaced"));
    }
    match fs::rename(chosen, place) {
        Err(_) if place.is_dir() => Ok(()),
        result => result.map_err(|e| cache_error(place, &e)),
    }
}

fn cache_error(path: &Path, error: &io::Error) -> Diagnostics {
    let help = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space and try again",
        _ => "choose another folder with XDG_CACHE_HOME",
    };
    Diagnostic::error("cache-folder", format!("cannot write {}: {error}", path.display())).help(help).into()
}

/// Downloads one wheel into the folder `archive`.
fn pip_download(requirement: &str, work: &TempDir, programs: &Programs) -> Result<(), Diagnostics> {
    let arguments = [
        "-m",
        "pip",
        "download",
        "--disable-pip-version-check",
        "--no-input",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
        "archive",
        "--",
        requirement,
    ];
    run(&programs.python, &arguments, work, programs, "install Python 3 with pip (Debian: python3-pip)")
}

/// Downloads one wheel and unpacks it.
fn from_pip(package: &str, version: &str, work: &TempDir, programs: &Programs) -> Result<PathBuf, Diagnostics> {
    pip_download(&format!("{package}=={version}"), work, programs)?;
    let archive = only_file(work, "archive", "whl")?;
    let arguments = ["-m", "zipfile", "-e", &archive, "unpacked"];
    run(&programs.python, &arguments, work, programs, "install Python 3")?;
    Ok(work.path().join("unpacked"))
}

/// Downloads one Debian package and unpacks it, which takes no root.
fn from_apt(package: &str, work: &TempDir, programs: &Programs) -> Result<PathBuf, Diagnostics> {
    let help = format!("on other systems than Debian, install {package} by hand");
    run(&programs.apt_get, &["download", "--", package], work, programs, &help)?;
    let archive = only_file(work, "", "deb")?;
    run(&programs.dpkg_deb, &["-x", &archive, "unpacked"], work, programs, &help)?;
    Ok(work.path().join("unpacked"))
}

fn run(program: &Path, arguments: &[&str], work: &TempDir, programs: &Programs, help: &str) -> Result<(), Diagnostics> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(work.path());
    process::run(&mut command, programs.limit)
        .map_err(|error| process::with_help(error, help))
        .and_then(|done| done.success(&program.to_string_lossy()))
        .map(|_| ())
        .map_err(explain)
}

/// Adds the likely reason to a failed download.
fn explain(mut error: Diagnostics) -> Diagnostics {
    const REASONS: [(&str, &str); 6] = [
        ("No space left on device", "the disk is full: free some space and try again"),
        ("No module named pip", "install pip (Debian: python3-pip)"),
        ("NewConnectionError", "no network: fetch once with network, later runs work offline"),
        ("Temporary failure", "no network: fetch once with network, later runs work offline"),
        (
            "No matching distribution",
            "the package index does not offer it: check the index that pip uses, or the network",
        ),
        ("Unable to locate package", "run `apt-get update`, or install the package by hand"),
    ];
    let said = error.to_string();
    let reason = REASONS.iter().find(|(sign, _)| said.contains(sign));
    if let (Some((_, help)), Some(diagnostic)) = (reason, error.0.first_mut()) {
        diagnostic.help = Some((*help).into());
    }
    error
}

/// The one file with that extension in a folder of `work`, relative to `work`.
fn only_file(work: &TempDir, folder: &str, extension: &str) -> Result<String, Diagnostics> {
    let path = work.path().join(folder);
    let entries = fs::read_dir(&path).map_err(|e| cache_error(&path, &e))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(Path::new(folder).join(entry.ok()?.file_name())))
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(path), true) => Ok(path.display().to_string()),
        _ => Err(Diagnostic::error("tool-failed", format!("the download left no single .{extension} file")).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A target whose library is one small file `lib/x.lib`, and programs that deliver `content` for it.
    fn rig(folder: &Path, content: &str, pip: &str) -> (Target, Programs) {
        let hash: String = Sha256::digest(b"good").iter().map(|b| format!("{b:02x}")).collect();
        let text = Target::text("nangate45").unwrap();
        let start = text.find("liberty = ").unwrap();
        let end = text.find("\n[corner]").unwrap();
        let text =
            format!("{}liberty = {{ path = \"lib/x.lib\", sha256 = \"{hash}\" }}\n{}", &text[..start], &text[end..]);
        let python = folder.join("python");
        let script = format!(
            "#!/bin/sh\ncase $2 in\npip) {pip}\nmkdir archive && touch archive/x.whl;;\n\
             zipfile) mkdir -p unpacked/lib && printf {content} > unpacked/lib/x.lib;;\nesac\n"
        );
        fs::write(&python, script).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        let programs = Programs { python, limit: Duration::from_secs(10), ..Programs::default() };
        (Target::parse(&text).unwrap(), programs)
    }

    fn left_over(cache: &Path) -> Vec<PathBuf> {
        fs::read_dir(cache.join("libraries"))
            .map(|entries| entries.map(|e| e.unwrap().path()).collect())
            .unwrap_or_default()
    }

    #[test]
    fn fetched_once_it_works_offline_and_a_damaged_copy_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (target, programs) = rig(folder.path(), "good", "");
        let cache = folder.path().join("cache");
        let fetched = library(&target, &cache, &programs).unwrap();
        assert_eq!(fs::read_to_string(&fetched.liberty).unwrap(), "good");
        let offline = Programs { python: "no-such-python".into(), ..programs.clone() };
        assert_eq!(library(&target, &cache, &offline).unwrap(), fetched);
        fs::write(&fetched.liberty, "rotten").unwrap();
        let error = library(&target, &cache, &offline).unwrap_err().to_string();
        assert!(error.contains("no-such-python is not installed"), "{error}");
        library(&target, &cache, &programs).unwrap();
        assert_eq!(fs::read_to_string(&fetched.liberty).unwrap(), "good");
        assert_eq!(left_over(&cache).len(), 1);
    }

    #[test]
    fn failures_are_explained_and_leave_nothing_behind() {
        for (content, pip, reason) in [
            ("evil", "", "expected 770e607624d689265ca6c44884d0807d"),
            ("good", "echo 'OSError: No space left on device' >&2; exit 1", "disk is full"),
            ("good", "echo 'No module named pip' >&2; exit 1", "install pip"),
            ("good", "echo 'NewConnectionError' >&2; exit 1", "no network"),
            ("good", "mkdir archive; exit 0", "no single .whl file"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (target, programs) = rig(folder.path(), content, pip);
            let cache = folder.path().join("cache");
            let error = library(&target, &cache, &programs).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert_eq!(left_over(&cache), Vec::<PathBuf>::new());
        }
    }

    #[test]
    fn a_download_that_hangs_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let (target, programs) = rig(folder.path(), "good", "sleep 60");
        let programs = Programs { limit: Duration::from_millis(200), ..programs };
        let error = library(&target, folder.path(), &programs).unwrap_err().to_string();
        assert!(error.contains("did not end"), "{error}");
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (target, programs) = rig(folder.path(), "good", "");
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = library(&target, &file, &programs).unwrap_err().to_string();
        assert!(error.contains("cache-folder") && error.contains("file/libraries"), "{error}");
    }

    #[test]
    fn an_installed_debian_package_is_used_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::load("osu018").unwrap();
        let programs = Programs { apt_get: "no-such-apt".into(), ..Programs::default() };
        match library(&target, folder.path(), &programs) {
            Ok(fetched) => assert!(fetched.liberty.starts_with("/usr/share")),
            Err(error) => {
                println!("qflow-tech-osu018 is not installed");
                assert!(error.to_string().contains("no-such-apt is not installed"));
            }
        }
        assert!(left_over(folder.path()).is_empty());
    }

    #[test]
    fn targets_without_a_library_say_what_to_do() {
        for (name, reason) in [("sky130", "ciel"), ("generic", "only serves to plan"), ("xcup", "no cell library")] {
            let target = Target::load(name).unwrap();
            let error = library(&target, Path::new("/nonexistent"), &Programs::default()).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
