//! Fuzzers of the importers: whatever a file says, reading it ends in a network or an error.
//!
//! Each importer reads damaged copies of valid files in a process of its own that may take 1 GiB of address space and
//! ten seconds of processor time for one file; a panic, a hang or an abort fails the test and leaves the file in the test's temporary
//! folder. `HWGEN_FUZZ_SECONDS` says for how long (default 1, for each importer), `HWGEN_FUZZ_SEED` with which seed.
//! `HWGEN_FUZZ_SECONDS=3600 cargo test -p hwgen-tests --test fuzz_importers -- --test-threads 2` is the long run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use fastrand::Rng;
use hwgen::import::lift::InputFormat;
use hwgen::import::{comb_logic, keras, matrix, onnx};
use hwgen::model::Graph;
use hwgen_tests::mutate;

/// Address space of a fuzzer: 1 GiB, and what the program itself and its threads' stacks take.
const KIBIBYTES: u64 = (1 << 20) + (160 << 10);

/// Most processor time for one file.
const PATIENCE: Duration = Duration::from_secs(10);

/// Largest network that is also evaluated, in additions.
const EVALUATED: u64 = 1 << 20;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |v| v.parse().expect("a number"))
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

fn committed(names: &[&str]) -> Vec<Vec<u8>> {
    let read = |name: &&str| std::fs::read(models().join(name)).expect("a committed file");
    names.iter().map(read).collect()
}

/// What was read must also be usable.
fn used(graph: &Graph) {
    let inspection = graph.inspect();
    let work: u64 = inspection.layers.iter().map(|l| l.additions).sum();
    if work <= EVALUATED {
        let least = graph.inputs().iter().map(|i| i.ranges().into_iter().map(|(lo, _)| lo).collect::<Vec<_>>());
        graph.evaluate(&least.collect::<Vec<_>>()).expect("the least inputs are in range");
    }
}

/// One importer: valid files, how they are damaged, and the reader.
struct Target {
    name: &'static str,
    corpus: fn() -> Vec<Vec<u8>>,
    damage: fn(&[u8], &mut Rng) -> Vec<u8>,
    read: fn(&[u8], &Path),
}

fn either(bytes: &[u8], rng: &mut Rng, structured: fn(&[u8], &mut Rng) -> Vec<u8>) -> Vec<u8> {
    if rng.u32(0..3) == 0 { mutate::bytes(bytes.to_vec(), rng) } else { structured(bytes, rng) }
}

const TARGETS: [Target; 9] = [
    Target {
        name: "qonnx",
        corpus: || committed(&["jets_brevitas.onnx", "digits_brevitas.onnx", "qdq.onnx"]),
        damage: |bytes, rng| either(bytes, rng, mutate::onnx),
        read: |bytes, _| {
            let format = InputFormat::parse("s8.4").expect("a format");
            if let Ok(imported) = onnx::read(bytes, &[format]) {
                used(&imported.graph);
            }
        },
    },
    Target {
        name: "keras_h5",
        corpus: || committed(&["jets_qkeras.h5", "digits_qkeras.h5"]),
        damage: |bytes, rng| mutate::bytes(bytes.to_vec(), rng),
        read: |bytes, _| {
            if let Ok(imported) = keras::network(bytes.to_vec(), &[]) {
                used(&imported.graph);
            }
        },
    },
    Target {
        name: "keras_archive",
        corpus: || committed(&["jets_hgq2.keras", "branches_hgq2.keras", "digits_hgq2.keras"]),
        damage: mutate::archive,
        read: |bytes, _| {
            if let Ok(imported) = keras::network(bytes.to_vec(), &[]) {
                used(&imported.graph);
            }
        },
    },
    Target {
        name: "model_json",
        corpus: || {
            let model = keras::network(committed(&["digits_hgq2.keras"]).remove(0), &[]);
            let model = model.expect("a valid model").graph.to_json();
            vec![include_bytes!("data/every_operator.json").to_vec(), model.into_bytes()]
        },
        damage: |bytes, rng| either(bytes, rng, mutate::json_text),
        read: |bytes, _| {
            if let Ok(graph) = Graph::from_json(&String::from_utf8_lossy(bytes)) {
                used(&graph);
            }
        },
    },
    Target {
        name: "comb_logic",
        corpus: || committed(&["comb_wrapping.json", "comb_saturating.json", "comb_gates.json"]),
        damage: |bytes, rng| either(bytes, rng, mutate::json_text),
        read: |bytes, _| {
            if let Ok(imported) = comb_logic::read(bytes) {
                used(&imported.graph);
            }
        },
    },
    Target {
        name: "matrix",
        corpus: || {
            let header = "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3), }";
            let mut npy = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
            npy.extend(format!("{header:<117}\n").bytes());
            npy.extend((0..6i64).flat_map(i64::to_le_bytes));
            let json = b"{\"W\": [[1, -2, 3], [4, 5, -6]]}".to_vec();
            vec![npy, b"1,-2,3\n4,5,-6\n".to_vec(), json]
        },
        damage: |bytes, rng| mutate::bytes(bytes.to_vec(), rng),
        read: |bytes, folder| {
            for extension in ["npy", "csv", "json"] {
                let path = folder.join("matrix").with_extension(extension);
                std::fs::write(&path, bytes).expect("a writable folder");
                let _ = matrix::read(&path);
            }
        },
    },
    Target {
        name: "a_panic_is_noticed",
        corpus: || vec![b"valid".to_vec()],
        damage: |_, _| b"damaged".to_vec(),
        read: |bytes, _| assert!(bytes == b"valid", "damaged on purpose"),
    },
    Target {
        name: "time_is_limited",
        corpus: || vec![b"valid".to_vec()],
        damage: |_, _| b"endless".to_vec(),
        read: |bytes, _| {
            while std::hint::black_box(bytes) == b"endless" {
                std::hint::spin_loop();
            }
        },
    },
    Target {
        name: "memory_is_limited",
        corpus: || vec![b"valid".to_vec()],
        damage: |_, _| vec![1; 5],
        read: |bytes, _| {
            let wanted = usize::from(bytes[0] == 1) * (3 << 29);
            assert_eq!(std::hint::black_box(vec![1u8; wanted]).len(), wanted);
        },
    },
];

/// When the file that is being read was begun.
struct Watch {
    /// Milliseconds of the process's processor time, which does not pass while others have the machine.
    begun: AtomicU64,
}

fn processor_time() -> Duration {
    ProcessTime::now().as_duration()
}

impl Watch {
    /// Ends the process when one file takes too long.
    fn start() -> std::sync::Arc<Self> {
        let watch = std::sync::Arc::new(Self { begun: AtomicU64::new(processor_time().as_millis() as u64) });
        let seen = watch.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(500));
                let begun = Duration::from_millis(seen.begun.load(Ordering::Relaxed));
                if processor_time().saturating_sub(begun) > PATIENCE {
                    println!("a file takes more than {PATIENCE:?}");
                    std::process::exit(3);
                }
            }
        });
        watch
    }

    fn next(&self) {
        let now = processor_time().as_millis() as u64;
        self.begun.store(now, Ordering::Relaxed);
    }
}

/// The fuzzer itself, in the process that is limited. Each file is kept while it is read.
fn fuzz(target: &Target, folder: &Path) {
    let corpus = (target.corpus)();
    corpus.iter().for_each(|valid| (target.read)(valid, folder));
    let mut rng = Rng::with_seed(setting("HWGEN_FUZZ_SEED", 1));
    let seconds = Duration::from_secs(setting("HWGEN_FUZZ_SECONDS", 1));
    let (watch, began) = (Watch::start(), Instant::now());
    let mut files = 0u64;
    while began.elapsed() < seconds {
        let valid = &corpus[rng.usize(..corpus.len())];
        let damaged = (target.damage)(valid, &mut rng);
        std::fs::write(folder.join("last"), &damaged).expect("a writable folder");
        watch.next();
        (target.read)(&damaged, folder);
        files += 1;
    }
    println!("{}: {files} files in {seconds:?}", target.name);
}

/// Runs this test again in a process with limits, where it fuzzes; that must succeed.
fn limited(name: &str) {
    if let Err(why) = limited_result(name) {
        panic!("{why}");
    }
}

/// The same; the error says which file was the last and how it ended.
fn limited_result(name: &str) -> Result<(), String> {
    let target = TARGETS.iter().find(|t| t.name == name).expect("a target of that name");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(name);
    std::fs::create_dir_all(&folder).expect("a writable folder");
    if std::env::var_os("HWGEN_FUZZ_CHILD").is_some() {
        fuzz(target, &folder);
        return Ok(());
    }
    let program = std::env::current_exe().expect("this program");
    let done = Command::new("sh")
        .args(["-c", &format!("ulimit -v {KIBIBYTES}; exec \"$0\" \"$@\"")])
        .arg(program)
        .args(["--exact", name, "--nocapture", "--test-threads", "1"])
        .env("HWGEN_FUZZ_CHILD", "1")
        .env("RUST_BACKTRACE", "0")
        // what the C library and the thread pool set aside for each thread counts as well
        .env("MALLOC_ARENA_MAX", "1")
        .env("RAYON_NUM_THREADS", "2")
        .output()
        .expect("a shell");
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    println!("{out}");
    let last = folder.join("last");
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{} ends with {}: {err}", last.display(), done.status))
}

#[test]
fn a_panic_is_noticed() {
    let ended = limited_result("a_panic_is_noticed");
    assert!(ended.is_err_and(|why| why.contains("damaged on purpose")));
}

#[test]
fn time_is_limited() {
    let ended = limited_result("time_is_limited");
    assert!(ended.is_err_and(|why| why.contains("exit status: 3")));
}

#[test]
fn memory_is_limited() {
    let ended = limited_result("memory_is_limited");
    assert!(ended.is_err_and(|why| why.contains("memory allocation")));
}

#[test]
fn qonnx() {
    limited("qonnx");
}

#[test]
fn keras_h5() {
    limited("keras_h5");
}

#[test]
fn keras_archive() {
    limited("keras_archive");
}

#[test]
fn model_json() {
    limited("model_json");
}

#[test]
fn comb_logic() {
    limited("comb_logic");
}

#[test]
fn matrix() {
    limited("matrix");
}

/// Files that once made an importer panic or take too much memory.
#[test]
fn finds_are_read_without_harm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/finds");
    let formats = [InputFormat::parse("s8.4").expect("a format")];
    let read = |name: &str| std::fs::read(folder.join(name)).expect("a committed find");
    let _ = onnx::read(&read("scale_of_another_shape.onnx"), &formats);
    let wide = onnx::read(&read("wide_image.onnx"), &formats);
    assert!(wide.is_err(), "36 million taps are too many");
    assert!(onnx::read(&read("empty_but_for_an_extent.onnx"), &formats).is_err());
    assert!(keras::network(read("empty_but_for_an_extent.h5"), &[]).is_err());
    let _ = comb_logic::read(&read("shift_by_the_least_integer.json"));
    assert!(matrix::read(&folder.join("long_header.npy")).is_err());
}
