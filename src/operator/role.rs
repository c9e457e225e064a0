//! Roles and scopes: one table says which role has which scope.

use std::{fmt, str::FromStr};

use crate::audit::words;

words! {
    /// What an operator may do, from least to most.
    pub enum Role {
        /// Reads.
        Viewer = "viewer",
        /// Also approves, suspends, revokes, and restricts.
        Operator = "operator",
        /// Also removes clients, and manages tokens and keys.
        Admin = "admin",
    }
}

words! {
    /// A permission at the operator API.
    pub enum OperatorScope {
        /// Read which clients people have authorized.
        AuthorizedAppsRead = "org_authorized_apps_read",
        /// Disable authorized clients and revoke what people have allowed.
        AuthorizedAppsWrite = "org_authorized_apps_write",
        /// Read audit events.
        AuditRead = "audit_read",
        /// Read clients and grants.
        ClientsRead = "clients_read",
        /// Change the standing and the note of clients, and revoke grants.
        ClientsWrite = "clients_write",
        /// Remove clients, and manage tokens and keys.
        Admin = "admin",
    }
}

impl OperatorScope {
    /// The least role that has the scope.
    pub const fn least_role(self) -> Role {
        match self {
            Self::AuthorizedAppsRead | Self::AuditRead | Self::ClientsRead => Role::Viewer,
            Self::AuthorizedAppsWrite | Self::ClientsWrite => Role::Operator,
            Self::Admin => Role::Admin,
        }
    }

    /// Whether it changes anything.
    pub fn changes(self) -> bool {
        self.least_role() > Role::Viewer
    }
}

impl Role {
    /// Whether the role has a scope.
    pub fn has(self, scope: OperatorScope) -> bool {
        scope.least_role() <= self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_the_scopes_of_the_one_below_and_some_more() {
        let scopes = |role: Role| -> Vec<&str> {
            let had = OperatorScope::ALL.iter().filter(|scope| role.has(**scope));
            had.map(|scope| scope.as_str()).collect()
        };
        let viewer = ["org_authorized_apps_read", "audit_read", "clients_read"];
        assert_eq!(scopes(Role::Viewer), viewer);
        assert_eq!(
            scopes(Role::Operator),
            [
                "org_authorized_apps_read",
                "org_authorized_apps_write",
                "audit_read",
                "clients_read",
                "clients_write",
            ]
        );
        assert_eq!(scopes(Role::Admin).len(), OperatorScope::ALL.len());
    }
}
