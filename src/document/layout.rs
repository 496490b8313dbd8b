//! [`Layout`]: how a sink wants its documents.

/// The encoding of documents. Each sink asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// One JSON object per document, each followed by a newline.
    Json,
    /// BSON documents, one directly after the other.
    Bson,
}

/// How a sink wants its documents. Documents are encoded once for all sinks that want the same layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The encoding.
    pub encoding: Encoding,
}

impl From<Encoding> for Layout {
    fn from(encoding: Encoding) -> Layout {
        Layout { encoding }
    }
}

impl From<&Encoding> for Layout {
    fn from(encoding: &Encoding) -> Layout {
        Layout::from(*encoding)
    }
}
