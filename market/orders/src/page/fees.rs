//! `/operator/fees`: the market's part of sales, and taxes.

use askama::Template;
use axum::extract::State;
use catalog::Kind;
use identity::{AccountId, Action, Names, Subject, Visit, done};
use web::Form;
use web::face::parts::Choice;
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};

use super::Answer;
use crate::price::{percent, read_percent};
use crate::rules::{Change, FeeRule, Rules, TaxRate};
use crate::{OrderError, Orders};

const HOME: &str = "/operator/fees";

#[derive(Template)]
#[template(path = "orders/fees.html")]
struct FeesPage {
    shell: Shell,
    fee_form: FormState,
    tax_form: FormState,
    rules: Rules,
    /// What the sellers of rules are called.
    names: Names,
    default: String,
    kinds: Vec<Choice>,
    ways: Vec<Choice>,
}

pub(super) async fn show(State(orders): State<Orders>, visit: Visit) -> Answer {
    let (fee, tax) = (FormState::default(), FormState::with(&[("inclusive", "no"), ("name", "VAT")]));
    page(&orders, visit, fee, tax).await
}

async fn page(orders: &Orders, visit: Visit, fee_form: FormState, tax_form: FormState) -> Answer {
    let rules = orders.rules(&visit.caller).await?;
    let names = orders.names_of(rules.fees.iter().filter_map(|rule| rule.seller.parse().ok())).await?;
    let kinds = Kind::ALL.iter().map(|kind| Choice::new(kind.as_str(), &title(kind.as_str()), ""));
    let shell =
        visit.shell.page("Fees and taxes - Operate", "fees").crumb("Operate", "").crumb("Fees and taxes", "");
    let page = FeesPage {
        shell: shell.with_sheet(Sheet::Market),
        default: percent(orders.default_fee()),
        kinds: std::iter::once(Choice::new("", "All kinds", "")).chain(kinds).collect(),
        ways: vec![Choice::new("no", "On top of prices", ""), Choice::new("yes", "Inside of prices", "")],
        fee_form,
        tax_form,
        names,
        rules,
    };
    Ok(face::html(&page.shell, &page))
}

fn title(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `POST /operator/fees`: one of four changes.
pub(super) async fn change(State(orders): State<Orders>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    visit.caller.may(Action::OperateMarket, &Subject::Market)?;
    let changed = match read(&typed) {
        Ok(change) => orders.change_rules(&visit.caller, change).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(()) => Ok(done(HOME, "The rules are changed. Orders placed before keep theirs.")),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            let is_fee = typed.get("do") == "set-fee";
            let (fee, tax) = if is_fee { (form, FormState::default()) } else { (FormState::default(), form) };
            let mut response = page(&orders, visit, fee, tax).await?;
            *response.status_mut() = status;
            Ok(response)
        }
    }
}

fn read(typed: &Typed) -> Result<Change, OrderError> {
    let text = |name: &str| typed.get(name).trim().to_owned();
    let rate = |name: &'static str| {
        read_percent(typed.get(name))
            .ok_or_else(|| OrderError::field(format!("/{name}"), "Write a percentage such as 10 or 7.25."))
    };
    Ok(match typed.get("do") {
        "set-fee" => {
            Change::SetFee(FeeRule { kind: text("kind"), seller: text("seller"), basis_points: rate("fee")? })
        }
        "drop-fee" => Change::DropFee { kind: text("kind"), seller: text("seller") },
        "set-tax" => Change::SetTax(TaxRate {
            country: text("country").to_ascii_uppercase(),
            region: text("region"),
            kind: text("kind"),
            name: text("name"),
            basis_points: rate("tax")?,
            inclusive: typed.get("inclusive") == "yes",
        }),
        "drop-tax" => {
            Change::DropTax { country: text("country"), region: text("region"), kind: text("kind") }
        }
        _ => return Err(OrderError::NotFound("rule")),
    })
}

impl FeesPage {
    fn seller(&self, text: &str) -> String {
        let id: Option<AccountId> = text.parse().ok();
        id.map_or_else(|| text.to_owned(), |id| self.names.of(&id).to_owned())
    }

    fn percent(&self, basis_points: &u32) -> String {
        percent(*basis_points)
    }
}
