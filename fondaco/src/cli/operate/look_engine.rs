//! The checks of `doctor` that are about what deployments run on.

use containers::Driver;
use containers::docker::Docker;
use services::Catalogue;

use super::doctor::Finding;
use crate::config::{Config, Role};

/// The engine, what it cannot do, and the services whose images are missing.
pub(super) async fn engine(config: &Config) -> Vec<Finding> {
    if !config.has(Role::Orchestrator) {
        return Vec::new();
    }
    let folder = std::path::absolute(config.in_data_dir("engine")).unwrap_or_default();
    let settings = containers::docker::Settings {
        socket: config.services.docker_socket.clone(),
        installation: "doctor".to_owned(),
        state: folder,
        disks: config.services.disks,
    };
    let install = "install a Docker engine, such as Debian's package of it, and let this user reach its socket; \
                   everything but deployments works without";
    let about = match Docker::open(settings).await {
        Ok(engine) => engine.about().await.map(|about| (engine, about)),
        Err(error) => Err(error),
    };
    let (engine, about) = match about {
        Ok(found) => found,
        Err(error) => return vec![Finding::warn("engine", error.to_string(), install)],
    };
    let detail = format!("{} {}, {} processors", about.name, about.version, about.cpus);
    let mut findings = vec![Finding::ok("engine", detail)];
    if let Err(why) = about.hard_quotas {
        let fix = "run as root on a machine with loop devices, or watch the disk";
        findings.push(Finding::warn("disk quotas", why, fix));
    }
    if let Err(why) = about.shielded {
        findings.push(Finding::warn("isolation", why, "mend the firewall of this machine"));
    }
    findings.push(images(&engine, &Catalogue::load(config.services.templates.as_deref())).await);
    findings
}

/// Images of the program's own should be there; others the operator fetches for whom they are wanted.
async fn images(engine: &Docker, catalogue: &Catalogue) -> Finding {
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for template in catalogue.templates() {
        let services::Given::Here(image) = &template.recipe.image else { continue };
        if !matches!(engine.image(image).await, Ok(Some(_))) {
            let missing = if image.starts_with("fondaco/") { &mut own } else { &mut others };
            missing.push(image.as_str());
        }
    }
    if !own.is_empty() {
        return Finding::warn(
            "service images",
            format!("missing: {}", own.join(", ")),
            "scripts/images builds them",
        );
    }
    let detail = if others.is_empty() {
        "all there".to_owned()
    } else {
        format!("all there but {}, which can be fetched with docker pull", others.join(", "))
    };
    Finding::ok("service images", detail)
}
