//! The handles of libcurl: the options that all requests share, and those of one request.

use std::sync::Arc;

use curl::easy::{Easy2, Handler, HttpVersion, List, WriteError};
use logator_libcurl::easy::{Observed, allow_protocols, read_no_certificates};
use logator_libcurl::tls::Certificates;

use super::options::{EngineOptions, Proxy};
use crate::core::error::{Error, Result};
use crate::probe::request::{Method, Target};

/// A handle, which is used for one request after another.
pub(super) type Handle = Easy2<Observed<Answer>>;

/// The longest `Location` that is kept, in bytes. A longer one counts as none.
const LONGEST_LOCATION: usize = 16_384;

/// What is kept of an answer. The body is read and not kept.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The first header `Location`.
    pub(super) location: Option<Vec<u8>>,
}

impl Handler for Answer {
    fn write(&mut self, data: &[u8]) -> std::result::Result<usize, WriteError> {
        Ok(data.len())
    }

    fn header(&mut self, line: &[u8]) -> bool {
        // Answers with a status below 200, and those of a proxy, come before the answer.
        if line.starts_with(b"HTTP/") {
            self.location = None;
        } else if self.location.is_none()
            && let Some((name, value)) = line.split_at_checked(b"location:".len())
            && name.eq_ignore_ascii_case(b"location:")
            && value.len() <= LONGEST_LOCATION
        {
            self.location = Some(value.trim_ascii().to_vec());
        }
        true
    }
}

/// Creates a handle with the options that all requests share.
pub(super) fn create(options: &EngineOptions, certificates: &Arc<Certificates>) -> Result<Handle> {
    let mut handle = Easy2::new(Observed::new(Answer::default(), Arc::clone(certificates)));
    configure(&mut handle, options).map_err(broken)?;
    Ok(handle)
}

fn configure(handle: &mut Handle, options: &EngineOptions) -> std::result::Result<(), curl::Error> {
    allow_protocols(handle, c"http,https")?;
    handle.http_version(HttpVersion::V2TLS)?;
    handle.useragent(&options.user_agent)?;
    match &options.proxy {
        // An empty address is more than none: libcurl does not look into the environment.
        Proxy::None => handle.proxy("")?,
        Proxy::Environment => {}
        Proxy::At(url) => handle.proxy(url)?,
    }
    read_no_certificates(handle)?;
    if !options.reuse {
        handle.fresh_connect(true)?;
        handle.forbid_reuse(true)?;
        handle.dns_cache_timeout(std::time::Duration::ZERO)?;
        handle.ssl_sessionid_cache(false)?;
    }
    Ok(())
}

/// Sets what differs from request to request.
pub(super) fn prepare(
    handle: &mut Handle,
    method: &Method,
    target: &Target,
    time: std::time::Duration,
) -> std::result::Result<(), curl::Error> {
    handle.get_mut().begin();
    handle.get_mut().inner_mut().location = None;
    handle.url(target.with_login())?;
    // libcurl takes 0 as no limit.
    handle.timeout(time.max(std::time::Duration::from_millis(1)))?;
    let mut headers = List::new();
    if *method == Method::HEAD {
        handle.nobody(true)?;
    } else if method.has_body() {
        handle.post(true)?;
        handle.post_fields_copy(b"")?;
        // An empty body has no type.
        headers.append("Content-Type:")?;
    } else {
        handle.get(true)?;
    }
    handle.http_headers(headers)?;
    handle.custom_request(method.as_str())
}

/// Reads the certificates that servers are verified with.
pub(super) fn certificates(options: &EngineOptions) -> Result<Arc<Certificates>> {
    let read = match &options.ca_file {
        Some(file) => Certificates::read(Some(file), None)
            .map_err(|why| format!("cannot read the certificates in {}: {why}", file.display())),
        None => Certificates::of_the_system().map_err(|why| format!("cannot read the system's certificates: {why}")),
    };
    read.map(Arc::new).map_err(Error::usage)
}

/// Returns the error for a failure of libcurl that does not belong to one request.
pub(super) fn broken(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::system("libcurl failed").because(why)
}
