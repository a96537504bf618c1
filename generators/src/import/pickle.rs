//! The part of Python's pickle that PyTorch writes for a state dictionary, and nothing else of it.
//!
//! A pickle is a program for a stack machine that may call any function of any module. Here it may name those of
//! [`Global`] alone, which only describe tensors; any other name and any other instruction is refused, so that reading
//! runs nothing. Memory grows no faster than the file: each instruction adds one item at most, tuples are shared, and
//! they are nested no deeper than [`DEPTH`].

use std::cmp::Ordering;
use std::rc::Rc;

use hdl::names::quoted;

/// Deepest nesting of tuples; the arguments of a tensor take two levels.
const DEPTH: u8 = 4;

/// The names that a pickle may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`.
    Tensor,
    /// `torch._utils._rebuild_parameter`.
    Parameter,
    /// `torch.FloatStorage` and the like.
    Storage(Element),
}

/// What a storage holds, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
    /// Signed integers of so many bytes.
    Integer(usize),
}

/// A slice of a storage with strides.
#[derive(Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Name of the storage.
    pub storage: Rc<str>,
    /// What it holds.
    pub element: Element,
    /// Number of the first element.
    pub offset: usize,
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Elements from one to the next along each axis.
    pub strides: Vec<usize>,
}

/// What lies on the stack.
#[derive(Debug, Clone)]
enum Item {
    Mark,
    Bool,
    Integer(i64),
    Text(Rc<str>),
    Global(Global),
    Tuple(Rc<[Item]>, u8),
    /// Number of a dictionary.
    Dictionary(usize),
    Storage(Rc<str>, Element),
    Tensor(Rc<Tensor>),
}

/// The names and tensors of the dictionary that a pickle makes.
///
/// # Errors
/// An instruction, a name or a value that is no part of a state dictionary; a program that does not fit together.
pub fn state_dictionary(bytes: &[u8]) -> Result<Vec<(String, Rc<Tensor>)>, String> {
    let mut machine = Machine { rest: bytes, stack: Vec::new(), memo: Vec::new(), dictionaries: Vec::new() };
    let made = machine.run()?;
    let Item::Dictionary(number) = made else {
        return Err("it holds no state dictionary".into());
    };
    let entry = |(key, value): (Item, Item)| match (key, value) {
        (Item::Text(name), Item::Tensor(tensor)) => Ok((name.to_string(), tensor)),
        (Item::Text(name), _) => Err(format!("{} is no tensor", quoted(&name))),
        _ => Err("a key is no text".into()),
    };
    machine.dictionaries.swap_remove(number).into_iter().map(entry).collect()
}

struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Item>,
    memo: Vec<Item>,
    dictionaries: Vec<Vec<(Item, Item)>>,
}

fn misfit() -> String {
    "its pickle is damaged".into()
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("its pickle is cut off")?;
        self.rest = rest;
        Ok(taken)
    }

    /// An integer of so many bytes, little-endian, without sign.
    fn number(&mut self, bytes: usize) -> Result<u32, String> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |n, byte| n << 8 | u32::from(*byte)))
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').ok_or_else(misfit)?;
        let line = self.take(end + 1)?;
        std::str::from_utf8(&line[..end]).map_err(|_| misfit())
    }

    fn pop(&mut self) -> Result<Item, String> {
        self.stack.pop().ok_or_else(misfit)
    }

    /// What lies above the last mark, which goes away.
    fn above_mark(&mut self) -> Result<Vec<Item>, String> {
        let mark = self.stack.iter().rposition(|item| matches!(item, Item::Mark)).ok_or_else(misfit)?;
        let above = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(above)
    }

    /// Runs to the end; what lies on top then.
    fn run(&mut self) -> Result<Item, String> {
        loop {
            let instruction = self.number(1)? as u8;
            if instruction == b'.' {
                return self.pop();
            }
            if let Some(item) = self.step(instruction)? {
                self.stack.push(item);
            }
        }
    }

    /// One instruction, and what it pushes.
    fn step(&mut self, instruction: u8) -> Result<Option<Item>, String> {
        Ok(Some(match instruction {
            // the version of the pickle
            0x80 => match self.number(1)? {
                2 => return Ok(None),
                version => return Err(format!("its pickle has protocol {version}, torch.save writes 2")),
            },
            b'(' => Item::Mark,
            b')' => Item::Tuple(Rc::new([]), 0),
            b'}' => self.dictionary(),
            0x88 | 0x89 => Item::Bool,
            b'K' => Item::Integer(self.number(1)?.into()),
            b'M' => Item::Integer(self.number(2)?.into()),
            b'J' => Item::Integer((self.number(4)? as i32).into()),
            b'X' => {
                let length = self.number(4)? as usize;
                let text = std::str::from_utf8(self.take(length)?).map_err(|_| misfit())?;
                Item::Text(text.into())
            }
            b'c' => Item::Global(global(self.line()?, self.line()?)?),
            b'q' | b'r' => {
                let place = self.number(if instruction == b'q' { 1 } else { 4 })?;
                return self.remember(place as usize);
            }
            b'h' | b'j' => {
                let place = self.number(if instruction == b'h' { 1 } else { 4 })?;
                self.memo.get(place as usize).cloned().ok_or_else(misfit)?
            }
            b't' => tuple(self.above_mark()?)?,
            0x85..=0x87 => {
                let first = self.stack.len().checked_sub(usize::from(instruction - 0x84)).ok_or_else(misfit)?;
                tuple(self.stack.split_off(first))?
            }
            b'Q' => storage(&self.pop()?)?,
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.call(&function, &arguments)?
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                return self.set(vec![key, value]);
            }
            b'u' => {
                let entries = self.above_mark()?;
                return self.set(entries);
            }
            // attributes of a dictionary: versions of its modules
            b'b' => match self.pop()? {
                Item::Dictionary(_) if matches!(self.stack.last(), Some(Item::Dictionary(_))) => return Ok(None),
                _ => return Err(misfit()),
            },
            other => {
                return Err(format!("its pickle has the instruction 0x{other:02x}, which no state dictionary needs"));
            }
        }))
    }

    fn dictionary(&mut self) -> Item {
        self.dictionaries.push(Vec::new());
        Item::Dictionary(self.dictionaries.len() - 1)
    }

    /// Remembers the top of the stack. Places are counted up as they are used.
    fn remember(&mut self, place: usize) -> Result<Option<Item>, String> {
        let top = self.stack.last().cloned().ok_or_else(misfit)?;
        match place.cmp(&self.memo.len()) {
            Ordering::Less => self.memo[place] = top,
            Ordering::Equal => self.memo.push(top),
            Ordering::Greater => return Err(misfit()),
        }
        Ok(None)
    }

    /// Enters keys and values into the dictionary on top.
    fn set(&mut self, entries: Vec<Item>) -> Result<Option<Item>, String> {
        let Some(Item::Dictionary(number)) = self.stack.last() else {
            return Err(misfit());
        };
        let mut entries = entries.into_iter();
        while let Some(key) = entries.next() {
            self.dictionaries[*number].push((key, entries.next().ok_or_else(misfit)?));
        }
        Ok(None)
    }

    fn call(&mut self, function: &Item, arguments: &Item) -> Result<Item, String> {
        let (Item::Global(function), Item::Tuple(arguments, _)) = (function, arguments) else {
            return Err(misfit());
        };
        match (function, &**arguments) {
            (Global::OrderedDict, []) => Ok(self.dictionary()),
            (
                Global::Tensor,
                [
                    Item::Storage(storage, element),
                    Item::Integer(offset),
                    shape,
                    strides,
                    Item::Bool,
                    Item::Dictionary(_),
                ],
            ) => {
                let (shape, strides) = (extents(shape)?, extents(strides)?);
                let offset = usize::try_from(*offset).ok().filter(|_| shape.len() == strides.len());
                let offset = offset.ok_or_else(misfit)?;
                let (storage, element) = (Rc::clone(storage), *element);
                Ok(Item::Tensor(Rc::new(Tensor { storage, element, offset, shape, strides })))
            }
            (Global::Parameter, [Item::Tensor(tensor), Item::Bool, Item::Dictionary(_)]) => {
                Ok(Item::Tensor(Rc::clone(tensor)))
            }
            _ => Err(misfit()),
        }
    }
}

fn tuple(items: Vec<Item>) -> Result<Item, String> {
    let depth = |item: &Item| if let Item::Tuple(_, depth) = item { depth + 1 } else { 0 };
    match items.iter().map(depth).max().unwrap_or(0) {
        deep if deep > DEPTH => Err("its pickle has tuples in tuples".into()),
        depth => Ok(Item::Tuple(items.into(), depth)),
    }
}

/// Integers that are not negative.
fn extents(item: &Item) -> Result<Vec<usize>, String> {
    let Item::Tuple(items, _) = item else {
        return Err(misfit());
    };
    let extent = |item: &Item| match item {
        Item::Integer(n) => usize::try_from(*n).map_err(|_| misfit()),
        _ => Err(misfit()),
    };
    items.iter().map(extent).collect()
}

/// What `('storage', type, name, device, elements)` stands for.
fn storage(said: &Item) -> Result<Item, String> {
    let Item::Tuple(said, _) = said else {
        return Err(misfit());
    };
    match &**said {
        [
            Item::Text(what),
            Item::Global(Global::Storage(element)),
            Item::Text(name),
            Item::Text(_),
            Item::Integer(_),
        ] if **what == *"storage" => Ok(Item::Storage(Rc::clone(name), *element)),
        _ => Err(misfit()),
    }
}

fn global(module: &str, name: &str) -> Result<Global, String> {
    Ok(match (module, name) {
        ("collections", "OrderedDict") => Global::OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2") => Global::Tensor,
        ("torch._utils", "_rebuild_parameter") => Global::Parameter,
        ("torch", "FloatStorage") => Global::Storage(Element::F32),
        ("torch", "DoubleStorage") => Global::Storage(Element::F64),
        ("torch", "LongStorage") => Global::Storage(Element::Integer(8)),
        ("torch", "IntStorage") => Global::Storage(Element::Integer(4)),
        ("torch", "ShortStorage") => Global::Storage(Element::Integer(2)),
        ("torch", "CharStorage") => Global::Storage(Element::Integer(1)),
        _ => {
            let name = quoted(&format!("{module}.{name}"));
            return Err(format!("it asks for {name}, which no state dictionary of plain numbers needs"));
        }
    })
}
