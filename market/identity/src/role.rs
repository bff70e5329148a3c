//! The six roles: presets of permissions, see [`crate::permission`].

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// One role. The names are those of the public contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Role {
    /// Uses the market.
    User,
    /// Publishes packages and other listings.
    Publisher,
    /// Operates everything.
    Admin,
    /// Deploys workloads.
    CloudUser,
    /// Brings nodes.
    CloudProvider,
    /// Sets the prices and policies of the cloud.
    CloudOperator,
}

impl Role {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 6] =
        [Self::User, Self::Publisher, Self::Admin, Self::CloudUser, Self::CloudProvider, Self::CloudOperator];

    /// The name in API, database and pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Publisher => "publisher",
            Self::Admin => "admin",
            Self::CloudUser => "cloud-user",
            Self::CloudProvider => "cloud-provider",
            Self::CloudOperator => "cloud-operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No role has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the roles are user, publisher, admin, cloud-user, cloud-provider and cloud-operator")]
pub struct NoSuchRole;

impl FromStr for Role {
    type Err = NoSuchRole;

    fn from_str(text: &str) -> Result<Self, NoSuchRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(NoSuchRole)
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// No role at all.
    pub const NONE: Self = Self(0);

    /// The set of these.
    #[must_use]
    pub const fn of(roles: &[Role]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < roles.len() {
            bits |= 1 << roles[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    /// Whether `role` is in it.
    #[must_use]
    pub const fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    /// Whether both have a role in common.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The roles, in the order they are shown.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<T: IntoIterator<Item = Role>>(roles: T) -> Self {
        roles.into_iter().fold(Self::NONE, |set, role| Self(set.0 | Self::of(&[role]).0))
    }
}

impl Serialize for Roles {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Role::name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in() {
        let set = Roles::of(&[Role::User, Role::Admin]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Role::User, Role::Admin]);
        assert_eq!(set.iter().collect::<Roles>(), set);
        assert!(!set.meets(Roles::of(&[Role::Publisher])));
        assert_eq!("cloud-user".parse(), Ok(Role::CloudUser));
        assert_eq!("Admin".parse::<Role>(), Err(NoSuchRole));
    }
}
