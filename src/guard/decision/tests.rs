//! The decision, row by row.

use super::*;
use crate::config::{self, Sources};

const RULES: &str = r#"
    { tools = ["delete_*", "send_email"], scopes = ["tools:write"] },
    { methods = ["GET"], paths = ["/healthz"], public = true },
    { paths = ["/admin/**", "/mcp/admin/**"], deny = true },
    { methods = ["DELETE"], scopes = ["tools:end"] },
"#;

/// The guard of `https://mcp.example.com/mcp` with these members beside the rules.
fn guarded(members: &str) -> Guarded {
    guarded_by("https://door.example", members)
}

fn guarded_by(issuer: &str, members: &str) -> Guarded {
    let resources = format!(
        r#"[{{ uri = "https://mcp.example.com/mcp", guard = {{ id = "tools", required_scopes = ["tools:read"],
        upstream_validates_headers = true, rules = [{RULES}], {members} }} }}]"#
    );
    let provider = r#"[{ id = "a", name = "A", issuer = "https://a.example", client_id = "c" }]"#;
    let flags = vec![
        ("server.issuer", issuer.to_owned()),
        ("server.tls_terminated_in_front", "true".to_owned()),
        ("sign_in.providers", provider.to_owned()),
        ("authorization.resources", resources),
    ];
    let config = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
    Guarded::of(&config.authorization.resources[0], &config).unwrap()
}

fn post(target: &str) -> Asked<'_> {
    Asked {
        method: "POST",
        address: "https://mcp.example.com",
        target: target.as_bytes(),
        origin: None,
        is_preflight: false,
        tool: Tool::None,
        ambiguity: None,
    }
}

fn with_scopes(scope: &str, granted: &str) -> Authorized {
    Authorized {
        subject: "acme:1".into(),
        client_id: "c1".into(),
        grant: GrantId::from_bytes([7; 16]),
        scope: scope.into(),
        granted: granted.into(),
        expires_at: Timestamp::from_millis(0),
        identity: Arc::default(),
    }
}

fn refused(decision: &Decision<'_>) -> Option<u16> {
    match decision {
        Decision::Rejected(refusal) => Some(refusal.status()),
        _ => None,
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let guarded = guarded("");
    let reader = with_scopes("tools:read", "tools:read");
    let writer = with_scopes("tools:read tools:write", "tools:read tools:write");
    let calls = |name: &'static str| Asked { tool: Tool::Called(name), ..post("/mcp") };
    let with = |method: &'static str, target: &'static str| Asked { method, ..post(target) };
    let step_up = |scope: &str| Decision::StepUp { scope: scope.into() };
    for (asked, authorized, decision, rule) in [
        (post("/mcp"), &reader, Decision::Allow(&reader), None),
        (post("/mcp/anything"), &reader, Decision::Allow(&reader), None),
        (calls("list_repos"), &reader, Decision::Allow(&reader), None),
        (calls("delete_repo"), &reader, step_up("tools:read tools:write"), Some(0)),
        (calls("delete_repo"), &writer, Decision::Allow(&writer), Some(0)),
        (calls("send_email"), &reader, step_up("tools:read tools:write"), Some(0)),
        (with("GET", "/healthz"), &reader, Decision::Public, Some(1)),
        (with("HEAD", "/healthz"), &reader, Decision::Public, Some(1)),
        (post("/healthz"), &reader, Decision::Allow(&reader), None),
        (post("/admin/users"), &writer, Decision::Denied, Some(2)),
        (post("/mcp/admin"), &writer, Decision::Denied, Some(2)),
        (post("/mcp/ADMIN/users"), &writer, Decision::Denied, Some(2)),
        (with("DELETE", "/mcp"), &writer, step_up("tools:read tools:write tools:end"), Some(3)),
        // A tool rule comes first, whatever the path.
        (
            Asked { target: b"/mcp/admin", ..calls("delete_x") },
            &writer,
            Decision::Allow(&writer),
            Some(0),
        ),
    ] {
        let decided = decide(&guarded, &asked, Presented::Valid(authorized));
        assert_eq!(decided, Decided { decision, rule }, "{asked:?}");
    }
}

#[test]
fn another_spelling_of_a_method_does_not_escape_a_rule_but_opens_no_public_one() {
    let guarded = guarded("");
    let reader = with_scopes("tools:read", "tools:read");
    let by = |method: &'static str, target: &'static str| {
        let asked = Asked { method, ..post(target) };
        decide(&guarded, &asked, Presented::Valid(&reader))
    };
    for method in ["DELETE", "delete", "Delete"] {
        let decision = Decision::StepUp { scope: "tools:read tools:end".into() };
        assert_eq!(by(method, "/mcp"), Decided { decision, rule: Some(3) }, "{method}");
    }
    for method in ["get", "Head"] {
        let decision = Decision::Allow(&reader);
        assert_eq!(by(method, "/healthz"), Decided { decision, rule: None }, "{method}");
    }
}

#[test]
fn a_scope_that_the_token_or_the_grant_lacks_is_asked_for_beside_all_that_was_granted() {
    let guarded = guarded("");
    // The token is narrower than its grant.
    let narrow = with_scopes("tools:read", "other tools:read");
    let asked = Asked { tool: Tool::Called("delete_repo"), ..post("/mcp") };
    let decision = decide(&guarded, &asked, Presented::Valid(&narrow)).decision;
    assert_eq!(decision, Decision::StepUp { scope: "other tools:read tools:write".into() });
    let none = with_scopes("", "");
    let decision = decide(&guarded, &post("/mcp"), Presented::Valid(&none)).decision;
    assert_eq!(decision, Decision::StepUp { scope: "tools:read".into() });
    // A scope is compared whole.
    let other = with_scopes("tools:reader xtools:read", "tools:reader");
    let decision = decide(&guarded, &post("/mcp"), Presented::Valid(&other)).decision;
    assert!(matches!(decision, Decision::StepUp { .. }));
}

#[test]
fn without_a_valid_token_a_client_is_told_what_to_request() {
    for (members, tool, expected) in [
        ("ask = \"all\"", Tool::None, "tools:read tools:write tools:end"),
        ("ask = \"minimum\"", Tool::None, "tools:read"),
        ("ask = \"minimum\"", Tool::Called("delete_repo"), "tools:read tools:write"),
    ] {
        let guarded = guarded(members);
        let asked = Asked { tool, ..post("/mcp") };
        for (presented, fault) in
            [(Presented::Nothing, None), (Presented::Invalid("expired"), Some("expired"))]
        {
            let decision = decide(&guarded, &asked, presented).decision;
            assert_eq!(decision, Decision::SignIn { scope: expected.into(), fault });
        }
    }
}

#[test]
fn a_store_that_does_not_answer_opens_nothing_but_public_paths() {
    let guarded = guarded("");
    let decision = decide(&guarded, &post("/mcp"), Presented::Unknown).decision;
    assert_eq!(refused(&decision), Some(503));
    let public = Asked { method: "GET", ..post("/healthz") };
    assert_eq!(decide(&guarded, &public, Presented::Unknown).decision, Decision::Public);
}

#[test]
fn requests_with_two_readings_and_requests_for_others_are_refused_before_any_rule() {
    let guarded = guarded("");
    let all = with_scopes("tools:read tools:write tools:end", "");
    for (asked, status) in [
        (post("/mcp/../admin"), 400),
        (post("/%68ealthz"), 400),
        (post("//mcp"), 400),
        (Asked { ambiguity: Some("Host is repeated"), ..post("/mcp") }, 400),
        (Asked { tool: Tool::Hidden("no header names it"), ..post("/mcp") }, 400),
        (post("/mcpx"), 404),
        (post("/MCP"), 404),
        (post("/"), 404),
        (Asked { address: "https://other.example.com", ..post("/mcp") }, 421),
        (Asked { address: "https://mcp.example.com:8443", ..post("/mcp") }, 421),
        (Asked { address: "mcp.example.com", ..post("/mcp") }, 421),
    ] {
        let decision = decide(&guarded, &asked, Presented::Valid(&all)).decision;
        assert_eq!(refused(&decision), Some(status), "{asked:?}");
    }
    for address in ["https://MCP.example.com:443", "http://mcp.example.com"] {
        let asked = Asked { address, ..post("/mcp") };
        let decision = decide(&guarded, &asked, Presented::Valid(&all)).decision;
        assert_eq!(decision, Decision::Allow(&all), "{address}");
    }
}

#[test]
fn pages_of_other_origins_are_refused_even_on_public_paths() {
    let guarded_here = guarded(r#"origins = ["https://app.example.com"]"#);
    let decision = |guarded: &Guarded, origin: &'static str, is_preflight| {
        let asked = Asked {
            method: if is_preflight { "OPTIONS" } else { "GET" },
            origin: Some(origin.as_bytes()),
            is_preflight,
            ..post("/healthz")
        };
        let decided = decide(guarded, &asked, Presented::Nothing).decision;
        assert!(refused(&decided).is_none_or(|status| status == 403), "{decided:?}");
        refused(&decided).is_none()
    };
    for is_preflight in [false, true] {
        for origin in ["https://mcp.example.com", "https://app.example.com"] {
            assert!(decision(&guarded_here, origin, is_preflight), "{origin}");
        }
        for origin in [
            "null",
            "",
            "https://evil.example",
            "https://app.example.com:444",
            "http://mcp.example.com",
            "http://127.0.0.1:3000",
            "https://APP.example.com",
        ] {
            assert!(!decision(&guarded_here, origin, is_preflight), "{origin}");
        }
    }
    // A server for development, on this machine.
    let development = guarded_by("http://127.0.0.1:8080", "");
    for origin in ["http://localhost:6274", "http://127.0.0.1", "http://[::1]:3000"] {
        assert!(decision(&development, origin, false), "{origin}");
    }
    for origin in ["https://evil.example", "http://localhost.evil.example", "null"] {
        assert!(!decision(&development, origin, false), "{origin}");
    }
}

#[test]
fn without_tool_rules_it_does_not_matter_which_tool_is_called() {
    let mut guarded = guarded("");
    let reader = with_scopes("tools:read", "tools:read");
    let asked = Asked { tool: Tool::Hidden("no header names it"), ..post("/mcp") };
    let decision = decide(&guarded, &asked, Presented::Valid(&reader)).decision;
    assert_eq!(refused(&decision), Some(400));
    // A rule before it decides without the tool.
    guarded.settings.rules.rotate_left(1);
    let healthz = Asked { method: "GET", target: b"/healthz", ..asked.clone() };
    let decision = decide(&guarded, &healthz, Presented::Nothing).decision;
    assert_eq!(decision, Decision::Public);
    guarded.settings.rules.retain(|rule| rule.tools.is_empty());
    let decision = decide(&guarded, &asked, Presented::Valid(&reader)).decision;
    assert_eq!(decision, Decision::Allow(&reader));
}

#[test]
fn a_preflight_of_a_denied_path_is_denied_and_any_other_needs_no_token() {
    let guarded = guarded("");
    let preflight = |target: &'static str| Asked {
        method: "OPTIONS",
        origin: Some(b"https://mcp.example.com"),
        is_preflight: true,
        ..post(target)
    };
    for (target, expected) in [
        ("/mcp", Decision::Preflight),
        ("/healthz", Decision::Preflight),
        ("/admin/users", Decision::Denied),
        ("/mcp/ADMIN", Decision::Denied),
    ] {
        let decided = decide(&guarded, &preflight(target), Presented::Nothing);
        assert_eq!(decided.decision, expected, "{target}");
    }
}

#[test]
fn a_tool_that_a_rule_names_in_another_case_is_refused() {
    let guarded = guarded("");
    let all = with_scopes("tools:read tools:write", "");
    let call = |name: &'static str| {
        let asked = Asked { tool: Tool::Called(name), ..post("/mcp") };
        decide(&guarded, &asked, Presented::Valid(&all)).decision
    };
    assert_eq!(call("delete_repo"), Decision::Allow(&all));
    for name in ["Delete_repo", "DELETE_REPO", "Send_Email"] {
        assert_eq!(call(name), Decision::Rejected(Rejection::ToolCase), "{name}");
    }
    assert_eq!(call("Send_Email2"), Decision::Allow(&all));
}

#[test]
fn a_rule_that_restricts_also_names_the_path_that_the_upstream_gets() {
    let mut guarded = guarded("");
    guarded.upstream_path = Some("/v1".into());
    let rule = |members: &str| {
        let rule = format!(
            r#"[{{ uri = "https://x.example", guard = {{ id = "x", rules = [{{ {members} }}] }} }}]"#
        );
        let flags = vec![("authorization.resources", rule)];
        let config = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
        config.authorization.resources[0].guard.clone().unwrap().rules.remove(0)
    };
    let reader = with_scopes("tools:read", "tools:read");
    let mut decided = |rules: &[&str], target: &str| {
        guarded.settings.rules = rules.iter().map(|members| rule(members)).collect();
        let asked = Asked { target: target.as_bytes(), ..post("/mcp") };
        format!("{:?}", decide(&guarded, &asked, Presented::Valid(&reader)).decision)
    };
    let upstream_path_denied = r#"paths = ["/v1/admin/**"], deny = true"#;
    assert_eq!(decided(&[upstream_path_denied], "/mcp/admin/x"), "Denied");
    assert_eq!(decided(&[upstream_path_denied], "/v1/admin/x"), "Denied");
    assert!(decided(&[upstream_path_denied], "/mcp/other").starts_with("Allow"));
    let own_path_denied = r#"paths = ["/mcp/admin/**"], deny = true"#;
    let opens = r#"paths = ["/v1/**"], public = true"#;
    assert_eq!(decided(&[own_path_denied, opens], "/v1/admin/x"), "Denied", "it is the same path");
    assert_eq!(decided(&[own_path_denied, opens], "/v1/other"), "Public");
    assert!(
        decided(&[own_path_denied, opens], "/mcp/other").starts_with("Allow"),
        "as it was sent"
    );
}
