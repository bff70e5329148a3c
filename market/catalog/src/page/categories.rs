//! `/operator/categories`: where listings stand in the market.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use identity::{Operator, Visit, done};
use store::Tx;
use web::face::{self, FormState, Shell, Typed, Wrong};
use web::{Form, Path};

use super::{Answer, typed};
use crate::browse::Category;
use crate::categories;
use crate::error::CatalogError;
use crate::listing::CategorySlug;
use crate::room::Catalog;

const HOME: &str = "/operator/categories";

#[derive(Template)]
#[template(path = "catalog/categories.html")]
struct ListPage {
    shell: Shell,
    form: FormState,
    /// Each with how many listings stand in it.
    rows: Vec<(Category, u64)>,
}

#[derive(Template)]
#[template(path = "catalog/category.html")]
struct EditorPage {
    shell: Shell,
    form: FormState,
    category: Category,
}

fn shell(visit: Visit, title: &str) -> Shell {
    visit.shell.page(format!("{title} - Operate"), "categories").crumb("Operate", "")
}

/// `GET /operator/categories`.
pub(super) async fn list(State(catalog): State<Catalog>, _: Operator, visit: Visit) -> Answer {
    draw(&catalog, visit, FormState::default(), StatusCode::OK).await
}

async fn draw(catalog: &Catalog, visit: Visit, form: FormState, status: StatusCode) -> Answer {
    let by = visit.caller.clone();
    let rows = catalog.store.read(async move |tx: &mut Tx| categories::counted(tx, &by).await).await?;
    let page = ListPage { shell: shell(visit, "Categories").crumb("Categories", ""), form, rows };
    Ok(answer(status, face::html(&page.shell, &page)))
}

fn answer(status: StatusCode, mut response: Response) -> Response {
    *response.status_mut() = status;
    response
}

/// `POST /operator/categories`.
pub(super) async fn add(State(catalog): State<Catalog>, visit: Visit, Form(form): Form<Typed>) -> Answer {
    Operator::of(visit.caller.clone())?;
    let (by, typed) = (visit.caller.clone(), form.clone());
    let add = async move |tx: &mut Tx| {
        let slug: Result<CategorySlug, _> = typed.get("slug").trim().parse();
        let slug = slug.map_err(|detail| CatalogError::field("/slug", detail))?;
        categories::add(tx, &by, &slug, typed.get("name"), position(&typed)?).await
    };
    match catalog.store.write(add).await {
        Ok(category) => Ok(done(HOME, &format!("{} is there.", category.name))),
        Err(error) => {
            let (status, form) = Wrong::of(error, &form)?.into_parts();
            draw(&catalog, visit, form, status).await
        }
    }
}

fn position(typed: &Typed) -> Result<u32, CatalogError> {
    match typed.get("position").trim() {
        "" => Ok(0),
        text => text.parse().map_err(|_| CatalogError::field("/position", "Write a whole number.")),
    }
}

fn slug(text: &str) -> Result<CategorySlug, CatalogError> {
    text.parse().map_err(|_| CatalogError::NotFound("category"))
}

async fn known(catalog: &Catalog, text: &str) -> Result<Category, CatalogError> {
    let slug = slug(text)?;
    catalog.store.read(async move |tx: &mut Tx| categories::find(tx, &slug).await).await
}

/// `GET /operator/categories/{slug}`.
pub(super) async fn editor(
    State(catalog): State<Catalog>,
    _: Operator,
    visit: Visit,
    Path(text): Path<String>,
) -> Answer {
    let category = known(&catalog, &text).await?;
    let form = FormState::with(&[("name", &category.name), ("position", &category.position.to_string())]);
    Ok(draw_one(visit, category, form, StatusCode::OK))
}

fn draw_one(visit: Visit, category: Category, form: FormState, status: StatusCode) -> Response {
    let shell = shell(visit, &category.name).crumb("Categories", HOME).crumb(category.name.clone(), "");
    let page = EditorPage { shell, form, category };
    answer(status, face::html(&page.shell, &page))
}

/// `POST /operator/categories/{slug}`: saves or removes it.
pub(super) async fn save(
    State(catalog): State<Catalog>,
    visit: Visit,
    Path(text): Path<String>,
    Form(form): Form<Typed>,
) -> Answer {
    Operator::of(visit.caller.clone())?;
    let category = known(&catalog, &text).await?;
    let (by, slug, typed) = (visit.caller.clone(), category.slug.clone(), form.clone());
    let save = async move |tx: &mut Tx| {
        let expected = typed::expected(&typed);
        if typed.get("do") == "remove" {
            categories::remove(tx, &by, &slug, &expected).await?;
            return Ok::<_, CatalogError>("The category is gone.");
        }
        let position = position(&typed)?;
        categories::change(tx, &by, &slug, Some(typed.get("name")), Some(position), &expected).await?;
        Ok("The category is saved.")
    };
    match catalog.store.write(save).await {
        Ok(words) => Ok(done(HOME, words)),
        Err(error) => {
            let (status, form) = Wrong::of(error, &form)?.into_parts();
            Ok(draw_one(visit, category, form, status))
        }
    }
}
