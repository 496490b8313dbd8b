//! The rules that must hold whatever happened. They are pure functions, so the tests can try them on wrong accounts.

use std::collections::BTreeMap;

use logator::core::record::RecordId;
use logator::observe::receipt::Receipt;

/// The message of a program that a signal ended before it had anything to account for.
pub const NOTHING_READ: &str = "stopped before the work began; nothing was read";

/// The place where a line must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The line is in each sink.
    Stored,
    /// The line is a dead letter, and it is in each sink but the one that refuses it.
    Refused,
    /// The line is a dead letter, and it is in no sink.
    Letter,
    /// The line is nowhere, because the user asked for that.
    Filtered,
}

/// A content that had to be read.
#[derive(Debug, Clone)]
pub struct Content {
    /// The origin, with which its documents' ids begin.
    pub origin: u64,
    /// All bytes of the content.
    pub bytes: Vec<u8>,
    /// The number of bytes at the start that must have been read. Bytes after them may have been read too, without a
    /// gap.
    pub required: usize,
    /// The places where a line may have been cut.
    pub cuts: Cuts,
    /// How often the content was read. Equal contents cannot be told apart.
    pub times: u64,
}

/// The places where a line may have been cut, because its end had not been written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cuts {
    /// At these bytes: the program waited for the end of the line, and the end did not come in time.
    At(Vec<usize>),
    /// Anywhere after this byte: the content grew while it was read.
    Beyond(usize),
}

impl Default for Cuts {
    fn default() -> Self {
        Cuts::At(Vec::new())
    }
}

impl Cuts {
    fn may_be_at(&self, place: usize) -> bool {
        match self {
            Cuts::At(places) => places.contains(&place),
            Cuts::Beyond(from) => place > *from,
        }
    }
}

/// The number of lines with one key, and the place where they must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub fate: Fate,
    pub times: u64,
}

/// The lines that are due, by the keys of their documents.
pub type Dues = BTreeMap<String, Due>;

/// The number of copies of each document.
pub type Found = BTreeMap<String, u64>;

/// Adds a line that is due.
pub fn add(dues: &mut Dues, key: String, fate: Fate, times: u64) {
    dues.entry(key).or_insert(Due { fate, times: 0 }).times += times;
}

/// Adds the lines of `content` as they were delivered. `seen` tells whether a document or a letter has an id.
pub fn lines_of(content: &Content, seen: impl Fn(&str) -> bool, fate: impl Fn(&[u8]) -> Fate, dues: &mut Dues) {
    let id = |start: usize, line: &[u8]| RecordId::at(content.origin, start as u64, line).to_string();
    let bytes = &content.bytes;
    let (mut start, mut unsure) = (0, Vec::new());
    while start < bytes.len() {
        let newline = memchr::memchr(b'\n', &bytes[start..]).map(|length| start + length);
        let next = newline.map_or(bytes.len(), |newline| newline + 1);
        let line = without_return(&bytes[start..newline.unwrap_or(bytes.len())]);
        let whole = id(start, line);
        let may_be = |length: &usize| content.cuts.may_be_at(start + length);
        let parts = (1..=line.len()).rev().filter(may_be).map(|length| (start + length, id(start, &line[..length])));
        let cut = if seen(&whole) { None } else { parts.into_iter().find(|part| seen(&part.1)) };
        let (end, key) = cut.unwrap_or((next, whole));
        let text = &bytes[start..end.min(start + line.len())];
        let fate = fate(text);
        if end <= content.required || seen(&key) {
            unsure.drain(..).for_each(|key| add(dues, key, Fate::Filtered, content.times));
            add(dues, key, fate, content.times);
        } else if fate == Fate::Filtered {
            // A line was read if a later line was read.
            unsure.push(key);
        } else {
            return;
        }
        // After a cut, a newline alone adds no line.
        start = if end < next && matches!(&bytes[end..next], b"\n" | b"\r\n") { next } else { end };
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Returns the ids of the parts of cut lines. After a `kill -9` they may be there besides the whole line.
pub fn parts_of(content: &Content) -> Vec<String> {
    let Cuts::At(places) = &content.cuts else { return Vec::new() };
    let bytes = &content.bytes;
    let part = |start: usize, end: usize| RecordId::at(content.origin, start as u64, &bytes[start..end]).to_string();
    let both = |&place: &usize| {
        let start = memchr::memrchr(b'\n', &bytes[..place]).map_or(0, |newline| newline + 1);
        let end = memchr::memchr(b'\n', &bytes[place..]).map_or(bytes.len(), |length| place + length);
        [part(start, place), part(place, end)]
    };
    places.iter().flat_map(both).collect()
}

/// One sink at the end.
#[derive(Debug, Clone, Default)]
pub struct Store {
    pub name: String,
    /// The sink knows its documents and holds none twice.
    pub knows: bool,
    /// The sink refuses some documents.
    pub refuses: bool,
    pub found: Found,
}

/// One run of the program, and how it ended.
#[derive(Debug, Clone, Default)]
pub struct Attempt {
    /// The run did not end in time.
    pub hung: bool,
    /// Its exit code; `None` when a signal ended the run.
    pub code: Option<i32>,
    pub receipt: Option<Receipt>,
    /// The run was ended by `kill -9`.
    pub killed: bool,
    /// A signal was sent before the program could say anything. The program may have ended at once.
    pub early: bool,
    /// A second signal was sent, so the program had to end at once.
    pub at_once: bool,
    /// Nothing disturbed the run, so it must have finished.
    pub undisturbed: bool,
    /// A sink, the letters or a worker failed the run, or could have.
    pub failing: bool,
    /// The number of documents in each sink at the end of the run.
    pub documents: Vec<u64>,
    /// The content of each sink, and the letters, at the end of the run.
    pub places: Vec<Found>,
    /// The run may have written a document twice, because something was killed between storing and noting.
    pub may_double: bool,
    pub letters: u64,
    /// The last messages of the run.
    pub said: String,
}

/// Everything that is known at the end.
#[derive(Debug, Clone, Default)]
pub struct Account {
    pub dues: Dues,
    /// The keys of documents that sinks may hold in addition to the due documents.
    pub beside: Vec<String>,
    pub stores: Vec<Store>,
    pub letters: Found,
    pub attempts: Vec<Attempt>,
    /// An earlier attempt's lines are delivered again, because there was no state.
    pub again: bool,
    /// Another attempt may have written documents again: the previous attempt was killed, or could not record its work.
    pub may_double: bool,
    /// Only the lines that were received are due, and nobody knows which these are.
    pub partly: bool,
    /// The number of dropped lines that may have been read in parts. Nothing shows whether a dropped line was, so each
    /// of them may count twice.
    pub dropped_in_parts: u64,
}

/// Returns the rules that do not hold; an empty list if all hold.
pub fn judge(account: &Account) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, attempt) in account.attempts.iter().enumerate() {
        let mut own = judge_end(attempt);
        own.extend(judge_counts(account, number));
        own.extend(judge_repeats(account, number));
        faults.extend(own.into_iter().map(|fault| format!("attempt {}: {fault}", number + 1)));
    }
    let finished = account.attempts.last().is_some_and(|last| matches!(last.code, Some(0 | 1)));
    judge_places(account, finished, &mut faults);
    if finished {
        judge_sums(account, &mut faults);
    }
    faults
}

/// Checks how one run ended, and what its receipt says about that.
fn judge_end(attempt: &Attempt) -> Vec<String> {
    let mut faults = Vec::new();
    let mut hold = |holds: bool, words: String| {
        if !holds {
            faults.push(words);
        }
    };
    if attempt.hung {
        return vec!["it does not end".to_owned()];
    }
    let Some(code) = attempt.code else {
        hold(attempt.killed || attempt.early, "a signal killed it".to_owned());
        return faults;
    };
    hold(matches!(code, 0 | 1 | 3), format!("exit code {code}"));
    hold(!attempt.undisturbed || code < 2, format!("nothing disturbed it, and its exit code is {code}"));
    let Some(receipt) = &attempt.receipt else {
        let nothing = code == 3 && !attempt.undisturbed && attempt.said.contains(NOTHING_READ);
        hold(attempt.at_once || nothing, "there is no receipt".to_owned());
        return faults;
    };
    hold(receipt.agrees, "the sides of the receipt do not agree".to_owned());
    hold(receipt.read == receipt.tally.total(), "the receipt says that its sides agree, and they do not".to_owned());
    let tally = receipt.tally;
    let others = tally.duplicate + tally.dead_lettered + tally.filtered + tally.delivered;
    hold(receipt.read == receipt.parsed + receipt.unparsed + others, "parsed and unparsed do not add up".to_owned());
    hold(
        (receipt.parsed, receipt.unparsed) == (tally.stored, tally.unmatched),
        "parsed is not stored, or unparsed is not unmatched".to_owned(),
    );
    let says = i32::from(receipt.exit_code());
    hold(says == code, format!("exit code {code}, and the receipt says {says}"));
    hold(receipt.finished == (code < 2), format!("exit code {code} and finished: {}", receipt.finished));
    faults
}

/// Compares the counts of one run's receipt with the sinks after the run.
fn judge_counts(account: &Account, number: usize) -> Vec<String> {
    let attempt = &account.attempts[number];
    let Some(receipt) = attempt.receipt.as_ref().filter(|_| !attempt.hung) else { return Vec::new() };
    let before = number.checked_sub(1).map(|number| &account.attempts[number]);
    let mut faults = Vec::new();
    let tally = receipt.tally;
    let letters = attempt.letters - before.map_or(0, |before| before.letters);
    let exact = !account.may_double && !attempt.failing && !attempt.at_once;
    if letters < tally.dead_lettered || (exact && letters > tally.dead_lettered) {
        faults.push(format!("{} are dead-lettered, and there are {letters} letters", tally.dead_lettered));
    }
    for (nth, store) in account.stores.iter().enumerate() {
        let new = attempt.documents[nth] - before.map_or(0, |before| before.documents[nth]);
        let stored = receipt.parsed + receipt.unparsed;
        // With several sinks, a document that counts as stored may have been new to another sink only.
        let least = if account.stores.len() > 1 && store.knows { 0 } else { stored };
        let most = stored
            + tally.duplicate
            + if account.stores.iter().any(|store| store.refuses) { tally.dead_lettered } else { 0 };
        if new < least || (exact && new > most) {
            faults.push(format!("{}: {stored} are stored, and {new} documents are new", store.name));
        }
    }
    faults
}

/// Checks that one run writes each document once to each sink, and each letter once, whatever fails meanwhile.
fn judge_repeats(account: &Account, number: usize) -> Vec<String> {
    let attempt = &account.attempts[number];
    if attempt.may_double {
        return Vec::new();
    }
    let names = account.stores.iter().map(|store| store.name.as_str()).chain(["letters"]);
    let mut faults = Vec::new();
    for (nth, (name, found)) in names.zip(&attempt.places).enumerate() {
        let before = number.checked_sub(1).map(|number| &account.attempts[number].places[nth]);
        let more = |(key, count): &(&String, &u64)| {
            let new = **count - before.and_then(|before| before.get(*key)).unwrap_or(&0);
            new > account.dues.get(*key).map_or(1, |due| due.times)
        };
        let repeated: Vec<&str> = found.iter().filter(more).map(|(key, _)| key.as_str()).collect();
        if !repeated.is_empty() {
            let some = repeated[..repeated.len().min(3)].join(", ");
            faults.push(format!("{name}: {} documents were written again, as {some}", repeated.len()));
        }
    }
    faults
}

/// Checks the place of each line.
fn judge_places(account: &Account, finished: bool, faults: &mut Vec<String>) {
    let all: u64 = account.dues.values().map(|due| due.times).sum();
    let mut complaints: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut hold = |what: &str, key: &str, least: u64, most: u64, found: u64| {
        if found < least && finished && !account.partly {
            complaints.entry(format!("{what}: lost")).or_default().push(format!("{key} ({found} of {least})"));
        }
        if found > most {
            complaints.entry(format!("{what}: doubled")).or_default().push(format!("{key} ({found} of {most})"));
        }
    };
    let runs = account.attempts.len() as u64;
    for (key, Due { fate, times }) in &account.dues {
        let (letter, stored) = match fate {
            Fate::Stored => (0, true),
            Fate::Refused => (*times, true),
            Fate::Letter => (*times, false),
            Fate::Filtered => (0, false),
        };
        // A later run cannot distinguish equal lines.
        let least = |times: u64| if runs > 1 { times.min(1) } else { times };
        let most = |times: u64| match times {
            1.. if account.may_double || account.again => u64::MAX,
            _ => times,
        };
        hold("letters", key, least(letter), most(letter), account.letters.get(key).copied().unwrap_or(0));
        for store in &account.stores {
            let found = store.found.get(key).copied().unwrap_or(0);
            let due = if stored && !(store.refuses && *fate == Fate::Refused) { *times } else { 0 };
            match store.knows {
                true => hold(&store.name, key, due.min(1), due.min(1), found),
                false => hold(&store.name, key, least(due), most(due), found),
            }
        }
    }
    let places = account.stores.iter().map(|store| (store.name.as_str(), &store.found));
    for (name, found) in places.chain([("letters", &account.letters)]) {
        for key in found.keys().filter(|key| !account.dues.contains_key(*key) && !account.beside.contains(key)) {
            complaints.entry(format!("{name}: of no line")).or_default().push(key.clone());
        }
    }
    for (what, keys) in complaints {
        faults.push(format!("{what}: {} of {all} lines, as {}", keys.len(), keys[..keys.len().min(3)].join(", ")));
    }
}

/// Compares the sum of all receipts with the lines that were due.
fn judge_sums(account: &Account, faults: &mut Vec<String>) {
    let twice = account.dues.values().any(|due| due.times > 1);
    let whole = account.attempts.iter().all(|attempt| attempt.receipt.is_some() && !attempt.at_once);
    if account.partly || account.again || account.may_double || !whole || (twice && account.attempts.len() > 1) {
        return;
    }
    let sum = |fates: &[Fate]| -> u64 {
        account.dues.values().filter(|due| fates.contains(&due.fate)).map(|due| due.times).sum()
    };
    let count = |what: fn(&Receipt) -> u64| -> u64 {
        account.attempts.iter().filter_map(|attempt| attempt.receipt.as_ref()).map(what).sum()
    };
    use Fate::*;
    for (what, counted, due) in [
        ("read", count(|receipt| receipt.read), sum(&[Stored, Refused, Letter, Filtered])),
        ("filtered", count(|receipt| receipt.tally.filtered), sum(&[Filtered])),
        ("dead-lettered", count(|receipt| receipt.tally.dead_lettered), sum(&[Letter, Refused])),
        (
            "stored",
            count(|receipt| receipt.tally.stored + receipt.tally.unmatched + receipt.tally.duplicate),
            sum(&[Stored]),
        ),
    ] {
        let more = if matches!(what, "read" | "filtered") { account.dropped_in_parts } else { 0 };
        if counted < due || counted > due + more {
            faults.push(format!("the receipts count {counted} lines as {what}, and there were {due}"));
        }
    }
}
