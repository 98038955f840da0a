//! Python's pickle format, read without executing anything.
//!
//! A pickle is a program for a small stack machine. This one builds plain values (numbers, text, tuples, lists, dictionaries) and writes
//! down, instead of doing it, what Python would look up ([`Value::Global`]), call ([`Value::Call`]) or ask its host for
//! ([`Value::Persistent`]). All other objects are [`Value::Opaque`].

use crate::{Error, Result};
use std::collections::HashMap;

/// A pickle longer than this is refused. Each instruction makes one value at most, so that this bounds memory as well. A tensor of a
/// state dict takes about 40.
const MAX_INSTRUCTIONS: usize = 8_000_000;

/// A value of a pickle, by its place among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(u32);

#[derive(Debug)]
pub(super) enum Value<'a> {
    Opaque,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or function, by module and name.
    Global(&'a str, &'a str),
    /// A callable and the tuple of its arguments.
    Call(Id, Id),
    /// What the program that reads the pickle knows by this id.
    Persistent(Id),
}

/// Everything that a pickle builds.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    /// The value that the pickle stands for.
    pub(super) root: Id,
    /// The bytes that it takes.
    pub(super) len: usize,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle that some bytes begin with.
    pub(super) fn load(bytes: &'a [u8]) -> Result<Self> {
        let mut machine =
            Machine { bytes, at: 0, values: vec![Value::Opaque], stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), spent: 0 };
        loop {
            let start = machine.at;
            match machine.step() {
                Some(None) => {}
                Some(Some(root)) => return Ok(Self { values: machine.values, root, len: machine.at }),
                None if machine.spent > MAX_INSTRUCTIONS => {
                    return Err(Error::unsupported(format!("the pickle has more than {MAX_INSTRUCTIONS} instructions")));
                }
                None => return Err(Error::checkpoint(format!("the pickle is truncated or damaged at its byte {start}"))),
            }
        }
    }

    pub(super) fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id.0 as usize]
    }

    /// All values, in the order in which they were made.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value<'a>> {
        self.values.iter()
    }
}

const OPAQUE: Id = Id(0);

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at the marks that are set.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    spent: usize,
}

impl<'a> Machine<'a> {
    /// Runs one instruction: `None` if it is damaged, the result after the last one. Opcodes as in Python's `pickletools`.
    fn step(&mut self) -> Option<Option<Id>> {
        self.spend(1)?;
        match self.byte()? {
            b'.' => return self.pop().map(Some),                                                   // STOP
            0x80 => drop(self.byte()?),                                                            // PROTO
            0x95 => drop(self.take(8)?),                                                           // FRAME
            b'(' => self.marks.push(self.stack.len()),                                             // MARK
            b'0' => drop(self.pop_mark().is_some() || self.pop().is_some()),                       // POP
            b'1' => drop(self.since_mark()?),                                                      // POP_MARK
            b'2' => self.stack.push(*self.stack.last()?),                                          // DUP
            b'N' => self.stack.push(OPAQUE),                                                       // NONE
            0x88 => self.push(Value::Bool(true)),                                                  // NEWTRUE
            0x89 => self.push(Value::Bool(false)),                                                 // NEWFALSE
            b'J' => self.int(4)?,                                                                  // BININT
            b'K' => self.unsigned(1)?,                                                             // BININT1
            b'M' => self.unsigned(2)?,                                                             // BININT2
            0x8a => self.long(1)?,                                                                 // LONG1
            0x8b => self.long(4)?,                                                                 // LONG4
            b'I' | b'L' => self.decimal()?,                                                        // INT, LONG
            b'F' => drop(self.opaque_line()?),                                                     // FLOAT
            b'G' => self.opaque(8)?,                                                               // BINFLOAT
            b'S' | b'V' => self.quoted()?,                                                         // STRING, UNICODE
            b'U' | 0x8c => self.text(1)?,                                                          // SHORT_BINSTRING, SHORT_BINUNICODE
            b'T' | b'X' => self.text(4)?,                                                          // BINSTRING, BINUNICODE
            0x8d => self.text(8)?,                                                                 // BINUNICODE8
            b'C' => self.skip_sized(1)?,                                                           // SHORT_BINBYTES
            b'B' => self.skip_sized(4)?,                                                           // BINBYTES
            0x8e | 0x96 => self.skip_sized(8)?,                                                    // BINBYTES8, BYTEARRAY8
            b')' => self.push(Value::Tuple(Vec::new())),                                           // EMPTY_TUPLE
            0x85 => self.tuple(1)?,                                                                // TUPLE1
            0x86 => self.tuple(2)?,                                                                // TUPLE2
            0x87 => self.tuple(3)?,                                                                // TUPLE3
            b't' => self.since_mark().map(|items| self.push(Value::Tuple(items)))?,                // TUPLE
            b']' => self.push(Value::List(Vec::new())),                                            // EMPTY_LIST
            b'l' => self.since_mark().map(|items| self.push(Value::List(items)))?,                 // LIST
            b'a' => self.pop().and_then(|item| self.append(vec![item]))?,                          // APPEND
            b'e' => self.since_mark().and_then(|items| self.append(items))?,                       // APPENDS
            b'}' => self.push(Value::Dict(Vec::new())),                                            // EMPTY_DICT
            b'd' => self.since_mark().and_then(pairs).map(|items| self.push(Value::Dict(items)))?, // DICT
            b's' => self.pop_n(2).and_then(pairs).and_then(|items| self.set_items(items))?,        // SETITEM
            b'u' => self.since_mark().and_then(pairs).and_then(|items| self.set_items(items))?,    // SETITEMS
            0x8f => self.stack.push(OPAQUE),                                                       // EMPTY_SET
            0x90 => drop(self.since_mark()?),                                                      // ADDITEMS
            0x91 => self.since_mark().map(|_| self.stack.push(OPAQUE))?,                           // FROZENSET
            b'c' => self.global()?,                                                                // GLOBAL
            0x93 => self.stack_global()?,                                                          // STACK_GLOBAL
            b'R' => self.reduce()?,                                                                // REDUCE
            b'b' => drop(self.pop()?), // BUILD: the state of an object that stays as it is
            0x81 => self.pop_n(2).map(|_| self.stack.push(OPAQUE))?, // NEWOBJ
            0x92 => self.pop_n(3).map(|_| self.stack.push(OPAQUE))?, // NEWOBJ_EX
            b'o' => self.since_mark().map(|_| self.stack.push(OPAQUE))?, // OBJ
            b'i' => self.inst()?,      // INST
            0x82 => self.opaque(1)?,   // EXT1
            0x83 => self.opaque(2)?,   // EXT2
            0x84 => self.opaque(4)?,   // EXT4
            b'P' => self.opaque_line()?, // PERSID
            b'Q' => self.pop().map(|id| self.push(Value::Persistent(id)))?, // BINPERSID
            b'p' => self.decimal_line().and_then(|key| self.put(key))?, // PUT
            b'q' => self.number(1).and_then(|key| self.put(key))?, // BINPUT
            b'r' => self.number(4).and_then(|key| self.put(key))?, // LONG_BINPUT
            0x94 => self.put(self.memo.len() as u64)?, // MEMOIZE
            b'g' => self.decimal_line().and_then(|key| self.recall(key))?, // GET
            b'h' => self.number(1).and_then(|key| self.recall(key))?, // BINGET
            b'j' => self.number(4).and_then(|key| self.recall(key))?, // LONG_BINGET
            _ => return None,
        }
        Some(None)
    }

    fn spend(&mut self, instructions: usize) -> Option<()> {
        self.spent = self.spent.checked_add(instructions)?;
        (self.spent <= MAX_INSTRUCTIONS).then_some(())
    }

    // The bytes of an instruction.

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(n)?)?;
        self.at += n;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn line(&mut self) -> Option<&'a [u8]> {
        let len = self.bytes.get(self.at..)?.iter().position(|&b| b == b'\n')?;
        let line = self.take(len);
        self.at += 1;
        line
    }

    /// A little-endian number of up to 8 bytes.
    fn number(&mut self, size: usize) -> Option<u64> {
        Some(self.take(size)?.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
    }

    fn decimal_line(&mut self) -> Option<u64> {
        std::str::from_utf8(self.line()?).ok()?.parse().ok()
    }

    // The stack. Below a mark lies what belongs to an outer construct.

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(Id(self.values.len() as u32));
        self.values.push(value);
    }

    fn pop(&mut self) -> Option<Id> {
        if self.stack.len() > self.marks.last().copied().unwrap_or(0) { self.stack.pop() } else { None }
    }

    fn pop_n(&mut self, n: usize) -> Option<Vec<Id>> {
        let start = self.stack.len().checked_sub(n)?;
        (start >= self.marks.last().copied().unwrap_or(0)).then(|| self.stack.split_off(start))
    }

    /// Takes away the mark if it is the topmost thing on the stack.
    fn pop_mark(&mut self) -> Option<usize> {
        self.marks.pop_if(|&mut height| height == self.stack.len())
    }

    fn since_mark(&mut self) -> Option<Vec<Id>> {
        let height = self.marks.pop()?;
        (height <= self.stack.len()).then(|| self.stack.split_off(height))
    }

    fn top(&mut self) -> Option<&mut Value<'a>> {
        let id = *self.stack.last()?;
        // The one opaque value stands for many objects.
        if id == OPAQUE { None } else { self.values.get_mut(id.0 as usize) }
    }

    fn put(&mut self, key: u64) -> Option<()> {
        self.memo.insert(key, *self.stack.last()?);
        Some(())
    }

    fn recall(&mut self, key: u64) -> Option<()> {
        self.stack.push(*self.memo.get(&key)?);
        Some(())
    }

    // Scalars.

    fn int(&mut self, size: usize) -> Option<()> {
        let unused = 64 - 8 * size as u32;
        let n = (self.number(size)? << unused) as i64 >> unused;
        self.push(Value::Int(n));
        Some(())
    }

    fn unsigned(&mut self, size: usize) -> Option<()> {
        let n = self.number(size)? as i64;
        self.push(Value::Int(n));
        Some(())
    }

    fn long(&mut self, size_of_len: usize) -> Option<()> {
        match self.number(size_of_len)? {
            0 => self.push(Value::Int(0)),
            len @ 1..=8 => self.int(len as usize)?,
            len => self.opaque(usize::try_from(len).ok()?)?,
        }
        Some(())
    }

    /// Protocol 0 numbers; `00` and `01` are its booleans, a long has an `L` after it.
    fn decimal(&mut self) -> Option<()> {
        let text = std::str::from_utf8(self.line()?).ok()?;
        let value = match text {
            "00" => Value::Bool(false),
            "01" => Value::Bool(true),
            _ => text.trim_end_matches('L').parse().map_or(Value::Opaque, Value::Int),
        };
        self.push(value);
        Some(())
    }

    fn text(&mut self, size_of_len: usize) -> Option<()> {
        let len = usize::try_from(self.number(size_of_len)?).ok()?;
        let value = std::str::from_utf8(self.take(len)?).map_or(Value::Opaque, Value::Text);
        self.push(value);
        Some(())
    }

    /// Protocol 0 text, as far as nothing in it is escaped.
    fn quoted(&mut self) -> Option<()> {
        let line = self.line()?;
        let text = std::str::from_utf8(line).ok().filter(|text| !text.contains('\\'));
        let unquoted = text.map(|text| ["'", "\""].into_iter().find_map(|q| text.strip_prefix(q)?.strip_suffix(q)).unwrap_or(text));
        self.push(unquoted.map_or(Value::Opaque, Value::Text));
        Some(())
    }

    fn skip_sized(&mut self, size_of_len: usize) -> Option<()> {
        let len = usize::try_from(self.number(size_of_len)?).ok()?;
        self.opaque(len)
    }

    fn opaque(&mut self, len: usize) -> Option<()> {
        self.take(len)?;
        self.stack.push(OPAQUE);
        Some(())
    }

    fn opaque_line(&mut self) -> Option<()> {
        self.line()?;
        self.stack.push(OPAQUE);
        Some(())
    }

    // Containers.

    fn tuple(&mut self, n: usize) -> Option<()> {
        let items = self.pop_n(n)?;
        self.push(Value::Tuple(items));
        Some(())
    }

    fn append(&mut self, more: Vec<Id>) -> Option<()> {
        self.stack.last()?;
        if let Some(Value::List(items)) = self.top() {
            items.extend(more);
        }
        Some(())
    }

    fn set_items(&mut self, more: Vec<(Id, Id)>) -> Option<()> {
        self.stack.last()?;
        if let Some(Value::Dict(items)) = self.top() {
            items.extend(more);
        }
        Some(())
    }

    // Objects.

    fn global(&mut self) -> Option<()> {
        let (module, name) = (self.line()?, self.line()?);
        self.push(Value::Global(std::str::from_utf8(module).ok()?, std::str::from_utf8(name).ok()?));
        Some(())
    }

    fn stack_global(&mut self) -> Option<()> {
        let names = self.pop_n(2)?;
        let value = match (&self.values[names[0].0 as usize], &self.values[names[1].0 as usize]) {
            (Value::Text(module), Value::Text(name)) => Value::Global(module, name),
            _ => Value::Opaque,
        };
        self.push(value);
        Some(())
    }

    fn inst(&mut self) -> Option<()> {
        self.line()?;
        self.line()?;
        self.since_mark()?;
        self.stack.push(OPAQUE);
        Some(())
    }

    fn reduce(&mut self) -> Option<()> {
        let call = self.pop_n(2)?;
        let value = match self.values[call[0].0 as usize] {
            Value::Global("collections", "OrderedDict" | "defaultdict") => Value::Dict(self.dict_arguments(call[1])?),
            Value::Global(..) => Value::Call(call[0], call[1]),
            _ => Value::Opaque,
        };
        self.push(value);
        Some(())
    }

    /// Python 2 hands an `OrderedDict` its items as a list of `[key, value]`; later ones set them afterwards.
    fn dict_arguments(&mut self, arguments: Id) -> Option<Vec<(Id, Id)>> {
        let Value::Tuple(arguments) = &self.values[arguments.0 as usize] else { return Some(Vec::new()) };
        let Some(Value::List(items)) = arguments.first().map(|id| &self.values[id.0 as usize]) else { return Some(Vec::new()) };
        let pairs: Vec<_> = items
            .iter()
            .take(MAX_INSTRUCTIONS - self.spent)
            .filter_map(|item| match &self.values[item.0 as usize] {
                Value::List(pair) | Value::Tuple(pair) => Some((*pair.first()?, *pair.get(1)?)),
                _ => None,
            })
            .collect();
        self.spend(pairs.len())?;
        Some(pairs)
    }
}

fn pairs(items: Vec<Id>) -> Option<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[key, value]| (*key, *value)).collect())
}
