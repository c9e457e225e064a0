//! Changes, each written once for both databases, over a [`Transaction`](super::transaction::Transaction).
//!
//! A change that ends with one statement needs no `BEGIN`: its conditions are in the statement, and what it reads
//! afterwards only explains why nothing was changed. An event about a change belongs in the same transaction: its
//! insert is one more statement at the end of the function here that makes the change.

mod approval;
mod attempts;
mod client_edits;
mod clients;
mod events;
mod expiry;
mod families;
mod family_edits;
mod grants;
mod initial_access_tokens;
mod keys;
mod marks;
mod operator_tokens;
mod people;
mod registrations;
mod rules;
mod sessions;
mod webhooks;

pub(super) use self::{
    approval::{hold_document, reject_client},
    attempts::{note_attempts, trim_attempts},
    client_edits::{
        edit_client, reject_unchanged_client, remove_unchanged_client, restrict_unchanged_client,
    },
    clients::{
        change_standing, import_document_clients, note_client_uses, note_document_client_uses,
        put_note, remove_client, restrict_client,
    },
    events::record_events,
    expiry::{expire_clients, expire_grants, forget_events},
    families::{
        Arrived, add_arrivals, add_some_arrivals_of, check_members, count_in_families,
        import_families, put_family_use, recount_family,
    },
    family_edits::{begin_removal, edit_family, end_grants_of_clients},
    grants::{
        Ending, allow, disconnect, import_consents, keep_grants, redeem_code, repeat_or_end,
        revoke_grant, supersede_refresh_token,
    },
    initial_access_tokens::{
        add_client, create_initial_access_token, import_initial_access_tokens, register_with_token,
        revoke_initial_access_token,
    },
    keys::{forget_key, import_keys, keep_key},
    marks::{claim_mark, put_mark},
    operator_tokens::{
        create_operator_token, import_operator_tokens, note_operator_token_uses,
        revoke_operator_token,
    },
    people::{end_consents, end_grants_of_person, end_sessions_of_person},
    registrations::{remove_registration, update_registration},
    rules::{change_rules, import_rules},
    sessions::{begin_session, end_session, keep_sessions, prolong_session},
    webhooks::{advance_webhook, begin_webhooks, note_webhook_failure},
};
use super::Deleted;

/// Whether a `DELETE` found its record.
fn deleted(rows: usize) -> Deleted {
    if rows == 0 { Deleted::NotThere } else { Deleted::Forgotten }
}
