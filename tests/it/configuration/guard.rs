//! The settings of guarded resources: each mistake is a fault that names the setting and the rule.

use super::*;

const TOP: &str = r#"
    [server]
    issuer = "https://door.example"
    tls_terminated_in_front = true
    [[registration.scopes]]
    scope = "tools:read"
    [[sign_in.providers]]
    id = "acme"
    name = "Acme"
    issuer = "https://login.acme.example"
    client_id = "doorward"
"#;

/// The faults of a resource with a guard of these members.
fn faults(uri: &str, guard: &str) -> String {
    let resource = format!(
        "{TOP}\n[[authorization.resources]]\nuri = \"{uri}\"\n[authorization.resources.guard]\nid = \"tools\"\n{guard}"
    );
    let given = Given::new().file("doorward.toml", resource);
    config::load(given.sources.clone()).map_or_else(|errors| errors.to_string(), |_| String::new())
}

#[test]
fn a_guard_with_rules_is_read() {
    let rules = r#"required_scopes = ["tools:read"]
        origins = ["https://app.example.com"]
        ask = "minimum"
        upstream_validates_headers = true
        rules = [
            { tools = ["delete_*"], scopes = ["tools:read"] },
            { methods = ["GET"], paths = ["/healthz"], public = true },
            { paths = ["/admin/**"], deny = true },
        ]"#;
    for uri in
        ["https://mcp.example.com/mcp", "https://mcp.example.com", "https://door.example/mcp"]
    {
        assert_eq!(faults(uri, rules), "", "{uri}");
    }
}

/// The URI of a resource, the members of its guard, the setting that is at fault, and the reason.
type Mistake = (&'static str, &'static str, &'static str, &'static str);

const URI: &str = "https://mcp.example.com/mcp";

const MISTAKES: &[Mistake] = &[
    (
        URI,
        r#"rules = [{ scopes = ["tools:read"] }]"#,
        "guard.rules[0]",
        "the rule needs tools, methods, or paths",
    ),
    (
        URI,
        r#"rules = [{ paths = ["/a"] }, { paths = ["/b"], public = true, deny = true }]"#,
        "guard.rules[1]",
        "public and deny exclude",
    ),
    (
        URI,
        r#"rules = [{ paths = ["/a"], deny = true, scopes = ["tools:read"] }]"#,
        "guard.rules[0]",
        "takes no scopes",
    ),
    (
        URI,
        r#"rules = [{ tools = ["x"], public = true }]"#,
        "guard.rules[0]",
        "a tool cannot be public",
    ),
    (
        URI,
        r#"rules = [{ paths = ["/a"] }, { tools = ["x"] }]"#,
        "guard.rules[1].tools",
        "set upstream_validates_headers",
    ),
    (
        URI,
        r#"rules = [{ paths = ["/a"], scopes = ["tools:raed"] }]"#,
        "guard.rules[0].scopes",
        "tools:raed, which registration.scopes lacks",
    ),
    (URI, r#"required_scopes = ["offline_access"]"#, "guard.required_scopes", "offline_access"),
    (URI, r#"rules = [{ paths = ["admin"] }]"#, "guard.rules[0].paths[0]", "begins with /"),
    (
        URI,
        r#"rules = [{ paths = ["/a/**/b"] }]"#,
        "guard.rules[0].paths[0]",
        "** stands at the end only",
    ),
    (
        URI,
        r#"rules = [{ paths = ["/a%20b"] }]"#,
        "guard.rules[0].paths[0]",
        "without percent-encoding",
    ),
    (URI, r#"rules = [{ paths = ["/a/../b"] }]"#, "guard.rules[0].paths[0]", "rejects . and .."),
    (URI, r#"rules = [{ paths = ["/a?b"] }]"#, "guard.rules[0].paths[0]", "a query"),
    (URI, r#"rules = [{ methods = ["get"] }]"#, "guard.rules[0].methods[0]", "in capitals"),
    (URI, r#"rules = [{ path = ["/a"] }]"#, "guard.rules[0].path", "did you mean"),
    (
        URI,
        r#"origins = ["https://app.example.com/"]"#,
        "guard.origins[0]",
        "write it as https://app.example.com",
    ),
    (URI, r#"origins = ["null"]"#, "guard.origins[0]", "an origin such as"),
    (URI, r#"ask = "some""#, "guard.ask", "\"minimum\" or \"all\""),
    ("urn:example:api", "", "authorization.resources[0].uri", "must be an http or https URL"),
    ("https://mcp.example.com/mcp?x", "", "authorization.resources[0].uri", "without a query"),
    (
        "https://MCP.example.com/mcp",
        "",
        "authorization.resources[0].uri",
        "write it as https://mcp.example.com/mcp",
    ),
    ("https://mcp.example.com/a//b", "", "authorization.resources[0].uri", "must not contain"),
    (
        "https://door.example/api",
        "",
        "authorization.resources[0].uri",
        "covers /api, which Doorward answers itself: choose another path, such as https://door.example/mcp, or a host of its own",
    ),
    (
        "https://door.example",
        "",
        "authorization.resources[0].uri",
        "https://door.example covers /.well-known",
    ),
    ("https://door.example/oauth2/tools", "", "authorization.resources[0].uri", "covers /oauth2"),
    ("https://door.example/token", "", "authorization.resources[0].uri", "covers /token"),
];

#[test]
fn each_mistake_names_its_setting_and_its_rule() {
    for (uri, guard, named, reason) in MISTAKES {
        let faults = faults(uri, guard);
        assert!(faults.contains(named) && faults.contains(reason), "{uri} {guard}: {faults}");
    }
}

#[test]
fn two_guards_have_two_ids_and_somebody_can_sign_in() {
    let second = r#"
        [[authorization.resources]]
        uri = "https://other.example.com"
        [authorization.resources.guard]
        id = "tools""#;
    let twice = faults("https://mcp.example.com", second);
    assert!(
        twice.contains("authorization.resources[1].guard.id: another guard has the id"),
        "{twice}"
    );
    let alone = "[server]\nissuer = \"http://localhost:8080\"\n[[authorization.resources]]\nuri = \"https://a.example\"\n\
        [authorization.resources.guard]\nid = \"a\"\n";
    let given = Given::new().file("doorward.toml", alone);
    let errors = config::load(given.sources.clone()).unwrap_err().to_string();
    assert!(errors.contains("authorization.resources[0].guard: set sign_in.providers"), "{errors}");
}

#[test]
fn what_is_dumped_of_a_guard_loads_again() {
    let guard = r#"required_scopes = ["tools:read"]
        rules = [{ methods = ["GET"], paths = ["/healthz"], public = true }]"#;
    let text = format!(
        "{TOP}\n[[authorization.resources]]\nuri = \"https://a.example\"\n[authorization.resources.guard]\nid = \"a\"\n{guard}"
    );
    let given = Given::new().file("doorward.toml", text);
    let config = config::load(given.sources.clone()).unwrap();
    let again = Given::new().file("dumped.toml", config.dump());
    assert_eq!(config::load(again.sources.clone()).unwrap(), config);
}

#[test]
fn a_resource_that_differs_in_a_slash_at_the_end_alone_is_refused() {
    for (first, second) in [("/mcp", "/mcp/"), ("/mcp/", "/mcp"), ("", "/")] {
        let resource = |id: &str, path: &str| {
            format!(
                "\n[[authorization.resources]]\nuri = \"https://mcp.example.com{path}\"\n\
                 [authorization.resources.guard]\nid = \"{id}\"\n"
            )
        };
        let text = format!("{TOP}{}{}", resource("one", first), resource("two", second));
        let given = Given::new().file("doorward.toml", text);
        let errors = config::load(given.sources.clone()).unwrap_err().to_string();
        let expected = format!(
            "authorization.resources[1].uri: https://mcp.example.com{first} is the same resource"
        );
        assert!(errors.contains(&expected), "{errors}");
    }
}

#[test]
fn a_resource_or_a_rule_that_covers_a_path_of_doorward_is_refused() {
    for path in ["/api", "/api/v1", "/console", "/console/x", "/oauth2", "/guard/x"] {
        let told = faults(&format!("https://door.example{path}"), "");
        assert!(told.contains("which Doorward answers itself"), "{path}: {told}");
        assert_eq!(faults(&format!("https://mcp.example.com{path}"), ""), "", "{path}");
    }
    for (pattern, covered) in
        [("/console/**", "/console"), ("/**", "/.well-known"), ("/OAUTH2/token", "/oauth2")]
    {
        let rules = format!(
            "upstream = \"http://127.0.0.1:3000/mcp\"\nrules = [{{ paths = [\"{pattern}\"], public = true }}]"
        );
        let told = faults("https://door.example/mcp", &rules);
        let expected = format!("guard.rules[0].paths: {pattern} covers {covered}, which Doorward");
        assert!(told.contains(&expected), "{pattern}: {told}");
        assert_eq!(faults("https://mcp.example.com/mcp", &rules), "", "{pattern}");
    }
}
