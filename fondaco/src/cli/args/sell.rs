//! The commands of sellers: `listing`, `sales`, `payout`; and `webhook`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Part;

/// What one sells.
#[derive(Debug, Subcommand)]
pub(crate) enum Listing {
    /// List your listings in any state, the newest first.
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  fondaco listing list\n  fondaco listing list --state draft --json"
    )]
    List(Listings),
    /// Begin a listing from a file or from flags; a draft, unless --publish.
    ///
    /// A file in TOML or JSON has the fields of the API: kind, title, summary, description, category, organisation,
    /// and a list `offers`, each with name, summary, price or priceMinor, currency, pricing, stock.
    #[command(
        after_help = "Examples:\n  fondaco listing create --file listing.toml --publish\n  fondaco listing create --kind other --title \"Code review\" --price 90 --stock 6\n  fondaco listing create --kind app --title Notes --price 5 --every month --trial-days 14\n\nA file:\n  kind = \"other\"\n  title = \"Icon set\"\n  category = \"design\"\n  [[offers]]\n  name = \"Team\"\n  price = 39"
    )]
    Create(NewListing),
    /// Add an offer to a listing.
    #[command(
        after_help = "Examples:\n  fondaco listing offer listing-0193… --name Team --price 39\n  fondaco listing offer listing-0193… --name Minutes --price 0.01 --per minute"
    )]
    Offer {
        /// The listing's id, as `fondaco listing list` shows it.
        listing: String,
        /// What is offered.
        #[command(flatten)]
        offer: ListingOffer,
        /// Names this offer: said again, it is the same one.
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// Put a listing on sale.
    #[command(after_help = "Examples:\n  fondaco listing publish listing-0193…")]
    Publish(Versioned),
    /// Take a listing off sale; what is held can still be paid.
    #[command(after_help = "Examples:\n  fondaco listing archive listing-0193… --yes")]
    Archive(Versioned),
    /// Set the price of an offer; not while somebody is buying it.
    #[command(
        after_help = "Examples:\n  fondaco listing price listing-0193… offer-0193… 24.50\n  fondaco listing price listing-0193… offer-0193… 24.50 --if-version 3   only if nobody changed it since"
    )]
    Price {
        /// The listing's id.
        listing: String,
        /// The offer's id, as `fondaco market show` shows it.
        offer: String,
        /// What one costs, in the currency of the listing.
        price: String,
        /// Change nothing unless the offer still has this version.
        #[arg(long, value_name = "VERSION")]
        if_version: Option<i64>,
    },
}

/// Which listings of one's own.
#[derive(Debug, Args)]
pub(crate) struct Listings {
    /// Only those in this state: draft, published, archived.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Which of them.
    #[command(flatten)]
    pub(crate) part: Part,
}

/// A listing in a version.
#[derive(Debug, Args)]
pub(crate) struct Versioned {
    /// The listing's id.
    pub(crate) listing: String,
    /// Change nothing unless the listing still has this version.
    #[arg(long, value_name = "VERSION")]
    pub(crate) if_version: Option<i64>,
}

/// A listing to begin.
#[derive(Debug, Args)]
pub(crate) struct NewListing {
    /// A file in TOML or JSON; - for standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kind", "title", "summary", "description", "category", "org", "name", "offer_summary", "price", "currency", "stock", "every", "trial_days", "per"])]
    pub(crate) file: Option<PathBuf>,
    /// What is sold: package, service, app, capacity, other. Tickets are listed with their event.
    #[arg(long, required_unless_present = "file")]
    pub(crate) kind: Option<String>,
    /// 1 to 120 characters.
    #[arg(long, required_unless_present = "file")]
    pub(crate) title: Option<String>,
    /// What it is, in a line.
    #[arg(long)]
    pub(crate) summary: Option<String>,
    /// What there is to say of it, in Markdown.
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Where it stands in the market, as `fondaco market categories` shows it.
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// The organisation that sells.
    #[arg(long, value_name = "NAME")]
    pub(crate) org: Option<String>,
    /// Its offer; none where no price is named.
    #[command(flatten)]
    pub(crate) offer: ListingOffer,
    /// Put it on sale at once.
    #[arg(long)]
    pub(crate) publish: bool,
    /// Names this listing: said again, it goes on where it was cut off, and lists nothing twice.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

/// An offer of a listing.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ListingOffer {
    /// What the offer is called.
    #[arg(long, default_value = "Standard")]
    pub(crate) name: String,
    /// What the buyer gets, in a line.
    #[arg(long, value_name = "TEXT")]
    pub(crate) offer_summary: Option<String>,
    /// What one costs, such as 19 or 19.90; 0: nothing.
    #[arg(long)]
    pub(crate) price: Option<String>,
    /// In which currency.
    #[arg(long, value_name = "CODE", default_value = "USD")]
    pub(crate) currency: String,
    /// How many there are; where absent as many as are wanted.
    #[arg(long, value_name = "N")]
    pub(crate) stock: Option<u32>,
    /// Paid again and again.
    #[arg(long, value_enum, conflicts_with = "per")]
    pub(crate) every: Option<Every>,
    /// How many days cost nothing at first.
    #[arg(long, value_name = "DAYS", requires = "every")]
    pub(crate) trial_days: Option<u32>,
    /// Paid by what is used: the price of one such unit.
    #[arg(long, value_name = "UNIT")]
    pub(crate) per: Option<String>,
}

/// How often something is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Every {
    /// Each month.
    Month,
    /// Each year.
    Year,
}

/// What was sold, and what it brought.
#[derive(Debug, Subcommand)]
pub(crate) enum Sales {
    /// List the orders in which something of yours was sold, the newest first.
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  fondaco sales list\n  fondaco sales list --status paid --json"
    )]
    List {
        /// Only those in this state: pending, paid, partially_refunded, refunded, disputed, cancelled, expired, failed.
        #[arg(long)]
        status: Option<String>,
        /// Which of them.
        #[command(flatten)]
        part: Part,
    },
    /// Show what you earned: what can be paid out, what matures later, what is on its way.
    #[command(after_help = "Examples:\n  fondaco sales balance\n  fondaco sales balance --org acme --json")]
    Balance {
        /// That of an organisation which you administer.
        #[arg(long, value_name = "NAME")]
        org: Option<String>,
    },
    /// Show what changed the balance: sales, refunds, payouts; the newest first.
    #[command(
        after_help = "Examples:\n  fondaco sales history\n  fondaco sales history --org acme --currency EUR"
    )]
    History(Earned),
}

/// Whose earnings, in which currency, and which part of them.
#[derive(Debug, Args)]
pub(crate) struct Earned {
    /// Those of an organisation which you administer.
    #[arg(long, value_name = "NAME")]
    pub(crate) org: Option<String>,
    /// In this currency; the server's usual one where absent.
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,
    /// Which of them.
    #[command(flatten)]
    pub(crate) part: Part,
}

/// Money on its way to a seller.
#[derive(Debug, Subcommand)]
pub(crate) enum Payout {
    /// List payouts, the newest first.
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  fondaco payout list\n  fondaco payout list --org acme --json"
    )]
    List {
        /// Those of an organisation which you administer.
        #[arg(long, value_name = "NAME")]
        org: Option<String>,
        /// Which of them.
        #[command(flatten)]
        part: Part,
    },
    /// Show a payout and how far it is.
    #[command(after_help = "Examples:\n  fondaco payout show payout-0193…")]
    Show {
        /// The payout's id, as `fondaco payout list` shows it.
        payout: String,
    },
    /// Ask for a payout: of all that is available, or of an amount.
    #[command(
        after_help = "Examples:\n  fondaco payout request\n  fondaco payout request 250 --currency EUR --org acme --yes"
    )]
    Request {
        /// How much, such as 250 or 250.50; all that is available where absent.
        amount: Option<String>,
        /// To an organisation which you administer.
        #[arg(long, value_name = "NAME")]
        org: Option<String>,
        /// In which currency.
        #[arg(long, value_name = "CODE", default_value = "USD")]
        currency: String,
        /// Names this payout: said again, it is the same one and pays out nothing more.
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
}

/// Addresses that are told what happens.
#[derive(Debug, Subcommand)]
pub(crate) enum Webhook {
    /// List your webhooks.
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  fondaco webhook list\n  fondaco webhook list --json"
    )]
    List(Part),
    /// Make a webhook; its secret is printed once, alone on standard output.
    #[command(
        after_help = "Examples:\n  fondaco webhook create https://example.com/hook --events order.paid,order.refunded\n  fondaco webhook create https://example.com/hook --events '*' --org acme --json"
    )]
    Create {
        /// An https address of the public internet.
        url: String,
        /// Which events, as `fondaco webhook events` lists them; * for all.
        #[arg(long, value_delimiter = ',', required = true, value_name = "TYPE,…")]
        events: Vec<String>,
        /// What it is for.
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
        description: String,
        /// The organisation whose it is to be.
        #[arg(long, value_name = "NAME")]
        org: Option<String>,
        /// Names this webhook: said again, it is the same one.
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// List the types of events that a webhook can be told of.
    #[command(after_help = "Examples:\n  fondaco webhook events")]
    Events,
    /// Send a test event and show what the receiver answered.
    #[command(
        after_help = "Examples:\n  fondaco webhook test webhook-0193…\n  fondaco webhook test webhook-0193… --timeout 2m"
    )]
    Test {
        /// The webhook's id, as `fondaco webhook list` shows it.
        webhook: String,
    },
    /// List what was sent, the newest first; or all attempts of one delivery.
    #[command(
        after_help = "Examples:\n  fondaco webhook attempts webhook-0193… --state dead\n  fondaco webhook attempts webhook-0193… delivery-0193… --json"
    )]
    Attempts {
        /// The webhook's id.
        webhook: String,
        /// One delivery of it.
        #[arg(conflicts_with_all = ["state", "limit", "offset"])]
        delivery: Option<String>,
        /// Only deliveries that are so far: waiting, delivered, dead.
        #[arg(long)]
        state: Option<String>,
        /// Which of them.
        #[command(flatten)]
        part: Part,
    },
    /// Send a delivery again, and show what the receiver answered.
    #[command(after_help = "Examples:\n  fondaco webhook replay webhook-0193… delivery-0193…")]
    Replay {
        /// The webhook's id.
        webhook: String,
        /// The delivery's id, as `fondaco webhook attempts` shows it.
        delivery: String,
    },
    /// Replace the secret; it is printed once, and the earlier one signs too for a day.
    #[command(after_help = "Examples:\n  fondaco webhook rotate webhook-0193… --yes")]
    Rotate {
        /// The webhook's id.
        webhook: String,
    },
    /// Remove a webhook, with what waits for it.
    #[command(after_help = "Examples:\n  fondaco webhook delete webhook-0193… --yes")]
    Delete {
        /// The webhook's id.
        webhook: String,
    },
}
