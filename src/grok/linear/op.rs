//! The instructions of a compiled expression.

use super::chars::Class;
use super::token::Token;

/// The number of an instruction.
pub(super) type At = u32;

/// One instruction. `next` is what is done when it succeeds; when it fails, the latest open choice is taken up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    /// The end of the expression.
    Match,
    /// Nothing can match here.
    Fail,
    /// The bytes `start..end` of the pool of texts.
    Text { start: u32, end: u32, next: At },
    /// One byte.
    Byte { byte: u8, next: At },
    /// One character of a class.
    One { class: u32, next: At },
    /// As many characters of the class as there are, `min` at least; it has been proved that fewer cannot lead to a
    /// match.
    Run { class: u32, min: u32, next: At },
    /// The same of at most `max`.
    RunUpTo { class: u32, min: u32, max: u32, next: At },
    /// A greedy run that may have to give back: see [`Loop`].
    Greedy { run: u32 },
    /// A lazy run that may have to take more: see [`Loop`].
    Lazy { run: u32 },
    /// Several of the simple instructions one after the other: `start..end` of the fields.
    Fields { start: u32, end: u32, next: At },
    /// Characters of ASCII, each of its own class: `start..end` of the masks.
    Shape { start: u32, end: u32, next: At },
    /// A token: its end is known by its own automaton.
    Token { token: u32, next: At },
    /// Takes the whole way from here at once if there is a trace of it; else `next`.
    Trace { site: u32, next: At },
    /// Gives up where the machine has been before: it did not come to a match from here.
    Join { join: u32, next: At },
    /// Remembers the place, for capture boundary `slot`.
    Save { slot: u32, next: At },
    /// The same, for a capture of which it is known that it was not set before: see [`undo`](super::undo).
    Mark { slot: u32, next: At },
    /// Forgets the slots `start..end` of [`Code::clears`]: a choice has been taken up.
    Clear { start: u32, end: u32, next: At },
    /// `first`, and if that fails, `other`.
    Split { first: At, other: At, memo: u32 },
    /// By the next byte: the entry of `table` at the byte, or at 256 for the end.
    Branch { table: u32 },
    /// The beginning of a loop's round: only to be remembered when rounds fail.
    Head { next: At, memo: u32 },
    /// Remembers where a round began.
    RoundStart { register: u32, next: At },
    /// The end of a round: another one (`again`), or when it was empty, out of the loop (`exit`).
    RoundEnd { register: u32, again: At, exit: At },
    /// At the beginning or end of the line, or of a line in it.
    Edge { edge: Edge, next: At },
    /// Between a word character and another (`inside` when it must not be).
    Boundary { inside: bool, next: At },
    /// The next character is of the class, or is not.
    Ahead { class: u32, negative: bool, next: At },
    /// The character before is of the class, or is not.
    Behind { class: u32, negative: bool, next: At },
    /// Begins a group of which only the first way counts.
    Commit { next: At },
    /// Ends it.
    Committed { next: At },
    /// Begins a look-around; what follows is looked for, `width` characters back.
    Look { next: At, otherwise: At, back: u32 },
    /// Ends one that must match: back to where it began.
    Seen { next: At },
    /// Ends one that must not: it does, so this way fails.
    Unwanted,
}

/// A place that [`Op::Edge`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Start,
    End,
    EndOrNewline,
    LineStart,
    LineEnd,
}

/// A run with choices: `min` to `max` characters of the class, then `next`.
#[derive(Debug, Clone)]
pub(super) struct Loop {
    pub(super) class: u32,
    pub(super) min: u32,
    /// `u32::MAX` for no end.
    pub(super) max: u32,
    pub(super) next: At,
    /// What `next` can begin with.
    pub(super) exit: Exit,
    /// The slots to forget when another end is tried: a range of [`Code::clears`].
    pub(super) clears: (u32, u32),
    /// The end of the group that it stands in, when it is to be noted where the run has led there.
    pub(super) group: Option<At>,
}

/// What a choice inside of a group of which only the first way counts has to note, where nothing is captured behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    /// The end of the group.
    pub(super) end: At,
    pub(super) won: Won,
}

/// How it is noted that a choice has led to the end of its group.
#[derive(Debug, Clone, Copy)]
pub(super) enum Won {
    /// At which places; behind a look-around, the machine goes back to where that began.
    At { memo: u32 },
    /// With where the group ends.
    Ending { number: u32 },
}

/// Where a run can be left.
#[derive(Debug, Clone)]
pub(super) enum Exit {
    /// Anywhere.
    Anywhere,
    /// Before this byte.
    Byte(u8),
    /// Before these, by byte, and at the end if so.
    Bytes(Box<[bool; 256]>, bool),
}

impl Exit {
    /// Whether the run can be left at `at`.
    #[inline]
    pub(super) fn allows(&self, line: &[u8], at: usize) -> bool {
        match self {
            Exit::Anywhere => true,
            Exit::Byte(byte) => line.get(at) == Some(byte),
            Exit::Bytes(table, end) => line.get(at).map_or(*end, |&byte| table[usize::from(byte)]),
        }
    }
}

/// A short text, and what stands behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// The text, its first byte the lowest, and which of the bits count.
    pub(super) text: u64,
    pub(super) mask: u64,
    pub(super) length: usize,
    pub(super) content: Content,
    /// The capture that remembers the content, or [`NO_CAPTURE`].
    pub(super) capture: u32,
    /// Whether what it was before has to be noted.
    pub(super) is_noted: bool,
}

/// Nothing is remembered.
pub(super) const NO_CAPTURE: u32 = u32::MAX;

/// What a [`Field`] holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    Nothing,
    Token(u32),
    Run { class: u32, min: u32 },
    Shape { start: u32, end: u32 },
}

/// By byte, the shape classes it is in, one bit each.
#[derive(Debug)]
pub(super) struct Bits(pub(super) Box<[u32; 256]>);

impl Default for Bits {
    fn default() -> Self {
        Bits(Box::new([0; 256]))
    }
}

impl Bits {
    /// Whether `bytes` are of the classes of `masks`, one by one.
    #[inline]
    pub(super) fn fit(&self, bytes: &[u8], masks: &[u32]) -> bool {
        bytes.iter().zip(masks).fold(true, |fits, (&byte, mask)| fits & (self.0[usize::from(byte)] & mask != 0))
    }
}

/// A compiled expression.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) ops: Vec<Op>,
    /// Where it begins.
    pub(super) entry: At,
    /// The same, looking for a trace: for the first attempt at a line. Others hardly ever come far.
    pub(super) first: At,
    pub(super) classes: Vec<Class>,
    pub(super) text: Vec<u8>,
    pub(super) loops: Vec<Loop>,
    pub(super) tables: Vec<[At; 257]>,
    pub(super) tokens: Vec<Token>,
    pub(super) fields: Vec<Field>,
    /// For shapes: by byte, one bit a class.
    pub(super) bits: Bits,
    /// For shapes: by position, the bit of its class.
    pub(super) masks: Vec<u32>,
    /// Slots that are forgotten together.
    pub(super) clears: Vec<u32>,
    /// The number of [`Op::Trace`]s.
    pub(super) sites: u32,
    /// The number of [`Op::Join`]s.
    pub(super) joins: u32,
    /// When none of the characters of the first part can be the next behind it: the class of those that can. A match
    /// that begins inside a text of the first part then passes join 0 where that text ends.
    pub(super) behind_first: Option<Class>,
    /// The number of rows of places at which something is noted: where choices have failed, and where they have won.
    pub(super) memos: u32,
    /// By memo: what is to be noted when a group ends. Of others than choices, nothing.
    pub(super) goals: Vec<Option<Goal>>,
    /// The number of [`Won::Ending`]s.
    pub(super) endings: u32,
    pub(super) registers: u32,
}

impl Code {
    /// The instructions that can come behind the one at `at`.
    pub(super) fn behind(&self, at: At) -> Vec<At> {
        match self.ops[at as usize] {
            Op::Match | Op::Fail | Op::Unwanted => Vec::new(),
            Op::Text { next, .. }
            | Op::Byte { next, .. }
            | Op::One { next, .. }
            | Op::Run { next, .. }
            | Op::RunUpTo { next, .. }
            | Op::Fields { next, .. }
            | Op::Shape { next, .. }
            | Op::Token { next, .. }
            | Op::Trace { next, .. }
            | Op::Join { next, .. }
            | Op::Save { next, .. }
            | Op::Mark { next, .. }
            | Op::Clear { next, .. }
            | Op::Head { next, .. }
            | Op::RoundStart { next, .. }
            | Op::Edge { next, .. }
            | Op::Boundary { next, .. }
            | Op::Ahead { next, .. }
            | Op::Behind { next, .. }
            | Op::Commit { next }
            | Op::Committed { next }
            | Op::Seen { next }
            | Op::Look { next, otherwise: At::MAX, .. } => vec![next],
            Op::Look { next, otherwise, .. } => vec![next, otherwise],
            Op::Greedy { run } | Op::Lazy { run } => vec![self.loops[run as usize].next],
            Op::Split { first, other, .. } => vec![first, other],
            Op::RoundEnd { again, exit, .. } => vec![again, exit],
            Op::Branch { table } => {
                let mut ways = self.tables[table as usize].to_vec();
                ways.sort_unstable();
                ways.dedup();
                ways
            }
        }
    }
}
