//! What this room tells the others.

use events::{Audience, DomainEvent};
use identity::AccountId;
use serde::Serialize;

use crate::deployment::{Deployment, Status};
use crate::{DeploymentId, ServiceId};

macro_rules! deployment_event {
    ($(#[$meta:meta])* $name:ident, $kind:literal, $summary:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct $name<'a> {
            deployment_id: &'a DeploymentId,
            account: &'a AccountId,
            service_id: &'a ServiceId,
            name: &'a str,
            plan: &'a str,
            region: &'a str,
            status: Status,
            reason: &'a str,
            #[serde(skip)]
            version: i64,
        }

        impl<'a> $name<'a> {
            pub(crate) fn of(deployment: &'a Deployment) -> Self {
                Self {
                    deployment_id: &deployment.id,
                    account: &deployment.owner,
                    service_id: &deployment.service,
                    name: &deployment.name,
                    plan: &deployment.plan.id,
                    region: &deployment.region,
                    status: deployment.status,
                    reason: &deployment.reason,
                    version: deployment.version,
                }
            }
        }

        impl DomainEvent for $name<'_> {
            const TYPE: &'static str = $kind;
            fn subject(&self) -> &str {
                self.deployment_id.as_str()
            }
            fn version(&self) -> i64 {
                self.version
            }
            fn audience(&self) -> Audience<'_> {
                Audience::Accounts(vec![self.account.as_str()])
            }
        }
        events::catalogue! { $name<'static> = $summary; }
    };
}

deployment_event!(
    /// It served for the first time.
    Deployed, "service.deployed", "A new deployment answers for the first time."
);
deployment_event!(
    /// It never served.
    ServiceFailed, "service.failed", "A new deployment could not be started; the reason is told."
);
deployment_event!(
    /// It serves.
    Started, "deployment.started", "A deployment answers, after it was made, started or mended."
);
deployment_event!(
    /// It rests.
    Stopped, "deployment.stopped", "A deployment rests; what it keeps stays."
);
deployment_event!(
    /// It does not come up.
    Failed, "deployment.failed", "A deployment does not come up; the reason is told."
);
deployment_event!(
    /// It is not paid any more.
    Lapsed, "deployment.lapsed", "A deployment is not paid any more and was stopped; it is deleted when the grace is over."
);
deployment_event!(
    /// Its name, plan or credentials changed.
    Updated, "deployment.updated", "A deployment has another name, plan or credentials, or its removal was undone."
);
deployment_event!(
    /// It is gone.
    Deleted, "deployment.deleted", "A deployment is removed for good."
);

/// Its cost reached the budget.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Threshold<'a> {
    pub(crate) deployment_id: &'a DeploymentId,
    pub(crate) account: &'a AccountId,
    pub(crate) name: &'a str,
    pub(crate) current_cost_minor: i64,
    pub(crate) projected_cost_minor: i64,
    pub(crate) budget_minor: i64,
    pub(crate) currency: kernel::Currency,
    #[serde(skip)]
    pub(crate) version: i64,
}

impl DomainEvent for Threshold<'_> {
    const TYPE: &'static str = "billing.threshold";
    fn subject(&self) -> &str {
        self.deployment_id.as_str()
    }
    fn version(&self) -> i64 {
        self.version
    }
    fn audience(&self) -> Audience<'_> {
        Audience::Accounts(vec![self.account.as_str()])
    }
}
