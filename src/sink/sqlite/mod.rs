//! The SQLite sink, `sqlite:FILE`: one row per document in a table `logs(_id, doc)`. `doc` is JSON text.
//!
//! ```sql
//! select doc->>'response' as response, count(*) from logs group by 1;
//! ```
//!
//! A batch is one transaction, in WAL mode with full synchronisation: a committed batch is durable. A document whose
//! `_id` is in the table already is a duplicate and changes nothing. If the table refuses a document for another reason
//! (constraints, triggers and indices that its owner has added), the document is rejected and the others are stored.
//! `doc` is UTF-8 and may hold `\u0000` escapes.

mod address;
mod counters;
#[cfg(feature = "sqlite")]
mod store;
mod table;
#[cfg(all(test, feature = "sqlite"))]
mod tests;

pub use self::address::{KIND, SqliteAddress};
#[cfg(feature = "sqlite")]
pub use self::store::SqliteSink;
