//! The origins of followed files.

use std::path::Path;

use super::changing::Changing;
use crate::core::context::Origin;
use crate::envelope::container::detect;
use crate::process::host::host_name;
use crate::source::describing::Describing;
use crate::source::options::ReadOptions;
use crate::source::origin::{OriginRule, fingerprint};
use crate::source::wrapping::Wrapping;

/// How the origins of followed files are made.
#[derive(Clone, Copy)]
pub struct NamingRules<'a> {
    /// The rule that gives contents their origins.
    pub origin: &'a OriginRule,
    /// How the envelopes of contents are found.
    pub wrapping: Wrapping,
    /// What documents tell of their source.
    pub describing: &'a Describing,
}

impl<'a> NamingRules<'a> {
    /// Returns the rules that the user gave.
    pub fn of(options: &'a ReadOptions) -> NamingRules<'a> {
        NamingRules { origin: &options.origin, wrapping: options.wrapping, describing: &options.describing }
    }
}

/// Returns a function that makes the origin of the file at `path` from its beginning. `skipped` is the fingerprint of the file,
/// if the content does not begin with it.
pub(super) fn name<'n>(
    rules: NamingRules<'n>,
    changing: Option<&'n dyn Changing>,
    path: &'n Path,
    skipped: Option<u64>,
) -> impl Fn(&[u8]) -> Origin + 'n {
    let NamingRules { origin: rule, wrapping, describing } = rules;
    move |beginning| {
        let absolute = std::path::absolute(path).ok();
        let name = absolute.as_ref().map(|path| path.display().to_string());
        if let Some(origin) = changing.and_then(|changing| changing.origin(path)) {
            let fingerprint = Some(skipped.unwrap_or_else(|| fingerprint(beginning)));
            let origin = Origin { path: name, fingerprint, ..origin }.told_by(detect(beginning));
            return describing.complete(origin, Some(path));
        }
        let origin = Origin::new(rule.id(Some(path), beginning), path.display().to_string());
        let origin = Origin { path: name, host: host_name(), ..origin };
        describing.complete(wrapping.complete(origin, absolute.as_deref(), beginning), Some(path))
    }
}
