//! The file of results: written aside column by column, then put in its place as a whole.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hdl::diag::Diagnostic;
use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Form;
use super::engine::Column;
use super::source::Values;
use crate::failure::{Failure, Result};
use crate::output::file::replace;

/// What is written, and how.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The file.
    pub path: &'a Path,
    /// What is in it.
    pub columns: &'a [Column],
    /// Events that there will be.
    pub events: usize,
    /// Whether the framework's numbers are written instead of integers.
    pub float: bool,
}

/// Results as far as they are written.
pub struct Sink<'a> {
    plan: Plan<'a>,
    form: Form,
    folder: Folder,
    parts: Vec<BufWriter<File>>,
    /// Events that are written.
    pub done: usize,
}

/// Where parts are until they are whole.
enum Folder {
    /// Gone with the run.
    Passing(tempfile::TempDir),
    /// Beside the output, for a run that goes on after an interruption: the job, which must be the same.
    Kept { dir: PathBuf, job: String },
}

/// How far an interrupted run came.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    /// What was run on what.
    job: String,
    /// Events that are written.
    done: usize,
    /// Bytes of each part by then.
    bytes: Vec<u64>,
}

/// The file in a kept folder that says how far it came.
const STATE: &str = "state.json";

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Passing(dir) => dir.path(),
            Self::Kept { dir, .. } => dir,
        }
    }
}

impl<'a> Sink<'a> {
    /// Begins to write; a `job` goes on where one of the same name was interrupted.
    ///
    /// # Errors
    /// A place that cannot be written to, what another job left there, several outputs for a file of one.
    pub fn begin(plan: Plan<'a>, job: Option<String>) -> Result<Self> {
        let form = Form::of(plan.path)?;
        if form == Form::Npy && plan.columns.len() > 1 {
            let names: Vec<&str> = plan.columns.iter().map(|c| &*c.name).collect();
            let message = format!("a .npy file has one array, there are {} outputs: {}", names.len(), names.join(", "));
            let error = Diagnostic::error("output-file", message).help("write .npz or .csv");
            return Err(Failure::user(error.at(plan.path.display().to_string(), "for this file")));
        }
        let parent = plan.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let failed = |e: std::io::Error| Failure::io("write the results", plan.path, &e);
        let folder = match job {
            None => Folder::Passing(tempfile::Builder::new().prefix(".hwgen-run-").tempdir_in(parent).map_err(failed)?),
            Some(job) => {
                let mut name = plan.path.as_os_str().to_owned();
                name.push(".partial");
                let dir = PathBuf::from(name);
                std::fs::create_dir_all(&dir).map_err(failed)?;
                Folder::Kept { dir, job }
            }
        };
        let mut sink = Self { plan, form, folder, parts: Vec::new(), done: 0 };
        match sink.state()? {
            Some(state) => sink.go_on(&state)?,
            None => sink.start()?,
        }
        Ok(sink)
    }

    fn failed(&self) -> impl Fn(std::io::Error) -> Failure + use<> {
        let path = self.plan.path.to_owned();
        move |e| Failure::io("write the results", &path, &e)
    }

    /// How far the same job came before.
    fn state(&self) -> Result<Option<State>> {
        let Folder::Kept { dir, job } = &self.folder else {
            return Ok(None);
        };
        let Ok(text) = std::fs::read_to_string(dir.join(STATE)) else {
            return Ok(None);
        };
        let other = |why: &str| {
            let error = Diagnostic::error("resume", format!("what is here cannot be gone on with: {why}"));
            Failure::user(error.at(dir.display().to_string(), "in this folder").help("remove it to begin anew"))
        };
        let state: State = serde_json::from_str(&text).map_err(|_| other("its state cannot be read"))?;
        if state.job != *job || state.bytes.len() != self.names().len() {
            return Err(other("it is of another model, other events or other options"));
        }
        Ok(Some(state))
    }

    /// Names of the parts.
    fn names(&self) -> Vec<String> {
        match self.form {
            Form::Csv => vec!["lines.csv".into()],
            _ => (0..self.plan.columns.len()).map(|k| format!("{k}.npy")).collect(),
        }
    }

    fn start(&mut self) -> Result<()> {
        let failed = self.failed();
        for (k, name) in self.names().iter().enumerate() {
            let mut part = BufWriter::new(File::create(self.folder.path().join(name)).map_err(&failed)?);
            let head = match self.form {
                Form::Csv => head_line(self.plan.columns).into_bytes(),
                _ => self.plan.header(k),
            };
            part.write_all(&head).map_err(&failed)?;
            self.parts.push(part);
        }
        Ok(())
    }

    fn go_on(&mut self, state: &State) -> Result<()> {
        let failed = self.failed();
        for (name, bytes) in self.names().iter().zip(&state.bytes) {
            let path = self.folder.path().join(name);
            let mut part = OpenOptions::new().write(true).open(path).map_err(&failed)?;
            if part.metadata().map_err(&failed)?.len() < *bytes {
                let error = Diagnostic::error("resume", format!("{name} is shorter than it was"));
                let error = error.at(self.folder.path().display().to_string(), "in this folder");
                return Err(Failure::user(error.help("remove it to begin anew")));
            }
            part.set_len(*bytes).and_then(|()| part.seek(SeekFrom::End(0))).map_err(&failed)?;
            self.parts.push(BufWriter::new(part));
        }
        self.done = state.done;
        Ok(())
    }

    /// Writes the next events, column by column.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&mut self, columns: &[Values], events: usize) -> Result<()> {
        let failed = self.failed();
        match self.form {
            Form::Csv => self.parts[0].write_all(lines(columns, events).as_bytes()).map_err(&failed)?,
            _ => {
                let kinds = self.plan.columns.iter().map(|c| self.plan.kind(c));
                for ((part, values), kind) in self.parts.iter_mut().zip(columns).zip(kinds) {
                    part.write_all(&kind.bytes(values)).map_err(&failed)?;
                }
            }
        }
        self.done += events;
        Ok(())
    }

    /// Puts down how far it came, for a run that is to go on after an interruption.
    ///
    /// # Errors
    /// What the file system says.
    pub fn keep(&mut self) -> Result<()> {
        let failed = self.failed();
        let Folder::Kept { dir, job } = &self.folder else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        for part in &mut self.parts {
            part.flush().map_err(&failed)?;
            bytes.push(part.stream_position().map_err(&failed)?);
        }
        let state = State { job: job.clone(), done: self.done, bytes };
        replace(&dir.join(STATE), serde_json::to_string(&state).expect("plain data").as_bytes())
    }

    /// Puts the whole file in its place.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(mut self) -> Result<()> {
        let failed = self.failed();
        self.parts.iter_mut().try_for_each(Write::flush).map_err(&failed)?;
        let whole = match self.form {
            Form::Npz => self.archive()?,
            _ => self.folder.path().join(&self.names()[0]),
        };
        std::fs::rename(whole, self.plan.path).map_err(&failed)?;
        match self.folder {
            Folder::Passing(dir) => dir.close().map_err(failed),
            Folder::Kept { dir, .. } => std::fs::remove_dir_all(dir).map_err(failed),
        }
    }

    /// All parts in one archive.
    fn archive(&self) -> Result<PathBuf> {
        let failed = self.failed();
        let whole = self.folder.path().join("whole.npz");
        let mut archive = ZipWriter::new(BufWriter::new(File::create(&whole).map_err(&failed)?));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
        for (column, name) in self.plan.columns.iter().zip(self.names()) {
            let of_zip = |e: zip::result::ZipError| failed(std::io::Error::other(e));
            archive.start_file(format!("{}.npy", column.name), options).map_err(of_zip)?;
            let mut part = BufReader::new(File::open(self.folder.path().join(name)).map_err(&failed)?);
            std::io::copy(&mut part, &mut archive).map_err(&failed)?;
        }
        let file = archive.finish().map_err(|e| failed(std::io::Error::other(e)))?;
        file.into_inner().map_err(|e| failed(e.into_error()))?;
        Ok(whole)
    }
}

/// How numbers lie in an array.
#[derive(Debug, Clone, Copy)]
enum Kind {
    I32,
    I64,
    F32,
}

impl Plan<'_> {
    /// The type of a column: floats, or integers of 32 bits where they suffice.
    fn kind(&self, column: &Column) -> Kind {
        let fits = |v: i64| i32::try_from(v).is_ok();
        match column.range {
            _ if self.float => Kind::F32,
            (lo, hi) if fits(lo) && fits(hi) => Kind::I32,
            _ => Kind::I64,
        }
    }

    /// The head of column `k`'s array: version 1.0 of NumPy's format, padded to 64 bytes.
    fn header(&self, k: usize) -> Vec<u8> {
        let column = &self.columns[k];
        let descr = match self.kind(column) {
            Kind::I32 => "<i4",
            Kind::I64 => "<i8",
            Kind::F32 => "<f4",
        };
        let extents = std::iter::once(self.events).chain(column.shape.iter().copied());
        let shape: String = extents.map(|e| format!("{e}, ")).collect();
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", shape.trim_end());
        let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
        let mut head = b"\x93NUMPY\x01\x00".to_vec();
        head.extend((length as u16).to_le_bytes());
        head.extend(format!("{text:<width$}\n", width = length - 1).bytes());
        head
    }
}

impl Kind {
    fn bytes(self, values: &Values) -> Vec<u8> {
        match (self, values) {
            (Self::I32, Values::Integers(values)) => values.iter().flat_map(|v| (*v as i32).to_le_bytes()).collect(),
            (_, Values::Integers(values)) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            (_, Values::Floats(values)) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }
}

/// Names of the columns of a table: that of the output, with the element's number if there are several.
fn head_line(columns: &[Column]) -> String {
    let of = |column: &Column| -> Vec<String> {
        match column.count() {
            1 => vec![column.name.clone()],
            count => (0..count).map(|k| format!("{}[{k}]", column.name)).collect(),
        }
    };
    let names: Vec<String> = columns.iter().flat_map(of).collect();
    let mut line = csv::WriterBuilder::new().from_writer(Vec::new());
    line.write_record(names).expect("memory takes it");
    String::from_utf8(line.into_inner().expect("memory takes it")).expect("names are text")
}

/// A line of numbers for each event.
fn lines(columns: &[Values], events: usize) -> String {
    let mut text = String::new();
    for event in 0..events {
        let mut numbers: Vec<String> = Vec::new();
        for column in columns {
            match column {
                Values::Integers(v) => {
                    let width = v.len() / events;
                    numbers.extend(v[event * width..][..width].iter().map(i64::to_string));
                }
                Values::Floats(v) => {
                    let width = v.len() / events;
                    numbers.extend(v[event * width..][..width].iter().map(f32::to_string));
                }
            }
        }
        text.push_str(&numbers.join(","));
        text.push('\n');
    }
    text
}
