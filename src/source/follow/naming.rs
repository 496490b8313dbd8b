//! The origins of followed files.

use std::path::Path;

use super::changing::Changing;
use crate::core::context::Origin;
use crate::envelope::container::detect;
use crate::process::host::host_name;
use crate::source::describing::Describing;
use crate::source::origin::{OriginRule, fingerprint};
use crate::source::wrapping::Wrapping;

/// Returns a function that makes the origin of the file at `path` from its beginning. `skipped` is the fingerprint of the file,
/// if the content does not begin with it.
pub(super) fn name<'n>(
    rule: &'n OriginRule,
    wrapping: Wrapping,
    describing: &'n Describing,
    changing: Option<&'n dyn Changing>,
    path: &'n Path,
    skipped: Option<u64>,
) -> impl Fn(&[u8]) -> Origin + 'n {
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
