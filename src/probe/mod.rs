//! Timed requests: what a server answers, and how long each phase of a request takes.
//!
//! | module | content |
//! |---|---|
//! | [`list`] | the file with the URLs |
//! | [`schedule`], [`plan`] | when each URL is due, and what a new file changes |
//! | [`waiting`] | the queue of occurrences that are due, and those that are missed |
//! | [`prober`] | requests what is due, in one thread |
//! | [`request`] | what is asked for |
//! | [`engine`] | many requests at a time, in one thread |
//! | [`outcome`] | what became of a request: hops, classes of errors |
//! | [`phases`] | from libcurl's cumulative times to phases that add up to the total |
//! | [`document`] | the documents of hops: fields, types, `_id` |
//! | [`clock`] | the time of the schedule and the time of day |
//! | [`histogram`], [`tally`] | the account of one URL: counts and quantiles |
//! | [`summary`], [`table`], [`report`] | the account of all URLs as data, as a table and as a page |
//!
//! Only [`engine`], [`prober`] and [`clock`] have effects. The others are pure functions of what they are given.

pub mod clock;
pub mod document;
pub mod engine;
mod failure;
pub mod histogram;
pub mod list;
pub mod outcome;
pub mod phases;
pub mod plan;
pub mod prober;
mod redirect;
pub mod report;
pub mod request;
pub mod schedule;
pub mod summary;
pub mod table;
pub mod tally;
pub mod waiting;
