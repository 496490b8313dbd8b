//! Detection of formats: finds the format of the lines of an input.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::text::{Messages, Texts};
use crate::core::batch::{Batch, Origin};
use crate::core::envelope::Envelope;
use crate::core::records::HEADER;
use crate::envelope::{Opener, pushed};
use crate::grok::{Format, Library};

/// The maximum number of lines that detection examines.
const SAMPLE: usize = 200;

/// The maximum number of origins whose format is remembered. Beyond that, formats are detected anew.
const MAX_REMEMBERED: usize = 100_000;

/// The formats that were detected, by the ids of their origins. `None` means that no format fits.
#[derive(Default)]
pub(super) struct Detection {
    detected: Mutex<HashMap<u64, Option<Format>>>,
}

impl Detection {
    /// Returns the format of the lines of `origin`. The first call for an origin detects it from its lines in `batch`
    /// and reports it to the user with `say`.
    pub fn detect(
        &self,
        library: &Library,
        batch: &Batch,
        origin: &Origin,
        keeps_ansi: bool,
        say: &dyn Fn(String),
    ) -> Option<Format> {
        let mut detected = self.detected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(format) = detected.get(&origin.id) {
            return format.clone();
        }
        // The lines of a container are examined without their envelope.
        let mut opener = Opener::new(library.is_ecs()).ok().filter(|_| origin.envelope.is_container());
        let (mut text, mut messages) = (Texts::new(keeps_ansi), Messages::new(keeps_ansi));
        let lines = batch.records().enumerate();
        let own = lines.filter_map(|(index, line)| {
            if batch.framing.has(HEADER, index) {
                return None;
            }
            let place = batch.place(index, line.start);
            if place.context.origin.id != origin.id {
                return None;
            }
            if origin.envelope == Envelope::Pushed && !pushed::envelope(line.bytes).is_none() {
                return None;
            }
            Some(match &mut opener {
                Some(opener) => {
                    let line = text.with_ansi(line.bytes, place.offset, origin);
                    let opened = opener.open(origin.envelope, line, place.context.time_ms);
                    messages.of(opened.message).to_vec()
                }
                None => text.of(line.bytes, place.offset, origin).to_vec(),
            })
        });
        let own: Vec<Vec<u8>> = own.take(SAMPLE).collect();
        let sample: Vec<&[u8]> = own.iter().map(Vec::as_slice).collect();
        let format = library.detect(&sample).or_else(|| syslog(library, &sample));
        let Origin { id, name, .. } = origin;
        say(match &format {
            Some(format) => format!("{name}: format {}", format.name),
            None => format!(
                "{name}: no format fits; its lines are stored unparsed, as message (name one with --format, or give a \
                 --pattern)"
            ),
        });
        if detected.len() >= MAX_REMEMBERED {
            detected.clear();
        }
        detected.insert(*id, format.clone());
        format
    }
}

/// Returns the format of syslog messages if at least half of `lines` have a header. The pattern of the format tells only the usual
/// headers.
fn syslog(library: &Library, lines: &[&[u8]]) -> Option<Format> {
    let mut opener = Opener::new(library.is_ecs()).ok()?;
    let own: Vec<&&[u8]> = lines.iter().filter(|line| !line.is_empty()).collect();
    let opened = own.iter().filter(|line| opener.open(Envelope::Syslog, line, 0).is_enveloped).count();
    let fits = opened > 0 && 2 * opened >= own.len();
    library.format("syslog").ok().filter(|format| fits && format.syslog)
}
