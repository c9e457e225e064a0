//! The standard variables of OpenTelemetry, read as settings of `[traces]`: stronger than files, weaker than
//! `DOORWARD_` variables.
//!
//! Many platforms set these variables for every process. They therefore count only where they, or a setting, say where
//! spans go: otherwise a value that is meant for other programs could keep the server from starting.

use super::{
    fault::Faults,
    setting::{Setting, setting},
    source::{Origin, Variable},
    values::Values,
};

/// What every standard variable begins with.
pub(super) const PREFIX: &str = "OTEL_";

/// Where the specification of OTLP has a collector listen, for `OTEL_TRACES_EXPORTER=otlp` alone.
const DEFAULT_ENDPOINT: &str = "http://localhost:4318/v1/traces";

/// Variables and their settings; the more specific one comes later, and wins.
const STANDARD: [(&str, &str); 12] = [
    ("OTEL_SERVICE_NAME", "traces.service_name"),
    ("OTEL_RESOURCE_ATTRIBUTES", "traces.resource_attributes"),
    ("OTEL_TRACES_SAMPLER", "traces.sampler"),
    ("OTEL_TRACES_SAMPLER_ARG", "traces.sampler_ratio"),
    ("OTEL_BSP_SCHEDULE_DELAY", "traces.delay_milliseconds"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "traces.queue_max"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "traces.batch_max"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "traces.headers"),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "traces.headers"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "traces.timeout_milliseconds"),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "traces.timeout_milliseconds"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ENDPOINT),
];

const ENDPOINT: &str = "traces.endpoint";

/// What the standard variables say, in the order in which later values win. `values` has what files say.
pub(super) fn standard_variables(
    environment: &[(String, String)],
    values: &Values<'_>,
    faults: &mut Faults,
) -> Vec<Variable> {
    let given = |wanted: &str| {
        // An empty value counts as none (OpenTelemetry specification, "Parsing empty value").
        let found = environment.iter().find(|(name, text)| name == wanted && !text.is_empty());
        found.map(|(_, text)| text.as_str())
    };
    let off = |name| Vec::from_iter(variable(name, ENDPOINT, String::new()));
    if given("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return off("OTEL_SDK_DISABLED");
    }
    let mut found = Vec::new();
    match given("OTEL_TRACES_EXPORTER") {
        Some("none") => return off("OTEL_TRACES_EXPORTER"),
        Some("otlp") if !is_set(values) => {
            found.extend(variable("OTEL_TRACES_EXPORTER", ENDPOINT, DEFAULT_ENDPOINT.to_owned()));
        }
        _ => {}
    }
    if let Some(base) = given("OTEL_EXPORTER_OTLP_ENDPOINT") {
        let url = format!("{}/v1/traces", base.strip_suffix('/').unwrap_or(base));
        found.extend(variable("OTEL_EXPORTER_OTLP_ENDPOINT", ENDPOINT, url));
    }
    let of_table = STANDARD.iter().filter_map(|(name, key)| {
        given(name).and_then(|text| variable(name, key, text.to_owned()))
    });
    found.extend(of_table);
    let is_own = environment.iter().any(|(name, _)| name == "DOORWARD_TRACES__ENDPOINT");
    if !is_own && !is_set(values) && !found.iter().any(|it| it.setting.key == ENDPOINT) {
        return Vec::new();
    }
    refuse_unsupported(given, faults);
    found
}

/// Whether files say where spans go.
fn is_set(values: &Values<'_>) -> bool {
    values.origin(ENDPOINT).is_some_and(|(origin, _)| !matches!(origin, Origin::Default))
}

fn variable(name: &str, key: &str, text: String) -> Option<Variable> {
    let setting: &'static Setting = setting(key)?;
    Some(Variable { setting, name: name.to_owned(), text, file: None })
}

/// Spans that go where no one understands them would be lost without a word.
fn refuse_unsupported<'a>(given: impl Fn(&str) -> Option<&'a str>, faults: &mut Faults) {
    let protocols = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
    let protocol = protocols.iter().find_map(|name| Some((*name, given(name)?)));
    let compressions = ["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"];
    let compression = compressions.iter().find_map(|name| Some((*name, given(name)?)));
    let exporter = given("OTEL_TRACES_EXPORTER").map(|value| ("OTEL_TRACES_EXPORTER", value));
    for (used, supported) in
        [(protocol, "http/protobuf"), (compression, "none"), (exporter, "otlp")]
    {
        if let Some((name, _)) = used.filter(|(_, value)| *value != supported) {
            let what = format_args!("only {supported} is supported; set it in this process alone");
            faults.add(Origin::Variable { name }, 0, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Sources, load};

    fn loaded(environment: &[(&str, &str)]) -> Result<Config, String> {
        let environment =
            environment.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let sources =
            Sources { dev: true, environment: environment.collect(), ..Sources::default() };
        load(sources).map_err(|errors| errors.to_string())
    }

    fn endpoint(environment: &[(&str, &str)]) -> Option<String> {
        loaded(environment).unwrap().traces.endpoint.map(|url| url.to_string())
    }

    #[test]
    fn the_standard_variables_say_where_spans_go() {
        for (environment, expected) in [
            (&[][..], None),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], None),
            (
                &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318")],
                Some("http://otel:4318/v1/traces"),
            ),
            (
                &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318/a/")],
                Some("http://otel:4318/a/v1/traces"),
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4318/spans"),
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318"),
                ],
                Some("http://traces:4318/spans"),
            ),
            (&[("OTEL_TRACES_EXPORTER", "otlp")], Some("http://localhost:4318/v1/traces")),
            (
                &[
                    ("OTEL_TRACES_EXPORTER", "none"),
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318"),
                ],
                None,
            ),
            (
                &[
                    ("OTEL_SDK_DISABLED", "TRUE"),
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318"),
                ],
                None,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318"),
                    ("DOORWARD_TRACES__ENDPOINT", "http://own:4318/v1/traces"),
                ],
                Some("http://own:4318/v1/traces"),
            ),
        ] {
            assert_eq!(endpoint(environment).as_deref(), expected, "{environment:?}");
        }
    }

    #[test]
    fn a_variable_for_other_programs_does_not_keep_a_server_without_traces_from_starting() {
        let of_others = [("OTEL_TRACES_SAMPLER", "xray"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
        assert!(loaded(&of_others).is_ok());
        let on = [&of_others[..], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4317")]].concat();
        let faults = loaded(&on).unwrap_err();
        assert!(faults.contains("OTEL_TRACES_SAMPLER: "), "{faults}");
        assert!(
            faults.contains("OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is supported"),
            "{faults}"
        );
    }

    #[test]
    fn headers_of_a_standard_variable_are_a_secret() {
        let config = loaded(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otel.example"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hush"),
        ]);
        let config = config.unwrap();
        assert!(!config.dump().contains("hush"));
        assert!(!format!("{config:?}").contains("hush"));
    }
}
