//! The encoding of documents, and for Avro the schema: where it is written to, and its id in the registry.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use super::options::AVRO_SCHEMA;
use super::target::{Format, Target};
use crate::avro::registry::{Registry, Trouble, TroubleKind, subject_of_values};
use crate::avro::{Frame, SinkEncoding};
use crate::core::error::{Error, Result};
use crate::core::wait::Words;
use crate::document::Encoding;
use crate::event::Layout;
use crate::kafka::registry::registry;
use crate::sink::kind::Opening;

/// The time between two questions to the registry.
const PAUSE: Duration = Duration::from_millis(200);

/// The encoding of the documents of a sink, before the registry was asked.
pub(super) enum Prepared {
    Json,
    Avro(SinkEncoding),
}

/// Makes the schema, and writes it to the file of `--avro-schema`.
///
/// # Errors
/// A usage error when there is not exactly one format, or the file cannot be written.
pub(super) fn prepare(target: &Target, with: &Opening<'_>) -> Result<Prepared> {
    let schema_file = with.options.path(AVRO_SCHEMA.name);
    if target.format == Format::Json {
        return match schema_file {
            Some(_) => Err(Error::usage(format!("{}: --avro-schema needs format=avro in the address", target.address))),
            None => Ok(Prepared::Json),
        };
    }
    let encoding = SinkEncoding::new(&*with.typed_fields("format=avro")?)?;
    if let Some(file) = schema_file {
        let cannot =
            |error| Error::usage(format!("--avro-schema {}: cannot be written", file.display())).because(error);
        write(&file, encoding.schema_text()).map_err(cannot)?;
    }
    Ok(Prepared::Avro(encoding))
}

impl Prepared {
    /// Returns the layout of the documents. The registry of the address gives the schema an id.
    ///
    /// # Errors
    /// An error of the kind [`sink`](crate::core::error::Kind::Sink) when the registry refuses the schema, or does not answer in
    /// time; a usage error when its address is wrong.
    pub fn layout(self, target: &Target, with: &Opening<'_>) -> Result<Layout> {
        let (encoding, register) = match (self, &target.format) {
            (Prepared::Avro(encoding), Format::Avro { register, .. }) => (encoding, *register),
            _ => return Ok(Encoding::Json.into()),
        };
        let named = |why: String| Error::usage(format!("{}: {why}", target.address));
        let frame = match registry(&target.address).map_err(named)? {
            None => encoding.single_object(),
            Some(address) => {
                let registry = Registry::new(&address)?;
                Frame::Registry(id(target, with, &registry, register, encoding.schema_text())?)
            }
        };
        Ok(Layout::own(encoding.framed(frame)))
    }
}

/// Writes the schema. Several programs may write the same one at once, so it appears as a whole.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.{}", std::process::id()));
    let written = std::fs::File::create(&new).and_then(|mut out| {
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        std::fs::rename(&new, file)
    });
    written.inspect_err(|_| drop(std::fs::remove_file(&new)))
}

/// Returns the id of the schema, which is registered or looked up.
fn id(target: &Target, with: &Opening<'_>, registry: &Registry, register: bool, schema: &str) -> Result<u32> {
    let address = registry.address().to_string();
    let patience = with.waits.patience(format!("schema registry {address}"), Words::OPENED);
    let patience = match with.waits.has_no_deadline() {
        true => patience,
        false => patience.with_deadline(target.selection_timeout, "serverSelectionTimeoutMS"),
    };
    let subject = subject_of_values(&target.address.topic);
    loop {
        let answer = match register {
            true => registry.register(&subject, schema),
            false => registry.look_up(&subject, schema),
        };
        match answer {
            Ok(id) => {
                patience.over();
                return Ok(id);
            }
            Err(Trouble { kind: TroubleKind::Transient, words }) => {
                let ended = patience.begin().pause(&words, PAUSE);
                ended.map_err(|ended| Error::sink(format!("{}: {}", target.address, ended.0)))?;
            }
            Err(Trouble { words, .. }) => return Err(Error::sink(format!("{}: {words}", target.address))),
        }
    }
}
