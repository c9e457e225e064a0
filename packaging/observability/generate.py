#!/usr/bin/env python3
"""Writes the Grafana dashboards in `dashboards/`. Each panel is one row below; layout and style are the same for all."""

import json
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"

SELECTED = 'job="$job", instance=~"$instance"'
RATE = "$__rate_interval"


def rate(metric, by="", labels=""):
    """The rate of a counter per second, summed over what `by` leaves out."""
    summed = f"sum by ({by})" if by else "sum"
    return f"{summed} (rate({metric}{{{SELECTED}{labels}}}[{RATE}]))"


def quantiles(metric, by, labels=""):
    """The median and the 99th percentile of a histogram."""
    of = f"sum by ({by}, le) (rate({metric}_bucket{{{SELECTED}{labels}}}[{RATE}]))"
    return [
        (f"histogram_quantile(0.5, {of})", f"{{{{{by}}}}} 50 %"),
        (f"histogram_quantile(0.99, {of})", f"{{{{{by}}}}} 99 %"),
    ]


def gauge(metric, labels=""):
    return f"{metric}{{{SELECTED}{labels}}}"


REGISTER = ', route=~"/oauth2/register|/api/v2/oauth2/register"'

# File, title, and panels: title, unit, and queries with their legends.
DASHBOARDS = [
    ("overview", "Doorward: overview", [
        ("Nodes that answer", "short", [('sum (up{job="$job"})', "nodes")]),
        ("Release", "short", [(f'count by (version) ({gauge("doorward_build_info")})', "{{version}}")]),
        ("Registered clients", "short", [('max by (standing) (doorward_clients{job="$job"})', "{{standing}}")]),
        ("Requests by status", "reqps", [(rate("doorward_http_requests_total", "status"), "{{status}}")]),
        ("Server errors by route", "reqps", [
            (rate("doorward_http_requests_total", "route", ', status="5xx"') + " > 0 or vector(0)", "{{route}}"),
        ]),
        ("Latency of registrations", "s", quantiles("doorward_http_request_duration_seconds", "route", REGISTER)),
        ("Latency of tokens", "s",
         quantiles("doorward_http_request_duration_seconds", "route", ', route="/oauth2/token"')),
        ("Registrations by outcome", "reqps", [(rate("doorward_registrations_total", "outcome"), "{{outcome}}")]),
        ("Requests in progress", "short", [(gauge("doorward_http_requests_in_flight"), "{{instance}}")]),
        ("Open connections", "short", [(gauge("doorward_connections_open"), "{{instance}}")]),
        ("Resident memory", "bytes", [(gauge("process_resident_memory_bytes"), "{{instance}}")]),
        ("Webhooks", "s", [
            ('max by (webhook) (doorward_webhook_lag_seconds{job="$job"})', "{{webhook}} lag"),
            (rate("doorward_webhook_deliveries_total", "webhook, outcome"), "{{webhook}} {{outcome}}"),
        ]),
        ("Uptime", "s", [(f'time() - {gauge("process_start_time_seconds")}', "{{instance}}")]),
    ]),
    ("abuse", "Doorward: abuse", [
        ("Refused registrations by reason", "reqps", [
            (rate("doorward_registrations_refused_total", "reason"), "{{reason}}"),
        ]),
        ("Refused registrations by door", "reqps", [
            (rate("doorward_registrations_refused_total", "profile"), "{{profile}}"),
        ]),
        ("Registrations at a rate limit", "reqps", [
            (rate("doorward_registrations_refused_total", "reason", ', reason=~".*_limit"'), "{{reason}}"),
        ]),
        ("Clients that matched an admission rule", "short", [
            (rate("doorward_admission_rule_hits_total", "rule, mode"), "{{rule}} ({{mode}})"),
        ]),
        ("Failures at tokens and authorization", "reqps", [
            (rate("doorward_rate_limit_failures_total", "outcome"), "{{outcome}}"),
        ]),
        ("Metadata documents", "reqps", [(rate("doorward_client_documents_total", "outcome"), "{{outcome}}")]),
        ("Connections that the server closed", "short", [
            (rate("doorward_connections_closed_total", "reason"), "{{reason}}"),
        ]),
        ("Memory that callers hold", "bytes", [(gauge("doorward_connections_held_bytes"), "{{instance}}")]),
        ("Clients that wait for approval or are blocked", "short", [
            ('max by (standing) (doorward_clients{job="$job", standing!="active"})', "{{standing}}"),
        ]),
        ("Limits shared through Redis", "short", [
            (gauge("doorward_rate_limit_redis_connected"), "{{instance}} connected"),
            (rate("doorward_rate_limit_redis_requests_total", "outcome"), "{{outcome}}"),
        ]),
    ]),
    ("tokens", "Doorward: tokens and sign-ins", [
        ("Tokens issued", "reqps", [(rate("doorward_tokens_issued_total", "grant_type"), "{{grant_type}}")]),
        ("Refreshes by outcome", "reqps", [(rate("doorward_refreshes_total", "outcome"), "{{outcome}}")]),
        ("Codes and tokens used again", "short", [
            (f'sum by (kind) (increase(doorward_used_again_total{{{SELECTED}}}[1h]))', "{{kind}} in an hour"),
        ]),
        ("Sign-ins by outcome", "reqps", [
            (rate("doorward_sign_ins_total", "kind, provider, outcome"), "{{kind}} {{provider}} {{outcome}}"),
        ]),
        ("Failed sign-ins by provider", "percentunit", [
            (rate("doorward_sign_ins_total", "provider", ', kind="provider", outcome="failed"') + " / "
             + rate("doorward_sign_ins_total", "provider", ', kind="provider"'), "{{provider}}"),
        ]),
        ("Requests of introspection and revocation", "reqps", [
            (rate("doorward_http_requests_total", "route, status",
                  ', route=~"/oauth2/(introspect|revoke)"'), "{{route}} {{status}}"),
        ]),
        ("Latency by route", "s", quantiles("doorward_http_request_duration_seconds", "route",
                                            ', route=~"/oauth2/(authorize|consent|token|introspect)"')),
        ("Expired records deleted", "short", [(rate("doorward_sweep_forgotten_total", "kind"), "{{kind}}")]),
    ]),
    ("store", "Doorward: store", [
        ("Wait for the store", "s", quantiles("doorward_store_operation_duration_seconds", "operation")),
        ("Calls of the store", "reqps", [
            (rate("doorward_store_operation_duration_seconds_count", "operation"), "{{operation}}"),
        ]),
        ("Queues", "percentunit", [
            (f'{gauge("doorward_store_queue_length")} / {gauge("doorward_store_queue_capacity")}',
             "{{instance}} {{queue}}"),
        ]),
        ("Free disk space", "bytes", [(gauge("doorward_store_disk_free_bytes"), "{{instance}}")]),
        ("Time since the last sweep", "s", [
            (f'time() - ({gauge("doorward_sweep_ended_timestamp_seconds")} > 0)', "{{instance}} {{kind}}"),
        ]),
        ("Failed sweeps and dropped uses", "short", [
            (rate("doorward_sweep_failures_total", "kind"), "sweeps of {{kind}}"),
            (rate("doorward_client_uses_dropped_total"), "uses of clients"),
        ]),
        ("Connections to PostgreSQL", "short", [
            (gauge("doorward_postgres_connections"), "{{instance}} {{state}}"),
            (gauge("doorward_postgres_waiting"), "{{instance}} waiting"),
        ]),
        ("Size of batches in PostgreSQL", "short", [
            (rate("doorward_postgres_batched_registrations_total", "instance") + " / "
             + rate("doorward_postgres_batches_total", "instance"), "{{instance}}"),
        ]),
        ("Retries and lost answers of PostgreSQL", "short", [
            (rate("doorward_postgres_retries_total"), "retries"),
            (rate("doorward_postgres_lost_answers_total", "outcome"), "lost answers, {{outcome}}"),
            (rate("doorward_postgres_connections_discarded_total"), "closed connections"),
        ]),
        ("Log lines dropped", "short", [(rate("doorward_log_lines_dropped_total", "instance"), "{{instance}}")]),
        ("Certificate reloads", "short", [
            (f'sum by (outcome) (increase(doorward_certificate_reloads_total{{{SELECTED}}}[1h]))', "{{outcome}}"),
        ]),
    ]),
]  # fmt: skip

SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def panel(position, title, unit, queries):
    targets = [
        {"datasource": SOURCE, "expr": query, "legendFormat": legend, "refId": "ABCDEF"[index]}
        for index, (query, legend) in enumerate(queries)
    ]
    return {
        "id": position + 1,
        "title": title,
        "type": "timeseries",
        "datasource": SOURCE,
        "gridPos": {"h": 8, "w": 8, "x": position % 3 * 8, "y": position // 3 * 8},
        "fieldConfig": {
            "defaults": {"unit": unit, "min": 0, "custom": {"fillOpacity": 10, "showPoints": "never"}},
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": targets,
    }


def variable(name, label, query, several=False):
    return {
        "name": name, "label": label, "type": "query", "datasource": SOURCE, "refresh": 2, "sort": 1,
        "query": {"query": query, "refId": name}, "definition": query,
        "multi": several, "includeAll": several, "allValue": ".*" if several else None,
        "current": {"text": "All", "value": "$__all"} if several else {},
    }  # fmt: skip


def dashboard(name, title, panels):
    return {
        "uid": f"doorward-{name}",
        "title": title,
        "tags": ["doorward"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["doorward"], "title": "Doorward", "asDropdown": False, "keepTime": True}],
        "templating": {"list": [
            {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}},
            variable("job", "Job", "label_values(doorward_build_info, job)"),
            variable("instance", "Node", 'label_values(doorward_build_info{job="$job"}, instance)', several=True),
        ]},
        "panels": [panel(position, *row) for position, row in enumerate(panels)],
    }  # fmt: skip


def files():
    """The text of each dashboard, by its path."""
    return {
        FOLDER / f"{name}.json": json.dumps(dashboard(name, title, panels), indent=1, ensure_ascii=False) + "\n"
        for name, title, panels in DASHBOARDS
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
