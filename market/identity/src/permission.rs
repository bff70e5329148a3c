//! Who may do what to what: one small table, and the relations of an account to things.

use crate::account::UserId;
use crate::actor::Actor;
use crate::orgs::OrgRole;
use crate::role::{Role, Roles};
use crate::scope::Scope;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See things that are not for everybody.
    Read,
    /// Publish a listing or change one. Whether it is one's own, the room that owns it says.
    Publish,
    /// Change an account: profile, password, tokens, sessions.
    EditAccount,
    /// Found an organisation.
    CreateOrganisation,
    /// See who belongs to an organisation.
    SeeOrganisation,
    /// Change an organisation's members, teams and grants.
    ManageOrganisation,
    /// Decide over owners, or end the organisation.
    OwnOrganisation,
    /// Run workloads.
    Deploy,
    /// Bring nodes to the cloud.
    ProvideNodes,
    /// Set prices and policies of the cloud.
    OperateCloud,
    /// Read everybody's audit trail.
    ReadAudit,
    /// Create and disable users, grant roles, revoke tokens.
    ManageUsers,
    /// See the background work, try it again, stop it.
    OperateJobs,
    /// List things for sale, change their prices, see their sales. Whether a listing is one's own, the room says.
    Sell,
    /// Sell on a single thing that one owns, such as a ticket.
    Resell,
    /// Spend the account's money: order, pay, subscribe, top up.
    Buy,
    /// Set fees, decide refunds and disputes, read everybody's money.
    OperateMarket,
}

/// To what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The market as a whole.
    Market,
    /// An account.
    Account(&'a UserId),
    /// An organisation, by name.
    Organisation(&'a str),
    /// A thing of another room: the kind as in a token's restrictions (`packages`), and its name.
    Thing(&'static str, &'a str),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The token lacks this scope.
    #[error("the token lacks the scope `{}`", .0.name())]
    Scope(Scope),
    /// The token is restricted to other things.
    #[error("the token may not be used on this")]
    Restricted,
    /// None of the account's roles allows it.
    #[error("none of the account's roles allows this")]
    Role,
    /// The thing belongs to somebody else.
    #[error("this belongs to somebody else")]
    NotYours,
}

const EVERYBODY: Roles = Roles::of(&Role::ALL);
const ADMIN: Roles = Roles::of(&[Role::Admin]);

/// The scope a token needs and the roles of which one is needed.
const fn needs(action: Action) -> (Scope, Roles) {
    match action {
        Action::Read | Action::SeeOrganisation => (Scope::Read, EVERYBODY),
        Action::Publish => (Scope::Publish, Roles::of(&[Role::Publisher, Role::Admin])),
        Action::EditAccount
        | Action::CreateOrganisation
        | Action::ManageOrganisation
        | Action::OwnOrganisation => (Scope::Account, EVERYBODY),
        Action::Deploy => (Scope::Publish, Roles::of(&[Role::CloudUser, Role::User, Role::Admin])),
        Action::ProvideNodes => (Scope::Publish, Roles::of(&[Role::CloudProvider, Role::Admin])),
        Action::OperateCloud => (Scope::Admin, Roles::of(&[Role::CloudOperator, Role::Admin])),
        Action::Sell => (Scope::Publish, Roles::of(&[Role::Publisher, Role::Admin])),
        Action::Resell => (Scope::Publish, EVERYBODY),
        Action::Buy => (Scope::Buy, EVERYBODY),
        Action::ReadAudit | Action::ManageUsers | Action::OperateJobs | Action::OperateMarket => {
            (Scope::Admin, ADMIN)
        }
    }
}

/// The standing in an organisation that an action on it needs.
const fn needed_standing(action: Action) -> OrgRole {
    match action {
        Action::OwnOrganisation => OrgRole::Owner,
        Action::ManageOrganisation => OrgRole::Admin,
        _ => OrgRole::Member,
    }
}

/// Whether `actor` may do `action` to `subject`.
///
/// # Errors
/// [`Denied`] with the first reason found.
pub fn can(actor: &Actor, action: Action, subject: &Subject<'_>) -> Result<(), Denied> {
    let (scope, roles) = needs(action);
    if !actor.scopes.has(scope) {
        return Err(Denied::Scope(scope));
    }
    if !actor.roles.meets(roles) {
        return Err(Denied::Role);
    }
    // An admin's token needs the scope `admin` to reach into what is not the admin's own.
    let operates = actor.roles.has(Role::Admin) && actor.scopes.has(Scope::Admin);
    match subject {
        Subject::Market => Ok(()),
        Subject::Account(user) if **user == actor.user || operates => Ok(()),
        Subject::Account(_) => Err(Denied::NotYours),
        Subject::Organisation(name) if !actor.scopes.covers("organisations", name) => Err(Denied::Restricted),
        Subject::Organisation(name) => match actor.standing_in(name) {
            Some(standing) if standing >= needed_standing(action) => Ok(()),
            _ if operates => Ok(()),
            _ => Err(Denied::NotYours),
        },
        Subject::Thing(kind, name) if actor.scopes.covers(kind, name) => Ok(()),
        Subject::Thing(..) => Err(Denied::Restricted),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::account::OrgId;
    use crate::actor::{Membership, Via};
    use crate::scope::Scopes;

    fn actor(roles: &[Role], scopes: &str, standing: Option<OrgRole>) -> Actor {
        let membership = standing.map(|role| Membership { id: OrgId::fresh(), org: "acme".into(), role });
        Actor {
            user: UserId::fresh(),
            username: "ada".into(),
            roles: Roles::of(roles),
            scopes: scopes.parse().unwrap(),
            via: Via::System,
            memberships: membership.into_iter().collect(),
        }
    }

    const ALL: &str = "read publish buy account admin";

    #[test]
    fn the_roles_are_presets_of_permissions() {
        let cases = [
            (Action::Publish, Role::User, Err(Denied::Role)),
            (Action::Publish, Role::Publisher, Ok(())),
            (Action::ManageUsers, Role::Publisher, Err(Denied::Role)),
            (Action::ManageUsers, Role::CloudOperator, Err(Denied::Role)),
            (Action::ManageUsers, Role::Admin, Ok(())),
            (Action::ProvideNodes, Role::CloudUser, Err(Denied::Role)),
            (Action::ProvideNodes, Role::CloudProvider, Ok(())),
            (Action::OperateCloud, Role::CloudOperator, Ok(())),
            (Action::Deploy, Role::CloudUser, Ok(())),
            (Action::Deploy, Role::CloudProvider, Err(Denied::Role)),
            (Action::Sell, Role::User, Err(Denied::Role)),
            (Action::Sell, Role::Publisher, Ok(())),
            (Action::Resell, Role::User, Ok(())),
            (Action::Buy, Role::User, Ok(())),
            (Action::OperateMarket, Role::Publisher, Err(Denied::Role)),
            (Action::OperateMarket, Role::Admin, Ok(())),
        ];
        for (action, role, expected) in cases {
            assert_eq!(
                can(&actor(&[role], ALL, None), action, &Subject::Market),
                expected,
                "{action:?} {role}"
            );
        }
    }

    #[test]
    fn a_token_never_exceeds_its_scopes() {
        let admin = actor(&[Role::Admin], "read publish account", None);
        let other = UserId::fresh();
        assert_eq!(can(&admin, Action::ManageUsers, &Subject::Market), Err(Denied::Scope(Scope::Admin)));
        assert_eq!(can(&admin, Action::EditAccount, &Subject::Account(&other)), Err(Denied::NotYours));
        let narrow = actor(&[Role::Publisher], "publish packages:@acme/*", None);
        assert_eq!(can(&narrow, Action::Publish, &Subject::Thing("packages", "@acme/x")), Ok(()));
        assert_eq!(can(&narrow, Action::Publish, &Subject::Thing("packages", "x")), Err(Denied::Restricted));
        assert_eq!(
            can(&narrow, Action::EditAccount, &Subject::Account(&narrow.user)),
            Err(Denied::Scope(Scope::Account))
        );
    }

    #[test]
    fn standing_decides_within_an_organisation() {
        let acme = Subject::Organisation("acme");
        let cases = [
            (None, Action::SeeOrganisation, Err(Denied::NotYours)),
            (Some(OrgRole::Member), Action::SeeOrganisation, Ok(())),
            (Some(OrgRole::Member), Action::ManageOrganisation, Err(Denied::NotYours)),
            (Some(OrgRole::Admin), Action::ManageOrganisation, Ok(())),
            (Some(OrgRole::Admin), Action::OwnOrganisation, Err(Denied::NotYours)),
            (Some(OrgRole::Owner), Action::OwnOrganisation, Ok(())),
        ];
        for (standing, action, expected) in cases {
            assert_eq!(
                can(&actor(&[Role::User], ALL, standing), action, &acme),
                expected,
                "{standing:?} {action:?}"
            );
        }
        assert_eq!(can(&actor(&[Role::Admin], ALL, None), Action::OwnOrganisation, &acme), Ok(()));
    }

    #[test]
    fn an_account_without_roles_may_do_nothing() {
        let nobody = actor(&[], ALL, Some(OrgRole::Owner));
        assert_eq!(can(&nobody, Action::Read, &Subject::Market), Err(Denied::Role));
        assert_eq!(Scopes::all().to_string(), ALL);
    }
}
