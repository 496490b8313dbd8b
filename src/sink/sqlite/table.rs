//! The names of tables.

/// The default table.
pub(super) const DEFAULT_TABLE: &str = "logs";

/// Returns whether `name` is a plain name: letters, digits and underscores. Names of SQLite's own tables are excluded.
pub(super) fn is_name(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let starts = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    plain && starts && name.len() <= 64 && !name.to_ascii_lowercase().starts_with("sqlite_")
}
