//! Fuses several simple instructions in a row into one, so that the processor mispredicts fewer jumps between
//! instructions.

use super::op::{At, Code, Content, Field, NO_CAPTURE, Op};

/// The most fields of one instruction.
const MAX_FIELDS: usize = 24;
/// The longest text of a field, in bytes.
const MAX_TEXT: usize = 8;

/// Fuses the instructions of `code`.
pub(super) fn fuse(code: &mut Code) {
    let mut fused = code.ops.clone();
    for (at, op) in fused.iter_mut().enumerate() {
        let (mut fields, mut next, mut count) = (Vec::<Field>::new(), at as At, 0);
        while let Some((field, after)) = step(code, code.ops[next as usize]) {
            // Traces end before a part that can match anything, and start after it. Only a text may be fused with such
            // a part: a text alone is not worth a trace.
            let is_last = is_free(code, &field);
            let is_text = matches!(&fields[..], [text] if text.takes(&field));
            if is_last && !fields.is_empty() && !is_text {
                break;
            }
            if let Some(last) = fields.last_mut().filter(|last| last.takes(&field)) {
                last.join(field);
            } else if fields.len() == MAX_FIELDS {
                break;
            } else {
                fields.push(field);
            }
            // A content with a capture replaces three instructions.
            count += if matches!(code.ops[next as usize], Op::Save { .. } | Op::Mark { .. }) { 3 } else { 1 };
            next = after;
            if is_last {
                break;
            }
        }
        // A field also compares a single text faster than `Op::Text` does.
        if count > 1 || (count == 1 && matches!(op, Op::Text { .. })) {
            let start = code.fields.len() as u32;
            code.fields.extend(fields);
            *op = Op::Fields { start, end: code.fields.len() as u32, next };
        }
    }
    code.ops = fused;
}

fn is_free(code: &Code, field: &Field) -> bool {
    match field.content {
        Content::Run { class, .. } => code.classes[class as usize].is_free(),
        Content::Token(token) => code.tokens[token as usize].is_free(),
        Content::Nothing | Content::Shape { .. } => false,
    }
}

/// Returns `op` as a field, and the instruction that follows.
fn step(code: &Code, op: Op) -> Option<(Field, At)> {
    let empty = Field { text: 0, mask: 0, length: 0, content: Content::Nothing, capture: NO_CAPTURE, is_noted: false };
    Some(match op {
        Op::Byte { byte, next } => (Field { text: u64::from(byte), mask: 0xff, length: 1, ..empty }, next),
        Op::Text { start, end, next } => {
            let text = code.text.get(start as usize..end as usize).filter(|text| text.len() <= MAX_TEXT)?;
            let mut bytes = [0; MAX_TEXT];
            bytes[..text.len()].copy_from_slice(text);
            let mask = u64::MAX >> (8 * (MAX_TEXT - text.len()));
            (Field { text: u64::from_le_bytes(bytes), mask, length: text.len(), ..empty }, next)
        }
        Op::Token { token, next } => (Field { content: Content::Token(token), ..empty }, next),
        Op::Run { class, min, next } if min < 2 => (Field { content: Content::Run { class, min }, ..empty }, next),
        Op::Shape { start, end, next } => (Field { content: Content::Shape { start, end }, ..empty }, next),
        // The content between the two boundaries of a capture.
        Op::Save { slot, next } if slot % 2 == 0 => saved(code, slot, next, true)?,
        Op::Mark { slot, next } if slot % 2 == 0 => saved(code, slot, next, false)?,
        _ => return None,
    })
}

/// Returns the instruction at `at` as a field with a capture, if nothing else stands between the boundaries of the
/// capture.
fn saved(code: &Code, slot: u32, at: At, is_noted: bool) -> Option<(Field, At)> {
    let (field, after) = step(code, code.ops[at as usize])?;
    let next = match code.ops[after as usize] {
        Op::Save { slot: end, next } | Op::Mark { slot: end, next } if end == slot + 1 => next,
        _ => return None,
    };
    let is_content = field.length == 0 && field.capture == NO_CAPTURE;
    is_content.then_some((Field { capture: slot / 2, is_noted, ..field }, next))
}

impl Field {
    /// Returns whether `next` can be merged into this field: this field is a bare text, and both texts fit into eight
    /// bytes.
    fn takes(&self, next: &Field) -> bool {
        matches!(self.content, Content::Nothing) && self.length + next.length <= MAX_TEXT
    }

    fn join(&mut self, next: Field) {
        // If this text has eight bytes, the next field has no text, so the overflow of the shift does no harm.
        let shift = 8 * self.length as u32;
        *self = Field {
            text: self.text | next.text.checked_shl(shift).unwrap_or(0),
            mask: self.mask | next.mask.checked_shl(shift).unwrap_or(0),
            length: self.length + next.length,
            ..next
        };
    }

    /// Returns whether the text of the field stands at `at`.
    #[inline(always)]
    pub(super) fn fits(&self, line: &[u8], at: usize) -> bool {
        match line.get(at..).and_then(|rest| rest.first_chunk::<MAX_TEXT>()) {
            Some(bytes) => u64::from_le_bytes(*bytes) & self.mask == self.text,
            None => self.fits_at_end(line, at),
        }
    }

    #[cold]
    fn fits_at_end(&self, line: &[u8], at: usize) -> bool {
        line.get(at..at + self.length).is_some_and(|bytes| bytes == &self.text.to_le_bytes()[..self.length])
    }
}
