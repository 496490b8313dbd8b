//! Chooses where traces start: at the beginning of the expression, and after parts that match free text.

use std::collections::HashSet;

use super::super::op::{At, Code, Content, Op};

/// The fewest instructions and fields for which a look-up saves time.
const LEAST: usize = 3;

/// Inserts [`Op::Trace`] instructions where they save time.
pub(in crate::grok::linear) fn place(code: &mut Code) {
    let mut sites: Vec<(At, At)> = Vec::new();
    code.first = site(code, &mut sites, code.entry);
    for at in 0..code.ops.len() {
        let mut op = code.ops[at];
        if !is_free(code, op) {
            continue;
        }
        match &mut op {
            Op::Run { next, .. } | Op::RunUpTo { next, .. } | Op::Token { next, .. } | Op::Fields { next, .. } => {
                *next = site(code, &mut sites, *next);
            }
            Op::Greedy { run } | Op::Lazy { run } => {
                let next = code.loops[*run as usize].next;
                code.loops[*run as usize].next = site(code, &mut sites, next);
            }
            _ => {}
        }
        code.ops[at] = op;
    }
    code.sites = sites.len() as u32;
}

/// Returns an instruction that looks for a trace and continues at `at`. Returns `at` itself if a trace would gain too
/// little.
fn site(code: &mut Code, sites: &mut Vec<(At, At)>, at: At) -> At {
    if matches!(code.ops[at as usize], Op::Trace { .. }) {
        return at;
    }
    if let Some(&(_, known)) = sites.iter().find(|&&(known, _)| known == at) {
        return known;
    }
    let op = code.ops[at as usize];
    let is_behind_text = matches!(op, Op::Fields { start, .. } if code.fields[start as usize].length > 0);
    if (is_free(code, op) && !is_behind_text) || gain(code, at, &mut HashSet::new()) < LEAST {
        return at;
    }
    let new = code.ops.len() as At;
    code.ops.push(Op::Trace { site: sites.len() as u32, next: at });
    sites.push((at, new));
    new
}

/// Returns roughly how many instructions and fields a trace from `at` on would replace on its longest way.
fn gain(code: &Code, at: At, seen: &mut HashSet<At>) -> usize {
    let op = code.ops[at as usize];
    if seen.len() > 64 || !seen.insert(at) {
        return 0;
    }
    // Free text counts nothing: it is short enough for a trace only by chance.
    let (one, two) = if is_free(code, op) { (0, 0) } else { (1, 2) };
    match op {
        Op::Byte { next, .. } | Op::Text { next, .. } | Op::Save { next, .. } | Op::Join { next, .. } => {
            gain(code, next, seen)
        }
        Op::One { next, .. }
        | Op::Edge { next, .. }
        | Op::Boundary { next, .. }
        | Op::Ahead { next, .. }
        | Op::Behind { next, .. }
        | Op::Mark { next, .. }
        | Op::Clear { next, .. }
        | Op::Trace { next, .. } => gain(code, next, seen),
        Op::Run { next, .. } | Op::RunUpTo { next, .. } | Op::Shape { next, .. } => one + gain(code, next, seen),
        Op::Token { next, .. } => two + gain(code, next, seen),
        Op::Fields { start, end, next } => {
            let fields = &code.fields[start as usize..end as usize];
            let gained: usize =
                fields.iter().map(|field| if matches!(field.content, Content::Token(_)) { 2 } else { 1 }).sum();
            gained.saturating_sub(2 - two) + gain(code, next, seen)
        }
        Op::Greedy { run } => one + gain(code, code.loops[run as usize].next, seen),
        Op::Split { first, other, .. } => 1 + gain(code, first, seen).max(gain(code, other, seen)),
        Op::Branch { table } => {
            let mut ways = code.tables[table as usize].to_vec();
            ways.sort_unstable();
            ways.dedup();
            1 + ways.into_iter().map(|way| gain(code, way, seen)).max().unwrap_or(0)
        }
        _ => 0,
    }
}

/// Returns whether `op` matches free text. Traces end before such an instruction, and start after it.
fn is_free(code: &Code, op: Op) -> bool {
    match op {
        Op::Run { class, .. } | Op::RunUpTo { class, .. } => code.classes[class as usize].is_free(),
        Op::Token { token, .. } => code.tokens[token as usize].is_free(),
        Op::Greedy { run } | Op::Lazy { run } => code.classes[code.loops[run as usize].class as usize].is_free(),
        Op::Fields { end, .. } => match code.fields[end as usize - 1].content {
            Content::Run { class, .. } => code.classes[class as usize].is_free(),
            Content::Token(token) => code.tokens[token as usize].is_free(),
            _ => false,
        },
        _ => false,
    }
}
