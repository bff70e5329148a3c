//! The headers that keep a page from running or leaking what is not ours.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// What a page may load and do. Scripts come from us alone, with no inline script and no `eval`; the only
/// inline style allowed is the `style` attribute, with which components hand numbers to the style sheet.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Device features that no page uses, so that nothing injected can either.
pub const PERMISSIONS_POLICY: &str =
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()";

/// The same for a page that scans with the camera. The browser still asks the person.
pub const WITH_CAMERA: &str =
    "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()";

/// The headers of every page.
pub const SECURITY: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY),
];

/// Lets this one page ask for the camera, see [`WITH_CAMERA`].
pub fn allow_camera(headers: &mut HeaderMap) {
    headers.insert(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(WITH_CAMERA));
}

/// Adds [`SECURITY`] to `headers` where a header is not set already.
pub fn secure(headers: &mut HeaderMap) {
    for (name, value) in SECURITY {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
