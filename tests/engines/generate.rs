//! Generates lines from the tree of a pattern, and mutates lines.
//!
//! The generator ignores zero-width tests and look-around. The engines decide whether a line matches.

use fastrand::Rng;

use crate::grok::ast::Node;
use crate::grok::set::Set;

/// If the line has at least this many bytes, repeats take their fewest rounds.
const LONG: usize = 300;

/// Returns a line that `node` may match.
pub(super) fn generate(node: &Node, random: &mut Rng) -> Vec<u8> {
    let mut line = Vec::new();
    add(node, random, &mut line);
    line
}

fn add(node: &Node, random: &mut Rng, line: &mut Vec<u8>) {
    match node {
        Node::Set(set) => character(set, random, line),
        Node::Concat(parts) => parts.iter().for_each(|part| add(part, random, line)),
        Node::Alternate(ways) => add(&ways[random.usize(..ways.len())], random, line),
        Node::Repeat { node, min, max, .. } => {
            let most = max.unwrap_or(min + 9).min(min + 9) - min;
            let more = match line.len() {
                LONG.. => 0,
                _ if random.bool() => random.u32(..=most.min(2)),
                _ => random.u32(..=most),
            };
            (0..min + more).for_each(|_| add(node, random, line));
        }
        Node::Capture { node, .. } | Node::Atomic(node) => add(node, random, line),
        Node::Conditional { yes, no, .. } => add(if random.bool() { yes } else { no }, random, line),
        Node::Empty | Node::Look(_) | Node::Around { .. } | Node::Backreference { .. } | Node::Foreign(_) => {}
    }
}

/// Appends a character of `set`, usually a printable ASCII character.
fn character(set: &Set, random: &mut Rng, line: &mut Vec<u8>) {
    let ascii: Vec<u8> = (b' '..=b'~').filter(|&c| set.contains(u32::from(c))).collect();
    if !ascii.is_empty() && random.u32(..200) > 0 {
        line.push(ascii[random.usize(..ascii.len())]);
    } else if set.contains_raw() && random.u8(..8) == 0 {
        line.push(0xff);
    } else if !set.as_ranges().is_empty() {
        let (low, high) = set.as_ranges()[random.usize(..set.as_ranges().len())];
        let c = char::from_u32(random.u32(low..=high.min(low + 0x3ff))).unwrap_or('é');
        line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Changes `line` in one place: truncates it, doubles or removes a part, replaces or inserts a byte.
pub(super) fn mutate(line: &mut Vec<u8>, random: &mut Rng) {
    const BYTES: &[u8] = b" \t\n\"'.:-/[](){}<>,;=@%+_0159aAzZxe\\|\xc3";
    let length = line.len();
    let byte = BYTES[random.usize(..BYTES.len())];
    let (one, other) = (random.usize(..=length), random.usize(..=length.min(LONG)));
    let (start, end) = (one.min(other), one.max(other).min(one.min(other) + 24));
    match random.u8(..6) {
        0 => line.truncate(one),
        1 => {
            let part = line[start..end].to_vec();
            line.splice(start..start, part);
        }
        2 => drop(line.drain(start..end.min(start + 3))),
        3 if one < length => line[one] = byte,
        // One byte becomes another byte of the same line, so the line changes little.
        4 if start < length && one < length => line[start] = line[one],
        _ => line.insert(one, byte),
    }
}
