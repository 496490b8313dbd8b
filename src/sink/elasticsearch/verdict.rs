//! The meaning of a server's answer for one document. The status decides first, then the type of the error: servers and
//! versions name the same error differently.

use super::reply::Item;

/// What becomes of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is stored now.
    Stored,
    /// Its id was there before.
    Exists,
    /// It was refused, and the server keeps it in the failure store. It is never sent again.
    InFailureStore,
    /// The server will never accept it.
    Rejected(String),
    /// It is larger than the server accepts.
    TooLarge(String),
    /// Another attempt may succeed. `written` says that the server may have it by now.
    Again {
        /// The words of the server.
        words: String,
        /// Whether the server may have it.
        written: bool,
    },
    /// The settings of the server refuse all documents of the index. No attempt succeeds before someone changes them.
    Settings(String),
}

/// Blocks that a person has set, or that stand for a closed index: 4 (closed), 5 (read-only), 8 (write), 9 (metadata). The
/// block 12 is set by the server itself when a disk is full, and it lifts it again. Other blocks are those of a cluster that
/// starts, or is being worked on.
const SET_BLOCKS: [u32; 4] = [4, 5, 8, 9];

/// Types of errors, with status 400, that are about the index and not about the document.
const INDEX_ERRORS: [&str; 3] = ["invalid_index_name_exception", "index_closed_exception", "index_not_found_exception"];

/// Parts of reasons, with status 400, that are about the index, an alias, a data stream or a pipeline.
const INDEX_REASONS: [&str; 3] =
    ["no write index is defined", "pipeline with id [", "only write ops with an op_type of create are allowed"];

/// Judges the answer for one document.
pub(super) fn judge(item: &Item) -> Judged {
    let words = || match item.words.is_empty() {
        false => format!("{} (status {})", item.words, item.status),
        true => format!("status {}", item.status),
    };
    let again = |written| Judged::Again { words: words(), written };
    match item.status {
        200..=299 if item.in_failure_store => Judged::InFailureStore,
        200..=299 => Judged::Stored,
        409 => Judged::Exists,
        413 => Judged::TooLarge(words()),
        404 => Judged::Settings(words()),
        403 if blocks(&item.words).any(|block| SET_BLOCKS.contains(&block)) => Judged::Settings(words()),
        // A refused permission is retried too: someone may be changing the key at this moment.
        401 | 403 | 408 | 429 => again(false),
        400 if is_about_the_index(item) => Judged::Settings(words()),
        400..=499 => Judged::Rejected(words()),
        _ => again(true),
    }
}

fn is_about_the_index(item: &Item) -> bool {
    let has = |part: &&str| item.words.contains(*part);
    let shards = item.words.contains("maximum ") && item.words.contains("shards open");
    INDEX_ERRORS.contains(&item.kind.as_str()) || INDEX_REASONS.iter().any(has) || shards
}

/// Returns the numbers of the blocks in the words of a `cluster_block_exception`:
/// `index [i] blocked by: [FORBIDDEN/8/index write (api)];`.
fn blocks(words: &str) -> impl Iterator<Item = u32> {
    let blocked = words.split_once("blocked by: ").map_or("", |(_, blocks)| blocks);
    let is_status = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    blocked.split('[').filter_map(move |block| {
        let (status, rest) = block.split_once('/')?;
        if is_status(status) { rest.split('/').next()?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(status: u16, kind: &str, reason: &str) -> Item {
        let words = if reason.is_empty() { String::new() } else { format!("{kind}: {reason}") };
        Item { status, kind: kind.into(), words, in_failure_store: false }
    }

    /// What [`judge`] says, without the words.
    fn short(item: &Item) -> &'static str {
        match judge(item) {
            Judged::Stored => "stored",
            Judged::Exists => "exists",
            Judged::InFailureStore => "failure store",
            Judged::Rejected(_) => "rejected",
            Judged::TooLarge(_) => "too large",
            Judged::Again { written: false, .. } => "again",
            Judged::Again { written: true, .. } => "again, may be there",
            Judged::Settings(_) => "settings",
        }
    }

    const FLOOD: &str = "index [l] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has \
                         read-only-allow-delete block];";

    #[test]
    fn the_status_decides_first_and_then_the_type() {
        let blocked = "cluster_block_exception";
        for (status, kind, reason, verdict) in [
            (201, "", "", "stored"),
            (200, "", "", "stored"),
            (409, "version_conflict_engine_exception", "document already exists", "exists"),
            (409, "", "", "exists"),
            (429, "es_rejected_execution_exception", "rejected execution", "again"),
            (429, "rejected_execution_exception", "rejected execution", "again"),
            (429, "circuit_breaking_exception", "[parent] Data too large", "again"),
            (429, blocked, FLOOD, "again"),
            (403, blocked, "index [l] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];", "again"),
            (503, "unavailable_shards_exception", "primary shard is not active", "again, may be there"),
            (503, blocked, "blocked by: [SERVICE_UNAVAILABLE/2/no master];", "again, may be there"),
            (500, "null_pointer_exception", "", "again, may be there"),
            (502, "", "", "again, may be there"),
            (403, blocked, "index [l] blocked by: [FORBIDDEN/8/index write (api)];", "settings"),
            (403, blocked, "index [l] blocked by: [FORBIDDEN/5/index read-only (api)];", "settings"),
            (403, blocked, "blocked by: [FORBIDDEN/12/a];[FORBIDDEN/8/b];", "settings"),
            (403, "security_exception", "action [indices:data/write/bulk[s]] is unauthorized", "again"),
            (401, "security_exception", "unable to authenticate", "again"),
            (400, "invalid_index_name_exception", "Invalid index name [L], must be lowercase", "settings"),
            (400, "index_closed_exception", "closed", "settings"),
            (400, "validation_exception", "this cluster currently has [1000]/[1000] maximum shards open;", "settings"),
            (400, "validation_exception", "currently has [9]/[9] maximum normal shards open;", "settings"),
            (400, "illegal_argument_exception", "no write index is defined for alias [l].", "settings"),
            (400, "illegal_argument_exception", "pipeline with id [p] does not exist", "settings"),
            (404, "index_not_found_exception", "no such index [l]", "settings"),
            (404, "resource_not_found_exception", "is not a data stream", "settings"),
            (400, "document_parsing_exception", "failed to parse", "rejected"),
            (400, "mapper_parsing_exception", "failed to parse", "rejected"),
            (400, "illegal_argument_exception", "Limit of total fields [1000] has been exceeded", "rejected"),
            (400, "strict_dynamic_mapping_exception", "not allowed", "rejected"),
            (400, "", "", "rejected"),
            (422, "odd", "odd", "rejected"),
            (413, "odd", "odd", "too large"),
            (302, "", "", "again, may be there"),
            (0, "", "", "again, may be there"),
        ] {
            assert_eq!(short(&item(status, kind, reason)), verdict, "{status} {kind} {reason}");
        }
        let kept = Item { in_failure_store: true, ..item(201, "", "") };
        assert_eq!(short(&kept), "failure store");
        let failed = Item { in_failure_store: false, ..item(400, "document_parsing_exception", "x") };
        assert_eq!(judge(&failed), Judged::Rejected("document_parsing_exception: x (status 400)".into()));
    }

    #[test]
    fn the_numbers_of_blocks_are_read_and_nothing_else() {
        assert_eq!(blocks(FLOOD).collect::<Vec<_>>(), [12]);
        assert_eq!(blocks("[a/8/b]").count(), 0, "only after the words");
        assert_eq!(blocks("blocked by: ]/[/x/[]/8").count(), 0);
        assert_eq!(blocks("blocked by: [A/8/b];[C/4/d];").collect::<Vec<_>>(), [8, 4]);
    }
}
