//! TLS connections that libcurl makes with OpenSSL: their facts, and the certificates that they trust.
//!
//! libcurl makes an `SSL_CTX` for each connection and shows it before the handshake. Two functions are set there: one
//! that OpenSSL calls when the handshake is done, and one that it calls for each certificate that it verifies. The
//! second one learns when a certificate expires even if it is refused. Neither changes a decision.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use openssl_sys as ffi;

/// What a TLS connection was made with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The version as OpenSSL names it: `TLSv1.3`.
    pub version: Option<String>,
    /// The cipher suite as OpenSSL names it: `TLS_AES_256_GCM_SHA384`.
    pub cipher: Option<String>,
    /// The protocol that both sides agreed on (ALPN): `h2`, `http/1.1`.
    pub protocol: Option<String>,
    /// The time until which the server's certificate is valid, in seconds since 1970.
    pub certificate_expiry: Option<i64>,
}

/// What has been seen of one connection.
#[derive(Debug, Default)]
pub(crate) struct Observation(Mutex<Option<Facts>>);

impl Observation {
    pub(crate) fn facts(&self) -> Option<Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Facts)) {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default());
    }
}

// Functions and numbers of OpenSSL that openssl-sys does not have.
const SSL_CB_HANDSHAKE_DONE: c_int = 0x20;
const X509_V_FLAG_PARTIAL_CHAIN: c_ulong = 0x8_0000;
unsafe extern "C" {
    fn SSL_CTX_set_info_callback(
        context: *mut ffi::SSL_CTX,
        callback: Option<unsafe extern "C" fn(*const ffi::SSL, c_int, c_int)>,
    );
    fn SSL_CTX_set1_cert_store(context: *mut ffi::SSL_CTX, store: *mut ffi::X509_STORE);
    fn X509_STORE_load_locations(store: *mut ffi::X509_STORE, file: *const c_char, folder: *const c_char) -> c_int;
}

/// The certificates that are trusted. They are read once, and all connections share them.
///
/// libcurl would read them for the first connection, or for each one if there is a folder. That would count as time of
/// the TLS handshake.
#[derive(Debug)]
pub struct Certificates(NonNull<ffi::X509_STORE>);

// SAFETY: OpenSSL counts the users of a store and locks it where it changes, so that connections of several threads can
// share it. This type only hands it on.
unsafe impl Send for Certificates {}
// SAFETY: as above.
unsafe impl Sync for Certificates {}

impl Certificates {
    /// Reads a file of certificates. A folder of certificates is not read, but looked into when one is needed.
    ///
    /// The error is OpenSSL's reason.
    pub fn read(file: Option<&Path>, folder: Option<&Path>) -> Result<Self, String> {
        let text = |path: Option<&Path>| path.map(|path| CString::new(path.as_os_str().as_bytes())).transpose();
        let (file, folder) = (text(file), text(folder));
        let (Ok(file), Ok(folder)) = (file, folder) else { return Err("a zero byte in its name".into()) };
        let pointer = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        // SAFETY: the store is new, and freed when this value is dropped. Each text is null or ends with a zero byte, and
        // lives until the end of the call. The reason of an error belongs to OpenSSL, and is copied.
        unsafe {
            ffi::ERR_clear_error();
            let store = Certificates(NonNull::new(ffi::X509_STORE_new()).ok_or("no memory")?);
            // As in libcurl: an intermediate certificate that is trusted is the end of a chain.
            ffi::X509_STORE_set_flags(store.0.as_ptr(), ffi::X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
            if file.is_none() && folder.is_none() {
                return Ok(store);
            }
            if X509_STORE_load_locations(store.0.as_ptr(), pointer(&file), pointer(&folder)) == 1 {
                return Ok(store);
            }
            let reason = text_of(ffi::ERR_reason_error_string(ffi::ERR_get_error()));
            ffi::ERR_clear_error();
            Err(reason.unwrap_or_else(|| "it has no certificates".into()))
        }
    }

    /// Reads the certificates of the system: a file of them where there is one, and a folder otherwise, or where the
    /// user names one with `SSL_CERT_DIR`.
    pub fn of_the_system() -> Result<Self, String> {
        let found = openssl_probe::probe();
        let wants_folder = std::env::var_os(openssl_probe::ENV_CERT_DIR).is_some() || found.cert_file.is_none();
        Certificates::read(found.cert_file.as_deref(), found.cert_dir.as_deref().filter(|_| wants_folder))
    }

    /// Makes the connection of `context` trust these certificates, and no others.
    ///
    /// # Safety
    ///
    /// `context` is a valid `SSL_CTX` that no other thread uses during this call.
    pub(crate) unsafe fn give(&self, context: *mut ffi::SSL_CTX) {
        // SAFETY: the store is valid as long as this value lives, and the context counts itself as a user of it.
        unsafe { SSL_CTX_set1_cert_store(context, self.0.as_ptr()) }
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        // SAFETY: the store was made for this value, and this value gives its reference back. Each TLS context holds a reference of its own.
        unsafe { ffi::X509_STORE_free(self.0.as_ptr()) }
    }
}

/// Observes the connection that is made with `context`.
///
/// # Safety
///
/// `context` is a valid `SSL_CTX` that no other thread uses during this call.
pub(crate) unsafe fn observe(context: *mut ffi::SSL_CTX, observation: &Arc<Observation>) {
    let Some(index) = index() else { return };
    let data = Arc::into_raw(Arc::clone(observation)).cast_mut().cast::<c_void>();
    // SAFETY: the context is valid, as the caller promises. It owns one count of the observation from now on; `release`
    // gives it back when the context is freed. A second call for one context would leak a count, and do no other harm.
    unsafe {
        if ffi::SSL_CTX_set_ex_data(context, index, data) != 1 {
            release(ptr::null_mut(), data, ptr::null_mut(), 0, 0, ptr::null_mut());
            return;
        }
        SSL_CTX_set_info_callback(context, Some(handshake));
        ffi::SSL_CTX_set_verify(context, ffi::SSL_CTX_get_verify_mode(context), Some(verified));
    }
}

/// Returns the place in each context at which the observation stands.
fn index() -> Option<c_int> {
    static INDEX: OnceLock<c_int> = OnceLock::new();
    let index = *INDEX.get_or_init(|| {
        // SAFETY: all arguments are plain values, and `release` has the type that OpenSSL calls.
        unsafe {
            ffi::CRYPTO_get_ex_new_index(ffi::CRYPTO_EX_INDEX_SSL_CTX, 0, ptr::null_mut(), None, None, Some(release))
        }
    });
    (index >= 0).then_some(index)
}

/// Gives the count of the observation back that a context owned.
unsafe extern "C" fn release(
    _context: *mut c_void,
    data: *mut c_void,
    _all: *mut ffi::CRYPTO_EX_DATA,
    _index: c_int,
    _argl: c_long,
    _argp: *mut c_void,
) {
    if !data.is_null() {
        // SAFETY: `observe` made the pointer with `Arc::into_raw`, and OpenSSL calls this once for each context.
        drop(unsafe { Arc::from_raw(data.cast::<Observation>()) });
    }
}

/// Returns the observation of the connection `ssl`.
///
/// # Safety
///
/// `ssl` is a valid connection; the result is used before it ends.
unsafe fn observation<'a>(ssl: *const ffi::SSL) -> Option<&'a Observation> {
    let index = index()?;
    // SAFETY: a connection keeps its context alive, and the context owns a count of the observation.
    unsafe { ffi::SSL_CTX_get_ex_data(ffi::SSL_get_SSL_CTX(ssl), index).cast::<Observation>().as_ref() }
}

/// Called at each step of a handshake; its end is what counts.
unsafe extern "C" fn handshake(ssl: *const ffi::SSL, what: c_int, _result: c_int) {
    if what & SSL_CB_HANDSHAKE_DONE == 0 {
        return;
    }
    // SAFETY: OpenSSL calls this with a valid connection, in the thread that uses it. The certificate is counted up by
    // the call that returns it, and freed here. The texts belong to OpenSSL or to the connection, and are copied.
    unsafe {
        let Some(observation) = observation(ssl) else { return };
        let certificate = ffi::SSL_get1_peer_certificate(ssl);
        let expiry = expiry(certificate);
        if !certificate.is_null() {
            ffi::X509_free(certificate);
        }
        let cipher = ffi::SSL_get_current_cipher(ssl);
        let cipher = if cipher.is_null() { ptr::null() } else { ffi::SSL_CIPHER_get_name(cipher) };
        let (cipher, version, protocol) = (text_of(cipher), text_of(ffi::SSL_get_version(ssl)), protocol(ssl));
        observation.note(|facts| {
            (facts.version, facts.cipher, facts.protocol) = (version, cipher, protocol);
            facts.certificate_expiry = expiry.or(facts.certificate_expiry);
        });
    }
}

/// Called for each certificate of a chain, with the result of its verification, which it returns unchanged.
extern "C" fn verified(result: c_int, store: *mut ffi::X509_STORE_CTX) -> c_int {
    // SAFETY: OpenSSL calls this with a valid store, which belongs to a valid connection and holds the certificate.
    unsafe {
        if ffi::X509_STORE_CTX_get_error_depth(store) != 0 {
            return result;
        }
        let ssl = ffi::X509_STORE_CTX_get_ex_data(store, ffi::SSL_get_ex_data_X509_STORE_CTX_idx());
        let ssl = ssl.cast::<ffi::SSL>();
        if ssl.is_null() {
            return result;
        }
        if let Some(observation) = observation(ssl) {
            let expiry = expiry(ffi::X509_STORE_CTX_get_current_cert(store));
            let version = text_of(ffi::SSL_get_version(ssl));
            observation.note(|facts| (facts.version, facts.certificate_expiry) = (version, expiry));
        }
    }
    result
}

/// Returns the last second of a certificate.
///
/// # Safety
///
/// `certificate` is null or valid.
unsafe fn expiry(certificate: *const ffi::X509) -> Option<i64> {
    if certificate.is_null() {
        return None;
    }
    // SAFETY: the certificate is valid; the time inside it belongs to it. The time of 1970 is freed here.
    unsafe {
        let time = ffi::X509_getm_notAfter(certificate);
        let epoch = ffi::ASN1_TIME_set(ptr::null_mut(), 0);
        if time.is_null() || epoch.is_null() {
            return None;
        }
        let (mut days, mut seconds) = (0, 0);
        let known = ffi::ASN1_TIME_diff(&mut days, &mut seconds, epoch, time) == 1;
        ffi::ASN1_TIME_free(epoch);
        known.then(|| i64::from(days) * 86_400 + i64::from(seconds))
    }
}

/// Returns the protocol that both sides agreed on.
///
/// # Safety
///
/// `ssl` is a valid connection.
unsafe fn protocol(ssl: *const ffi::SSL) -> Option<String> {
    let (mut data, mut length): (*const c_uchar, c_uint) = (ptr::null(), 0);
    // SAFETY: the connection is valid. OpenSSL sets the pointer to `length` bytes of the connection, or to null.
    unsafe {
        ffi::SSL_get0_alpn_selected(ssl, &mut data, &mut length);
        if data.is_null() {
            return None;
        }
        Some(String::from_utf8_lossy(std::slice::from_raw_parts(data, length as usize)).into_owned())
    }
}

/// Copies a text of OpenSSL.
///
/// # Safety
///
/// `text` is null, or ends with a zero byte.
unsafe fn text_of(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller promises a text that ends with a zero byte.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
