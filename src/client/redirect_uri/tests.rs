//! Tests of the rules for redirect URIs.

use proptest::prelude::*;

use serde_json::json;

use super::{Reach::*, RedirectUriError as Error, *};

#[test]
fn rejects_every_scheme_that_reaches_no_client() {
    let foreign = scheme::FOREIGN.iter().copied().flatten().copied();
    let families = scheme::FOREIGN_FAMILIES.iter().flat_map(|family| {
        let ends: &[&str] = match *family {
            "web+" | "ext+" | "ms-" => &["a", "msdt"],
            _ => &["", "s", "-x", ".x", "2"],
        };
        ends.iter().map(move |end| format!("{family}{end}"))
    });
    let mut rows: Vec<(String, Error)> = foreign
        .map(str::to_owned)
        .chain(families)
        .map(|name| (name, Error::ForeignScheme))
        .collect();
    rows.extend(scheme::DANGEROUS.iter().map(|name| ((*name).to_owned(), Error::DangerousScheme)));
    for (name, error) in rows {
        for name in [name.to_ascii_uppercase(), name] {
            let text = format!("{name}://a.example/cb");
            assert_eq!(reach(&text), Err(error), "{text}");
            // A stored client gets the same answer, because one function decides.
            let stored: RedirectUri = serde_json::from_value(text.as_str().into()).unwrap();
            assert_eq!(stored.reach(), Err(error), "{text}");
            for rest in ["/cb", "x", "https://a.example/cb", ""] {
                let text = format!("{name}:{rest}");
                assert!(reach(&text).is_err(), "{text}");
            }
        }
    }
}

#[test]
fn rejects_a_scheme_behind_a_scheme_and_a_host_without_one() {
    for uri in ["app:https://a.example", "app:b:c", "com.example.app:x%3Ay", "app:smb://a/b"] {
        assert_eq!(reach(uri), Err(Error::NestedScheme), "{uri}");
    }
    for uri in [
        "app:javascript:alert(1)",
        "app:JavaScript%3aalert(1)",
        "microsoft-edge:view-source:x",
        "https:data:text/html,x",
        "a:b:file:///etc/passwd",
        "localhost:javascript:x",
    ] {
        assert_eq!(reach(uri), Err(Error::DangerousScheme), "{uri}");
    }
    for uri in ["localhost:3000/cb", "LocalHost:3000", "localhost:/cb", "127.0.0.1:3000/cb"] {
        assert_eq!(reach(uri), Err(Error::MissingHttp), "{uri}");
    }
    for uri in ["a.example:8080", "a.example:8080?x", "com.example.app:123", "app.example:443/cb"] {
        assert_eq!(reach(uri), Err(Error::MissingHttps), "{uri}");
    }
    assert_eq!(reach("smb:\u{200b}"), Err(Error::Uri(UriError::Hidden)));
}

#[test]
fn allows_schemes_that_resemble_rejected_ones() {
    for uri in [
        "cursor://host/cb",
        "vscode://ext/cb",
        "com.example.app:/cb",
        "com.example.app:/a:b",
        "com.example.app:1x",
        "myapp:1/x",
        "myapp://localhost:3000/cb",
        "operations:/cb",
        "bravely:/cb",
        "chromatic:/cb",
        "edgeworth:/cb",
        "feedback:/cb",
        "safaris.example:/cb",
        "safaribooks:/cb",
        "firefoxy:/cb",
        "filer:/cb",
        "ms-app://s-1-15-2-1/",
        "msauth.com.example.app://auth",
        "msal00000000://auth",
        "searchlight:/cb",
    ] {
        assert_eq!(reach(uri), Ok(PrivateUse), "{uri}");
    }
}

const REFUSED: &[(&str, Error)] = &[
    ("https://a.example/cb#", Error::Fragment),
    ("com.example.app:/cb#x", Error::Fragment),
    ("https://@a.example/cb", Error::Uri(UriError::Userinfo)),
    ("http://127.0.0.1@evil.example/cb", Error::Uri(UriError::Userinfo)),
    ("http://localhost:80@evil.example/cb", Error::Uri(UriError::Userinfo)),
    ("cursor://user@host/cb", Error::Uri(UriError::Userinfo)),
    ("https://*.example.com/cb", Error::Uri(UriError::Wildcard)),
    ("https://example.com/*", Error::Uri(UriError::Wildcard)),
    ("*", Error::Uri(UriError::Relative)),
    ("https://a.example\\.evil.example/cb", Error::Uri(UriError::Backslash)),
    ("https://a.example/call back", Error::Uri(UriError::Hidden)),
    (" javascript:alert(1)", Error::Uri(UriError::Hidden)),
    ("jav\tascript:alert(1)", Error::Uri(UriError::Hidden)),
    ("https://a.example/\u{200b}cb", Error::Uri(UriError::Hidden)),
    ("https://a.example/cb%00.png", Error::Uri(UriError::Hidden)),
    ("https://a.example/cb%0d%0a", Error::Uri(UriError::Hidden)),
    ("https://a.example/cb%7F", Error::Uri(UriError::Hidden)),
    ("https://\u{441}laude.ai/cb", Error::Uri(UriError::NotAscii)),
    ("https://example\u{3002}com/cb", Error::Uri(UriError::NotAscii)),
    ("https://a.example/cb%zz", Error::Uri(UriError::Malformed)),
    ("https://a.example/<script>", Error::Uri(UriError::Malformed)),
    ("https://a.example/\"x", Error::Uri(UriError::Malformed)),
    ("https://%65vil.example/cb", Error::Uri(UriError::EncodedHost)),
    ("https://a%2eexample/cb", Error::Uri(UriError::EncodedHost)),
    ("https://a%2fexample/cb", Error::Uri(UriError::EncodedHost)),
    ("https://a,b.example/cb", Error::HostName),
    ("http://127.0.0.1:0/cb", Error::Uri(UriError::Port)),
    ("https://a.example:/cb", Error::Uri(UriError::Port)),
    ("http://127.0.0.1:65536/cb", Error::Uri(UriError::Port)),
    ("http://127.0.0.1:80a/cb", Error::Uri(UriError::Malformed)),
    ("http://127.0.0.1:-1/cb", Error::Uri(UriError::Malformed)),
    ("https:", Error::Uri(UriError::NoHost)),
    ("https:///a.example/cb", Error::Uri(UriError::NoHost)),
    ("https:/a.example/cb", Error::Uri(UriError::NoHost)),
    ("//a.example/cb", Error::Uri(UriError::Relative)),
    ("/callback", Error::Uri(UriError::Relative)),
    ("a.example/cb", Error::Uri(UriError::Relative)),
    ("", Error::Uri(UriError::Relative)),
    ("http://127.1/", Error::Uri(UriError::Ambiguous)),
    ("http://0x7f.1/", Error::Uri(UriError::Ambiguous)),
    ("http://2130706433/", Error::Uri(UriError::Ambiguous)),
    ("http://0177.0.0.1:3000/cb", Error::Uri(UriError::Ambiguous)),
    ("http://127.0.0.2/", Error::LoopbackSpelling),
    ("http://[::ffff:127.0.0.1]/", Error::LoopbackSpelling),
    ("http://[0:0:0:0:0:0:0:1]:3000/cb", Error::LoopbackSpelling),
    ("http://localhost./", Error::LoopbackSpelling),
    ("http://LOCALHOST/", Error::LoopbackSpelling),
    ("http://evil.localhost:3000/cb", Error::LoopbackSpelling),
    ("https://evil.localhost/cb", Error::LoopbackSpelling),
    ("http://localhost.localdomain:3000/cb", Error::PlainHttp),
    ("http://localhost.attacker.com:8080/cb", Error::PlainHttp),
    ("http://127.0.0.1.evil.example/cb", Error::PlainHttp),
    ("http://8.8.8.8/cb", Error::PlainHttp),
    ("http://0.0.0.0:8080/cb", Error::SpecialUse),
    ("http://[::]:8080/cb", Error::SpecialUse),
    ("https://127.0.0.1/cb", Error::SpecialUse),
    ("https://[::1]/cb", Error::SpecialUse),
    ("https://169.254.169.254/latest/meta-data/", Error::SpecialUse),
    ("https://[::ffff:10.0.0.1]/", Error::SpecialUse),
    ("http://[fe80::1%25eth0]:3000/cb", Error::Uri(UriError::Malformed)),
    ("http://::1:3000/cb", Error::Uri(UriError::Malformed)),
    ("https://a.example/oauth/../evil", Error::Uri(UriError::DotSegment)),
    ("https://a.example/oauth/%2E%2e/evil", Error::Uri(UriError::DotSegment)),
    ("https://a.example/.", Error::Uri(UriError::DotSegment)),
    ("app://x/a/./b", Error::Uri(UriError::DotSegment)),
    ("javascript:alert(1)", Error::DangerousScheme),
    ("JaVaScRiPt://trusted.example/%0aalert(1)", Error::DangerousScheme),
    ("data:text/html,x", Error::DangerousScheme),
    ("vbscript:x", Error::DangerousScheme),
    ("file:///etc/passwd", Error::DangerousScheme),
    ("filesystem:https://a.example/x", Error::DangerousScheme),
    ("blob:https://a.example/x", Error::DangerousScheme),
    ("about:blank", Error::DangerousScheme),
    ("view-source:https://a.example/", Error::DangerousScheme),
    ("jar:https://a.example!/x", Error::DangerousScheme),
    ("ws://a.example/", Error::ForeignScheme),
    ("wss://a.example/", Error::ForeignScheme),
    ("ftp://a.example/", Error::ForeignScheme),
    ("mailto:a@a.example", Error::ForeignScheme),
    ("tel:+15550100", Error::ForeignScheme),
    ("sms:+15550100", Error::ForeignScheme),
    ("intent://evil.example/#Intent;end", Error::ForeignScheme),
    ("chrome://settings/", Error::ForeignScheme),
    ("chrome-extension://abc/x", Error::ForeignScheme),
    ("ms-appx-web://Microsoft.AAD.BrokerPlugin/x", Error::ForeignScheme),
    ("urn:ietf:wg:oauth:2.0:oob", Error::ForeignScheme),
];

fn reach_of(text: &str) -> Result<Reach, Error> {
    RedirectUri::parse(text).map(|(_, reach)| reach)
}

#[test]
fn what_clients_in_the_field_send_is_allowed() {
    let allowed = [
        ("https://claude.ai/api/mcp/auth_callback", Public),
        ("https://example.com", Public),
        ("https://example.com/callback?query=value", Public),
        ("https://example.com:8443/callback", Public),
        ("https://ai.example.com/oauth/clients/mcp:linear/callback", Public),
        ("https://chat.example.org/?no_universal_links=true", Public),
        ("HTTPS://Example.com/cb", Public),
        ("https://xn--laude-0ye.ai/cb", Public),
        ("https://8.8.8.8/cb", Public),
        ("https://[2606:4700::1111]:8443/cb", Public),
        ("https://localhost:3000/cb", Public),
        ("http://localhost", Loopback),
        ("http://localhost:63658/callback", Loopback),
        ("http://127.0.0.1", Loopback),
        ("http://127.0.0.1:50914", Loopback),
        ("http://127.0.0.1/", Loopback),
        ("http://[::1]/callback", Loopback),
        ("http://[::1]:1234/callback", Loopback),
        ("http://localhost:3000/?state=5a1c", Loopback),
        ("cursor://anysphere.cursor-mcp/oauth/callback", PrivateUse),
        ("vscode://ext/path", PrivateUse),
        ("workbuddy://workbuddy/mcp/connector%3Aatlas-cloud/oauth/callback", PrivateUse),
        ("hopperai://oauth", PrivateUse),
        ("io.element:/callback", PrivateUse),
        ("com.example.app:/oauth2redirect", PrivateUse),
        ("myapp:///oauth/callback", PrivateUse),
        ("no-dot-reverse-notation:/some", PrivateUse),
    ];
    for (text, reach) in allowed {
        assert_eq!(reach_of(text), Ok(reach), "{text}");
    }
}

#[test]
fn every_other_form_is_refused() {
    for (text, error) in REFUSED {
        assert_eq!(reach_of(text), Err(*error), "{text}");
    }
    let long_scheme = format!("{}://x/cb", "a".repeat(300));
    assert_eq!(reach_of(&long_scheme), Err(Error::Uri(UriError::SchemeTooLong)));
    let longest = format!("https://a.example/{}", "a".repeat(BYTES_MAX - 18));
    assert_eq!(reach_of(&longest), Ok(Public));
    assert_eq!(reach_of(&format!("{longest}a")), Err(Error::TooLong));
}

#[test]
fn a_private_network_is_told_from_a_public_host() {
    for text in [
        "http://192.168.1.20:3080/cb",
        "http://10.0.0.1/",
        "http://[fd00::1]/",
        "http://homeassistant.local:8123/cb",
        "http://nas/cb",
        "https://192.168.1.20/cb",
    ] {
        assert_eq!(reach_of(text), Ok(Lan), "{text}");
    }
}

#[test]
fn only_the_port_of_a_loopback_redirect_may_differ() {
    let cases = [
        ("https://a.example/cb", "https://a.example/cb", true),
        ("https://a.example/cb", "https://a.example/cb/", false),
        ("https://a.example/cb", "https://A.example/cb", false),
        ("https://a.example/cb", "https://a.example:443/cb", false),
        ("http://127.0.0.1/cb", "http://127.0.0.1:5555/cb", true),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1/cb", true),
        ("http://[::1]:1/cb", "http://[::1]:2/cb", true),
        ("http://localhost:1/cb?x=1", "http://localhost:2/cb?x=1", true),
        ("http://localhost", "http://localhost:2", true),
        ("http://localhost:1/cb", "http://127.0.0.1:1/cb", false),
        ("http://localhost:1/cb", "http://localhost:2/other", false),
        ("http://localhost:1/cb", "http://localhost:0/cb", false),
        ("http://localhost:1/cb", "http://localhost:/cb", false),
        ("http://localhost:1/cb", "http://localhost:99999/cb", false),
        ("http://localhost", "http://localhost.evil.example", false),
        ("http://localhost", "http://localhost:1@evil.example", false),
        ("cursor://x/cb", "cursor://x:1/cb", false),
    ];
    for (registered, presented, matches) in cases {
        let (uri, _) = RedirectUri::parse(registered).unwrap();
        assert_eq!(uri.matches(presented), matches, "{registered} {presented}");
    }
}

proptest! {
    #[test]
    fn what_is_echoed_is_what_was_sent(text in "(https|http|app|com\\.example):(//)?[a-z0-9.@:\\[\\]%#*]{0,12}(/[a-zA-Z0-9%._~-]{0,9}){0,3}(\\?[a-z=&]{0,9})?") {
        if let Ok((uri, _)) = RedirectUri::parse(&text) {
            prop_assert_eq!(uri.as_str(), &text);
            prop_assert!(uri.matches(&text));
            let written = serde_json::Value::from(uri.as_str());
            prop_assert_eq!(serde_json::from_value::<RedirectUri>(written).unwrap(), uri);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text: String) {
        drop(RedirectUri::parse(&text));
    }

    #[test]
    fn whoever_is_allowed_has_no_second_reading(text in "https?://[a-z0-9.%@:\\\\\\[\\]]{1,16}/") {
        if let Ok((uri, _)) = RedirectUri::parse(&text) {
            let (_, host) = uri.scheme_and_host();
            prop_assert_eq!(url::Url::parse(&text).unwrap().host_str().map(str::to_owned), Some(host.to_ascii_lowercase()));
        }
    }
}

#[test]
fn a_redirect_uri_has_the_same_host_when_it_was_sent_and_when_it_was_stored() {
    let all = [
        "https://client.example/cb",
        "https://Client.Example:8443/cb?x=1",
        "http://127.0.0.1:51004",
        "http://[::1]:3118/callback",
        "http://localhost/cb",
        "cursor://anysphere.cursor-retrieval/oauth/cb",
        "com.example.app:/oauth",
        "https://[2001:db8::1]/cb",
    ];
    for text in all {
        let Ok((sent, _)) = RedirectUri::parse(text) else { continue };
        let stored: RedirectUri = serde_json::from_value(json!(text)).unwrap();
        assert_eq!(sent.scheme_and_host(), stored.scheme_and_host(), "{text}");
        assert_eq!(sent, stored);
    }
    assert!(all.iter().filter(|text| RedirectUri::parse(text).is_ok()).count() >= 7);
}
