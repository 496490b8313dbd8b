//! The type bytes of BSON elements (bsonspec.org, version 1.1) that documents are made of.

pub(crate) const DOUBLE: u8 = 0x01;
pub(crate) const TEXT: u8 = 0x02;
pub(crate) const OBJECT: u8 = 0x03;
pub(crate) const ARRAY: u8 = 0x04;
pub(crate) const BOOL: u8 = 0x08;
pub(crate) const DATE: u8 = 0x09;
pub(crate) const NULL: u8 = 0x0A;
pub(crate) const INT64: u8 = 0x12;
