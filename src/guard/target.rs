//! The target of a request: read in the one way that every server behind a guard reads it, or refused. Nothing is
//! normalized, so the bytes that were matched are the bytes that are forwarded.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The path and query of a request, in origin form (RFC 9112 §3.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    path: &'a str,
    decoded: Cow<'a, str>,
}

/// Why a target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetFault {
    #[error("the target does not begin with a slash")]
    NoPath,
    #[error("the target contains a control character, a space, or a byte outside ASCII")]
    NotVisible,
    #[error("the target contains a fragment")]
    Fragment,
    #[error("the target contains a backslash")]
    Backslash,
    #[error("the target contains a percent sign without two hexadecimal digits")]
    PercentEncoding,
    #[error("the target contains a percent-encoded NUL")]
    Nul,
    #[error("the path contains a character that must be percent-encoded")]
    NotPath,
    #[error("the path contains //")]
    EmptySegment,
    #[error("the path contains a segment . or ..")]
    DotSegment,
    #[error("the path contains ; parameters")]
    Parameter,
    #[error(
        "the path contains a percent-encoded slash, backslash, semicolon, or control character"
    )]
    EncodedDelimiter,
    #[error("the path contains a percent-encoded letter, digit, or one of - . _ ~")]
    EncodedUnreserved,
    #[error("the path is percent-encoded twice")]
    EncodedTwice,
    #[error("the path is not UTF-8")]
    NotUtf8,
}

impl<'a> Target<'a> {
    /// Reads a target, unless two servers could read it in two ways.
    pub(crate) fn read(target: &'a [u8]) -> Result<Self, TargetFault> {
        if !target.iter().all(u8::is_ascii_graphic) {
            return Err(TargetFault::NotVisible);
        }
        let text = str::from_utf8(target).map_err(|_| TargetFault::NotVisible)?;
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        if !path.starts_with('/') {
            return Err(TargetFault::NoPath);
        }
        for part in [path, query] {
            check_part(part)?;
        }
        check_path(path)?;
        let decoded = percent_decode_str(path).decode_utf8().map_err(|_| TargetFault::NotUtf8)?;
        Ok(Self { path, decoded })
    }

    /// The path, as it was sent.
    pub(crate) fn path(&self) -> &'a str {
        self.path
    }

    /// The path without percent-encoding. It has the same slashes: none was encoded.
    pub(crate) fn decoded_path(&self) -> &str {
        &self.decoded
    }
}

/// The rules that hold in path and query.
fn check_part(part: &str) -> Result<(), TargetFault> {
    if part.contains('#') {
        return Err(TargetFault::Fragment);
    }
    if part.contains('\\') {
        return Err(TargetFault::Backslash);
    }
    for encoded in part.split('%').skip(1) {
        if byte_of(encoded).ok_or(TargetFault::PercentEncoding)? == 0 {
            return Err(TargetFault::Nul);
        }
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), TargetFault> {
    if path.contains("//") {
        return Err(TargetFault::EmptySegment);
    }
    if path.contains(';') {
        return Err(TargetFault::Parameter);
    }
    // RFC 3986 §3.3: nothing else is a `pchar`.
    if path.contains(['"', '<', '>', '[', ']', '^', '`', '{', '|', '}']) {
        return Err(TargetFault::NotPath);
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(TargetFault::DotSegment);
    }
    for encoded in path.split('%').skip(1) {
        match byte_of(encoded).ok_or(TargetFault::PercentEncoding)? {
            b'/' | b'\\' | b';' | 0..=0x1f | 0x7f => return Err(TargetFault::EncodedDelimiter),
            b'-' | b'.' | b'_' | b'~' => return Err(TargetFault::EncodedUnreserved),
            byte if byte.is_ascii_alphanumeric() => return Err(TargetFault::EncodedUnreserved),
            // `%252f`: a server that decodes twice reads a slash.
            b'%' if encoded.get(2..).and_then(byte_of).is_some() => {
                return Err(TargetFault::EncodedTwice);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The byte that two hexadecimal digits at the beginning stand for.
fn byte_of(encoded: &str) -> Option<u8> {
    let digits = encoded.get(..2).filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

/// The door of a fuzz target: what is read has one reading, which a URL parser of browsers shares.
#[cfg(fuzzing)]
pub(super) fn fuzz(bytes: &[u8]) {
    let Ok(target) = Target::read(bytes) else { return };
    let url = format!("https://mcp.example{}", String::from_utf8_lossy(bytes));
    let url = url::Url::parse(&url).expect("a browser reads what is forwarded");
    assert_eq!(url.path(), target.path(), "a browser reads another path");
    let slashes = |path: &str| path.matches('/').count();
    assert_eq!(slashes(target.decoded_path()), slashes(target.path()));
    assert!(!target.decoded_path().contains(|char: char| char.is_ascii_control()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_with_two_readings_are_refused() {
        use TargetFault::*;
        for (target, fault) in [
            ("", NoPath),
            ("*", NoPath),
            ("mcp", NoPath),
            ("?x", NoPath),
            ("http://mcp.example/mcp", NoPath),
            ("/mcp\0", NotVisible),
            ("/mcp\t", NotVisible),
            ("/mcp\r\nx", NotVisible),
            ("/a b", NotVisible),
            ("/caf\u{e9}", NotVisible),
            ("/mcp?x=\u{7f}", NotVisible),
            ("/mcp#x", Fragment),
            ("/mcp?x#y", Fragment),
            ("/mcp\\..\\admin", Backslash),
            ("/mcp?x=\\", Backslash),
            ("/mcp/%", PercentEncoding),
            ("/mcp/%4", PercentEncoding),
            ("/mcp/%zz", PercentEncoding),
            ("/mcp/%+1", PercentEncoding),
            ("/mcp?x=%", PercentEncoding),
            ("/mcp?x=%g0", PercentEncoding),
            ("/mcp%00", Nul),
            ("/mcp?x=%00", Nul),
            ("//admin", EmptySegment),
            ("/mcp//admin", EmptySegment),
            ("/mcp//", EmptySegment),
            ("/../admin", DotSegment),
            ("/mcp/..", DotSegment),
            ("/mcp/./admin", DotSegment),
            ("/mcp/..?x", DotSegment),
            ("/mcp;x=1/admin", Parameter),
            ("/mcp/..;/admin", Parameter),
            ("/mcp/{x}", NotPath),
            ("/mcp/a|b", NotPath),
            ("/mcp%2fadmin", EncodedDelimiter),
            ("/mcp%2Fadmin", EncodedDelimiter),
            ("/mcp%5c..", EncodedDelimiter),
            ("/mcp%5Cadmin", EncodedDelimiter),
            ("/mcp%3bx", EncodedDelimiter),
            ("/mcp%0a", EncodedDelimiter),
            ("/mcp%7f", EncodedDelimiter),
            ("/%61dmin", EncodedUnreserved),
            ("/mcp/%2e%2e/admin", EncodedUnreserved),
            ("/mcp/%2E./admin", EncodedUnreserved),
            ("/mcp/a%7Eb", EncodedUnreserved),
            ("/mcp%5fx", EncodedUnreserved),
            ("/mcp%252fadmin", EncodedTwice),
            ("/mcp%25%32%66", EncodedUnreserved),
            ("/mcp%c0%afadmin", NotUtf8),
            ("/mcp%c0%ae", NotUtf8),
            ("/mcp%ff", NotUtf8),
        ] {
            assert_eq!(Target::read(target.as_bytes()), Err(fault), "{target:?}");
        }
        assert_eq!(Target::read(b"/mcp\xff"), Err(NotVisible));
    }

    #[test]
    fn ordinary_targets_are_read_as_they_are() {
        for (target, path, decoded) in [
            ("/", "/", "/"),
            ("/mcp", "/mcp", "/mcp"),
            ("/mcp/", "/mcp/", "/mcp/"),
            ("/mcp?", "/mcp", "/mcp"),
            ("/mcp?a=../b&c=//d;e&f=%2F%41%0A&g={[|]}", "/mcp", "/mcp"),
            ("/a%20b/caf%C3%A9", "/a%20b/caf%C3%A9", "/a b/caf\u{e9}"),
            (
                "/~user/a.b/..c/.well-known",
                "/~user/a.b/..c/.well-known",
                "/~user/a.b/..c/.well-known",
            ),
            ("/@a:b!$&'()*+,=", "/@a:b!$&'()*+,=", "/@a:b!$&'()*+,="),
            ("/%40a/100%25", "/%40a/100%25", "/@a/100%"),
        ] {
            let read = Target::read(target.as_bytes()).unwrap();
            assert_eq!((read.path(), read.decoded_path()), (path, decoded), "{target:?}");
        }
    }
}
