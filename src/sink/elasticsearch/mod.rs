//! The Elasticsearch sink: `elasticsearch+http(s)://HOST[,HOST…]/INDEX`, for Elasticsearch and OpenSearch.
//!
//! **Address.** INDEX names an index, an alias or a data stream, and may hold one date (`logator-%{+yyyy.MM.dd}`, which is
//! also the default). A path before it is that of a proxy. The options are those of `target`. There is no sniffing: only
//! the hosts of the address are asked.
//!
//! **Which index.** The time of the record or of its envelope chooses the index. A time of arrival never does, since a second
//! run would choose another index and meet no document. A record without a time goes to `undated` in the place of the date,
//! with its time of arrival and a tag.
//!
//! **Durable** means that the server has confirmed the document: with the default of `index.translog.durability` its journal
//! is then on disk.
//!
//! **Stored or duplicate.** Each document is created with its own `_id`. If that is there already, it is a duplicate. If an
//! attempt ends without a reply, the next one meets its own documents, and these count as *stored*.
//!
//! **Errors.** `verdict` judges each document by its status first and then by the type of its error. Only the documents
//! that the server could not take at the moment are sent again, until the deadline. If the settings of the server refuse all
//! documents, the run ends and nothing becomes a dead letter.

mod address;
#[cfg(feature = "elasticsearch")]
mod answer;
#[cfg(feature = "elasticsearch")]
mod body;
#[cfg(feature = "elasticsearch")]
mod client;
#[cfg(feature = "elasticsearch")]
mod connection;
mod counters;
#[cfg(feature = "elasticsearch")]
mod courier;
#[cfg(feature = "elasticsearch")]
mod hosts;
#[cfg_attr(not(feature = "elasticsearch"), allow(dead_code, reason = "only an open sink names its indexes"))]
mod index;
mod options;
#[cfg(feature = "elasticsearch")]
mod reply;
#[cfg(feature = "elasticsearch")]
mod server;
#[cfg(feature = "elasticsearch")]
mod startup;
#[cfg(feature = "elasticsearch")]
mod store;
#[cfg_attr(
    not(feature = "elasticsearch"),
    allow(dead_code, reason = "only an open sink uses all parts of its address")
)]
mod target;
#[cfg(feature = "elasticsearch")]
mod template;
#[cfg(feature = "elasticsearch")]
mod verdict;

pub use self::address::{EsAddress, KIND};
