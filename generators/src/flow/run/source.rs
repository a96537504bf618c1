//! A file of events, read block by block.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::CrcReader;
use flate2::read::DeflateDecoder;
use hdl::diag::Diagnostic;
use hdl::names::quoted;
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use zip::{CompressionMethod, ZipArchive};

use crate::failure::{Failure, Result};

/// Numbers of some events, as the file has them.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Integers.
    Integers(Vec<i64>),
    /// Floats; those of 64 bits rounded to 32.
    Floats(Vec<f32>),
}

/// A file of events, and how far it is read.
pub struct Source {
    path: PathBuf,
    reader: Reader,
    /// How many events there are.
    pub events: usize,
    /// Extent of each axis of an event; none in a table, whose rows are as long as they must be.
    pub shape: Option<Vec<usize>>,
    /// Elements of an event.
    width: usize,
}

enum Reader {
    /// Row-major numbers of one type.
    Raw { bytes: Box<dyn Read + Send>, kind: Kind },
    /// Lines of numbers.
    Table { lines: csv::StringRecordsIntoIter<File>, integers: bool },
    /// Those of an array in an archive, whose sum of check is known.
    Packed { bytes: Box<CrcReader<Box<dyn Read + Send>>>, kind: Kind, check: u32, left: usize },
}

/// The type of an array's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    char: TypeChar,
    bytes: usize,
    big: bool,
}

fn wrong(path: &Path, message: impl Into<String>) -> Failure {
    Failure::user(Diagnostic::error("events", message).at(path.display().to_string(), "in this file"))
}

impl Source {
    /// Opens `path`: an array, the array called `name` of an archive, or a table of `width` numbers a line.
    ///
    /// # Errors
    /// A file of another kind, an array whose first axis cannot count events, a table with other lines.
    pub fn open(path: &Path, name: &str, width: usize) -> Result<Self> {
        match super::Form::of(path)? {
            super::Form::Npy => {
                let mut bytes: Box<dyn Read + Send> = Box::new(BufReader::new(opened(path)?));
                let (kind, shape) = header(&mut bytes).map_err(|why| wrong(path, why))?;
                Ok(Self::array(path, Reader::Raw { bytes, kind }, &shape))
            }
            super::Form::Npz => Self::packed(path, name),
            super::Form::Csv => Self::table(path, width),
        }
    }

    fn array(path: &Path, reader: Reader, shape: &[usize]) -> Self {
        let (events, inner) = (shape[0], shape[1..].to_vec());
        let width = inner.iter().product();
        let mut source = Self { path: path.to_owned(), reader, events, shape: Some(inner), width };
        if let Reader::Packed { left, .. } = &mut source.reader {
            *left = events * width;
        }
        source
    }

    fn packed(path: &Path, name: &str) -> Result<Self> {
        let damaged = |why: String| wrong(path, format!("this is no .npz file, or it is damaged: {why}"));
        let file = opened(path)?;
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| damaged(e.to_string()))?;
        let names = archive.file_names().map(|name| name.map(|name| name.into_owned()));
        let names: Vec<String> = names.collect::<std::result::Result<_, _>>().map_err(|e| damaged(e.to_string()))?;
        let plain = |entry: &str| entry.strip_suffix(".npy").unwrap_or(entry).to_owned();
        let Some(place) = names.iter().position(|found| plain(found) == name) else {
            let known: Vec<String> = names.iter().map(|found| plain(found)).collect();
            return Err(wrong(path, format!("there is no array {}; there are {}", quoted(name), known.join(", "))));
        };
        let entry = archive.by_index(place).map_err(|e| damaged(e.to_string()))?;
        let (check, size, method) = (entry.crc32(), entry.compressed_size(), entry.compression());
        let begin = entry.data_start().ok_or_else(|| damaged("an entry has no place".into()))?;
        drop(entry);
        let mut file = opened(path)?;
        file.seek(SeekFrom::Start(begin)).map_err(|e| Failure::io("read the events", path, &e))?;
        let packed = BufReader::new(file).take(size);
        let bytes: Box<dyn Read + Send> = match method {
            CompressionMethod::Stored => Box::new(packed),
            CompressionMethod::Deflated => Box::new(DeflateDecoder::new(packed)),
            other => return Err(damaged(format!("arrays packed by {other} are not supported"))),
        };
        let mut bytes = Box::new(CrcReader::new(bytes));
        let of_array = |why: String| wrong(path, format!("array {}: {why}", quoted(name)));
        let (kind, shape) = header(&mut bytes).map_err(of_array)?;
        Ok(Self::array(path, Reader::Packed { bytes, kind, check, left: 0 }, &shape))
    }

    fn table(path: &Path, width: usize) -> Result<Self> {
        let lines = |file: File| csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
        let (mut events, mut headers, mut integers) = (0, 0, true);
        for (number, line) in lines(opened(path)?).records().enumerate() {
            let line = line.map_err(|e| wrong(path, format!("line {}: {e}", number + 1)))?;
            let numeric = line.iter().all(|field| field.trim().parse::<f64>().is_ok());
            if number == 0 && !numeric {
                headers = 1;
                continue;
            }
            if line.len() != width {
                let message = format!("line {} has {} numbers, an event has {width}", number + 1, line.len());
                return Err(wrong(path, message));
            }
            integers &= line.iter().all(|field| field.trim().parse::<i64>().is_ok());
            events += 1;
        }
        let mut lines = lines(opened(path)?).into_records();
        (0..headers).for_each(|_| drop(lines.next()));
        Ok(Self { path: path.to_owned(), reader: Reader::Table { lines, integers }, events, shape: None, width })
    }

    /// The numbers of the next `count` events, of which there are as many left.
    ///
    /// # Errors
    /// A file that ends early or is damaged, an entry that is no number.
    pub fn next(&mut self, count: usize) -> Result<Values> {
        let (path, entries) = (&self.path, count * self.width);
        let cut = |e: std::io::Error| wrong(path, format!("it ends early, or is damaged: {e}"));
        match &mut self.reader {
            Reader::Raw { bytes, kind } => {
                let mut raw = vec![0; entries * kind.bytes];
                bytes.read_exact(&mut raw).map_err(cut)?;
                kind.values(&raw).map_err(|why| wrong(path, why))
            }
            Reader::Packed { bytes, kind, check, left } => {
                let mut raw = vec![0; entries * kind.bytes];
                bytes.read_exact(&mut raw).map_err(cut)?;
                *left -= entries;
                if *left == 0 && bytes.crc().sum() != *check {
                    return Err(wrong(path, "it is damaged: an array's sum of check is wrong"));
                }
                kind.values(&raw).map_err(|why| wrong(path, why))
            }
            Reader::Table { lines, integers } => {
                let mut rows = Vec::with_capacity(entries);
                for line in lines.take(count) {
                    let line = line.map_err(|e| wrong(path, e.to_string()))?;
                    rows.extend(line.iter().map(|field| field.trim().to_owned()));
                }
                let no_number = |field: &str| wrong(path, format!("{} is no number", quoted(field)));
                Ok(match integers {
                    true => Values::Integers(
                        rows.iter().map(|f| f.parse().map_err(|_| no_number(f))).collect::<Result<_>>()?,
                    ),
                    false => {
                        Values::Floats(rows.iter().map(|f| f.parse().map_err(|_| no_number(f))).collect::<Result<_>>()?)
                    }
                })
            }
        }
    }
}

fn opened(path: &Path) -> Result<File> {
    let failed = |e: std::io::Error| Failure::io("read the events", path, &e);
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(wrong(path, "this is no regular file"));
    }
    File::open(path).map_err(failed)
}

/// Type and shape of the array that follows.
fn header(bytes: &mut impl Read) -> std::result::Result<(Kind, Vec<usize>), String> {
    // the reader sets aside as much as a header says that it is long
    let mut begin = [0; 12];
    bytes.read_exact(&mut begin[..10]).map_err(|_| "this is no .npy file")?;
    let mut taken = 10;
    let length = match begin[6] {
        0 | 1 => u32::from(u16::from_le_bytes([begin[8], begin[9]])),
        _ => {
            bytes.read_exact(&mut begin[10..]).map_err(|_| "this is no .npy file")?;
            taken = 12;
            u32::from_le_bytes([begin[8], begin[9], begin[10], begin[11]])
        }
    };
    if length > 1 << 16 {
        return Err("this is no .npy file: its header is too long".into());
    }
    let header =
        NpyHeader::from_reader((&begin[..taken]).chain(bytes)).map_err(|e| format!("this is no .npy file: {e}"))?;
    let descr = header.dtype().descr();
    let kind = match header.dtype() {
        DType::Plain(kind) => Kind {
            char: kind.type_char(),
            bytes: kind.num_bytes().unwrap_or(0),
            big: kind.endianness() == Endianness::Big,
        },
        _ => Kind { char: TypeChar::RawData, bytes: 0, big: false },
    };
    if !kind.is_known() {
        return Err(format!("entries of type {descr} are not supported; save integers or floats of 32 or 64 bits"));
    }
    let shape: Option<Vec<usize>> = header.shape().iter().map(|e| usize::try_from(*e).ok()).collect();
    let shape = shape.filter(|s| s.iter().try_fold(8usize, |n, e| n.checked_mul(*e)).is_some());
    let shape = shape.ok_or_else(|| format!("an array of shape {:?} is too large", header.shape()))?;
    if shape.is_empty() {
        return Err("it is a single number; the first axis counts events".into());
    }
    if header.order() == Order::Fortran && shape.len() > 1 {
        return Err("its first axis runs fastest, so that no event stands as a whole; \
                    save numpy.ascontiguousarray of it"
            .into());
    }
    Ok((kind, shape))
}

impl Kind {
    fn is_known(self) -> bool {
        match self.char {
            TypeChar::Bool => self.bytes == 1,
            TypeChar::Int | TypeChar::Uint => matches!(self.bytes, 1 | 2 | 4 | 8),
            TypeChar::Float => matches!(self.bytes, 4 | 8),
            _ => false,
        }
    }

    /// The numbers of raw entries.
    fn values(self, raw: &[u8]) -> std::result::Result<Values, String> {
        macro_rules! numbers {
            ($type:ty) => {{
                const BYTES: usize = size_of::<$type>();
                let big = self.big;
                raw.chunks_exact(BYTES).map(move |entry| {
                    let entry: [u8; BYTES] = entry.try_into().expect("whole entries");
                    if big { <$type>::from_be_bytes(entry) } else { <$type>::from_le_bytes(entry) }
                })
            }};
        }
        macro_rules! integers {
            ($type:ty) => {
                Values::Integers(numbers!($type).map(i64::from).collect())
            };
        }
        Ok(match (self.char, self.bytes) {
            (TypeChar::Float, 4) => Values::Floats(numbers!(f32).collect()),
            (TypeChar::Float, _) => Values::Floats(numbers!(f64).map(|v| v as f32).collect()),
            (TypeChar::Int, 1) => integers!(i8),
            (TypeChar::Int, 2) => integers!(i16),
            (TypeChar::Int, 4) => integers!(i32),
            (TypeChar::Int, _) => integers!(i64),
            (TypeChar::Uint, 2) => integers!(u16),
            (TypeChar::Uint, 4) => integers!(u32),
            (TypeChar::Uint, 8) => {
                let beyond = |v: u64| i64::try_from(v).map_err(|_| format!("{v} is more than 63 bits hold"));
                Values::Integers(numbers!(u64).map(beyond).collect::<std::result::Result<_, String>>()?)
            }
            _ => integers!(u8),
        })
    }
}
