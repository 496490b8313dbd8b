//! Envelopes opened.
