//! What prices, sizes and states are called on pages.

use kernel::{Currency, Money};
use web::face::{parts, text};

use crate::template::{Category, Plan, Pricing, Sla, Template};
use crate::{Deployment, Status};

/// Hours of a month, as bills count them: a twelfth of a year.
const HOURS: i64 = 730;

impl Category {
    /// What people call it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Database => "Databases",
            Self::Ml => "Machine learning",
            Self::Api => "Gateways",
            Self::Storage => "Storage",
            Self::Compute => "Compute",
        }
    }

    const fn icon(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Ml => "activity",
            Self::Api => "globe",
            Self::Storage => "folder",
            Self::Compute => "server",
        }
    }
}

impl Template {
    /// An icon of the sprite: its own, or that of its category.
    pub(crate) fn icon(&self) -> &str {
        if parts::has_icon(&self.icon) { &self.icon } else { self.category.icon() }
    }

    /// What it costs at the least: `Free`, `Free, or from $19.00 a month`.
    pub(crate) fn price_from(&self) -> String {
        let has_free = self.plans.iter().any(|plan| plan.pricing == Pricing::Free);
        let priced = self.plans.iter().filter(|plan| plan.pricing != Pricing::Free);
        let Some(least) = priced.min_by_key(|plan| plan.pricing.month_minor()) else {
            return "Free".to_owned();
        };
        let price = Money::new(least.pricing.month_minor(), least.currency);
        if has_free { format!("Free, or from {price} a month") } else { format!("From {price} a month") }
    }
}

impl Pricing {
    /// What a whole month costs, rounded up to a minor unit.
    pub(crate) const fn month_minor(self) -> i64 {
        match self {
            Self::Free => 0,
            Self::Subscription { month_minor } => month_minor,
            Self::Usage { thousand_hours_minor } => (thousand_hours_minor.saturating_mul(HOURS) + 999) / 1000,
        }
    }

    /// What an hour costs, in thousandths of a minor unit.
    const fn hour_thousandths(self) -> i64 {
        match self {
            Self::Free => 0,
            Self::Subscription { month_minor } => month_minor.saturating_mul(1000) / HOURS,
            Self::Usage { thousand_hours_minor } => thousand_hours_minor,
        }
    }
}

impl Plan {
    /// What a month costs: `Free`, `$19.00`, `about $18.25`.
    pub(crate) fn per_month(&self) -> String {
        let month = Money::new(self.pricing.month_minor(), self.currency);
        match self.pricing {
            Pricing::Free => "Free".to_owned(),
            Pricing::Subscription { .. } => month.to_string(),
            Pricing::Usage { .. } => format!("about {month}"),
        }
    }

    /// What a month costs, within a sentence: `free`, `$19.00 a month`.
    pub(crate) fn month_words(&self) -> String {
        match self.pricing {
            Pricing::Free => "free".to_owned(),
            _ => format!("{} a month", self.per_month()),
        }
    }

    /// What an hour costs: `Free`, `$0.025`, `about $0.026`.
    pub(crate) fn per_hour(&self) -> String {
        let hour = self.pricing.hour_thousandths();
        match self.pricing {
            Pricing::Free => "Free".to_owned(),
            Pricing::Usage { .. } => small(hour, self.currency),
            // A tenth of a minor unit is as much as such a comparison needs.
            Pricing::Subscription { .. } => {
                format!("about {}", small((hour + 50) / 100 * 100, self.currency))
            }
        }
    }

    /// `0.5 CPU, 256 MB of memory, 1 GB of disk`.
    pub(crate) fn size(&self) -> String {
        let mut size = format!("{} CPU, {} of memory", self.cpu(), text::bytes(self.memory_bytes));
        if self.disk_bytes > 0 {
            size.push_str(&format!(", {} of disk", text::bytes(self.disk_bytes)));
        }
        size
    }

    /// `0.5`.
    pub(crate) fn cpu(&self) -> String {
        thousandths(self.cpu_millis)
    }
}

impl Sla {
    /// `99.95 %`.
    pub(crate) fn uptime_words(&self) -> String {
        percent_words(self.uptime)
    }
}

impl Status {
    /// What people read.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Provisioning => "Starting",
            Self::Running => "Running",
            Self::Degraded => "Degraded",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Failed => "Failed",
            Self::Deleting => "Deleting",
            Self::Deleted => "Deleted",
        }
    }

    /// The kind of its pill.
    pub(crate) const fn pill(self) -> &'static str {
        match self {
            Self::Running => "",
            Self::Degraded => "warn",
            Self::Failed => "bad",
            _ => "idle",
        }
    }

    /// The kind of its icon in a list of what happened.
    pub(crate) const fn mark(self) -> (&'static str, &'static str) {
        match self {
            Self::Running => ("check", "ok"),
            Self::Degraded | Self::Failed => ("triangle-alert", ""),
            _ => ("clock", ""),
        }
    }
}

impl Deployment {
    /// `PostgreSQL · Pro · us-east-1`, where the name of the service is given.
    pub(crate) fn about(&self, service: &str) -> String {
        format!("{service} · {} · {}", self.plan.name, self.region)
    }
}

/// Thousandths of a percent, to the hundredth: `99.95 %`.
pub(crate) fn percent_words(thousandths_of_percent: u32) -> String {
    format!("{} %", thousandths((thousandths_of_percent + 5) / 10 * 10))
}

/// Thousandths as a number without needless zeros: `500` is `0.5`.
fn thousandths(number: u32) -> String {
    let (whole, part) = (number / 1000, number % 1000);
    if part == 0 {
        return whole.to_string();
    }
    format!("{whole}.{part:03}").trim_end_matches('0').to_owned()
}

/// An amount in thousandths of minor units, such as `$0.025`: an hour costs less than a minor unit shows.
fn small(thousandths: i64, currency: Currency) -> String {
    let places = currency.places() as usize + 3;
    let digits = format!("{:0>width$}", thousandths.max(0), width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    let shown = part.trim_end_matches('0').len().max(currency.places() as usize);
    let point = if shown == 0 { "" } else { "." };
    let number = format!("{whole}{point}{}", &part[..shown]);
    let zero = Money::zero(currency);
    zero.to_string().replacen(&zero.major(), &number, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_of_a_month_and_an_hour() {
        let plan = |pricing| Plan { pricing, currency: Currency::USD, ..Plan::default() };
        let month = plan(Pricing::Subscription { month_minor: 1900 });
        assert_eq!(month.per_month(), "$19.00");
        assert_eq!(month.per_hour(), "about $0.026");
        let usage = plan(Pricing::Usage { thousand_hours_minor: 2500 });
        assert_eq!(usage.per_hour(), "$0.025");
        assert_eq!(usage.per_month(), "about $18.25");
        assert_eq!(plan(Pricing::Free).per_hour(), "Free");
        let yen: Currency = "JPY".parse().unwrap_or(Currency::USD);
        assert_eq!(small(1_500, yen), "¥1.5");
        assert_eq!(small(2_000, yen), "¥2");
    }

    #[test]
    fn sizes_and_promises() {
        assert_eq!(
            (thousandths(500), thousandths(2000), thousandths(99_950)),
            ("0.5".into(), "2".into(), "99.95".into())
        );
        let plan = Plan { cpu_millis: 250, memory_bytes: 256_000_000, ..Plan::default() };
        assert_eq!(plan.size(), "0.25 CPU, 256 MB of memory");
    }
}
