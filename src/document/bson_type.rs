//! The type bytes of BSON elements (bsonspec.org, version 1.1) that documents are made of.

pub(super) const DOUBLE: u8 = 0x01;
pub(super) const TEXT: u8 = 0x02;
pub(super) const OBJECT: u8 = 0x03;
pub(super) const ARRAY: u8 = 0x04;
pub(super) const BOOL: u8 = 0x08;
pub(super) const DATE: u8 = 0x09;
pub(super) const NULL: u8 = 0x0A;
pub(super) const INT64: u8 = 0x12;
