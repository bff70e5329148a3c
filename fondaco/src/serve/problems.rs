//! `/docs/problems`: what each code of a problem means, what is safe, and what to do next. The rooms register their
//! codes by `kernel::problems!`; the `type` of every problem leads here.

use askama::Template;
use axum::response::Response;
use identity::{Identity, Visit};
use kernel::{PROBLEMS, Problem, ProblemKind};
use web::face::{self, Shell};
use web::{Access, Failure, Path, Routes};

#[derive(Template)]
#[template(path = "problems.html")]
struct ProblemsPage {
    shell: Shell,
    /// Each room's name with its codes, both by name.
    rooms: Vec<(&'static str, Vec<&'static ProblemKind>)>,
}

#[derive(Template)]
#[template(path = "problem_kind.html")]
struct KindPage {
    shell: Shell,
    kind: &'static ProblemKind,
}

/// The index, and one page for each code.
pub(super) fn routes(identity: Identity) -> Routes {
    Routes::new()
        .get("/docs/problems", Access::Public, index)
        .get("/docs/problems/{code}", Access::Public, one)
        .with_state(identity)
}

fn rooms() -> Vec<(&'static str, Vec<&'static ProblemKind>)> {
    let mut kinds: Vec<&ProblemKind> = PROBLEMS.iter().collect();
    kinds.sort_by_key(|kind| kind.code);
    let room = |kind: &ProblemKind| kind.code.split('.').next().unwrap_or_default();
    kinds.chunk_by(|a, b| room(a) == room(b)).map(|kinds| (room(kinds[0]), kinds.to_vec())).collect()
}

async fn index(visit: Visit) -> Response {
    let shell = visit
        .shell
        .page("Problems - API", "api")
        .describe("Every code of a problem: what it means, what is safe, what to do next.");
    let page = ProblemsPage { shell, rooms: rooms() };
    face::html(&page.shell, &page)
}

async fn one(visit: Visit, Path(code): Path<String>) -> Result<Response, Failure> {
    let kind = PROBLEMS.iter().find(|kind| kind.code == code).ok_or_else(|| {
        Problem::not_found("request.no_such_path", "No problem has this code.")
            .next("All codes stand at /docs/problems.")
    })?;
    let shell = visit.shell.page(format!("{} - Problems", kind.code), "api").describe(kind.means);
    let page = KindPage { shell, kind };
    Ok(face::html(&page.shell, &page))
}
