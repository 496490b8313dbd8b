//! The messages of clap, without secrets and without characters that act on a terminal.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};

use crate::core::stderr::{self, Keep};
use crate::core::{printable, secrets};

/// Prints a message of clap and ends the process. Help and version are printed unchanged; in an error, secrets are hidden.
pub(super) fn exit(error: clap::Error) -> ! {
    let error = without_secrets(error);
    if !error.use_stderr() {
        error.exit();
    }
    let text = rendered(&error);
    stderr::write_line(&printable::block(&secrets::hide(text.trim_end())), Keep::Always);
    stderr::flush();
    std::process::exit(error.exit_code())
}

/// Hides secrets in the parts of an error that repeat an argument. The address of a sink may hold a password, and any value
/// may hold control characters.
pub(super) fn without_secrets(mut error: clap::Error) -> clap::Error {
    let safe = |text: &str| match text.contains("://") {
        true => printable::line(&secrets::masked(text)).into_owned(),
        false => printable::line(&secrets::hide(text)).into_owned(),
    };
    let texts: Vec<(ContextKind, String)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, text.clone())),
            _ => None,
        })
        .collect();
    // The tips of clap are whole sentences that already contain the texts.
    if let Some(ContextValue::StyledStrs(tips)) = error.get(ContextKind::Suggested) {
        let tip = |tip: &StyledStr| {
            let raw = tip.ansi().to_string();
            let tip = StyledStr::from(texts.iter().fold(raw, |tip, (_, text)| match text.as_str() {
                "" => tip,
                text => tip.replace(text, &safe(text)),
            }));
            let plain = tip.to_string();
            if printable::line(&plain) == plain { tip } else { StyledStr::from(printable::line(&plain).into_owned()) }
        };
        let tips = tips.iter().map(tip).collect();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    for (kind, text) in texts {
        error.insert(kind, ContextValue::String(safe(&text)));
    }
    error
}

/// Returns the text of `error`. The message of a value parser, which may quote the value, is made printable.
pub(super) fn rendered(error: &clap::Error) -> String {
    let text = error.render().ansi().to_string();
    let message = std::error::Error::source(error).map(ToString::to_string).filter(|message| !message.is_empty());
    let text = message.map_or_else(|| text.clone(), |message| text.replace(&message, &printable::sentence(&message)));
    StyledStr::from(text).to_string()
}
