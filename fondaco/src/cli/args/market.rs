//! The commands of buyers: `market`, `order`, `ticket`; and of staff at the door.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

use super::Part;

/// What is for sale.
#[derive(Debug, Subcommand)]
pub(crate) enum Market {
    /// List what is for sale, the newest first.
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  fondaco market list\n  fondaco market list quartet --kind ticket\n  fondaco market list --category learning --sort price --json"
    )]
    List(Browse),
    /// Show one listing with its offers.
    #[command(
        after_help = "Examples:\n  fondaco market show listing-0193…\n  fondaco market show listing-0193… --json"
    )]
    Show {
        /// The listing's id, as `fondaco market list` shows it.
        listing: String,
    },
    /// List the units of an offer one by one, such as the seats of an event, the best first.
    #[command(
        after_help = "Examples:\n  fondaco market units listing-0193…\n  fondaco market units listing-0193… offer-0193… --limit 100"
    )]
    Units(Units),
    /// List the categories.
    #[command(after_help = "Examples:\n  fondaco market categories")]
    Categories,
}

/// Which listings.
#[derive(Debug, Args)]
pub(crate) struct Browse {
    /// Words of the title or the summary.
    pub(crate) words: Vec<String>,
    /// Only this kind: package, service, app, capacity, ticket, other.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Only this category, as `fondaco market categories` shows it.
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// Only what this account sells, by name.
    #[arg(long, value_name = "NAME")]
    pub(crate) seller: Option<String>,
    /// In which order.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) sort: Sort,
    /// Which of them.
    #[command(flatten)]
    pub(crate) part: Part,
}

/// An order of listings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// The newest first.
    #[default]
    Newest,
    /// The cheapest first.
    Price,
}

/// Which units.
#[derive(Debug, Args)]
pub(crate) struct Units {
    /// The listing's id.
    pub(crate) listing: String,
    /// The offer's id; needed where several offers have units.
    pub(crate) offer: Option<String>,
    /// Which of them.
    #[command(flatten)]
    pub(crate) part: Part,
}

/// Orders.
#[derive(Debug, Subcommand)]
pub(crate) enum Order {
    /// List your orders, or what you sold, the newest first.
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  fondaco order list\n  fondaco order list --status pending\n  fondaco order list --as seller --json"
    )]
    List(Orders),
    /// Show an order: its lines, its state, until when it is held, and what to do next.
    #[command(
        after_help = "Examples:\n  fondaco order show order-0193…\n  fondaco order show order-0193… --json"
    )]
    Show {
        /// The order's id, as `fondaco order list` shows it.
        order: String,
    },
    /// Order something: it is held until the deadline, and nobody else can take it.
    #[command(
        after_help = "Examples:\n  fondaco order place --offer offer-0193… --quantity 2\n  fondaco order place --offer offer-0193… --unit unit-0193… --unit unit-0194…\n  fondaco order pay $(fondaco order place --offer offer-0193…) --wallet"
    )]
    Place(NewOrder),
    /// Pay an order: from the wallet, with a saved card, or at the page that this prints.
    #[command(
        after_help = "Examples:\n  fondaco order pay order-0193…                      print the address of the checkout page\n  fondaco order pay order-0193… --wallet\n  fondaco order pay order-0193… --method default --yes"
    )]
    Pay(Pay),
    /// Take more time to pay, once, where the seller allows it.
    #[command(after_help = "Examples:\n  fondaco order extend order-0193…")]
    Extend {
        /// The order's id.
        order: String,
    },
    /// Cancel an order that is not paid: what it holds is back on sale at once.
    #[command(after_help = "Examples:\n  fondaco order cancel order-0193… --yes")]
    Cancel {
        /// The order's id.
        order: String,
    },
    /// Give money back to the buyer of what you sold: all of it, an amount, or lines.
    #[command(
        after_help = "Examples:\n  fondaco order refund order-0193… --reason \"Sorry for the rain\"\n  fondaco order refund order-0193… --amount 5.50\n  fondaco order refund order-0193… --line 1:2 --give-back"
    )]
    Refund(Refund),
    /// Save the receipt of a paid order as PDF.
    #[command(
        after_help = "Examples:\n  fondaco order receipt order-0193…\n  fondaco order receipt order-0193… --output receipts/\n  fondaco order receipt order-0193… --output - > receipt.pdf"
    )]
    Receipt {
        /// The order's id.
        order: String,
        /// Where to.
        #[command(flatten)]
        saved: Saved,
    },
}

/// Which orders.
#[derive(Debug, Args)]
pub(crate) struct Orders {
    /// Only those in this state: pending, paid, partially_refunded, refunded, disputed, cancelled, expired, failed.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Whose orders.
    #[arg(long = "as", value_enum, default_value_t, value_name = "SIDE")]
    pub(crate) side: Side,
    /// Which of them.
    #[command(flatten)]
    pub(crate) part: Part,
}

/// From which side orders are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// What you bought.
    #[default]
    Buyer,
    /// What you sold.
    Seller,
}

/// What to order.
#[derive(Debug, Args)]
pub(crate) struct NewOrder {
    /// The offer's id, as `fondaco market show` shows it.
    #[arg(long, value_name = "ID")]
    pub(crate) offer: String,
    /// How many; one where absent.
    #[arg(long, value_name = "N", conflicts_with = "unit", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) quantity: Option<u32>,
    /// A named unit such as a seat, as `fondaco market units` shows it; once for each.
    #[arg(long, value_name = "ID")]
    pub(crate) unit: Vec<String>,
    /// A promo code.
    #[arg(long, value_name = "CODE")]
    pub(crate) promo: Option<String>,
    /// The organisation that buys.
    #[arg(long, value_name = "NAME")]
    pub(crate) org: Option<String>,
    /// The buyer's country in two letters, by which the order is taxed.
    #[arg(long, value_name = "CODE")]
    pub(crate) country: Option<String>,
    /// Names this order: said again, it is the same one and nothing more is held.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

/// How to pay.
#[derive(Debug, Args)]
pub(crate) struct Pay {
    /// The order's id.
    pub(crate) order: String,
    /// From the balance of the wallet.
    #[arg(long, group = "way")]
    pub(crate) wallet: bool,
    /// With a saved card: its id, as `fondaco wallet methods` shows it, or `default`.
    #[arg(long, value_name = "ID", group = "way")]
    pub(crate) method: Option<String>,
    /// With a token of the payment gateway, such as tok_visa of the sandbox.
    #[arg(long, value_name = "TOKEN", group = "way")]
    pub(crate) token: Option<String>,
    /// Names this payment: said again, it is the same one and charges nothing more.
    #[arg(long, value_name = "KEY", requires = "way")]
    pub(crate) key: Option<String>,
}

/// What to give back.
#[derive(Debug, Args)]
pub(crate) struct Refund {
    /// The order's id.
    pub(crate) order: String,
    /// So much, in the currency of the order, shared among its lines.
    #[arg(long, value_name = "AMOUNT", conflicts_with = "line")]
    pub(crate) amount: Option<String>,
    /// A line by its number, whole or so many of it; once for each.
    #[arg(long, value_name = "NUMBER[:QUANTITY]")]
    pub(crate) line: Vec<Line>,
    /// Put what is taken back on sale again.
    #[arg(long)]
    pub(crate) give_back: bool,
    /// Why, for the buyer.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
    /// Names this refund: said again, it is the same one and gives nothing more back.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

/// A line of an order, and how many of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: u32,
    /// All that is left, where absent.
    pub(crate) quantity: Option<u32>,
}

impl FromStr for Line {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = |text: &str| text.parse().ok().filter(|number| *number > 0);
        let (number, quantity) = text.split_once(':').map_or((text, None), |(line, many)| (line, Some(many)));
        let line = match quantity {
            None => read(number).map(|number| Self { number, quantity: None }),
            Some(many) => {
                read(number).zip(read(many)).map(|(number, many)| Self { number, quantity: Some(many) })
            }
        };
        line.ok_or("write the number of a line, or 1:2 for two of line 1")
    }
}

/// Where a file goes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Saved {
    /// A file, a folder, or - for standard output; where absent a file here, named by the server.
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
}

/// Tickets.
#[derive(Debug, Subcommand)]
pub(crate) enum Ticket {
    /// List your tickets, the newest first.
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  fondaco ticket list\n  fondaco ticket list --limit 100 --json"
    )]
    List(Part),
    /// Show a ticket with its QR code.
    #[command(
        after_help = "Examples:\n  fondaco ticket show ticket-0193…\n  fondaco ticket show ticket-0193… --invert      dark text on a light terminal\n  fondaco ticket show ticket-0193… --json        has what the code says, too"
    )]
    Show {
        /// The ticket's id, as `fondaco ticket list` shows it.
        ticket: String,
        /// Draw the code for dark text on a light ground, where it is drawn without colours.
        #[arg(long)]
        invert: bool,
    },
    /// Save a ticket as PDF, its QR code as PNG, or its event for a calendar.
    #[command(
        after_help = "Examples:\n  fondaco ticket download ticket-0193…\n  fondaco ticket download ticket-0193… --format ics --output friday.ics"
    )]
    Download(Download),
    /// Give a ticket to somebody else: its code opens no door any more, they get a new one.
    #[command(
        after_help = "Examples:\n  fondaco ticket transfer ticket-0193… --to ada\n  fondaco ticket transfer ticket-0193… --mail ada@example.com --yes"
    )]
    Transfer(Transfer),
    /// Check tickets in at the door: one code, or a file or standard input with a code in each line.
    ///
    /// For staff of the organiser, and for devices: FONDACO_TOKEN may be the token of a device (chk_…). A row is
    /// printed for each code: what it came to, category and seat, ticket, when and where it was let in first. With
    /// --file - each line is answered as it comes, which suits a scanner that types.
    #[command(
        after_help = "Examples:\n  fondaco ticket check-in --event event-0193… T1.AAE…\n  fondaco ticket check-in --event event-0193… --file - --device \"north door\"\n  fondaco ticket check-in --event event-0193… --file scanned.txt --json\n\nExit codes: 0 all were let in, 6 used before, 8 not good here."
    )]
    CheckIn(CheckIn),
}

/// What to save.
#[derive(Debug, Args)]
pub(crate) struct Download {
    /// The ticket's id.
    pub(crate) ticket: String,
    /// In which form.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Where to.
    #[command(flatten)]
    pub(crate) saved: Saved,
}

/// A form of a ticket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A page to print.
    #[default]
    Pdf,
    /// The QR code alone.
    Png,
    /// The event, for a calendar.
    Ics,
}

/// Whom to give a ticket to.
#[derive(Debug, Args)]
pub(crate) struct Transfer {
    /// The ticket's id.
    pub(crate) ticket: String,
    /// A user or an organisation by name: it owns the ticket at once.
    #[arg(long, value_name = "NAME", required_unless_present = "mail", conflicts_with = "mail")]
    pub(crate) to: Option<String>,
    /// An e-mail address: whoever opens the link that is sent there takes the ticket.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mail: Option<String>,
}

/// What was scanned.
#[derive(Debug, Args)]
pub(crate) struct CheckIn {
    /// What the code says.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub(crate) code: Option<String>,
    /// The event at whose door it is.
    #[arg(long, value_name = "ID")]
    pub(crate) event: String,
    /// A file with a code in each line; - for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// What staff call this door.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) device: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbers_with_or_without_a_quantity() {
        assert_eq!("3".parse(), Ok(Line { number: 3, quantity: None }));
        assert_eq!("1:2".parse(), Ok(Line { number: 1, quantity: Some(2) }));
        for wrong in ["", "0", "1:", "1:0", ":2", "-1", "1:2:3", "x"] {
            assert!(wrong.parse::<Line>().is_err(), "{wrong}");
        }
    }
}
