//! Files that would take all memory or never end: each command refuses them at once, in little memory.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::Home;

/// Address space of the program, in KiB: several times what it needs, and far below what these files say.
const MEMORY: u32 = 3 << 20;
/// How long a refusal may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Every command and option that reads a file, with `FILE` in its place.
const READERS: [(&[&str], &[&str]); 8] = [
    (&["build", "FILE", "--out", "rtl"], &["onnx", "h5", "keras", "json", "json.gz"]),
    (&["inspect", "FILE"], &["onnx", "json"]),
    (&["build", "small.json", "--inputs", "FILE", "--out", "rtl"], &["npy"]),
    (&["dense", "--weights", "FILE", "--out", "rtl"], &["json", "npy", "csv"]),
    (&["cmvm", "FILE"], &["json", "npy", "csv"]),
    (&["interaction", "--model", "FILE", "--out", "rtl"], &["json", "npz"]),
    (&["encoder", "--model", "FILE", "--out", "rtl"], &["json", "h5"]),
    (&["weights", "unpack", "FILE", "--out", "weights.json"], &["bin", "hex"]),
];

/// Exit code and message of the program with little memory; none if it does not end.
fn ended(home: &Home, args: &[&str]) -> Option<(Option<i32>, String)> {
    let text = home.path("said");
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_hwgen")])
        .args(args)
        .current_dir(home.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&text).unwrap())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while begun.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().unwrap() {
            return Some((status.code(), fs::read_to_string(text).unwrap()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// Each reader on files that `make` makes of a name; every message names the file and has one of the reasons.
fn refused_by_all(home: &Home, make: &dyn Fn(&str), reasons: &[&str]) {
    home.write(
        "small.json",
        r#"{"name": "n", "inputs": [{"name": "x", "shape": [1, 1], "range": [0, 1]}], "layers": [], "outputs": [{"name": "y", "tensor": 0}]}"#,
    );
    for (command, extensions) in READERS {
        for extension in extensions {
            let name = format!("file.{extension}");
            if fs::symlink_metadata(home.path(&name)).is_err() {
                make(&name);
            }
            let args: Vec<&str> = command.iter().map(|arg| if *arg == "FILE" { &name } else { *arg }).collect();
            let (code, said) = ended(home, &args).unwrap_or_else(|| panic!("{args:?} does not end"));
            assert_eq!(code, Some(2), "{args:?}: {said}");
            assert!(said.contains(&name) && reasons.iter().any(|reason| said.contains(reason)), "{args:?}: {said}");
        }
    }
}

#[cfg(unix)]
#[test]
fn devices_pipes_and_folders_are_no_files() {
    let home = Home::new();
    let link = |name: &str| std::os::unix::fs::symlink("/dev/zero", home.path(name)).unwrap();
    refused_by_all(&home, &link, &["a device"]);
    let home = Home::new();
    refused_by_all(&home, &|name| fs::create_dir(home.path(name)).unwrap(), &["a folder"]);
    let home = Home::new();
    let pipe = |name: &str| assert!(Command::new("mkfifo").arg(home.path(name)).status().unwrap().success());
    if Command::new("mkfifo").arg("--version").output().is_ok() {
        refused_by_all(&home, &pipe, &["a pipe"]);
    }
}

#[test]
fn files_that_are_too_long_are_not_read() {
    let home = Home::new();
    // a file with a hole takes no place
    let long = |name: &str| File::create(home.path(name)).unwrap().set_len(1 << 36).unwrap();
    refused_by_all(&home, &long, &["more than"]);
}

/// What packs a thousandfold, and headers that say more than there is.
#[test]
fn files_that_grow_are_refused() {
    let home = Home::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    (0..200).for_each(|_| gzip.write_all(&[b' '; 1 << 20]).unwrap());
    home.write("bomb.json.gz", gzip.finish().unwrap());
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, ), }\n";
    let long = [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    home.write("long.npy", long);
    home.write("header.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff");
    home.write("deep.json", "[".repeat(1 << 20));
    for (args, reason) in [
        (&["build", "bomb.json.gz", "--out", "rtl"][..], "67108864 bytes"),
        (&["cmvm", "long.npy"], "too large"),
        (&["cmvm", "header.npy"], "cut off"),
        (&["cmvm", "deep.json"], "not JSON"),
        (&["build", "deep.json", "--out", "rtl"], "deep.json"),
    ] {
        let (code, said) = ended(&home, args).unwrap_or_else(|| panic!("{args:?} does not end"));
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains(reason), "{args:?}: {said}");
    }
}
