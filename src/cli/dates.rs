//! The options of dates.

use std::ffi::OsString;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::core::error::{Error, Result};
use crate::document::date::{self, DateOptions, Formats, Order, Rules, Zone};
use crate::grok::parse_path;

/// What the user says about dates.
#[derive(Args, Debug, Default)]
pub struct DateArgs {
    /// Time zone of dates that name none, such as Europe/Berlin, or local [default: UTC]
    ///
    /// The names are those of the IANA tables; local is the zone of this machine. Names of zones in texts with several
    /// meanings, such as IST, are read only as this zone uses them.
    #[arg(long, value_name = "ZONE", value_parser = Zone::new)]
    pub timezone: Option<Zone>,
    /// Order of dates of numbers, such as 03/04/2024
    ///
    /// Without an order, a date is read only if one order is possible. Other dates are tagged _dateambiguous.
    #[arg(long, value_name = "ORDER", id = "date-order")]
    pub date_order: Option<OrderArg>,
    /// Format of the date in a field, such as 'time=%d.%m.%Y %H:%M' or 'time=dd.MM.yyyy HH:mm' (repeatable)
    ///
    /// A format with % is one of strftime, any other one of Joda. The words ISO8601, UNIX, UNIX_MS and TAI64N are formats
    /// too. Formats of one field are tried in order.
    #[arg(long, value_name = "FIELD=FORMAT", id = "date-format", value_parser = date_format)]
    pub date_format: Vec<DateFormat>,
    /// Field that becomes @timestamp
    ///
    /// By default, it is the field that the format names, or the first field of type date.
    #[arg(long, value_name = "FIELD", value_parser = field_path)]
    pub timestamp: Option<FieldName>,
    /// Year of dates that name none, such as 2005
    ///
    /// By default, it is the latest year that puts the date no later than one day after the last change of the file, or after
    /// the arrival of the message.
    #[arg(long, value_name = "YEAR", id = "base-year", value_parser = date::base_year)]
    pub base_year: Option<i64>,
}

/// `--date-order`
#[derive(ValueEnum, Debug, Clone, Copy)]
pub enum OrderArg {
    /// Day, month, year
    Dmy,
    /// Month, day, year
    Mdy,
    /// Year, month, day: for years of two digits
    Ymd,
}

/// The name of a field, as the user wrote it and as its levels.
#[derive(Debug, Clone)]
pub struct FieldName {
    text: String,
    path: Vec<String>,
}

/// The value of `--date-format`.
#[derive(Debug, Clone)]
pub struct DateFormat {
    field: FieldName,
    format: String,
}

fn field_path(text: &str) -> Result<FieldName> {
    let fault = |(_, words)| Error::usage(format!("{text:?} is not the name of a field: {words}"));
    Ok(FieldName { text: text.to_owned(), path: parse_path(text).map_err(fault)? })
}

fn date_format(text: &str) -> Result<DateFormat> {
    let Some((field, format)) = text.split_once('=') else {
        return Err(Error::usage("the name of a field must be followed by = and the format of its date"));
    };
    Formats::new(&[format])?;
    Ok(DateFormat { field: field_path(field)?, format: format.to_owned() })
}

impl DateArgs {
    /// Returns what the user says about dates.
    pub fn options(&self) -> DateOptions {
        let order = self.date_order.map(|order| match order {
            OrderArg::Dmy => Order::Dmy,
            OrderArg::Mdy => Order::Mdy,
            OrderArg::Ymd => Order::Ymd,
        });
        let rules = Rules { zone: self.timezone.clone(), order, base_year: self.base_year };
        let timestamp = self.timestamp.as_ref().map(|field| field.path.clone());
        let mut options = DateOptions { rules: Arc::new(rules), timestamp, formats: Vec::new() };
        for DateFormat { field, format } in &self.date_format {
            options.add_format(field.path.clone(), format.clone());
        }
        options
    }

    /// Returns the command-line arguments with the same meaning.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let order = self.date_order.and_then(|order| order.to_possible_value());
        let formats = self
            .date_format
            .iter()
            .map(|DateFormat { field, format }| Some(format!("--date-format={}={format}", field.text)));
        let one = [
            self.timezone.as_ref().map(|zone| format!("--timezone={}", zone.name())),
            order.map(|order| format!("--date-order={}", order.get_name())),
            self.timestamp.as_ref().map(|field| format!("--timestamp={}", field.text)),
            self.base_year.map(|year| format!("--base-year={year:04}")),
        ];
        one.into_iter().chain(formats).flatten().map(OsString::from).collect()
    }
}
