use crate::configuration::Permissions;

/// What somebody may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permission {
    /// Have certificates issued and stored.
    Issue,
    /// Revoke them.
    Revoke,
    /// Read certificates, folders and references.
    Read,
    /// Verify codes.
    Verify,
    /// See and run jobs, and whatever is for nobody else.
    Administer,
}

impl Permission {
    pub(super) const ALL: [Self; 5] = [
        Self::Issue,
        Self::Revoke,
        Self::Read,
        Self::Verify,
        Self::Administer,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Revoke => "revoke",
            Self::Read => "read",
            Self::Verify => "verify",
            Self::Administer => "administer",
        }
    }

    /// Whom the configuration gives it to.
    pub(super) fn granted_by(self, permissions: &Permissions) -> Vec<String> {
        match self {
            Self::Issue => &permissions.issue,
            Self::Revoke => &permissions.revoke,
            Self::Read => &permissions.read,
            Self::Verify => &permissions.verify,
            Self::Administer => &permissions.administer,
        }
        .clone()
    }
}
