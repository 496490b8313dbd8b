//! Handles whose TLS connections are observed, and options and numbers of a handle.

use std::ffi::{CStr, c_void};
use std::io;
use std::io::SeekFrom;
use std::sync::Arc;
use std::time::Instant;

use curl::Error;
use curl::easy::{Easy2, Handler, InfoType, ReadError, SeekResult, WriteError};
use libc::{c_char, c_int, c_long};

use crate::tls::{self, Certificates, Facts, Observation};

// Numbers of `curl.h` that curl-sys does not have.
const CURLINFO_LONG: u32 = 0x20_0000;
const CURLINFO_OFF_T: u32 = 0x60_0000;
const CURLINFO_HTTP_VERSION: u32 = CURLINFO_LONG + 46;
const CURLINFO_CONN_ID: u32 = CURLINFO_OFF_T + 64;
const CURLINFO_POSTTRANSFER_TIME_T: u32 = CURLINFO_OFF_T + 67;
const CURLOPT_CAINFO: u32 = 10_000 + 65;
const CURLOPT_CAPATH: u32 = 10_000 + 97;
const CURLOPT_PROTOCOLS_STR: u32 = 10_000 + 318;

/// A handler that observes the TLS connections and the sockets of its requests, knows which certificates they trust, and
/// leaves everything else to `H`.
pub struct Observed<H> {
    inner: H,
    certificates: Arc<Certificates>,
    observation: Arc<Observation>,
    tls_begun: Option<Instant>,
    socket_error: i32,
}

impl<H> Observed<H> {
    /// Creates a handler around `inner`, whose connections trust `certificates`.
    pub fn new(inner: H, certificates: Arc<Certificates>) -> Self {
        Observed { inner, certificates, observation: Arc::default(), tls_begun: None, socket_error: 0 }
    }

    /// Returns the handler inside.
    pub fn inner(&self) -> &H {
        &self.inner
    }

    /// Returns the handler inside.
    pub fn inner_mut(&mut self) -> &mut H {
        &mut self.inner
    }

    /// Forgets what was observed. It is called before each request.
    ///
    /// A connection that is kept for later requests has its own observation, which is left alone.
    pub fn begin(&mut self) {
        self.observation = Arc::default();
        self.tls_begun = None;
        self.socket_error = 0;
    }

    /// Returns the facts of the TLS connection that the last request made, if it made one.
    pub fn tls(&self) -> Option<Facts> {
        self.observation.facts()
    }

    /// Returns when the last request began to make a TLS connection, which is when the TCP connection was there.
    pub fn tls_begun(&self) -> Option<Instant> {
        self.tls_begun
    }

    /// Returns the error number with which a socket of the last request could not be opened; 0 if there is none.
    pub fn socket_error(&self) -> i32 {
        self.socket_error
    }
}

impl<H: Handler> Handler for Observed<H> {
    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        self.inner.write(data)
    }

    fn read(&mut self, data: &mut [u8]) -> Result<usize, ReadError> {
        self.inner.read(data)
    }

    fn seek(&mut self, whence: SeekFrom) -> SeekResult {
        self.inner.seek(whence)
    }

    fn debug(&mut self, kind: InfoType, data: &[u8]) {
        self.inner.debug(kind, data);
    }

    fn header(&mut self, data: &[u8]) -> bool {
        self.inner.header(data)
    }

    fn progress(&mut self, dltotal: f64, dlnow: f64, ultotal: f64, ulnow: f64) -> bool {
        self.inner.progress(dltotal, dlnow, ultotal, ulnow)
    }

    fn ssl_ctx(&mut self, context: *mut c_void) -> Result<(), Error> {
        self.tls_begun = Some(Instant::now());
        self.inner.ssl_ctx(context)?;
        // SAFETY: libcurl calls this method with the SSL_CTX of a connection that it is about to make, and waits for its
        // end. Nobody else has a reason to call it; that the trait makes it a safe method is the crate's decision.
        unsafe {
            self.certificates.give(context.cast());
            tls::observe(context.cast(), &self.observation);
        }
        Ok(())
    }

    fn open_socket(&mut self, family: c_int, kind: c_int, protocol: c_int) -> Option<curl_sys::curl_socket_t> {
        let socket = self.inner.open_socket(family, kind, protocol);
        if socket.is_none() {
            self.socket_error = io::Error::last_os_error().raw_os_error().unwrap_or_default();
        }
        socket
    }
}

/// Numbers of a finished request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// The time from the start until the request was sent, in microseconds; 0 if it was not.
    pub sent: u64,
    /// The version of HTTP as libcurl numbers it: 1 is HTTP/1.0, 2 is HTTP/1.1, 3 is HTTP/2; 0 if there was no answer.
    pub http_version: u32,
    /// The number of the connection among those of its multi handle, if there was one.
    pub connection: Option<u64>,
}

/// Returns the numbers of the last request of `easy`.
pub fn numbers<H>(easy: &Easy2<H>) -> Numbers {
    let long = |info: u32| -> Option<i64> {
        let mut value: c_long = 0;
        // SAFETY: the handle lives as long as `easy`, and each `info` that is passed here writes one `long`.
        let code = unsafe { curl_sys::curl_easy_getinfo(easy.raw(), info, &mut value as *mut c_long) };
        (code == curl_sys::CURLE_OK).then_some(value)
    };
    let off_t = |info: u32| -> Option<i64> {
        let mut value: curl_sys::curl_off_t = 0;
        // SAFETY: the handle lives as long as `easy`, and each `info` that is passed here writes one `curl_off_t`.
        let code = unsafe { curl_sys::curl_easy_getinfo(easy.raw(), info, &mut value as *mut curl_sys::curl_off_t) };
        (code == curl_sys::CURLE_OK).then_some(value)
    };
    Numbers {
        sent: off_t(CURLINFO_POSTTRANSFER_TIME_T).and_then(|time| u64::try_from(time).ok()).unwrap_or_default(),
        http_version: long(CURLINFO_HTTP_VERSION).and_then(|version| u32::try_from(version).ok()).unwrap_or_default(),
        connection: off_t(CURLINFO_CONN_ID).and_then(|id| u64::try_from(id).ok()),
    }
}

/// Lets libcurl read no certificates for `easy`. [`Observed`] brings its own.
pub fn read_no_certificates<H>(easy: &mut Easy2<H>) -> Result<(), Error> {
    set_text(easy, CURLOPT_CAINFO, None)?;
    set_text(easy, CURLOPT_CAPATH, None)
}

/// Allows `easy` the protocols with these names, separated by commas, and no others.
pub fn allow_protocols<H>(easy: &mut Easy2<H>, names: &CStr) -> Result<(), Error> {
    set_text(easy, CURLOPT_PROTOCOLS_STR, Some(names))
}

fn set_text<H>(easy: &mut Easy2<H>, option: u32, text: Option<&CStr>) -> Result<(), Error> {
    let text: *const c_char = text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: the handle lives as long as `easy`. Each option that is passed here takes a string, which libcurl copies,
    // or null, which resets it.
    match unsafe { curl_sys::curl_easy_setopt(easy.raw(), option, text) } {
        curl_sys::CURLE_OK => Ok(()),
        code => Err(Error::new(code)),
    }
}
