//! URI schemes that no redirect URI may have, and URIs that hide another one behind their scheme.

use super::uri;

/// Schemes that run a script, read local files, or wrap another URI. One such entry rejects the request.
pub(super) const DANGEROUS: &[&str] = &[
    "javascript",
    "livescript",
    "mocha",
    "vbscript",
    "vbs",
    "data",
    "file",
    "filesystem",
    "blob",
    "about",
    "view-source",
    "jar",
    "mhtml",
];

/// Schemes that reach no OAuth client, by what receives them.
pub(super) const FOREIGN: &[&[&str]] = &[
    // Network protocols.
    &[
        "ws", "wss", "ftp", "ftps", "sftp", "tftp", "gopher", "nntp", "news", "dict", "urn",
        "magnet",
    ],
    &[
        "ldap", "ldaps", "ssh", "telnet", "tn3270", "rlogin", "rsh", "vnc", "rdp", "rtsp", "irc",
        "ircs",
    ],
    &[
        "smb", "cifs", "nfs", "afp", "dav", "davs", "webdav", "webdavs", "svn", "git", "rsync",
        "xmpp", "cid", "mid", "wpa", "wifi",
    ],
    // Websites of other networks than the web.
    &["ipfs", "ipns", "dweb", "tonsite", "gemini", "hyper", "dat", "ar"],
    // Mail, calls, messages, calendars, maps, and stores.
    &[
        "mailto",
        "tel",
        "telprompt",
        "callto",
        "sip",
        "sips",
        "facetime",
        "facetime-audio",
        "imessage",
    ],
    &[
        "sms", "smsto", "mms", "mmsto", "webcal", "webcals", "podcast", "geo", "maps", "market",
        "steam",
    ],
    &["itms", "itmss", "itms-apps", "itms-appss", "itms-services", "itms-books"],
    // Handlers built into Windows.
    &[
        "search-ms",
        "search",
        "shell",
        "help",
        "hcp",
        "mk",
        "res",
        "its",
        "jnlp",
        "jnlps",
        "windowsdefender",
    ],
    &["onenote", "onenote-cmd", "read", "bingmaps", "calculator", "outlookaccounts"],
    // Handlers built into macOS, iOS, Android, and Linux desktops.
    &[
        "x-man-page",
        "x-help-action",
        "x-help-script",
        "applescript",
        "terminal",
        "shortcuts",
        "workflow",
    ],
    &[
        "prefs",
        "app-prefs",
        "app-settings",
        "intent",
        "android-app",
        "content",
        "package",
        "settings",
    ],
    &["apt", "admin", "computer", "trash", "recent", "network", "man", "info", "ghelp"],
    &["com.apple.preference", "com.apple.systempreferences", "x-terminal"],
    // Browsers that open a website, and their own pages.
    &[
        "operagx",
        "operamini",
        "operatouch",
        "touch-http",
        "touch-https",
        "mobilesafari",
        "com.apple.mobilesafari",
        "org.mozilla.firefox",
        "fenix",
    ],
    &["x-web-search", "ddgquicklink", "ddglaunch", "samsunginternet", "ucbrowser", "naverbrowser"],
    &["bravebrowser", "mi-browser", "browser", "resource", "devtools", "moz-extension", "moz-icon"],
    &["arc", "iexplore", "kiwi", "dolphin", "tor", "torbrowser", "wyciwyg"],
];

/// Families of such schemes: each name alone, in its plural, or followed by a separator or a digit.
pub(super) const FOREIGN_FAMILIES: &[&str] = &[
    "chrome",
    "googlechrome",
    "chromium",
    "edge",
    "msedge",
    "microsoftedge",
    "microsoft-edge",
    "firefox",
    "brave",
    "opera",
    "safari",
    "x-safari",
    "vivaldi",
    "duckduckgo",
    "yandexbrowser",
    "feed",
    "x-apple",
    "microsoft.windows",
    // Websites and extensions register these with a browser.
    "web+",
    "ext+",
    // Windows reserves them for itself.
    "ms-",
];

/// Protocols that carry others: `git+ssh`, `svn+https`.
const TUNNELS: &[&str] = &["ssh", "http", "https", "ftp", "file"];

/// Applications for Windows receive the answers of an authorization server by this one.
const OF_APPLICATIONS: &str = "ms-app";

/// Whether a scheme runs a script, reads local files, or wraps another URI; `scheme` in lower case.
pub(super) fn is_dangerous(scheme: &str) -> bool {
    DANGEROUS.contains(&scheme)
}

/// Whether a scheme reaches no OAuth client; `scheme` in lower case.
pub(super) fn is_foreign(scheme: &str) -> bool {
    let is_of_family = |family: &&str| {
        scheme.strip_prefix(*family).is_some_and(|rest| {
            family.ends_with(['+', '-'])
                || matches!(rest, "" | "s")
                || rest.starts_with(|first: char| !first.is_ascii_alphabetic())
        })
    };
    let is_tunneled = || scheme.rsplit_once('+').is_some_and(|(_, under)| TUNNELS.contains(&under));
    scheme != OF_APPLICATIONS
        && (is_tunneled()
            || FOREIGN.iter().any(|group| group.contains(&scheme))
            || FOREIGN_FAMILIES.iter().any(is_of_family))
}

/// Whether `text` is a host without `http://`: `localhost`, or a name with a dot and then a port and nothing
/// else before the path. `app:1/x` has no dot, and `com.example.app:/cb` no port.
pub(super) fn is_host_and_port(text: &str) -> bool {
    let Some((name, rest)) = text.split_once(':') else { return false };
    let after = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let has_port =
        after.len() < rest.len() && (after.is_empty() || after.starts_with(['/', '?', '#']));
    name.eq_ignore_ascii_case("localhost") || (name.contains('.') && has_port)
}

/// Whether such a `text` begins with a loopback host.
pub(super) fn is_host_of_device(text: &str) -> bool {
    let name = text.split(':').next().unwrap_or_default();
    name.eq_ignore_ascii_case("localhost") || name.starts_with("127.")
}

/// The schemes behind the first, as in `app:https://a.example`, in lower case. A colon may be percent-encoded.
pub(super) fn nested(text: &str) -> impl Iterator<Item = String> {
    let mut rest = after_scheme(text);
    std::iter::from_fn(move || {
        let (name, after) = split_scheme(rest?)?;
        rest = Some(after);
        Some(name.to_ascii_lowercase())
    })
}

fn after_scheme(text: &str) -> Option<&str> {
    uri::scheme(text).and_then(|scheme| text.get(scheme.len() + 1..))
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let is_of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let end = text.bytes().position(|byte| !is_of_scheme(byte))?;
    let (name, rest) = text.split_at_checked(end)?;
    let after = [":", "%3a", "%3A"].into_iter().find_map(|colon| rest.strip_prefix(colon))?;
    name.starts_with(|first: char| first.is_ascii_alphabetic()).then_some((name, after))
}
