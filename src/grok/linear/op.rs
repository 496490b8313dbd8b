//! The instructions of a compiled expression.

use super::chars::Class;
use super::token::Token;

/// Index of an instruction.
pub(super) type At = u32;

/// One instruction. `next` is the instruction that follows on success. On failure, the machine resumes the latest open
/// choice.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    /// The end of the expression: a match.
    Match,
    /// Fails always.
    Fail,
    /// Matches the bytes `start..end` of [`Code::text`].
    Text { start: u32, end: u32, next: At },
    /// Matches one byte.
    Byte { byte: u8, next: At },
    /// Matches one character of a class.
    One { class: u32, next: At },
    /// Matches as many characters of the class as possible, at least `min`. This is no choice, because the compiler has
    /// proved that fewer characters cannot lead to a match.
    Run { class: u32, min: u32, next: At },
    /// Like `Run`, but matches at most `max` characters.
    RunUpTo { class: u32, min: u32, max: u32, next: At },
    /// A greedy run that can give characters back: see [`Loop`].
    Greedy { run: u32 },
    /// A lazy run that can take more characters: see [`Loop`].
    Lazy { run: u32 },
    /// Several simple instructions in one: the fields `start..end` of [`Code::fields`].
    Fields { start: u32, end: u32, next: At },
    /// ASCII characters, each of its own class: `start..end` of [`Code::masks`].
    Shape { start: u32, end: u32, next: At },
    /// Matches a token: its DFA finds its end.
    Token { token: u32, next: At },
    /// Follows a recorded trace if one fits the line; else continues with `next`.
    Trace { site: u32, next: At },
    /// Fails if the machine has passed this join at this position before: that way did not lead to a match.
    Join { join: u32, next: At },
    /// Stores the position as capture boundary `slot`.
    Save { slot: u32, next: At },
    /// Like `Save`, for a capture that is certainly unset before: see [`undo`](super::undo).
    Mark { slot: u32, next: At },
    /// Unsets the slots `start..end` of [`Code::clears`], after a choice has been resumed.
    Clear { start: u32, end: u32, next: At },
    /// A choice: tries `first`, then `other`.
    Split { first: At, other: At, memo: u32 },
    /// Jumps by the next byte: to the entry of `table` for that byte, or to entry 256 at the end of the line.
    Branch { table: u32 },
    /// The start of a round of a loop. It exists to memoize failed rounds.
    Head { next: At, memo: u32 },
    /// Stores the position where a round starts.
    RoundStart { register: u32, next: At },
    /// The end of a round: starts another round (`again`), or leaves the loop (`exit`) if the round matched the empty
    /// text.
    RoundEnd { register: u32, again: At, exit: At },
    /// Succeeds at an edge of the input or of a line in it.
    Edge { edge: Edge, next: At },
    /// Succeeds at a word boundary. With `inside`, succeeds at every other position.
    Boundary { inside: bool, next: At },
    /// Succeeds if the next character is in the class. With `negative`, succeeds if it is not.
    Ahead { class: u32, negative: bool, next: At },
    /// Succeeds if the previous character is in the class. With `negative`, succeeds if it is not.
    Behind { class: u32, negative: bool, next: At },
    /// Starts an atomic group.
    Commit { next: At },
    /// Ends an atomic group: discards the open choices in it.
    Committed { next: At },
    /// Starts a look-around, `back` characters before the current position. `otherwise` is the way to take if it fails.
    Look { next: At, otherwise: At, back: u32 },
    /// Ends a positive look-around: continues at the position where it started.
    Seen { next: At },
    /// Ends a negative look-around: its content matched, so this way fails.
    Unwanted,
}

/// A zero-width position that [`Op::Edge`] tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Start,
    End,
    EndOrNewline,
    LineStart,
    LineEnd,
}

/// A run that is a choice: `min` to `max` characters of the class, then `next`.
#[derive(Debug, Clone)]
pub(super) struct Loop {
    pub(super) class: u32,
    pub(super) min: u32,
    /// The most characters; `u32::MAX` for no limit.
    pub(super) max: u32,
    pub(super) next: At,
    /// The characters before which the run can end, because `next` can start with them.
    pub(super) exit: Exit,
    /// The slots to unset when the run is tried with another end: a range of [`Code::clears`].
    pub(super) clears: (u32, u32),
    /// The end of the enclosing atomic group or look-around, if the memo table records that this run led there.
    pub(super) group: Option<At>,
}

/// The entry that a choice adds to the memo table when the enclosing atomic group or look-around succeeds. Only choices
/// without a capture between them and the group's end have a goal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    /// The end of the group.
    pub(super) end: At,
    pub(super) won: Won,
}

/// The kind of entry for a choice that led to the end of its group.
#[derive(Debug, Clone, Copy)]
pub(super) enum Won {
    /// It records the position of the choice only. After a look-around, the machine returns to the position where the
    /// look-around started.
    At { memo: u32 },
    /// It records the position of the choice and the position where the group ends.
    Ending { number: u32 },
}

/// Where a run can end.
#[derive(Debug, Clone)]
pub(super) enum Exit {
    /// At any position.
    Anywhere,
    /// Before this byte.
    Byte(u8),
    /// Before the bytes that are `true` in the table. The flag tells whether the run can also end at the end of the
    /// line.
    Bytes(Box<[bool; 256]>, bool),
}

impl Exit {
    /// Returns whether the run can end at `at`.
    #[inline]
    pub(super) fn allows(&self, line: &[u8], at: usize) -> bool {
        match self {
            Exit::Anywhere => true,
            Exit::Byte(byte) => line.get(at) == Some(byte),
            Exit::Bytes(table, end) => line.get(at).map_or(*end, |&byte| table[usize::from(byte)]),
        }
    }
}

/// A short text and the content after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// The text in little-endian order, and the mask of the bits that are in use.
    pub(super) text: u64,
    pub(super) mask: u64,
    pub(super) length: usize,
    pub(super) content: Content,
    /// The capture that holds the content, or [`NO_CAPTURE`].
    pub(super) capture: u32,
    /// Whether the capture's old value must be recorded for backtracking.
    pub(super) is_noted: bool,
}

/// The field has no capture.
pub(super) const NO_CAPTURE: u32 = u32::MAX;

/// The content of a [`Field`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    Nothing,
    Token(u32),
    Run { class: u32, min: u32 },
    Shape { start: u32, end: u32 },
}

/// For each byte, the shape classes that contain it, one bit per class.
#[derive(Debug)]
pub(super) struct Bits(pub(super) Box<[u32; 256]>);

impl Default for Bits {
    fn default() -> Self {
        Bits(Box::new([0; 256]))
    }
}

impl Bits {
    /// Returns whether each of `bytes` is in the class of its mask.
    #[inline]
    pub(super) fn fit(&self, bytes: &[u8], masks: &[u32]) -> bool {
        bytes.iter().zip(masks).fold(true, |fits, (&byte, mask)| fits & (self.0[usize::from(byte)] & mask != 0))
    }
}

/// A compiled expression.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) ops: Vec<Op>,
    /// The first instruction.
    pub(super) entry: At,
    /// The first instruction for the first attempt at a line: it looks for a trace. Later attempts hardly ever get far,
    /// so they use `entry`.
    pub(super) first: At,
    pub(super) classes: Vec<Class>,
    pub(super) text: Vec<u8>,
    pub(super) loops: Vec<Loop>,
    pub(super) tables: Vec<[At; 257]>,
    pub(super) tokens: Vec<Token>,
    pub(super) fields: Vec<Field>,
    /// For shapes: the classes that contain a byte, one bit per class.
    pub(super) bits: Bits,
    /// For shapes: the bit of the class at each position.
    pub(super) masks: Vec<u32>,
    /// Capture slots, in ranges that are unset together.
    pub(super) clears: Vec<u32>,
    /// The number of [`Op::Trace`] instructions.
    pub(super) sites: u32,
    /// The number of [`Op::Join`] instructions.
    pub(super) joins: u32,
    /// The characters that can follow the first part, if the first part itself can match none of them. A match that
    /// starts inside a text of the first part then passes join 0 at the end of that text.
    pub(super) behind_first: Option<Class>,
    /// The number of rows in the memo table, for failed choices and for choices that led to the end of their group.
    pub(super) memos: u32,
    /// For each row of a choice: what it records when the enclosing group succeeds. `None` for other rows.
    pub(super) goals: Vec<Option<Goal>>,
    /// The number of [`Won::Ending`] values.
    pub(super) endings: u32,
    pub(super) registers: u32,
}

impl Code {
    /// Returns the instructions that can follow the one at `at`.
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
