//! [`Object`]: a JSON object with the names that documents of both encodings store.

use super::members::ObjectView;
use super::tape::Tape;
use crate::document::Encoding;

/// A JSON object as it is stored. The memory is reused from line to line.
///
/// The tape has the names of JSON documents. If one of the names of BSON documents differs, these have a tape of their
/// own, which is made when the first BSON document is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Object {
    pub tape: Tape,
    bson: Tape,
    /// Whether the names of BSON documents differ; `None` until somebody asked.
    differs_in_bson: Option<bool>,
    /// Working memory for merging.
    names: Vec<u32>,
}

impl Object {
    /// Returns the tape for new content.
    pub fn renew(&mut self) -> &mut Tape {
        self.differs_in_bson = None;
        &mut self.tape
    }

    /// Returns the tape for other values with the same names.
    #[inline]
    pub fn moved(&mut self) -> &mut Tape {
        self.differs_in_bson = self.differs_in_bson.filter(|differs| !differs);
        &mut self.tape
    }

    /// Makes the names of documents of `encoding` if they differ from those of JSON documents. `line` is the line that
    /// the tape was read from.
    pub fn prepare(&mut self, encoding: Encoding, line: &str) {
        if encoding == Encoding::Bson && self.differs_in_bson.is_none() {
            let differs = self.tape.is_renamed_in_bson(line);
            self.differs_in_bson = Some(differs);
            if differs {
                self.bson.rename_for_bson(&self.tape, line);
            }
        }
    }

    /// Returns the same as [`stored`](Object::stored), and working memory for merging.
    pub fn parts<'a>(&'a mut self, encoding: Encoding, line: &'a str) -> (ObjectView<'a>, &'a mut Vec<u32>) {
        let differs = encoding == Encoding::Bson && self.differs_in_bson == Some(true);
        (ObjectView { tape: if differs { &self.bson } else { &self.tape }, line, index: 0 }, &mut self.names)
    }

    /// Returns the object as a document of `encoding` has it, after [`prepare`](Object::prepare).
    pub fn stored<'a>(&'a self, encoding: Encoding, line: &'a str) -> ObjectView<'a> {
        let differs = encoding == Encoding::Bson && self.differs_in_bson == Some(true);
        ObjectView { tape: if differs { &self.bson } else { &self.tape }, line, index: 0 }
    }
}
